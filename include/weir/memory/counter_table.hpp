#ifndef WEIR_MEMORY_COUNTER_TABLE_HPP
#define WEIR_MEMORY_COUNTER_TABLE_HPP

/// The counters of limiters in memory: a table of fixed size, with no lock for keys it holds.
///
/// ## Shape
///
/// Buckets of one cache line, four slots each; a slot is two words:
///
///     tag    [fingerprint of the key: 48 bits | kind of quota: 8 | bucket's flags: 8]
///     state  the quota's state, or `busy` (all ones), which no quota produces
///
/// The bucket's two flags are in the tag of its first slot: `locked`, and `overflowed` (used only
/// by when_full::share). An empty slot has a fingerprint of zero, which no key has. No key is
/// stored: two keys are confused if 48 + log2(buckets) - 1 bits of a hash under a secret seed
/// agree.
///
/// A key may live in two buckets, and lives in at most one slot. Newcomers go to their first bucket
/// while it has room, so that 97 % of the keys of a table filled to its promise are found in the
/// first cache line, then to the second; if neither has room, one of the eight residents moves to
/// its own other bucket. At 36 bytes a promised key, none of 1.5 x 10^8 simulated keys failed to
/// find a place (estimated: one in 10^11). Choosing the emptier bucket and moving nobody, one in
/// 10^6 fails, which breaks the promise of most tables for a million keys, and 40 % of the keys are
/// in their second bucket.
///
/// ## Three ways to change a slot
///
///  1. A take on a resident key, without a lock: read the tag, the state, and the tag again; if it
///     is still this key's, replace the state by compare-and-swap, and read the tag once more. If
///     the tag changed, start over.
///  2. Under the locks of both buckets: any other step on a resident key, again by
///     compare-and-swap, because takes go on meanwhile.
///  3. Under the same locks, a change of residents: the state goes to `busy` by compare-and-swap
///     from the value that was judged (so the judgement still holds), then the tag is replaced,
///     then the state is set. Takes that meet `busy` wait for these two stores.
///
/// A take can be overtaken by a change of residents around its compare-and-swap:
///  - before it, and the stranger's state is equal, bit by bit, to the one that was read: then the
///    stranger is charged for this take, which starts over;
///  - after it, because the key is moved: then the take starts over, and charges its key twice.
/// So a resident key can be charged too much by a few permits, never too little, as long as windows
/// have one length and are not spread; both need a change of residents within some nanoseconds.
/// Steps that lower a count would do the reverse, and therefore take the second way.
///
/// All interleavings of three threads were searched with this very code, and are with every run of
/// the tests: tests/memory/counter_protocol_model_test.cpp.
///
/// ## Locks
///
/// Bit 0 of the tag of a bucket's first slot. The two buckets of a key are locked in the order of
/// their indices; a third, to move a resident to, is only tried. Nobody waits for anything else
/// while holding a lock, and tags change only under the lock of their bucket.
///
/// ## Memory order
///
///  - Tag, load-acquire in find(), with its store-release in hand_over(): who sees the new tag sees
///    the state busy or newer, never the state of the key before.
///  - State, load-acquire in update() (or its failed compare-and-swap), with the store-release in
///    insert() and move() and the successful compare-and-swaps, which continue its release
///    sequence: who sees the state of the new key sees its tag too, so that the relaxed loads in
///    holds() that follow cannot return the tag before. They need no order of their own.
///  - Lock, acquire in lock() and try_lock(), with the store-release in unlock(): the next holder
///    sees all tags, flags and states that the last one left.

#include <weir/clock.hpp>
#include <weir/detail/hash.hpp>
#include <weir/memory/quota_kinds.hpp>
#include <weir/memory/spin.hpp>
#include <weir/quota/step.hpp>
#include <weir/stats.hpp>
#include <weir/when_full.hpp>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <string_view>

