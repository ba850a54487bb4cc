#ifndef WEIR_MEMORY_VALUE_TABLE_HPP
#define WEIR_MEMORY_VALUE_TABLE_HPP

/// One shard of a store of values: an index, nodes, the eviction policy, leases, and the protocol
/// by which readers find a node without a lock.
///
/// ## The states of a node
///
///     free ---take---> private ---publish---> in the table ---unpublish---> leaving ---> free
///                         \_____________________________________________/
///                              (refused, or the lease was lost)
///
/// free       no holders; in the stack of the pool. Its memory stays a node.
/// private    one holder: who made it. Key, times and value are written here.
/// in the     a word of the index names it; the table is one holder, readers are others. Nothing of
/// table      it changes but the count of holders, the marks, and the place in the policy.
/// leaving    no word names it. The last holder destroys key and value and frees it.
///
/// ## Reading
///
/// A reader with a counted handle (`get`): read a word; become a holder if there is one; read the
/// word again; compare the key. If the node had no holder, or the word has changed, start over.
/// Once the word is the same, the node in hand is the one that the table has at that moment, and it
/// stays so in the reader's hands; before, it could have been freed and made anew, be it for the
/// same key, by someone whose store was refused. A reader through a hazard slot (`visit`): read a
/// word; name the node in the slot; read the word again; compare the key.
///
/// ## Memory order
///
///  - publishing store of a word (release part) -> its loads (acquire): what was written while the
///    node was private is there for who compares the key.
///  - first holder of a node (release) -> becoming a holder (acquire): a reader who holds a node
///    that was made anew reads the word again after the node left the index, so sees that it did.
///  - giving up a holder (acquire and release, a chain of read-modify-writes) -> the last one: what
///    every holder read comes before the destruction.
///  - unpublishing store, then looking at the slots; naming in the slot, then reading the word
///    again: all sequentially consistent, see hazard_slots.hpp. `watched` is marked between the
///    two steps of the reader, and never taken back.
///  - marks, `where`, the counters of the sketch: relaxed; hints, or guarded by the lock.
///
/// ## Locks
///
/// One mutex per shard, for writers. Under it nothing of the user's runs but the comparison with the
/// clock: values are made before it is taken and destroyed after it is given back (`leavers`). The
/// pool's mutex (a new slab) is never taken under it. No thread holds the locks of two shards.

#include <weir/detail/hash.hpp>
#include <weir/glob.hpp>
#include <weir/memory/deadlines.hpp>
#include <weir/memory/eviction.hpp>
#include <weir/memory/hazard_slots.hpp>
#include <weir/memory/leases.hpp>
#include <weir/memory/node_maker.hpp>
#include <weir/memory/value_entry.hpp>
#include <weir/memory/value_guards.hpp>
#include <weir/memory/value_index.hpp>
#include <weir/memory/value_pool.hpp>
#include <weir/stats.hpp>
#include <weir/storage.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <mutex>
#include <string_view>
#include <type_traits>
#include <utility>

namespace weir::detail {

/// What one shard may hold, and how its leases are numbered.
struct shard_bounds {
    std::size_t capacity = 1;
    /// 0: unbounded.
    std::size_t max_bytes = 0;
    std::uint64_t first_token = 1;
    std::uint64_t token_step = 1;
};

template<class V, class Hash>
class alignas(64) value_table {
    using pool = value_pool<V>;
    using entry = value_entry<V>;
    using word = value_index::word;
    using verdict = value_index::verdict;

public:
    /// Entries looked at per new entry, for whether they have expired. What has expired is gone after
    /// as many insertions as there are nodes, divided by this.
    static constexpr std::uint32_t sweep_width = 16;

    value_table(const shard_bounds& bounds, const Hash& hash)
        : pool_{pool::make(bounds.capacity)},
          index_{bounds.capacity, pool_->largest_number()},
          hash_{hash},
          capacity_{bounds.capacity},
          most_weight_{bounds.max_bytes == 0 ? std::numeric_limits<std::size_t>::max()
                                             : bounds.max_bytes / entry::weight_step},
          policy_{bounds.capacity},
          leases_{bounds.first_token, bounds.token_step} {}

