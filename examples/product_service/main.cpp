/// An HTTP service over a database of products, with limits and caches by weir.
///
///     settings         what the environment asks for
///     sqlite           the database in general;  seed: what is in it at first
///     catalog          the database in the shop's words
///     json             the shop's types in JSON           <- what weir/json.hpp asks for
///     cached_shop      the catalog behind caches          <- weir::cache
///     limits           who may ask how often              <- weir::rate_limiter
///     http_api         routes, and what passes the limits <- weir/http.hpp
///     handlers         what each route does
///     backend_report   what operators see of the backend  <- its stats()
///     main             puts them together, starts and stops
///
/// Limits and caches are in the memory of this process; or, with REDIS_URL, in a Redis server, where
/// all instances share them. `main`, at the end of this file, makes the one backend or the other;
/// nothing else changes.

#include "backend_report.hpp"
#include "cached_shop.hpp"
#include "catalog.hpp"
#include "http_api.hpp"
#include "limits.hpp"
#include "seed.hpp"
#include "settings.hpp"
#include "sqlite.hpp"

#include <weir/redis.hpp>
#include <weir/weir.hpp>

#include <httplib.h>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <exception>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <unistd.h>

namespace {

/// SIGINT and SIGTERM, blocked in every thread and waited for by one: no signal handler runs, so
/// none can do what a handler must not. Made before any other thread, which then inherit the mask.
class stop_signals {
public:
    stop_signals() {
        sigemptyset(&set_);
        sigaddset(&set_, SIGINT);
        sigaddset(&set_, SIGTERM);
        pthread_sigmask(SIG_BLOCK, &set_, nullptr);
    }

    void wait() const {
        int signal = 0;
        while (sigwait(&set_, &signal) != 0) {
        }
    }

    /// Ends `wait`.
    static void raise() { kill(getpid(), SIGTERM); }

private:
    sigset_t set_{};
};

/// Binds first, so that the port is known and connections queue before the first answer.
int bind(httplib::Server& server, const shop::settings& settings) {
    const int port = settings.port == 0 ? server.bind_to_any_port(settings.host)
                     : server.bind_to_port(settings.host, settings.port) ? settings.port
                                                                         : -1;
    if (port < 0) {
        throw std::runtime_error{"cannot listen on " + settings.host + " port " +
                                 std::to_string(settings.port) +
                                 "; set HOST and PORT (0: any free port)"};
    }
    return port;
}

/// A token to try with; a stand-in if it is not one of those that everybody knows.
std::string token_to_show(const std::map<std::string, std::string>& tokens,
                          const std::string& well_known) {
    return tokens.contains(well_known) ? well_known : "<token>";
}

void greet(const shop::settings& settings, int port) {
    const bool is_ipv6 = settings.host.find(':') != std::string::npos;
    const std::string url = "http://" + (is_ipv6 ? "[" + settings.host + "]" : settings.host) +
                            ":" + std::to_string(port);
    std::printf("product_service listening on %s\nTry:\n", url.c_str());
    const auto show = [&](const char* what, const std::string& path, const std::string& options) {
        std::printf("  # %s\n  curl -i '%s%s'%s\n", what, url.c_str(), path.c_str(),
                    options.c_str());
    };
    const auto as = [](const std::string& token) {
        return " -H 'Authorization: Bearer " + token + "'";
    };
    show("a search: limited", "/search?q=lamp", "");
    show("a list and a product: cached", "/products?category=lighting&page=2", "");
    show("a report: slow, then cached", "/reports/sales", "");
    show("a change: what it concerns is computed afresh", "/products/42",
         as(token_to_show(settings.admin_tokens, "demo-admin")) +
             " -X PUT -d '{\"name\":\"Brass Lamp\",\"category\":\"lighting\","
             "\"description\":\"\",\"price_cents\":4900,\"stock\":3}'");
    show("a user's own cart", "/me/cart", as(token_to_show(settings.user_tokens, "demo-alice")));
    show("what the limiters and caches did", "/stats", "");
    std::puts("Stop it with Ctrl-C or SIGTERM; --help shows the settings.");
    std::fflush(stdout);
}

/// Serves until a stop signal comes; then finishes the requests that have arrived.
void serve(httplib::Server& server, const stop_signals& signals) {
    std::atomic<bool> failed = false;
    std::thread listener{[&] {
        failed = !server.listen_after_bind();
        stop_signals::raise();
    }};
    signals.wait();
    while (!server.is_running() && !failed) {
        std::this_thread::yield(); // Before it runs, `stop` would do nothing.
    }
    server.stop();
    listener.join();
    if (failed) {
        throw std::runtime_error{"cannot accept connections any more"};
    }
}

/// The whole service on one storage backend. A template, so that `main` alone knows which.
template<class Backend>
void run(const Backend& backend, const shop::settings& settings, const stop_signals& signals) {
    if (const shop::backend_report report = shop::report_on(backend); !report.trouble.empty()) {
        std::fprintf(stderr, "product_service: %s; until it can be, requests pass uncounted\n",
                     report.trouble.c_str());
    }
    shop::database database{settings.database};
    if (shop::prepare(database)) {
        std::printf("created %s with demonstration data\n", settings.database.c_str());
    }
    shop::catalog catalog{database};
    shop::cached_shop shop{backend, catalog, settings.caches};
    const shop::limits limits{backend, settings.limits};
    shop::http_api api{settings, limits, catalog, shop, [&] { return shop::report_on(backend); }};

    httplib::Server server;
    server.new_task_queue = [&] { return new httplib::ThreadPool{settings.threads}; };
    api.serve_on(server);
    greet(settings, bind(server, settings));
    serve(server, signals);
    std::puts("product_service stopped");
}

/// Waits a moment for the server, so that already the first requests are counted, and does without it
/// if it does not come: the backend goes on trying.
weir::redis_backend redis_at(const std::string& url) {
    try {
        weir::redis_backend redis{url};
        redis.wait_until_connected();
        return redis;
    } catch (const std::invalid_argument& error) {
        throw std::invalid_argument{std::string{"REDIS_URL cannot be used: "} + error.what()};
    }
}

} // namespace

int main(int argc, char** argv) {
    if (argc > 1) {
        const bool asked = argc == 2 && std::string_view{argv[1]} == "--help";
        std::fprintf(asked ? stdout : stderr, "usage: %s\n\n%s", argv[0], shop::settings_help);
        return asked ? 0 : 2;
    }
    try {
        const shop::settings settings = shop::read_settings();
        const stop_signals signals;
        if (settings.redis_url.empty()) {
            run(weir::memory_backend{}, settings, signals);
        } else {
            run(redis_at(settings.redis_url), settings, signals);
        }
    } catch (const std::invalid_argument& error) {
        std::fprintf(stderr, "product_service: %s\n", error.what());
        return 2;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "product_service: %s\n", error.what());
        return 1;
    }
    return 0;
}
