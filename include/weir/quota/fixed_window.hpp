#ifndef WEIR_QUOTA_FIXED_WINDOW_HPP
#define WEIR_QUOTA_FIXED_WINDOW_HPP

/// Fixed windows: at most `limit` permits between two edges of the clock.
///
/// The cheapest algorithm, and the one whose counter anybody can read: it counts what was used in
/// the window that the clock is in, and starts at zero in the next. Windows are aligned to the Unix
/// epoch (a minute starts with the minute), as in `rate:{key}:{now / window}`.
///
/// Bound: at most `limit` permits are charged to any aligned window, so at most 2 x `limit` are
/// admitted in any span of one window length, when a client spends one window's permits just before
/// an edge and the next one's just after it.

#include <weir/quota/step.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

namespace weir {

/// At most `limit` permits per aligned window of length `window`.
struct fixed_window {
    /// Permits per window, 0 <= limit <= 2^32 - 1; 0 blocks every request.
    std::int64_t limit = 0;
    /// 1 ms <= window <= 10 years (3,650 days).
    std::chrono::nanoseconds window{0};

    static constexpr std::int64_t max_limit = 0xffffffff;
    static constexpr std::chrono::nanoseconds min_window = std::chrono::milliseconds{1};
    static constexpr std::chrono::nanoseconds max_window = std::chrono::hours{24 * 3650};
    static constexpr std::string_view algorithm = "fixed_window";

    /// One word: [nothing left: 1 bit | window number modulo 2^31 - 1: 31 bits | used: 32 bits].
    /// A window number that comes round again (2^31 - 1 windows later: 24 days of 1 ms windows, 68
    /// years of seconds) would revive a count for the length of one window.
    using state_type = std::uint64_t;

    [[nodiscard]] constexpr bool valid() const noexcept {
        return limit >= 0 && limit <= max_limit && window >= min_window && window <= max_window;
    }

    /// Throws std::invalid_argument, naming the value and the range, unless `valid()`.
    constexpr void validate() const {
        if (limit < 0 || limit > max_limit) {
            throw std::invalid_argument{"weir::fixed_window: limit is " + std::to_string(limit) +
                                        "; it must be from 0 to 4294967295"};
        }
        if (window < min_window || window > max_window) {
            throw std::invalid_argument{"weir::fixed_window: window is " +
                                        std::to_string(window.count()) +
                                        "ns; it must be from 1ms to 3650 days"};
        }
    }

    [[nodiscard]] constexpr std::chrono::nanoseconds period() const noexcept { return window; }

    /// Takes `cost` permits, all or none. Constant time, never throws, usable in constant
    /// expressions.
    ///
    /// @param state  of this key, for any limit and this window
    /// @param cost   cost >= 0
    /// @param now    since the Unix epoch, not negative
    /// @param shift  0 <= shift < window: by how much this key's windows start earlier
    ///
    /// A reading of the clock that comes late is charged to the window that the key has reached: a
    /// state ahead of `now` by up to one window, or by up to one second if windows are shorter,
    /// counts as it stands. (Its writer read the clock after an edge, this caller before, and was
    /// then held up.) One that is further ahead, as after a clock was set back, counts as absent, so
    /// that it can never ban a key.
    [[nodiscard]] constexpr stepped<state_type, decision>
    take(state_type state, std::int64_t cost, time_point now,
         std::chrono::nanoseconds shift) const noexcept {
        const current at = locate(state, window, now, shift);
        decision answer;
        answer.limit = limit;
        if (cost > limit || limit == 0) {
            answer.reason = reason::impossible;
            answer.remaining = std::max<std::int64_t>(0, limit - at.used);
            answer.retry_after = never;
            answer.reset_after = at.used == 0 ? std::chrono::nanoseconds{0} : at.left;
            return {answer, state, false};
        }
        const std::int64_t used = at.used + cost;
        if (used > limit) {
            answer.reason = reason::over_limit;
            answer.remaining = std::max<std::int64_t>(0, limit - at.used);
            answer.retry_after = at.left;
            answer.reset_after = at.left;
            return {answer, state, false};
        }
        answer.allowed = true;
        answer.reason = reason::within_limit;
        answer.remaining = limit - used;
        answer.reset_after = used == 0 ? std::chrono::nanoseconds{0} : at.left;
        // A key that had used up a smaller limit before this call's still has.
        const bool was_used_up = at.used != 0 && (state >> 63) != 0;
        return {answer,
                pack(at.number, static_cast<std::uint32_t>(used), used == limit || was_used_up),
                cost != 0};
    }

    /// Returns `cost` permits, at most what was used. A key not in use stays as it is.
    [[nodiscard]] constexpr state_type give_back(state_type state, std::int64_t cost,
                                                 time_point now,
                                                 std::chrono::nanoseconds shift) const noexcept {
        const current at = locate(state, window, now, shift);
        if (at.used == 0 || cost <= 0) {
            return state;
        }
        const std::int64_t rest = std::max<std::int64_t>(0, at.used - cost);
        return pack(at.number, static_cast<std::uint32_t>(rest), false);
    }