    ~value_table() {
        index_.for_each([this](std::uint32_t number) { drop(counted(number)); });
        pool_->close();
    }

    value_table(const value_table&) = delete;
    value_table& operator=(const value_table&) = delete;

    // ---- reading, without a lock -------------------------------------------------------------

    void prefetch(std::uint64_t hash) const noexcept { index_.prefetch(hash); }

    [[nodiscard]] found<V> get(std::string_view key, std::uint64_t hash, time_point now) noexcept {
        found<V> result;
        const auto take = [&](entry* node) {
            if (now < node->end()) {
                touch(*node, hash);
                result.present = true;
                result.fresh_until = node->fresh_until;
                result.value = value_of(node);
            } else {
                drop<V>(node);
            }
        };
        while (!search_held(key, hash, take)) {
        }
        return result;
    }

    /// Calls f(const V&) if there is a fresh value. What f throws goes to the caller.
    template<class F>
    bool visit(std::string_view key, std::uint64_t hash, time_point now, F&& f) {
        watcher<V> watching{*pool_};
        while (true) {
            switch (search_watched(key, hash, watching)) {
            case sight::changed:
                continue;
            case sight::no_slot:
                return visit_held(key, hash, now, f);
            case sight::absent:
                return false;
            case sight::watched:
                break;
            }
            entry& node = *watching.node();
            const V* value = now < node.fresh_until ? node.value_or_null() : nullptr;
            if (value == nullptr) {
                return false;
            }
            touch(node, hash);
            std::invoke(std::forward<F>(f), *value);
            return true;
        }
    }

    // ---- writing -----------------------------------------------------------------------------

    /// Makes a value in a node of this shard, so that storing it moves nothing.
    template<class... Args>
    [[nodiscard]] value_ref<V> make(Args&&... args) {
        return maker().make(std::forward<Args>(args)...);
    }

    void put(std::string_view key, std::uint64_t hash, value_ref<V> value, const lifetime& keep,
             time_point now) {
        leavers<V> gone{*pool_};
        entry* node = maker().prepare(key, hash, value, keep, now);
        const std::lock_guard lock{mutex_};
        leases_.end(hash, key);
        store(node, key, hash, now, gone);
    }

    bool add(std::string_view key, std::uint64_t hash, value_ref<V> value, const lifetime& keep,
             time_point now) {
        leavers<V> gone{*pool_};
        entry* node = maker().prepare(key, hash, value, keep, now);
        const std::lock_guard lock{mutex_};
        if (const entry* old = locate(key, hash).node; old != nullptr && now < old->end()) {
            gone.add(node);
            return false;
        }
        leases_.end(hash, key);
        store(node, key, hash, now, gone);
        return node != nullptr;
    }

    bool erase(std::string_view key, std::uint64_t hash, time_point now) {
        leavers<V> gone{*pool_};
        const std::lock_guard lock{mutex_};
        leases_.end(hash, key);
        const location at = locate(key, hash);
        if (at.node == nullptr) {
            return false;
        }
        return remove(at.node, now, gone);
    }

    /// The entries removed that were live.
    std::int64_t erase_matching(std::string_view glob, time_point now) {
        return erase_if(now, [glob](std::string_view key) { return glob_matches(glob, key); });
    }

    void clear(time_point now) {
        erase_if(now, [](std::string_view) { return true; });
    }

    // ---- leases ------------------------------------------------------------------------------

    [[nodiscard]] leased<V> get_or_lease(std::string_view key, std::uint64_t hash, time_point now) {
        leased<V> first{get(key, hash, now), lease_token::none};
        if (first.entry.present && now < first.entry.fresh_until) {
            return first;
        }
        leased<V> second;
        const std::lock_guard lock{mutex_};
        second.entry = get(key, hash, now);
        if (!second.entry.present || second.entry.fresh_until <= now) {
            second.lease = leases_.give(hash, key);
        }
        return second;
    }