namespace weir::detail {

/// What the table is made of. Tests put in its place words that step through all interleavings.
struct hardware {
    using word = std::atomic<std::uint64_t>;
    /// A word that advises and decides nothing.
    using hint = std::atomic<std::uint32_t>;
    /// Slots in a bucket.
    static constexpr std::size_t slots = 4;
    static constexpr bool is_noexcept = true;
    static void wait(int turn) noexcept { spin(turn); }
};

/// Steps that never lower what a key has used, and so may do without a lock.
template<class Step>
inline constexpr bool never_lowers = false;
template<quota Q>
inline constexpr bool never_lowers<take_step<Q>> = true;
template<quota Q>
inline constexpr bool never_lowers<peek_step<Q>> = true;

template<class Machine>
class basic_counter_table {
    using word = typename Machine::word;
    static_assert(sizeof(word) == 8, "a slot is two words of 64 bits");

public:
    static constexpr std::size_t min_counters = 1;
    static constexpr std::uint64_t max_counters = std::uint64_t{1} << 32;

    /// Where to look for one key. Cheap to copy; valid for this table.
    struct place {
        /// The fingerprint, in the upper 48 bits.
        std::uint64_t tag;
        /// The index of the first bucket.
        std::uint32_t first;
    };

    /// Allocates the table: 36 bytes per key and 512 more. Pages that are not needed stay
    /// untouched.
    ///
    /// @param counters  keys that can be active at once, 1..2^32; otherwise throws
    ///                  std::invalid_argument
    basic_counter_table(std::size_t counters, when_full policy)
        : policy_{policy},
          counters_{counters},
          buckets_{buckets_for(counters)},
          memory_{std::calloc(buckets_ + 1, sizeof(bucket))} {
        if (memory_ == nullptr) {
            throw std::bad_alloc{};
        }
        void* start = memory_.get();
        std::size_t space = (std::size_t{buckets_} + 1) * sizeof(bucket);
        // Zero bytes are words of value zero: touching the pages to construct them would commit
        // memory that may never be needed.
        table_ = static_cast<bucket*>(
            std::align(alignof(bucket), std::size_t{buckets_} * sizeof(bucket), start, space));
    }

    basic_counter_table(const basic_counter_table&) = delete;
    basic_counter_table& operator=(const basic_counter_table&) = delete;

    /// Finds out where `key` of the space may be, and begins to fetch it from memory: what the
    /// caller does next, such as reading the clock, hides part of a cache miss.
    [[nodiscard]] place locate(std::uint64_t space_id, std::string_view key) const noexcept {
        const std::uint64_t hash = hash_bytes(key, seed_ ^ space_id);
        const std::uint64_t other = multiply_fold(hash, hash_secret[2]);
        const place p{std::max(hash & fingerprint, lowest_fingerprint), reduce(other >> 32)};
#if defined(__GNUC__)
        __builtin_prefetch(&table_[p.first]);
#endif
        return p;
    }

    /// Applies `step` to the state of the key, as one atomic action. Takes no lock, and at most one
    /// compare-and-swap if undisturbed, for a take on a key that the table holds; a short lock of
    /// two buckets otherwise. A denied take writes nothing.
    template<counter_step Step>
    typename Step::result_type update(place p, const Step& step,
                                      time_point now) noexcept(Machine::is_noexcept) {
        using state = typename Step::quota_type::state_type;
        static_assert(sizeof(state) == 8, "weir: this table holds quotas whose state is one 64-bit "
                                          "word");
        if constexpr (never_lowers<Step>) {
            for (int turn = 0;; ++turn) {
                slot* const at = find(p);
                if (at == nullptr) {
                    break;
                }
                std::uint64_t seen = at->state.load(std::memory_order_acquire);
                while (seen != busy && holds(*at, p)) {
                    const auto outcome = step(std::bit_cast<state>(seen), now);
                    if (!outcome.write) {
                        return outcome.result;
                    }
                    if (at->state.compare_exchange_strong(
                            seen, std::bit_cast<std::uint64_t>(outcome.next),
                            std::memory_order_acq_rel, std::memory_order_acquire)) {
                        if (holds(*at, p)) {
                            return outcome.result;
                        }
                        break;
                    }
                }
                Machine::wait(turn);
            }
        }
        return update_locked(p, step, now);
    }

