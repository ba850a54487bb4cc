#ifndef WEIR_MEMORY_EVICTION_HPP
#define WEIR_MEMORY_EVICTION_HPP

/// Which entry has to go: ring W-TinyLFU.
///
/// A newcomer enters a window, a FIFO of a share of all entries. The oldest of the window becomes
/// the candidate for the main part, which is a clock: a hand goes round over all entries, passes by
/// the window, takes the mark off those that were asked for, and stops at the first without a mark
/// (after `most_steps` marks, at the next in any case): the victim. The candidate stays if a sketch
/// of recent demand says that it was asked for more often than the victim; otherwise it goes, and
/// the hand waits where it is. An expired victim or candidate goes without a contest.
///
/// No lists: entries do not move. The window is a ring of their numbers, and the clock goes round in
/// the order of numbers, that is, of the places in memory. A hit marks an entry that has no mark yet
/// and counts it in the sketch, and writes nothing otherwise.
///
/// Sources: Einziger, Friedman, Manes, "TinyLFU" (ACM ToS 2017) for window and admission; Corbató's
/// clock; the adaptive share is that of window_tuner.
///
/// `Slots` shows the entries by number:
///   slots.where(n)        std::atomic<std::uint32_t>&, see `place`
///   slots.unmark(n)       takes off the mark; true if it was on
///   slots.hash(n)         of the key
///   slots.expired(n)      as of the time of the current operation
///   slots.numbers_end()   numbers are below this, and above 0
///
/// Concurrency: all under the lock of the shard, but `asked_for`, which any thread may call.

#include <weir/detail/hash.hpp>
#include <weir/memory/frequency_sketch.hpp>
#include <weir/memory/value_entry.hpp>
#include <weir/memory/window_tuner.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

namespace weir::detail {

class eviction {
public:
    static constexpr int most_steps = 64;

    explicit eviction(std::size_t capacity)
        : sketch_{capacity},
          tuner_{capacity},
          ring_size_{static_cast<std::uint32_t>(
              capacity * window_tuner::most_share / window_tuner::whole + 2)},
          ring_{std::make_unique<std::uint32_t[]>(ring_size_)} {}

    /// Entries that are in.
    [[nodiscard]] std::size_t size() const noexcept { return window_ + main_; }

    /// The first touch of an entry in this round of the clock.
    void asked_for(std::uint32_t hash) noexcept { sketch_.increment(hash); }

    /// A key was asked for that is not in, and comes in now.
    template<class Slots>
    void add(const Slots& slots, std::uint32_t number, std::uint32_t hash) noexcept {
        sketch_.increment(hash);
        sketch_.age(10 * std::max<std::uint64_t>(size(), 16));
        tuner_.missed(hash);
        candidate_ = nobody;
        // One more than comes in may leave, so that a window that has to shrink does.
        const std::size_t allowed =
            std::max<std::size_t>(size() * tuner_.share() / window_tuner::whole, 1);
        for (int i = 0; i < 2 && (window_ >= allowed || full()); ++i) {
            pass_oldest_on(slots);
        }
        while (full()) {
            pass_oldest_on(slots);
        }
        ring_[tail_] = number;
        slots.where(number).store(tail_, std::memory_order_relaxed);
        tail_ = next(tail_);
        ++used_;
        ++window_;
    }

    /// Names who has to go next, and forgets it. There is somebody in.
    template<class Slots>
    [[nodiscard]] std::uint32_t choose(const Slots& slots) noexcept {
        if (candidate_ == nobody) {
            const std::uint32_t victim = find_victim(slots);
            if (victim == nobody) {
                return pop_oldest();
            }
            step_hand(slots);
            --main_;
            return victim;
        }
        return settle_contest(slots);
    }

    /// `number` is no longer in.
    template<class Slots>
    void remove(const Slots& slots, std::uint32_t number) noexcept {
        const std::uint32_t where = slots.where(number).load(std::memory_order_relaxed);
        if (where == place::in_main) {
            --main_;
        } else {
            ring_[where] = nobody;
            --window_;
        }
        if (candidate_ == number) {
            candidate_ = nobody;
        }
    }

    /// Whether `number` is in. The `where` of one that is not may be anything but `in_main`.
    template<class Slots>
    [[nodiscard]] bool has(const Slots& slots, std::uint32_t number) const noexcept {
        const std::uint32_t where = slots.where(number).load(std::memory_order_relaxed);
        return where == place::in_main || (where < ring_size_ && ring_[where] == number);
    }