    bool put_if_leased(std::string_view key, std::uint64_t hash, value_ref<V> value,
                       const lifetime& keep, lease_token lease, time_point now) {
        leavers<V> gone{*pool_};
        const bool keeps = keep.ttl.count() > 0;
        entry* node = keeps ? maker().prepare(key, hash, value, keep, now) : nullptr;
        const std::lock_guard lock{mutex_};
        if (!leases_.end(hash, key, lease)) {
            gone.add(node);
            return false;
        }
        if (keeps) {
            store(node, key, hash, now, gone);
        } else if (const location old = locate(key, hash); old.node != nullptr) {
            remove(old.node, now, gone);
        }
        return !keeps || node != nullptr;
    }

    void release(std::string_view key, std::uint64_t hash, lease_token lease) {
        const std::lock_guard lock{mutex_};
        leases_.end(hash, key, lease);
    }

    // ---- figures -----------------------------------------------------------------------------

    void add_to(store_stats& all) const {
        const std::lock_guard lock{mutex_};
        all.entries += policy_.size();
        all.bytes += weight_ * entry::weight_step;
        all.evictions += evictions_;
        all.expirations += expirations_;
    }

private:
    // ---- helpers of readers --------------------------------------------------------------------

    void touch(entry& node, std::uint64_t hash) noexcept {
        if ((node.marks.load(std::memory_order_relaxed) & entry::visited) == 0) {
            node.marks.fetch_or(entry::visited, std::memory_order_relaxed);
            policy_.asked_for(static_cast<std::uint32_t>(hash));
        }
    }

    /// The value of a node that the caller holds. The holder goes with it, or is given up.
    [[nodiscard]] static value_ref<V> value_of(entry* node) noexcept {
        if (node->kind() == entry_shape::own) [[likely]] {
            return value_ref<V>::adopt(node);
        }
        value_ref<V> value;
        if (node->kind() == entry_shape::linked) {
            // The entry is a holder of the linked node, so there is at least one.
            node->link->holders.fetch_add(1, std::memory_order_relaxed);
            value = value_ref<V>::adopt(node->link);
        }
        drop<V>(node);
        return value;
    }

    /// Calls take(entry*) with the entry of `key`, held for the callee, if there is one. False if
    /// the table changed under the search, which then has to be made again.
    template<class Take>
    [[nodiscard]] bool search_held(std::string_view key, std::uint64_t hash, Take& take) noexcept {
        bool steady = true;
        index_.search(hash, [&](word& at, std::uint32_t content) noexcept {
            entry* node = pool_->at(index_.number(content));
            // The value's end, while the count's line is on its way.
            __builtin_prefetch(reinterpret_cast<const char*>(node) + 64);
            if (!node->hold()) {
                steady = false;
                return verdict::stop;
            }
            // In the one order of an invalidation's look at the flights: see detail/flight.hpp.
            if (at.load(std::memory_order_seq_cst) != content) {
                drop<V>(node);
                steady = false;
                return verdict::stop;
            }
            if (node->key_text() != key) {
                drop<V>(node);
                return verdict::next;
            }
            take(node);
            return verdict::stop;
        });
        return steady;
    }

    enum class sight { absent, watched, changed, no_slot };

    [[nodiscard]] sight search_watched(std::string_view key, std::uint64_t hash,
                                       watcher<V>& watching) noexcept {
        sight result = sight::absent;
        index_.search(hash, [&](word& at, std::uint32_t content) noexcept {
            entry* node = pool_->at(index_.number(content));
            watching.clear();
            if (!watching.watch(node)) {
                result = sight::no_slot;
                return verdict::stop;
            }
            // Acquire, also where another reader has set the mark: the word is read again after it.
            if ((node->marks.load(std::memory_order_acquire) & entry::watched) == 0) {
                node->marks.fetch_or(entry::watched, std::memory_order_seq_cst);
            }
            if (at.load(std::memory_order_seq_cst) != content) {
                result = sight::changed;
                return verdict::stop;
            }
            if (node->key_text() != key) {
                return verdict::next;
            }
            result = sight::watched;
            return verdict::stop;
        });
        return result;
    }

