#ifndef WEIR_REDIS_CLIENT_SETTINGS_HPP
#define WEIR_REDIS_CLIENT_SETTINGS_HPP

#include <weir/redis/address.hpp>
#include <weir/redis/error_log.hpp>
#include <weir/redis/preparation.hpp>
#include <weir/redis/reply_reader.hpp>
#include <weir/redis/socket.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

namespace weir::detail::redis {

/// How long replies may take where requests gather (gathering.hpp).
struct gathering_limits {
    /// For each caller who waits. About what it takes to wake one, to take his next request and to put
    /// him to sleep: the time that passes anyway, where callers share few processors.
    std::chrono::nanoseconds per_caller{std::chrono::microseconds{10}};
    /// However many they are.
    std::chrono::nanoseconds at_most{std::chrono::milliseconds{1}};
};

/// What a client is told; validated by who makes it.
struct client_settings {
    redis_address to;
    preparation::login_source logins;
    /// For CLIENT LIST; empty: none.
    std::string name;
    std::chrono::nanoseconds timeout{std::chrono::milliseconds{250}};
    std::chrono::nanoseconds connect_timeout{std::chrono::seconds{1}};
    std::chrono::nanoseconds heartbeat{std::chrono::seconds{1}};
    std::size_t connections = 4;
    std::size_t max_queued = 16'384;
    reply_limits replies;
    gathering_limits gathering;
    std::shared_ptr<error_log> errors = std::make_shared<error_log>();

    /// How old the oldest request without a reply may get before its connection counts as dead.
    [[nodiscard]] std::chrono::nanoseconds stall_timeout() const noexcept {
        return std::max<std::chrono::nanoseconds>(2 * timeout, std::chrono::seconds{1});
    }
    [[nodiscard]] socket_settings sockets() const noexcept {
        using namespace std::chrono;
        return {duration_cast<milliseconds>(stall_timeout()),
                duration_cast<microseconds>(longest_wait())};
    }
    /// How long a thread that waits in `receive` hears of nothing else, at most; the system rounds it
    /// up to its tick.
    [[nodiscard]] std::chrono::nanoseconds longest_wait() const noexcept {
        return std::min<std::chrono::nanoseconds>(timeout, std::chrono::milliseconds{10});
    }
};

} // namespace weir::detail::redis

#endif