    /// What the table counted; see counter_stats. Relaxed: counts, not an order.
    [[nodiscard]] counter_stats stats() const noexcept {
        return {.capacity = counters_,
                .bytes = (std::uint64_t{buckets_} + 1) * sizeof(bucket),
                .displaced = displaced_.load(std::memory_order_relaxed),
                .displaced_used = displaced_used_.load(std::memory_order_relaxed),
                .unplaced = unplaced_.load(std::memory_order_relaxed)};
    }

private:
    struct slot {
        word tag;
        word state;
    };

    struct alignas(64) bucket {
        slot slots[Machine::slots];
    };

    /// A slot that a newcomer could have, and the state for which this was judged.
    struct vacancy {
        slot* at = nullptr;
        bucket* in = nullptr;
        std::uint64_t judged = 0;
        standing stands;
    };

    struct free_memory {
        void operator()(void* memory) const noexcept { std::free(memory); }
    };

    static constexpr std::uint64_t fingerprint = ~std::uint64_t{0xffff};
    static constexpr std::uint64_t lowest_fingerprint = 0x10000;
    static constexpr int kind_shift = 8;
    static constexpr std::uint64_t flags = 0xff;
    static constexpr std::uint64_t locked = 1;
    static constexpr std::uint64_t overflowed = 2;
    static constexpr std::uint64_t busy = ~std::uint64_t{0};

    // ---- where keys live -----------------------------------------------------------------------

    /// 36 bytes per key, and 8 buckets for the chances of small numbers.
    [[nodiscard]] static std::uint32_t buckets_for(std::size_t counters) {
        if (counters < min_counters || std::uint64_t{counters} > max_counters) {
            throw std::invalid_argument{"weir: counters is " + std::to_string(counters) +
                                        "; it must be from 1 to 4294967296"};
        }
        return static_cast<std::uint32_t>((std::uint64_t{counters} * 9 + 15) / 16 + 7);
    }

    /// Maps 32 even bits onto the indices of buckets, whatever their number.
    [[nodiscard]] std::uint32_t reduce(std::uint64_t bits) const noexcept {
        return static_cast<std::uint32_t>(bits * buckets_ >> 32);
    }

    /// The other bucket of the key in bucket `index`, from its fingerprint alone, so that residents
    /// can be moved: the two indices add up to a function of the fingerprint.
    [[nodiscard]] std::uint32_t alternate(std::uint64_t tag, std::uint32_t index) const noexcept {
        const std::uint32_t sum = reduce(tag >> 32);
        return sum >= index ? sum - index : sum + (buckets_ - index);
    }

    [[nodiscard]] static bool same_key(std::uint64_t a, std::uint64_t b) noexcept {
        return ((a ^ b) & fingerprint) == 0;
    }

    [[nodiscard]] static bool holds(const slot& s, const place& p) {
        return same_key(s.tag.load(std::memory_order_relaxed), p.tag);
    }

    [[nodiscard]] slot* find(const place& p) const {
        slot* const at = find_in(table_[p.first], p.tag);
        return at != nullptr ? at : find_in(table_[alternate(p.tag, p.first)], p.tag);
    }

    [[nodiscard]] static slot* find_in(bucket& in, std::uint64_t tag) {
        for (slot& s : in.slots) {
            if (same_key(s.tag.load(std::memory_order_acquire), tag)) {
                return &s;
            }
        }
        return nullptr;
    }

    // ---- locks ---------------------------------------------------------------------------------

