#ifndef WEIR_MEMORY_VALUE_INDEX_HPP
#define WEIR_MEMORY_VALUE_INDEX_HPP

#include <weir/detail/hash.hpp>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace weir::detail {

/// Finds the numbers of nodes by the hash of their keys: cache lines of 16 words, each word a number
/// and as many bits of the hash as fit beside it; 0 is empty.
///
/// A word lies in the home line of its hash, or, if that was full, in one of three others; the home
/// line counts what it sent away, so that nearly every search reads one line. Words never move, so a
/// reader without a lock cannot miss one that is there all the time, and nothing has to be tidied up
/// after an erasure.
///
/// Concurrency: `search` from any thread; all else under the lock of the shard.
class value_index {
public:
    using word = std::atomic<std::uint32_t>;
    static constexpr std::size_t line_size = 16;
    static constexpr std::uint32_t lines_per_hash = 4;
    /// Lines are made for this many words each on average. With a Poisson distribution one line in
    /// twenty is full then, and all four of a hash in one of 10^5.
    static constexpr std::size_t planned_load = 10;

    value_index(std::size_t capacity, std::uint32_t largest_number)
        : lines_{std::max<std::size_t>((capacity + planned_load) / planned_load, 1)},
          number_bits_{static_cast<unsigned>(std::bit_width(largest_number))},
          words_{std::make_unique<line[]>(lines_)},
          sent_away_{std::make_unique<std::atomic<std::uint16_t>[]>(lines_)} {}

    enum class verdict { next, stop };

    /// Calls `look(word, content)` for each word that may belong to `hash`, until it says stop.
    template<class Look>
    void search(std::uint64_t hash, Look look) const noexcept(noexcept(look)) {
        const auto low = static_cast<std::uint32_t>(hash);
        const std::size_t home = home_of(low);
        if (search_line(home, hash, look) == verdict::stop) {
            return;
        }
        // Acquire: pairs with the release in insert(); whoever should see the word sees this count.
        if (sent_away_[home].load(std::memory_order_acquire) == 0) [[likely]] {
            return;
        }
        for (std::uint32_t i = 1; i < lines_per_hash; ++i) {
            if (search_line(other_of(low, i), hash, look) == verdict::stop) {
                return;
            }
        }
    }

    void prefetch(std::uint64_t hash) const noexcept {
        __builtin_prefetch(&words_[home_of(static_cast<std::uint32_t>(hash))]);
    }

    [[nodiscard]] std::uint32_t number(std::uint32_t content) const noexcept {
        return content & ((1U << number_bits_) - 1);
    }

    /// Publishes `number`. False if all lines of the hash are full.
    [[nodiscard]] bool insert(std::uint64_t hash, std::uint32_t number) noexcept {
        const auto low = static_cast<std::uint32_t>(hash);
        const std::size_t home = home_of(low);
        if (word* free = free_word(home, hash)) {
            free->store(tag(hash) | number, std::memory_order_seq_cst);
            return true;
        }
        for (std::uint32_t i = 1; i < lines_per_hash; ++i) {
            if (word* free = free_word(other_of(low, i), hash)) {
                sent_away_[home].fetch_add(1, std::memory_order_release);
                free->store(tag(hash) | number, std::memory_order_seq_cst);
                return true;
            }
        }
        return false;
    }

    /// Publishes `number` in place of what `at` had. Sequentially consistent: see hazard_slots.
    void replace(word& at, std::uint64_t hash, std::uint32_t number) noexcept {
        at.store(tag(hash) | number, std::memory_order_seq_cst);
    }

    /// Takes the word of `number` away, whose key has a hash that ends in `low`.
    void erase(std::uint32_t low, std::uint32_t number) noexcept {
        const std::size_t home = home_of(low);
        if (erase_from(home, number)) {
            return;
        }
        for (std::uint32_t i = 1; i < lines_per_hash; ++i) {
            if (erase_from(other_of(low, i), number)) {
                sent_away_[home].fetch_sub(1, std::memory_order_release);
                return;
            }
        }
    }

    /// Some number in the home line of `low`, for when all its lines are full.
    [[nodiscard]] std::uint32_t some_number_at(std::uint32_t low) const noexcept {
        return number(words_[home_of(low)].words[0].load(std::memory_order_relaxed));
    }

    template<class F>
    void for_each(F f) const {
        for (std::size_t i = 0; i < lines_; ++i) {
            for (const word& w : words_[i].words) {
                if (const std::uint32_t n = number(w.load(std::memory_order_relaxed)); n != 0) {
                    f(n);
                }
            }
        }
    }

    [[nodiscard]] std::size_t bytes() const noexcept {
        return lines_ * (sizeof(line) + sizeof(std::uint16_t));
    }

private:
    struct alignas(64) line {
        word words[line_size] = {};
    };

    [[nodiscard]] std::size_t home_of(std::uint32_t low) const noexcept {
        return static_cast<std::size_t>((std::uint64_t{low} * lines_) >> 32);
    }
    [[nodiscard]] std::size_t other_of(std::uint32_t low, std::uint32_t i) const noexcept {
        return home_of(static_cast<std::uint32_t>(mix(std::uint64_t{i} << 32 | low)));
    }
    /// The line comes from the upper end of the low half of the hash, the place to start in it from
    /// the lower end, the tag from the high half.
    [[nodiscard]] static std::size_t start_of(std::uint64_t hash) noexcept {
        return static_cast<std::size_t>(hash % line_size);
    }
    [[nodiscard]] std::uint32_t tag(std::uint64_t hash) const noexcept {
        return static_cast<std::uint32_t>(hash >> 32) << number_bits_;
    }

    template<class Look>
    verdict search_line(std::size_t at, std::uint64_t hash, Look& look) const {
        const std::uint32_t wanted = tag(hash);
        const std::size_t start = start_of(hash);
        word* words = words_[at].words;
        for (std::size_t i = 0; i < line_size; ++i) {
            word& w = words[(start + i) % line_size];
            // Acquire: pairs with the publishing store, so that the node can be found by number.
            const std::uint32_t content = w.load(std::memory_order_acquire);
            if (((content ^ wanted) >> number_bits_) == 0 && number(content) != 0 &&
                look(w, content) == verdict::stop) {
                return verdict::stop;
            }
        }
        return verdict::next;
    }

    [[nodiscard]] word* free_word(std::size_t at, std::uint64_t hash) noexcept {
        const std::size_t start = start_of(hash);
        for (std::size_t i = 0; i < line_size; ++i) {
            word& w = words_[at].words[(start + i) % line_size];
            if (w.load(std::memory_order_relaxed) == 0) {
                return &w;
            }
        }
        return nullptr;
    }

    [[nodiscard]] bool erase_from(std::size_t at, std::uint32_t n) noexcept {
        for (word& w : words_[at].words) {
            if (number(w.load(std::memory_order_relaxed)) == n) {
                w.store(0, std::memory_order_seq_cst);
                return true;
            }
        }
        return false;
    }

    std::size_t lines_;
    unsigned number_bits_;
    std::unique_ptr<line[]> words_;
    std::unique_ptr<std::atomic<std::uint16_t>[]> sent_away_;
};

} // namespace weir::detail

#endif
