#include "http_api.hpp"

#include "answers.hpp"
#include "sqlite.hpp"

#include <weir/http.hpp>

#include <cstdio>
#include <exception>
#include <sys/socket.h>
#include <utility>

namespace shop {

namespace {

constexpr std::size_t max_body_bytes = 65'536;

std::string_view title_of(int status) {
    switch (status) {
    case 400:
        return "Bad Request";
    case 404:
        return "Not Found";
    case 413:
        return "Content Too Large";
    case 414:
        return "URI Too Long";
    case 416:
        return "Range Not Satisfiable";
    default:
        return status >= 500 ? "Internal Server Error" : "Request Refused";
    }
}

/// Makes up for two habits of cpp-httplib 0.11.
void mend(httplib::Request& request) {
    // It waits for a body until the connection ends, where HTTP says that there is none.
    if (!request.has_header("Content-Length") && !request.has_header("Transfer-Encoding")) {
        request.set_header("Content-Length", "0");
    }
    // It cuts ranges out of every answer, errors included.
    request.ranges.clear();
}

/// Whether `path` is one that `pattern` describes; then `argument` is what `{}` stands for.
bool matches(std::string_view pattern, std::string_view path, std::string& argument) {
    const std::size_t hole = pattern.find("{}");
    if (hole == std::string_view::npos) {
        return path == pattern;
    }
    if (!path.starts_with(pattern.substr(0, hole))) {
        return false;
    }
    argument = path.substr(hole);
    return argument.find('/') == std::string::npos;
}

} // namespace

http_api::http_api(const settings& settings, const limits& limits, const catalog& catalog,
                   cached_shop& shop, std::function<backend_report()> backend)
    : settings_{settings},
      limits_{limits},
      catalog_{catalog},
      shop_{shop},
      backend_{std::move(backend)} {}

const std::vector<http_api::route>& http_api::routes() {
    using enum limited;
    using enum tier;
    static const std::vector<route> all{
        {"GET", "/search", as_search, anonymous, &http_api::search},
        {"GET", "/products", by_tier, anonymous, &http_api::list_products},
        {"POST", "/products", by_tier, admin, &http_api::add_product},
        {"GET", "/products/{}", by_tier, anonymous, &http_api::get_product},
        {"PUT", "/products/{}", by_tier, admin, &http_api::replace_product},
        {"DELETE", "/products/{}", by_tier, admin, &http_api::remove_product},
        {"GET", "/reports/sales", by_tier, anonymous, &http_api::sales_report},
        {"GET", "/me/cart", by_tier, user, &http_api::get_cart},
        {"DELETE", "/me/cart", by_tier, user, &http_api::empty_cart},
        {"PUT", "/me/cart/{}", by_tier, user, &http_api::put_in_cart},
        {"DELETE", "/me/cart/{}", by_tier, user, &http_api::remove_from_cart},
        // For operators. A real service would not show these two to the public.
        {"GET", "/stats", not_at_all, anonymous, &http_api::stats},
        {"GET", "/healthz", not_at_all, anonymous, &http_api::health},
    };
    return all;
}

void http_api::serve_on(httplib::Server& server) {
    server.set_payload_max_length(max_body_bytes);
    server.set_tcp_nodelay(true);
    // By default cpp-httplib shares a port with whoever else listens on it (SO_REUSEPORT).
    server.set_socket_options([](socket_t socket) {
        const int on = 1;
        setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    });
    // An idle connection holds a thread, and the end of the service waits for it.
    server.set_keep_alive_timeout(1);
    server.set_keep_alive_max_count(1000);

    server.set_pre_routing_handler([](const httplib::Request& request, httplib::Response&) {
        mend(const_cast<httplib::Request&>(request)); // The request is not const, this view is.
        return httplib::Server::HandlerResponse::Unhandled;
    });
    // What cpp-httplib refuses by itself gets the same kind of answer as everything else.
    server.set_error_handler([](const httplib::Request&, httplib::Response& response) {
        if (response.body.empty()) {
            send_problem(response, response.status, title_of(response.status),
                         "the request could not be read");
        }
    });

    const auto handle_all = [this](const httplib::Request& request, httplib::Response& response) {
        handle(request, response);
    };
    server.Get(".*", handle_all);
    server.Post(".*", handle_all);
    server.Put(".*", handle_all);
    server.Patch(".*", handle_all);
    server.Delete(".*", handle_all);
    server.Options(".*", handle_all);
}

/// Counts the request against `policy`, tells the client how it stands, and answers it if it is
/// denied. Returns whether it may go on.
bool http_api::admit(const policy& policy, const client& who, httplib::Response& response) {
    const weir::applied_quota applied[] = {policy.apply_to(who)};
    const weir::decision& decision = applied[0].answer;

    const bool counted = decision.reason != weir::reason::backend_failed;
    if (counting_.exchange(counted) != counted) {
        std::fprintf(stderr, "product_service: %s\n",
                     counted ? "limits count again"
                             : ("requests pass uncounted: " + decision.error().message()).c_str());
    }
    response.set_header("RateLimit-Policy", weir::rate_limit_policy_field(applied));
    if (const std::string field = weir::rate_limit_field(applied); !field.empty()) {
        response.set_header("RateLimit", field);
    }
    if (decision) {
        return true;
    }
    if (const auto seconds = weir::retry_after_seconds(decision)) {
        response.set_header("Retry-After", std::to_string(*seconds));
    }
    response.status = weir::http_status(decision);
    response.set_header("Cache-Control", "no-store");
    response.set_content(weir::problem_json(applied), std::string{weir::problem_content_type});
    return false;
}

void http_api::handle(const httplib::Request& request, httplib::Response& response) {
    ++in_progress_;
    const auto report = [&](int status, std::string_view title, const std::exception& error) {
        std::fprintf(stderr, "product_service: %s %s: %s\n", request.method.c_str(),
                     request.path.c_str(), error.what());
        send_problem(response, status, title, "the request failed; the service has noted why");
    };
    try {
        answer(request, response);
    } catch (const bad_request& error) {
        send_problem(response, 400, "Bad Request", error.what());
    } catch (const conflict& error) {
        send_problem(response, 409, "Conflict", error.what());
    } catch (const database_error& error) {
        error.is_temporary() ? report(503, "Service Unavailable", error)
                             : report(500, "Internal Server Error", error);
    } catch (const std::exception& error) {
        report(500, "Internal Server Error", error);
    }
    --in_progress_;
}

void http_api::answer(const httplib::Request& request, httplib::Response& response) {
    const std::string method = request.method == "HEAD" ? "GET" : request.method;
    const route* found = nullptr;
    std::string argument;
    std::string other_methods;
    for (const route& candidate : routes()) {
        if (!matches(candidate.path, request.path, argument)) {
            continue;
        }
        if (candidate.method == method) {
            found = &candidate;
            break;
        }
        other_methods += (other_methods.empty() ? "" : ", ") + std::string{candidate.method};
    }

    // The limit comes first: what does not exist, is not allowed or is nobody's token costs as much
    // as anything else.
    const std::optional<client> known = identify(request);
    const client who = known.value_or(client{tier::anonymous, request.remote_addr});
    const limited how = found == nullptr ? limited::by_tier : found->how;
    if (how != limited::not_at_all &&
        !admit(how == limited::as_search ? limits_.search : limits_.of(who.tier), who, response)) {
        return;
    }

    if (!known ||
        (found != nullptr && found->least != tier::anonymous && who.tier == tier::anonymous)) {
        response.set_header("WWW-Authenticate", "Bearer");
        send_problem(response, 401, "Unauthorized",
                     known ? "this needs an Authorization: Bearer <token>"
                           : "the Authorization is not one that this service knows");
    } else if (found == nullptr && !other_methods.empty()) {
        response.set_header("Allow", other_methods);
        send_problem(response, 405, "Method Not Allowed", "allowed here: " + other_methods);
    } else if (found == nullptr) {
        send_problem(response, 404, "Not Found", "there is nothing at this path");
    } else if (who.tier < found->least) {
        send_problem(response, 403, "Forbidden", "only administrators may do this");
    } else {
        (this->*found->handler)({request, who, std::move(argument)}, response);
    }
}

std::optional<client> http_api::identify(const httplib::Request& request) const {
    if (!request.has_header("Authorization")) {
        // The peer of the connection. Behind a proxy that would be the proxy; whom to believe about
        // the client's address then is a question that this example leaves out.
        return client{tier::anonymous, request.remote_addr};
    }
    constexpr std::string_view scheme = "Bearer ";
    std::string token = request.get_header_value("Authorization");
    if (!token.starts_with(scheme)) {
        return std::nullopt;
    }
    token.erase(0, scheme.size());
    if (const auto admin = settings_.admin_tokens.find(token);
        admin != settings_.admin_tokens.end()) {
        return client{tier::admin, admin->second};
    }
    if (const auto user = settings_.user_tokens.find(token); user != settings_.user_tokens.end()) {
        return client{tier::user, user->second};
    }
    return std::nullopt;
}

} // namespace shop