    static void lock(bucket& b) {
        word& tag = b.slots[0].tag;
        for (int turn = 0; (tag.fetch_or(locked, std::memory_order_acquire) & locked) != 0;) {
            do {
                Machine::wait(turn++);
            } while ((tag.load(std::memory_order_relaxed) & locked) != 0);
        }
    }

    [[nodiscard]] static bool try_lock(bucket& b) {
        word& tag = b.slots[0].tag;
        std::uint64_t seen = tag.load(std::memory_order_relaxed);
        return (seen & locked) == 0 &&
               tag.compare_exchange_strong(seen, seen | locked, std::memory_order_acquire,
                                           std::memory_order_relaxed);
    }

    /// A plain store: while the lock is held others can only set the bit that is set.
    static void unlock(bucket& b) {
        word& tag = b.slots[0].tag;
        tag.store(tag.load(std::memory_order_relaxed) & ~locked, std::memory_order_release);
    }

    template<counter_step Step>
    [[gnu::noinline]] typename Step::result_type update_locked(place p, const Step& step,
                                                               time_point now) {
        const std::uint32_t second = alternate(p.tag, p.first);
        lock(table_[std::min(p.first, second)]);
        if (second != p.first) {
            lock(table_[std::max(p.first, second)]);
        }
        slot* const at = find(p);
        const auto result = at != nullptr ? change(*at, step, now) : insert(p, step, now);
        if (second != p.first) {
            unlock(table_[second]);
        }
        unlock(table_[p.first]);
        return result;
    }

    /// Applies `step` to a resident of a locked bucket.
    template<counter_step Step>
    static typename Step::result_type change(slot& at, const Step& step, time_point now) {
        using state = typename Step::quota_type::state_type;
        std::uint64_t seen = at.state.load(std::memory_order_acquire);
        for (;;) {
            const auto outcome = step(std::bit_cast<state>(seen), now);
            if (!outcome.write || at.state.compare_exchange_weak(
                                      seen, std::bit_cast<std::uint64_t>(outcome.next),
                                      std::memory_order_acq_rel, std::memory_order_acquire)) {
                return outcome.result;
            }
        }
    }

    // ---- newcomers: both buckets of `p` are locked, and the key is in neither -------------------

    template<counter_step Step>
    typename Step::result_type insert(const place& p, const Step& step, time_point now) {
        using quota = typename Step::quota_type;
        const auto fresh = step(typename quota::state_type{}, now);
        if (!fresh.write) {
            const auto judged = step(start(p, step, now), now);
            return judged.write ? fresh.result : judged.result;
        }
        const std::uint64_t kind = kinds_.template number<quota>(step.quota.period());
        const std::uint64_t tag = p.tag | kind << kind_shift;
        for (bool may_move = true;;) {
            vacancy to = find_room(p, now);
            const bool moving = to.at == nullptr && may_move && worth_moving();
            if (to.at == nullptr && !moving) {
                to = find_least_used(p, now);
                if (to.at == nullptr) {
                    unplaced_.fetch_add(1, std::memory_order_relaxed);
                    return policy_ == when_full::forgive ? fresh.result : deny(step, now);
                }
            }
            note_overflow(to);
            const auto outcome = step(start(p, step, now), now);
            if (!outcome.write) {
                return outcome.result;
            }
            slot* const mine = moving ? move_a_resident(p, tag, now) : displace(to, tag);
            if (mine != nullptr) {
                mine->state.store(std::bit_cast<std::uint64_t>(outcome.next),
                                  std::memory_order_release);
                return outcome.result;
            }
            may_move = may_move && !moving;
        }
    }

    /// An empty slot, or one whose key is back at its full quota; in the first bucket if possible.
    [[nodiscard]] vacancy find_room(const place& p, time_point now) {
        vacancy room = find_room_in(table_[p.first], now);
        if (room.at == nullptr) {
            room = find_room_in(table_[alternate(p.tag, p.first)], now);
        }
        if (room.at != nullptr && futile_moves_.load(std::memory_order_relaxed) != 0) {
            futile_moves_.store(0, std::memory_order_relaxed);
        }
        return room;
    }

