#ifndef WEIR_MEMORY_QUOTA_KINDS_HPP
#define WEIR_MEMORY_QUOTA_KINDS_HPP

/// Small numbers for the kinds of quota in a table, so that a slot can say in one byte how its
/// state is to be judged.

#include <weir/memory/spin.hpp>
#include <weir/quota/step.hpp>

#include <atomic>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace weir::detail {

/// Up to 255 pairs of an algorithm and a period, numbered from 1 in the order in which they were
/// first seen. Number 0 stands for every kind after those: its states cannot be judged, and count
/// as in use, with nothing known of how much: as the most used, so that they are displaced last.
///
/// Safe from many threads at once. Numbers are never taken back.
class quota_kinds {
public:
    /// The number of `Q` with this period, given out now if it is new.
    template<quota Q>
    [[nodiscard]] std::uint8_t number(std::chrono::nanoseconds period) noexcept {
        const kind wanted{&judge<Q>, period};
        // Acquire: pairs with the release in add(), so that the kinds counted here are written.
        const std::size_t known = count_.load(std::memory_order_acquire);
        const std::size_t found = find(wanted, 0, known);
        return static_cast<std::uint8_t>(found != 0 ? found : add(wanted, known));
    }

    /// How a state of the kind with this number stands.
    [[nodiscard]] standing stands(std::uint8_t number, std::uint64_t state,
                                  time_point now) const noexcept {
        if (number == 0) {
            return {.fresh = false,
                    .exhausted = false,
                    .used = std::numeric_limits<std::uint32_t>::max()};
        }
        // Who read the number from a slot, with acquire, also sees the kind: it was written before.
        const kind& k = kinds_[number - 1U];
        return k.judge(state, k.period, now);
    }

private:
    struct kind {
        standing (*judge)(std::uint64_t, std::chrono::nanoseconds, time_point) noexcept;
        std::chrono::nanoseconds period;

        friend bool operator==(const kind&, const kind&) = default;
    };

    static constexpr std::size_t most = 255;

    template<quota Q>
    static standing judge(std::uint64_t state, std::chrono::nanoseconds period,
                          time_point now) noexcept {
        return Q::stands(std::bit_cast<typename Q::state_type>(state), period, now);
    }

    /// The number of `wanted` if it is among the kinds from `begin` to `end`, otherwise 0.
    [[nodiscard]] std::size_t find(const kind& wanted, std::size_t begin,
                                   std::size_t end) const noexcept {
        for (std::size_t i = begin; i != end; ++i) {
            if (kinds_[i] == wanted) {
                return i + 1;
            }
        }
        return 0;
    }

    [[nodiscard]] std::size_t add(const kind& wanted, std::size_t known) noexcept {
        if (known == most) {
            return 0;
        }
        for (int turn = 0; adding_.test_and_set(std::memory_order_acquire); ++turn) {
            spin(turn);
        }
        const std::size_t count = count_.load(std::memory_order_relaxed);
        std::size_t number = find(wanted, known, count);
        if (number == 0 && count != most) {
            kinds_[count] = wanted;
            number = count + 1;
            count_.store(number, std::memory_order_release);
        }
        adding_.clear(std::memory_order_release);
        return number;
    }

    kind kinds_[most] = {};
    std::atomic<std::size_t> count_{0};
    std::atomic_flag adding_;
};

} // namespace weir::detail

#endif
