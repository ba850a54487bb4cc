#ifndef WEIR_REDIS_CORE_HPP
#define WEIR_REDIS_CORE_HPP

#include <weir/detail/futex.hpp>
#include <weir/detail/striped_counters.hpp>
#include <weir/redis/client_settings.hpp>
#include <weir/redis/epoll.hpp>
#include <weir/redis/exchange.hpp>
#include <weir/redis/link.hpp>
#include <weir/redis/request.hpp>
#include <weir/redis/server_clock.hpp>
#include <weir/redis/wakeup.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <sys/epoll.h>
#include <utility>

namespace weir::detail::redis {

/// How many connections there are, for who wants to wait for the first.
class connection_count {
public:
    void set(std::size_t count) noexcept {
        count_.store(static_cast<std::uint32_t>(count), std::memory_order_release);
        futex_wake_all(&count_);
    }
    [[nodiscard]] std::size_t now() const noexcept {
        return count_.load(std::memory_order_relaxed); // a number to look at
    }
    /// False if there is none at `end`.
    [[nodiscard]] bool wait_for_one(steady_time end) const noexcept {
        while (count_.load(std::memory_order_acquire) == 0) {
            if (!futex_wait(count_, 0, end)) {
                return count_.load(std::memory_order_acquire) != 0;
            }
        }
        return true;
    }

private:
    std::atomic<std::uint32_t> count_{0};
};

/// What the callers of a client and its I/O thread share.
struct client_core {
    explicit client_core(client_settings s)
        : settings{std::move(s)}, meeting{settings.max_queued} {}

    enum counter : std::size_t {
        /// Calls that a caller served himself.
        own_calls,
        /// Calls that the I/O thread served.
        shared_calls,
        timeouts,
        /// Waits of the I/O thread while requests gathered.
        gatherings,
        connections_made,
        connections_lost,
        /// On sockets, for events and to wake the I/O thread.
        system_calls,
        counter_count
    };

    /// For the descriptor of `bell`, which belongs to no link.
    static constexpr std::uint64_t bell_tag = ~std::uint64_t{0};

    /// Events of a link that is nobody's or a caller's: only that the peer hangs up.
    static constexpr std::uint32_t unattended = EPOLLRDHUP;

    void ring() noexcept {
        bell->notify();
        counters.add(system_calls);
    }

    const client_settings settings;
    exchange meeting;
    std::array<link, most_links> links;
    const std::shared_ptr<wakeup> bell = std::make_shared<wakeup>();
    epoll events;
    server_clock clock;
    striped_counters<counter_count> counters;
    connection_count connections;
    /// How many callers are in a call, waiting for its reply.
    std::atomic<std::uint32_t> callers{0};
};

} // namespace weir::detail::redis

#endif