    [[nodiscard]] vacancy find_room_in(bucket& in, time_point now) const {
        for (slot& s : in.slots) {
            if (same_key(s.tag.load(std::memory_order_relaxed), 0)) {
                return {&s, &in, s.state.load(std::memory_order_relaxed), {}};
            }
        }
        for (slot& s : in.slots) {
            const vacancy judged = judge(s, in, now);
            if (judged.stands.fresh) {
                return judged;
            }
        }
        return {};
    }

    /// The least used of the keys that have something left.
    [[nodiscard]] vacancy find_least_used(const place& p, time_point now) const {
        vacancy least;
        for (const std::uint32_t index : {p.first, alternate(p.tag, p.first)}) {
            for (slot& s : table_[index].slots) {
                const vacancy judged = judge(s, table_[index], now);
                if (!judged.stands.exhausted &&
                    (least.at == nullptr || judged.stands.used < least.stands.used)) {
                    least = judged;
                }
            }
        }
        return least;
    }

    [[nodiscard]] vacancy judge(slot& s, bucket& in, time_point now) const {
        const std::uint64_t tag = s.tag.load(std::memory_order_relaxed);
        const std::uint64_t state = s.state.load(std::memory_order_relaxed);
        return {&s, &in, state,
                kinds_.stands(static_cast<std::uint8_t>(tag >> kind_shift), state, now)};
    }

    /// Takes the slot from its resident, unless that changed since it was judged.
    [[nodiscard]] slot* displace(const vacancy& to, std::uint64_t tag) {
        if (!make_busy(to)) {
            return nullptr;
        }
        if (!to.stands.fresh) {
            displaced_.fetch_add(1, std::memory_order_relaxed);
            displaced_used_.fetch_add(to.stands.used, std::memory_order_relaxed);
        }
        hand_over(*to.at, tag);
        return to.at;
    }

    /// Moves one of the residents of the two buckets to its own other bucket, if that has room.
    [[nodiscard]] slot* move_a_resident(const place& p, std::uint64_t tag, time_point now) {
        const std::uint32_t second = alternate(p.tag, p.first);
        for (const std::uint32_t index : {p.first, second}) {
            for (slot& from : table_[index].slots) {
                const std::uint32_t target =
                    alternate(from.tag.load(std::memory_order_relaxed), index);
                if (target == p.first || target == second || !try_lock(table_[target])) {
                    continue;
                }
                const bool moved = move(from, table_[target], tag, now);
                unlock(table_[target]);
                if (moved) {
                    futile_moves_.store(0, std::memory_order_relaxed);
                    return &from;
                }
            }
        }
        return nullptr;
    }

    /// Moves the resident of `from`, and leaves that slot to the newcomer with the tag `tag`.
    [[nodiscard]] bool move(slot& from, bucket& target, std::uint64_t tag, time_point now) {
        const vacancy to = find_room_in(target, now);
        if (to.at == nullptr || !make_busy(to)) {
            return false;
        }
        note_overflow(to);
        const std::uint64_t moved = from.tag.load(std::memory_order_relaxed);
        const std::uint64_t state = from.state.exchange(busy, std::memory_order_acq_rel);
        // The old place first: between the two the key is nowhere, rather than in two slots, and
        // whoever looks for it waits for our locks.
        hand_over(from, tag);
        hand_over(*to.at, moved & ~flags);
        to.at->state.store(state, std::memory_order_release);
        return true;
    }

    [[nodiscard]] static bool make_busy(const vacancy& v) {
        std::uint64_t judged = v.judged;
        return v.at->state.compare_exchange_strong(judged, busy, std::memory_order_acq_rel,
                                                   std::memory_order_relaxed);
    }

