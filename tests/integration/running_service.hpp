#ifndef WEIR_TESTS_INTEGRATION_RUNNING_SERVICE_HPP
#define WEIR_TESTS_INTEGRATION_RUNNING_SERVICE_HPP

/// A product_service in a process of its own, on a free port, for one test.

#include <httplib.h>
#include <nlohmann/json.hpp>

#include <filesystem>
#include <map>
#include <string>
#include <sys/types.h>

namespace integration {

using environment = std::map<std::string, std::string>;

/// An empty directory that goes away with the object.
class temporary_directory {
public:
    temporary_directory();
    temporary_directory(const temporary_directory&) = delete;
    temporary_directory& operator=(const temporary_directory&) = delete;
    ~temporary_directory();

    [[nodiscard]] const std::filesystem::path& path() const { return path_; }

private:
    std::filesystem::path path_;
};

/// A child process whose output can be read.
class process {
public:
    /// Starts the service with `settings` as its whole environment, but for what sanitizers need.
    explicit process(const environment& settings);
    process(const process&) = delete;
    process& operator=(const process&) = delete;
    /// Ends it the hard way if nobody waited for it.
    ~process();

    /// The next line of its output, standard error included, or nothing at its end. Gives up with an
    /// exception after two minutes.
    std::string read_line();
    /// All that it still prints until it ends.
    std::string read_all();

    /// Prints what it printed and nobody read, to explain a failed test.
    void show_output() const;

    void send_signal(int signal) const;
    /// Waits for its end. Returns its exit status, or minus the signal that ended it.
    int wait();

private:
    bool read_more() const;

    pid_t pid_ = -1;
    int output_ = -1;
    mutable std::string pending_;
};

struct reply {
    int status = 0;
    httplib::Headers headers;
    std::string body;

    [[nodiscard]] std::string header(const std::string& name) const;
    [[nodiscard]] nlohmann::json json() const { return nlohmann::json::parse(body); }
    /// The value of X-Cache.
    [[nodiscard]] std::string cache() const { return header("X-Cache"); }
};

/// Who sends a request: a token, or nothing for an anonymous client.
inline const std::string nobody;
inline const std::string alice = "demo-alice";
inline const std::string bob = "demo-bob";
inline const std::string admin = "demo-admin";

class running_service {
public:
    /// Starts on a copy of the filled database, and returns when it listens.
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

    [[nodiscard]] std::string database() const;
    [[nodiscard]] int port() const { return port_; }

    void send_signal(int signal) { process_.send_signal(signal); }
    int wait() { return process_.wait(); }
    /// Sends SIGTERM and returns the exit status.
    int stop();

private:
    environment prepare(environment settings) const;

    temporary_directory directory_;
    process process_;
    int port_ = 0;
};

} // namespace integration

#endif