    /// `number` takes the place of `old`, with a new value of the same key.
    template<class Slots>
    void replace(const Slots& slots, std::uint32_t old, std::uint32_t number) noexcept {
        const std::uint32_t where = slots.where(old).load(std::memory_order_relaxed);
        slots.where(number).store(where, std::memory_order_relaxed);
        if (where != place::in_main) {
            ring_[where] = number;
        }
        candidate_ = nobody;
    }

    /// The share of the entries that the window is given, in 256ths.

    /// Memory beside the entries.
    [[nodiscard]] std::size_t bytes() const noexcept {
        return sketch_.bytes() + tuner_.bytes() + ring_size_ * sizeof(std::uint32_t);
    }

private:
    static constexpr std::uint32_t nobody = 0;

    [[nodiscard]] bool full() const noexcept { return used_ == ring_size_; }
    [[nodiscard]] std::uint32_t next(std::uint32_t position) const noexcept {
        return position + 1 == ring_size_ ? 0 : position + 1;
    }

    /// Takes the oldest position off the ring; `nobody` if its entry has been removed.
    std::uint32_t pop_position() noexcept {
        const std::uint32_t number = std::exchange(ring_[head_], nobody);
        head_ = next(head_);
        --used_;
        if (number != nobody) {
            --window_;
        }
        return number;
    }

    std::uint32_t pop_oldest() noexcept {
        std::uint32_t oldest = nobody;
        while (oldest == nobody && used_ != 0) {
            oldest = pop_position();
        }
        return oldest;
    }

    template<class Slots>
    void pass_oldest_on(const Slots& slots) noexcept {
        const std::uint32_t oldest = pop_oldest();
        if (oldest == nobody) {
            return;
        }
        slots.where(oldest).store(place::in_main, std::memory_order_relaxed);
        static_cast<void>(slots.unmark(oldest));
        ++main_;
        candidate_ = oldest;
    }

    template<class Slots>
    void step_hand(const Slots& slots) noexcept {
        hand_ = hand_ + 1 >= slots.numbers_end() ? 1 : hand_ + 1;
    }

    /// Moves the hand to the next victim; `nobody` if the main part has only the candidate.
    template<class Slots>
    [[nodiscard]] std::uint32_t find_victim(const Slots& slots) noexcept {
        if (main_ == (candidate_ == nobody ? 0U : 1U)) {
            return nobody;
        }
        int steps = 0;
        while (true) {
            if (hand_ != candidate_ &&
                slots.where(hand_).load(std::memory_order_relaxed) == place::in_main) {
                if (steps >= most_steps || slots.expired(hand_) || !slots.unmark(hand_)) {
                    return hand_;
                }
                ++steps;
            }
            step_hand(slots);
        }
    }

    template<class Slots>
    [[nodiscard]] std::uint32_t settle_contest(const Slots& slots) noexcept {
        const std::uint32_t candidate = candidate_;
        const std::uint32_t victim = find_victim(slots);
        const std::uint32_t hash = slots.hash(candidate);
        if (victim == nobody || slots.expired(candidate) ||
            (!slots.expired(victim) && !admits(hash, slots.hash(victim)))) {
            tuner_.rejected(hash);
            candidate_ = nobody;
            --main_;
            return candidate;
        }
        tuner_.lost(slots.hash(victim));
        step_hand(slots);
        --main_;
        return victim;
    }

    [[nodiscard]] bool admits(std::uint32_t candidate, std::uint32_t victim) noexcept {
        const std::uint32_t demand = sketch_.estimate(candidate);
        const std::uint32_t rival = sketch_.estimate(victim);
        // The candidate was counted a moment ago, while the victim may just not have had its turn:
        // between keys in steady demand a lead of one says nothing.
        if (demand > rival + (rival >= 4 ? 1 : 0)) {
            return true;
        }
        // Now and then a candidate that is asked for at all comes in, so that nobody who guesses
        // what shares the counters of a victim can keep others out for ever. Source: Caffeine.
        if (demand > 5) {
            draws_ = mix(draws_);
            return (draws_ & 127) == 0;
        }
        return false;
    }

    frequency_sketch sketch_;
    window_tuner tuner_;
    std::uint32_t ring_size_;
    std::unique_ptr<std::uint32_t[]> ring_;
    /// The ring has `used_` positions from `head_` on, of which `window_` are entries that are in.
    std::uint32_t head_ = 0;
    std::uint32_t tail_ = 0;
    std::uint32_t used_ = 0;
    std::size_t window_ = 0;
    std::size_t main_ = 0;
    std::uint32_t hand_ = 1;
    std::uint32_t candidate_ = nobody;
    std::uint64_t draws_ = 1;
};

} // namespace weir::detail

#endif
