#ifndef WEIR_MEMORY_SHORT_DURATION_HPP
#define WEIR_MEMORY_SHORT_DURATION_HPP

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace weir::detail {

/// A duration in 32 bits, two of which choose the unit. Exact for a whole number below 2^30 of
/// nanoseconds, microseconds, milliseconds or seconds; any other duration is rounded down, by less
/// than a millionth part. At most 34 years.
class short_duration {
public:
    constexpr short_duration() noexcept = default;
    explicit constexpr short_duration(std::chrono::nanoseconds length) noexcept {
        const auto whole = static_cast<std::uint64_t>(std::max<std::int64_t>(length.count(), 0));
        std::uint32_t unit = 0;
        while (unit < 3 && whole / lengths[unit] >= limit) {
            ++unit;
        }
        const std::uint64_t count = std::min<std::uint64_t>(whole / lengths[unit], limit - 1);
        coded_ = unit << 30 | static_cast<std::uint32_t>(count);
    }

    [[nodiscard]] constexpr std::chrono::nanoseconds get() const noexcept {
        const std::uint64_t count = coded_ & (limit - 1);
        return std::chrono::nanoseconds{static_cast<std::int64_t>(count * lengths[coded_ >> 30])};
    }

private:
    static constexpr std::uint32_t limit = 1U << 30;
    static constexpr std::uint64_t lengths[4] = {1, 1'000, 1'000'000, 1'000'000'000};

    std::uint32_t coded_ = 0;
};

} // namespace weir::detail

#endif