    /// How a state stands, whatever this key's shift: a window counts as over only when it is over
    /// for every shift.
    [[nodiscard]] static constexpr standing
    stands(state_type state, std::chrono::nanoseconds period, time_point now) noexcept {
        // A shift moves a key's window ahead of the unshifted one by at most one.
        const bool live = ahead(state, window_number(now, period)) <= most_ahead(period) + 1;
        const auto used = static_cast<std::uint32_t>(state);
        if (!live || used == 0) {
            return {};
        }
        return {false, (state >> 63) != 0, used};
    }

    /// The state of a key that has used `used` permits in the window of `now`.
    [[nodiscard]] static constexpr state_type having_used(std::uint32_t used,
                                                          std::chrono::nanoseconds period,
                                                          time_point now,
                                                          std::chrono::nanoseconds shift) noexcept {
        return pack(window_number(now + shift, period), used, false);
    }

    friend constexpr bool operator==(const fixed_window&, const fixed_window&) = default;

private:
    static constexpr std::uint64_t numbers = 0x7fffffff;

    struct current {
        std::uint64_t number;
        std::int64_t used;
        std::chrono::nanoseconds left;
    };

    [[nodiscard]] static constexpr std::uint64_t
    window_number(time_point now, std::chrono::nanoseconds period) noexcept {
        return static_cast<std::uint64_t>(now.time_since_epoch() / period) % numbers;
    }

    [[nodiscard]] static constexpr std::uint64_t number_of(state_type state) noexcept {
        return state >> 32 & numbers;
    }

    /// By how many windows `state` is ahead of the window `number`, modulo 2^31 - 1.
    [[nodiscard]] static constexpr std::uint64_t ahead(state_type state,
                                                       std::uint64_t number) noexcept {
        return (number_of(state) + numbers - number) % numbers;
    }

    /// How many windows a reading of the clock may be late.
    [[nodiscard]] static constexpr std::uint64_t
    most_ahead(std::chrono::nanoseconds period) noexcept {
        return std::max<std::uint64_t>(
            1,
            static_cast<std::uint64_t>(std::chrono::nanoseconds{std::chrono::seconds{1}} / period));
    }

    [[nodiscard]] static constexpr state_type pack(std::uint64_t number, std::uint32_t used,
                                                   bool nothing_left) noexcept {
        return static_cast<state_type>(nothing_left) << 63 | number << 32 | used;
    }

    [[nodiscard]] static constexpr current locate(state_type state, std::chrono::nanoseconds period,
                                                  time_point now,
                                                  std::chrono::nanoseconds shift) noexcept {
        const std::chrono::nanoseconds moved = now.time_since_epoch() + shift;
        const std::int64_t index = moved / period;
        const std::uint64_t number = static_cast<std::uint64_t>(index) % numbers;
        const std::chrono::nanoseconds left = period * (index + 1) - moved;
        const std::int64_t used = static_cast<std::uint32_t>(state);
        if (number_of(state) == number) {
            return {number, used, left};
        }
        const std::uint64_t by = ahead(state, number);
        if (used != 0 && by <= most_ahead(period)) {
            return {number_of(state), used, left + period * static_cast<std::int64_t>(by)};
        }
        return {number, 0, left};
    }
};

/// The quota in the form that `parse_quota` will read back and that names an unnamed limiter where
/// processes share one: `20-60s`, `5-1500ms`.
[[nodiscard]] inline std::string to_string(const fixed_window& q) {
    const auto ns = q.window.count();
    if (ns % 1'000'000'000 == 0) {
        return std::to_string(q.limit) + "-" + std::to_string(ns / 1'000'000'000) + "s";
    }
    if (ns % 1'000'000 == 0) {
        return std::to_string(q.limit) + "-" + std::to_string(ns / 1'000'000) + "ms";
    }
    return std::to_string(q.limit) + "-" + std::to_string(ns) + "ns";
}

/// `limit` permits in every second, minute, hour or day of the clock (UTC).
[[nodiscard]] constexpr fixed_window per_second(std::int64_t limit) noexcept {
    return {.limit = limit, .window = std::chrono::seconds{1}};
}
[[nodiscard]] constexpr fixed_window per_minute(std::int64_t limit) noexcept {
    return {.limit = limit, .window = std::chrono::minutes{1}};
}
[[nodiscard]] constexpr fixed_window per_hour(std::int64_t limit) noexcept {
    return {.limit = limit, .window = std::chrono::hours{1}};
}
[[nodiscard]] constexpr fixed_window per_day(std::int64_t limit) noexcept {
    return {.limit = limit, .window = std::chrono::hours{24}};
}

} // namespace weir

#endif
