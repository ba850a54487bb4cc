#ifndef WEIR_MEMORY_DEADLINES_HPP
#define WEIR_MEMORY_DEADLINES_HPP

#include <weir/clock.hpp>

#include <chrono>
#include <cstdint>

namespace weir::detail {

/// Deadlines in 32 bits, to be swept many at a time: in steps of about a millisecond since the first
/// operation, modulo 2^32. Earlier and later can be told apart within 26 days; a deadline beyond
/// that is cut down to it, and looked at again when it is reached.
class deadlines {
public:
    void begin(time_point now) noexcept {
        if (!begun_) {
            begun_ = true;
            first_ = now;
        }
    }

    [[nodiscard]] std::uint32_t tick(time_point t) const noexcept {
        return static_cast<std::uint32_t>(static_cast<std::uint64_t>((t - first_).count()) >> bits);
    }

    [[nodiscard]] static bool reached(std::uint32_t deadline, std::uint32_t tick_now) noexcept {
        return static_cast<std::int32_t>(tick_now - deadline) >= 0;
    }

    /// For what has no deadline.
    [[nodiscard]] std::uint32_t farthest(time_point now) const noexcept { return tick(now) + far; }

    /// The first tick that begins at `end` or later, or the farthest.
    [[nodiscard]] std::uint32_t at(time_point end, time_point now) const noexcept {
        constexpr std::chrono::nanoseconds longest{std::int64_t{far - 2} << bits};
        return end > now && end - now >= longest ? farthest(now) : tick(end) + 1;
    }

private:
    static constexpr unsigned bits = 20;
    static constexpr std::uint32_t far = 0x7fff'ffff;

    bool begun_ = false;
    time_point first_{};
};

} // namespace weir::detail

#endif
