#ifndef WEIR_TESTS_INTEGRATION_RUNNING_SERVICE_HPP
#define WEIR_TESTS_INTEGRATION_RUNNING_SERVICE_HPP

/// A product_service in a process of its own, on a free port, for one test.

#include "support/child_process.hpp"
#include "support/temporary_directory.hpp"

#include <httplib.h>
#include <nlohmann/json.hpp>

#include <chrono>
#include <cstdint>
#include <map>
#include <string>

namespace integration {

using weir::tests::temporary_directory;

using environment = std::map<std::string, std::string>;

/// The service in a child process, which ends with the object.
class process {
public:
    /// Starts the service with `settings` as its whole environment, but for what sanitizers need.
    explicit process(const environment& settings);

    /// All that it has printed, standard error included.
    [[nodiscard]] std::string output() const;
    [[nodiscard]] bool has_ended() { return child_.wait_for(std::chrono::milliseconds{0}); }

    void send_signal(int signal) const { child_.send_signal(signal); }
    /// Waits for its end. Returns its exit status, or minus the signal that ended it.
    int wait();

private:
    temporary_directory directory_;
    weir::tests::child_process child_;
};

struct reply {
    int status = 0;
    httplib::Headers headers;
    std::string body;

    [[nodiscard]] std::string header(const std::string& name) const;
    [[nodiscard]] nlohmann::json json() const { return nlohmann::json::parse(body); }
    /// The value of X-Cache.
    [[nodiscard]] std::string cache() const { return header("X-Cache"); }
    /// Whether a limiter counted the request.
    [[nodiscard]] bool was_counted() const { return !header("RateLimit").empty(); }
};

/// Who sends a request: a token, or nothing for an anonymous client.
inline const std::string nobody;
inline const std::string alice = "demo-alice";
inline const std::string bob = "demo-bob";
inline const std::string admin = "demo-admin";

/// A product as a request that changes one says it.
inline const std::string lamp = R"({"name":"Brass Lamp","category":"lighting",)"
                                R"("description":"bright","price_cents":4900,"stock":7})";

/// How many of `count` requests were not denied.
template<class Request>
int admitted(int count, Request request) {
    int result = 0;
    for (int i = 0; i < count; ++i) {
        result += request().status == 429 ? 0 : 1;
    }
    return result;
}

class running_service {
public:
    /// Starts, and returns when it listens. Unless `settings` name a DATABASE, it has a copy of the
    /// filled one for itself.
    explicit running_service(environment settings = {});

    reply request(const std::string& method, const std::string& path,
                  const std::string& token = nobody, const std::string& body = "") const;
    reply get(const std::string& path, const std::string& token = nobody) const {
        return request("GET", path, token);
    }

    /// One of the numbers of /stats, such as `/caches/product/computations`.
    [[nodiscard]] std::int64_t stat(const std::string& pointer) const;

    /// Waits, if need be, until the present minute has at least `seconds` left, so that what follows
    /// falls into one window of the limiters.
    void in_one_window(int seconds) const;

    [[nodiscard]] const std::string& database() const { return database_; }
    [[nodiscard]] int port() const { return port_; }
    [[nodiscard]] std::string output() const { return process_.output(); }

    void send_signal(int signal) { process_.send_signal(signal); }
    int wait() { return process_.wait(); }
    /// Sends SIGTERM and returns the exit status.
    int stop();

private:
    environment prepare(environment settings);

    temporary_directory directory_;
    std::string database_;
    process process_;
    int port_ = 0;
};

} // namespace integration

#endif