    template<class F>
    bool visit_held(std::string_view key, std::uint64_t hash, time_point now, F&& f) {
        const found<V> seen = get(key, hash, now);
        if (!seen.present || seen.fresh_until <= now || seen.value == nullptr) {
            return false;
        }
        std::invoke(std::forward<F>(f), *seen.value);
        return true;
    }

    [[nodiscard]] node_maker<V> maker() const noexcept { return {*pool_, most_weight_}; }

    // ---- helpers of writers, under the lock -------------------------------------------------------

    struct location {
        word* at = nullptr;
        entry* node = nullptr;
    };

    /// What the policy sees of the entries.
    struct slots {
        const value_table& table;
        time_point now;

        [[nodiscard]] entry& at(std::uint32_t number) const noexcept {
            return *table.pool_->at(number);
        }
        [[nodiscard]] std::atomic<std::uint32_t>& where(std::uint32_t number) const noexcept {
            return at(number).where;
        }
        [[nodiscard]] bool unmark(std::uint32_t number) const noexcept {
            std::atomic<std::uint8_t>& marks = at(number).marks;
            return (marks.load(std::memory_order_relaxed) & entry::visited) != 0 &&
                   (marks.fetch_and(static_cast<std::uint8_t>(~entry::visited),
                                    std::memory_order_relaxed) &
                    entry::visited) != 0;
        }
        [[nodiscard]] std::uint32_t hash(std::uint32_t number) const noexcept {
            return table.low_hash(at(number));
        }
        [[nodiscard]] bool expired(std::uint32_t number) const noexcept {
            return at(number).end() <= now;
        }
        [[nodiscard]] std::uint32_t numbers_end() const noexcept {
            return table.pool_->numbers_end();
        }
    };

    [[nodiscard]] value_node<V>* counted(std::uint32_t number) const noexcept {
        return pool_->at(number);
    }

    [[nodiscard]] std::uint32_t low_hash(const entry& node) const noexcept {
        return node.has_far_key() ? node.far_hash()
                                  : static_cast<std::uint32_t>(hash_(node.key_text()));
    }

    /// The lock keeps every node that is found in the table, so nothing has to be held.
    [[nodiscard]] location locate(std::string_view key, std::uint64_t hash) const noexcept {
        location result;
        index_.search(hash, [&](word& at, std::uint32_t content) noexcept {
            entry* node = pool_->at(index_.number(content));
            if (node->key_text() != key) {
                return verdict::next;
            }
            result = {&at, node};
            return verdict::stop;
        });
        return result;
    }

    /// Puts `node` into the table for `key`; null: too heavy, or no node was free, and what is there
    /// goes.
    void store(entry* node, std::string_view key, std::uint64_t hash, time_point now,
               leavers<V>& gone) noexcept {
        sweep(now, gone);
        const location old = locate(key, hash);
        if (node == nullptr) {
            ++evictions_;
            if (old.node != nullptr) {
                remove(old.node, now, gone);
            }
        } else if (old.node != nullptr) {
            replace(old, *node, hash, now, gone);
        } else {
            insert(*node, hash, now, gone);
        }
    }

    void replace(const location& old, entry& node, std::uint64_t hash, time_point now,
                 leavers<V>& gone) noexcept {
        const std::uint32_t number = pool_->number_of(&node);
        const std::uint32_t old_number = pool_->number_of(old.node);
        // An update is a hit.
        touch(*old.node, hash);
        node.marks.fetch_or(entry::visited, std::memory_order_relaxed);
        policy_.replace(slots{*this, now}, old_number, number);
        weight_ += node.weight;
        weight_ -= old.node->weight;
        pool_->word(number) = deadlines_.at(node.end(), now);
        pool_->word(old_number) = deadlines_.farthest(now);
        index_.replace(*old.at, hash, number);
        gone.add(old.node);
        make_room(now, gone);
    }

