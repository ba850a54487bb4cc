#ifndef WEIR_MEMORY_FREQUENCY_SKETCH_HPP
#define WEIR_MEMORY_FREQUENCY_SKETCH_HPP

#include <weir/detail/hash.hpp>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace weir::detail {

/// Estimates how often each of many keys was asked for lately: a count-min sketch of 4-bit counters
/// that are halved now and then. 8 to 16 bytes per entry of the capacity.
///
/// The four counters of a key lie in one cache line: two words of eight are skipped over by one bit
/// of the hash each time, so counter i is in word 2i or 2i + 1.
/// Source: Einziger, Friedman, Manes, "TinyLFU", ACM ToS 2017; the blocked layout is that of
/// FrequencySketch in Caffeine.
///
/// Concurrency: `increment` and `estimate` may be called from many threads at once; increments that
/// meet may be lost, which an estimate can bear. `age` is called by one thread at a time.
class frequency_sketch {
public:
    static constexpr std::uint32_t most = 15;

    explicit frequency_sketch(std::size_t capacity)
        : blocks_{std::bit_ceil(std::max<std::size_t>(capacity, 8)) / 8},
          words_{std::make_unique<block[]>(blocks_)} {}

    void increment(std::uint32_t hash) noexcept {
        bool counted = false;
        each(hash, [&](std::atomic<std::uint64_t>& word, unsigned shift) {
            const std::uint64_t old = word.load(std::memory_order_relaxed);
            if (((old >> shift) & most) < most) {
                word.store(old + (std::uint64_t{1} << shift), std::memory_order_relaxed);
                counted = true;
            }
        });
        if (counted) {
            increments_.store(increments_.load(std::memory_order_relaxed) + 1,
                              std::memory_order_relaxed);
        }
    }

    [[nodiscard]] std::uint32_t estimate(std::uint32_t hash) noexcept {
        std::uint32_t least = most;
        each(hash, [&](std::atomic<std::uint64_t>& word, unsigned shift) {
            const std::uint64_t count = (word.load(std::memory_order_relaxed) >> shift) & most;
            least = std::min(least, static_cast<std::uint32_t>(count));
        });
        return least;
    }

    /// Halves all counters once `sample` increments were made.
    void age(std::uint64_t sample) noexcept {
        if (increments_.load(std::memory_order_relaxed) < sample) {
            return;
        }
        std::uint64_t odd = 0;
        for (std::size_t b = 0; b < blocks_; ++b) {
            for (std::atomic<std::uint64_t>& word : words_[b].words) {
                const std::uint64_t old = word.load(std::memory_order_relaxed);
                odd += static_cast<std::uint64_t>(std::popcount(old & 0x1111111111111111ULL));
                word.store((old >> 1) & 0x7777777777777777ULL, std::memory_order_relaxed);
            }
        }
        // Each increment raised four counters, and each odd counter lost a half.
        const std::uint64_t made = increments_.load(std::memory_order_relaxed);
        increments_.store((made - std::min(made, odd / 4)) / 2, std::memory_order_relaxed);
    }

    [[nodiscard]] std::size_t bytes() const noexcept { return blocks_ * sizeof(block); }

private:
    struct alignas(64) block {
        std::atomic<std::uint64_t> words[8] = {};
    };

    template<class F>
    void each(std::uint32_t hash, F f) noexcept {
        // The hash has been used to choose the bucket in the index: mixed, its bits are fresh.
        const std::uint64_t bits = mix(hash);
        block& home = words_[static_cast<std::size_t>(bits & (blocks_ - 1))];
        for (unsigned i = 0; i < 4; ++i) {
            const auto choice = static_cast<unsigned>(bits >> (32 + 8 * i));
            f(home.words[2 * i + (choice & 1)], ((choice >> 1) & 15) * 4);
        }
    }

    std::size_t blocks_;
    std::unique_ptr<block[]> words_;
    std::atomic<std::uint64_t> increments_{0};
};

} // namespace weir::detail

#endif