    /// Gives a busy slot to the key with this tag; its state is to be stored next.
    static void hand_over(slot& s, std::uint64_t tag) {
        s.tag.store(tag | (s.tag.load(std::memory_order_relaxed) & flags),
                    std::memory_order_release);
    }

    /// In a table with more keys in use than fit, moves are in vain; then only one newcomer in 64
    /// tries, until some find room again.
    [[nodiscard]] bool worth_moving() {
        const std::uint32_t in_vain = futile_moves_.fetch_add(1, std::memory_order_relaxed);
        return in_vain < 16 || in_vain % 64 == 0;
    }

    // ---- when_full::share -----------------------------------------------------------------------
    //
    // A key that was displaced was then the least used of its bucket, exhausted ones apart, and
    // counts grow within a window. So, when it comes back, it has used at most what the least used
    // of that bucket have; charged with that, it is never admitted too much. To keep this true of
    // the keys displaced before, a newcomer that displaces is charged the same. The flag
    // `overflowed` says that a bucket lost keys in use; a resident back at its full quota says that
    // the window is over, and with it what they had used.

    /// The state from which a newcomer is judged.
    template<counter_step Step>
    [[nodiscard]] typename Step::quota_type::state_type start(const place& p, const Step& step,
                                                              time_point now) const {
        if (policy_ == when_full::forgive) {
            return {};
        }
        const std::uint32_t used = std::max(inherited(table_[p.first], now),
                                            inherited(table_[alternate(p.tag, p.first)], now));
        if (used == 0) {
            return {};
        }
        return Step::quota_type::having_used(used, step.quota.period(), now, step.shift);
    }

    /// What a key displaced from this bucket has used at most: what the least used have that are
    /// not exhausted; if all are, what the most used has, for those that became so since have used
    /// as much.
    [[nodiscard]] std::uint32_t inherited(bucket& in, time_point now) const {
        if ((in.slots[0].tag.load(std::memory_order_relaxed) & overflowed) == 0) {
            return 0;
        }
        std::uint32_t least = std::numeric_limits<std::uint32_t>::max();
        std::uint32_t most = 0;
        bool all_exhausted = true;
        for (slot& s : in.slots) {
            const standing stands = judge(s, in, now).stands;
            most = std::max(most, stands.used);
            if (!stands.exhausted) {
                least = std::min(least, stands.used);
                all_exhausted = false;
            }
        }
        return all_exhausted ? most : least;
    }

    /// The answer for a newcomer among exhausted keys. A count that is not kept cannot be charged,
    /// so that anything but a denial would admit too much in the end.
    template<counter_step Step>
    [[nodiscard]] static typename Step::result_type deny(const Step& step, time_point now) {
        return step(Step::quota_type::having_used(std::numeric_limits<std::uint32_t>::max(),
                                                  step.quota.period(), now, step.shift),
                    now)
            .result;
    }

    void note_overflow(const vacancy& to) {
        if (policy_ == when_full::share && to.at != nullptr) {
            word& tag = to.in->slots[0].tag;
            const std::uint64_t seen = tag.load(std::memory_order_relaxed);
            tag.store(to.stands.fresh ? seen & ~overflowed : seen | overflowed,
                      std::memory_order_release);
        }
    }

    // ---- data -----------------------------------------------------------------------------------

    // Read by every call.
    const std::uint64_t seed_ = random_seed();
    const when_full policy_;
    const std::size_t counters_;
    const std::uint32_t buckets_;
    const std::unique_ptr<void, free_memory> memory_;
    bucket* table_ = nullptr;
    quota_kinds kinds_;

    // Written by newcomers only.
    alignas(64) std::atomic<std::uint64_t> displaced_{0};
    std::atomic<std::uint64_t> displaced_used_{0};
    std::atomic<std::uint64_t> unplaced_{0};
    typename Machine::hint futile_moves_{0};
};

using counter_table = basic_counter_table<hardware>;

} // namespace weir::detail

#endif
