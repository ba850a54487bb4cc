#ifndef WEIR_TESTS_SUPPORT_REDIS_SERVER_HPP
#define WEIR_TESTS_SUPPORT_REDIS_SERVER_HPP

/// Real Redis servers for tests: Redis 7.0 and later, or Valkey. The program is the one that the
/// environment variable WEIR_REDIS_SERVER names, else `redis-server` on PATH; without one, tests
/// fail.
///
/// A test that needs nothing but an empty database takes one of the server that all tests of its
/// process share:
///
///     weir::redis_backend backend{fresh_database().uri()};
///
/// A test that changes the server, stops it or counts its commands takes one of its own:
///
///     redis_server server{{"--maxmemory", "1mb"}};
///     weir::redis_backend backend{server.uri()};
///     server.pause();     // SIGSTOP
///     server.resume();
///     server.kill();      // SIGKILL
///     server.restart();   // on the same port
///
/// No server outlives its test, however that ends. A start takes about 10 ms.

#include "child_process.hpp"
#include "sockets.hpp"
#include "temporary_directory.hpp"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace weir::tests {

/// For one thread at a time, but for what is const.
class redis_server {
public:
    /// What a start waits for.
    enum class readiness {
        /// Any reply, be it LOADING or NOAUTH.
        answers,
        /// Any reply but LOADING.
        loaded,
    };

    /// The databases that a server has.
    static constexpr int databases = 256;

    /// Starts a server that stores nothing on disk, on a port and a Unix socket of its own.
    /// `arguments` are those of its command line: they come last, so they win. Throws
    /// std::runtime_error, with what the server printed, if it does not come up.
    explicit redis_server(std::vector<std::string> arguments = {});

    [[nodiscard]] std::string uri(int database = 0) const;
    [[nodiscard]] std::string unix_uri(int database = 0) const;
    [[nodiscard]] std::uint16_t port() const noexcept { return port_.number(); }
    [[nodiscard]] pid_t pid() const noexcept { return process_->pid(); }
    [[nodiscard]] bool is_running() { return !process_->wait_for(std::chrono::milliseconds{0}); }
    /// Where it runs and stores what it was told to store.
    [[nodiscard]] const std::filesystem::path& directory() const noexcept {
        return directory_.path();
    }
    /// All that it has printed.
    [[nodiscard]] std::string log() const;

    /// Ends it as SIGKILL does.
    void kill() { process_->kill(); }
    /// Ends it as SIGTERM does, and as SIGKILL does if that takes too long.
    void stop();
    /// Starts it once more where it was, after ending it if it still runs.
    void restart(readiness until = readiness::loaded);

    /// Holds it with SIGSTOP: what is sent to it arrives, and nothing is answered.
    void pause() const { process_->pause(); }
    void resume() const { process_->resume(); }

private:
    /// False if the port belongs to somebody else.
    [[nodiscard]] bool start(readiness until);
    [[nodiscard]] bool is_ready(readiness until) const;
    [[nodiscard]] std::filesystem::path log_file() const { return directory() / "log"; }
    [[nodiscard]] std::string socket_file() const { return (directory() / "socket").string(); }

    std::vector<std::string> arguments_;
    temporary_directory directory_;
    reserved_port port_;
    std::optional<child_process> process_;
};

/// A database of a server.
class database {
public:
    database(const redis_server& server, int number) : server_{&server}, number_{number} {}

    [[nodiscard]] int number() const noexcept { return number_; }
    [[nodiscard]] std::string uri() const { return server_->uri(number_); }
    [[nodiscard]] std::string unix_uri() const { return server_->unix_uri(number_); }

private:
    const redis_server* server_;
    int number_;
};

/// The server that the tests of this process share, made by the first that asks and ended with the
/// process. Every process has its own, so tests that run beside each other under ctest share
/// nothing. What holds for the whole server (its configuration, statistics, scripts, FLUSHALL) is
/// not for tests to touch here.
///
/// May be called from many threads at once.
[[nodiscard]] redis_server& shared_server();

/// An empty database of the shared server that nobody else uses: the numbers from 1 on, in turn. A
/// number comes again, emptied, after 254 others.
///
/// May be called from many threads at once.
[[nodiscard]] database fresh_database();

} // namespace weir::tests

#endif