    void insert(entry& node, std::uint64_t hash, time_point now, leavers<V>& gone) noexcept {
        const std::uint32_t number = pool_->number_of(&node);
        const auto low = static_cast<std::uint32_t>(hash);
        policy_.add(slots{*this, now}, number, low);
        weight_ += node.weight;
        pool_->word(number) = deadlines_.at(node.end(), now);
        unpublished_ = number;
        make_room(now, gone);
        if (unpublished_ == 0) {
            return;
        }
        while (!index_.insert(hash, number)) {
            entry* other = pool_->at(index_.some_number_at(low));
            count_eviction(*other, now);
            policy_.remove(slots{*this, now}, pool_->number_of(other));
            forget(*other, now, gone);
        }
        unpublished_ = 0;
    }

    /// Evicts until the bounds are kept.
    void make_room(time_point now, leavers<V>& gone) noexcept {
        while (policy_.size() > capacity_ || weight_ > most_weight_) {
            entry& victim = *pool_->at(policy_.choose(slots{*this, now}));
            count_eviction(victim, now);
            forget(victim, now, gone);
        }
    }

    void count_eviction(const entry& victim, time_point now) noexcept {
        ++(victim.end() <= now ? expirations_ : evictions_);
    }

    /// Takes an entry that the policy does not know any more out of everything else.
    void forget(entry& node, time_point now, leavers<V>& gone) noexcept {
        const std::uint32_t number = pool_->number_of(&node);
        if (number == unpublished_) {
            unpublished_ = 0;
        } else {
            index_.erase(low_hash(node), number);
        }
        pool_->word(number) = deadlines_.farthest(now);
        weight_ -= node.weight;
        gone.add(&node);
    }

    /// True if the entry was live.
    bool remove(entry* node, time_point now, leavers<V>& gone) noexcept {
        const bool live = now < node->end();
        if (!live) {
            ++expirations_;
        }
        policy_.remove(slots{*this, now}, pool_->number_of(node));
        forget(*node, now, gone);
        return live;
    }

    template<class Matches>
    std::int64_t erase_if(time_point now, Matches matches) {
        leavers<V> gone{*pool_};
        const std::lock_guard lock{mutex_};
        leases_.end_if(matches);
        std::int64_t removed = 0;
        index_.for_each([&](std::uint32_t number) {
            entry* node = pool_->at(number);
            if (matches(node->key_text())) {
                removed += remove(node, now, gone) ? 1 : 0;
            }
        });
        return removed;
    }

    // ---- expiry --------------------------------------------------------------------------------

    void sweep(time_point now, leavers<V>& gone) noexcept {
        deadlines_.begin(now);
        const std::uint32_t end = pool_->numbers_end();
        if (end <= 1) {
            return; // no node has been made yet
        }
        const std::uint32_t tick_now = deadlines_.tick(now);
        for (std::uint32_t i = 0; i < sweep_width; ++i) {
            swept_ = swept_ + 1 >= end ? 1 : swept_ + 1;
            std::uint32_t& deadline = pool_->word(swept_);
            if (deadlines::reached(deadline, tick_now)) {
                sweep_one(swept_, deadline, now, gone);
            }
        }
    }

    void sweep_one(std::uint32_t number, std::uint32_t& deadline, time_point now,
                   leavers<V>& gone) noexcept {
        entry* node = pool_->at(number);
        if (!policy_.has(slots{*this, now}, number)) {
            deadline = deadlines_.farthest(now);
        } else if (now < node->end()) {
            deadline = deadlines_.at(node->end(), now);
        } else {
            remove(node, now, gone);
        }
    }

    // Read by readers, and never changed.
    pool* const pool_;
    value_index index_;
    const Hash hash_;
    const std::size_t capacity_;
    const std::size_t most_weight_;

    // The rest changes under the lock (but for the counters of the sketch).
    alignas(64) mutable std::mutex mutex_;
    eviction policy_;
    lease_list leases_;
    std::size_t weight_ = 0;
    /// The number of the node that `insert` is about to publish.
    std::uint32_t unpublished_ = 0;
    std::uint32_t swept_ = 0;
    deadlines deadlines_;
    std::uint64_t evictions_ = 0;
    std::uint64_t expirations_ = 0;
};

} // namespace weir::detail

#endif
