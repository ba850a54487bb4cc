#ifndef WEIR_REDIS_SERVER_CLOCK_HPP
#define WEIR_REDIS_SERVER_CLOCK_HPP

#include <weir/clock.hpp>
#include <weir/redis/request.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>

namespace weir::detail::redis {

/// The server's clock, as far as it can be known here: the steady clock, moved to where samples of
/// the server's TIME put it. Until the first sample, to where the system clock puts it.
///
/// A sample says that the server's clock showed `server` at some moment between `sent` and
/// `received`; taking the middle, it is off by at most half of the time between. That error grows
/// with the sample's age, as two quartz clocks drift apart; a new sample takes its place when its
/// error is smaller, or when the two cannot both be right, as after a step of the server's clock.
/// A reading may therefore be earlier than one before, by the error of the sample or by that step.
///
/// `now` and `error` may be called by any thread, `sample` by one at a time.
class server_clock {
public:
    using nanoseconds = std::chrono::nanoseconds;

    server_clock() noexcept
        : offset_{std::chrono::duration_cast<nanoseconds>(
                      std::chrono::system_clock::now().time_since_epoch() -
                      std::chrono::steady_clock::now().time_since_epoch())
                      .count()} {}

    [[nodiscard]] time_point now() const noexcept {
        // Relaxed: the offset is all there is to see.
        return time_point{nanoseconds{std::chrono::steady_clock::now().time_since_epoch()} +
                          nanoseconds{offset_.load(std::memory_order_relaxed)}};
    }

    void sample(steady_time sent, steady_time received, time_point server) noexcept {
        const nanoseconds error = (received - sent) / 2;
        const nanoseconds offset =
            server.time_since_epoch() - nanoseconds{sent.time_since_epoch()} - error;
        const nanoseconds known = error_at(received);
        const nanoseconds apart{std::abs(offset.count() - offset_.load(std::memory_order_relaxed))};
        if (sampled_ && error > known && apart <= error + known) {
            return;
        }
        sampled_ = true;
        error_ = error;
        taken_ = received;
        offset_.store(offset.count(), std::memory_order_relaxed);
        shown_error_.store(error.count(), std::memory_order_relaxed);
    }

    /// By how much the sample in use was off at most when it was taken; negative: there is none.
    [[nodiscard]] nanoseconds error() const noexcept {
        return nanoseconds{shown_error_.load(std::memory_order_relaxed)};
    }

private:
    /// Quartz clocks are within 100 millionths of each other.
    static constexpr std::int64_t drift = 10'000;

    [[nodiscard]] nanoseconds error_at(steady_time t) const noexcept {
        return error_ + nanoseconds{t - taken_} / drift;
    }

    std::atomic<std::int64_t> offset_;
    std::atomic<std::int64_t> shown_error_{-1};
    bool sampled_ = false;
    nanoseconds error_{0};
    steady_time taken_{};
};

} // namespace weir::detail::redis

#endif
