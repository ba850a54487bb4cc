#ifndef WEIR_DETAIL_IN_PROCESS_LEASES_HPP
#define WEIR_DETAIL_IN_PROCESS_LEASES_HPP

/// Leases for a store that has none of its own: among the copies of one cache, in one process.
///
/// The rule that keeps a value computed before an invalidation from being stored after it: whoever
/// changes a key ends its lease first and changes the store then; whoever stores a computed value
/// checks the lease and stores under one lock. So a store that saw its lease comes before the end of
/// the lease, hence before the change, and one that comes after does not happen.
///
/// A lock covers a part of the keys. It is held across a `put` under a lease and an `add` of the store
/// below, never across a `get` or a computation.

#include <weir/detail/hash.hpp>
#include <weir/glob.hpp>
#include <weir/handler.hpp>
#include <weir/storage.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

namespace weir::detail {

/// Which keys are leased, and to whom.
class lease_table {
public:
    struct held {
        std::string key;
        lease_token lease;
    };

    struct shard {
        std::mutex mutex;
        std::vector<held> leases;

        [[nodiscard]] bool holds(std::string_view key) const noexcept {
            return std::any_of(leases.begin(), leases.end(),
                               [&](const held& h) { return h.key == key; });
        }
        void end(std::string_view key) noexcept {
            std::erase_if(leases, [&](const held& h) { return h.key == key; });
        }
        /// True if `lease` was held.
        bool end(std::string_view key, lease_token lease) noexcept {
            return std::erase_if(leases, [&](const held& h) {
                       return h.lease == lease && h.key == key;
                   }) != 0;
        }
        [[nodiscard]] lease_token begin(std::string_view key, lease_token lease) {
            leases.push_back({std::string{key}, lease});
            return lease;
        }
    };

    [[nodiscard]] shard& shard_of(std::string_view key) noexcept {
        return shards_[hash_bytes(key, seed_) >> 60];
    }

    [[nodiscard]] lease_token next() noexcept {
        return lease_token{last_.fetch_add(1, std::memory_order_relaxed) + 1};
    }

    template<class Predicate>
    void end_if(const Predicate& matches) noexcept {
        for (shard& s : shards_) {
            const std::lock_guard lock{s.mutex};
            std::erase_if(s.leases, [&](const held& h) { return matches(h.key); });
        }
    }

private:
    const std::uint64_t seed_ = random_seed();
    std::atomic<std::uint64_t> last_{0};
    std::array<shard, 16> shards_;
};

template<class Store, class Value>
class in_process_leases {
public:
    using entry_handler = handler<found<Value>, std::error_code>;

    in_process_leases(Store store, std::shared_ptr<lease_table> leases)
        : store_{std::move(store)}, leases_{std::move(leases)} {}

    found<Value> get(std::string_view key, time_point now, std::error_code& ec) {
        return store_.get(key, now, ec);
    }

    std::vector<found<Value>> get_many(std::span<const std::string_view> keys, time_point now,
                                       std::error_code& ec) requires batch_store<Store, Value> {
        return store_.get_many(keys, now, ec);
    }

    void get_async(std::string_view key, time_point now,
                   entry_handler done) noexcept requires async_store<Store, Value> {
        store_.get_async(key, now, std::move(done));
    }

    void put(std::string_view key, value_ref<Value> value, const lifetime& keep, time_point now,
             std::error_code& ec) {
        end_lease(key);
        store_.put(key, std::move(value), keep, now, ec);
    }

    bool add(std::string_view key, value_ref<Value> value, const lifetime& keep, time_point now,
             std::error_code& ec) {
        lease_table::shard& home = leases_->shard_of(key);
        const std::lock_guard lock{home.mutex};
        const bool added = store_.add(key, std::move(value), keep, now, ec);
        if (added || ec) {
            home.end(key);
        }
        return added;
    }

    bool erase(std::string_view key, time_point now, std::error_code& ec) {
        end_lease(key);
        return store_.erase(key, now, ec);
    }

    /// The lease comes first: what ends it from now on is seen by who stores under it, so that the
    /// look into the store need not be under the lock.
    leased<Value> get_or_lease(std::string_view key, time_point now, std::error_code& ec) {
        leased<Value> answer;
        answer.lease = take_lease(key);
        try {
            answer.entry = store_.get(key, now, ec);
        } catch (...) {
            give_up(key, answer.lease);
            throw;
        }
        if (ec || (answer.entry.present && now < answer.entry.fresh_until)) {
            give_up(key, std::exchange(answer.lease, lease_token::none));
        }
        return answer;
    }

    bool put_if_leased(std::string_view key, value_ref<Value> value, const lifetime& keep,
                       lease_token lease, time_point now, std::error_code& ec) {
        lease_table::shard& home = leases_->shard_of(key);
        const std::lock_guard lock{home.mutex};
        ec.clear();
        if (!home.end(key, lease)) {
            return false;
        }
        if (keep.ttl.count() <= 0) {
            static_cast<void>(store_.erase(key, now, ec));
        } else {
            store_.put(key, std::move(value), keep, now, ec);
        }
        return !ec;
    }

    void release(std::string_view key, lease_token lease, std::error_code& ec) {
        ec.clear();
        give_up(key, lease);
    }

    std::int64_t erase_matching(std::string_view glob, time_point now,
                                std::error_code& ec) requires matching_store<Store> {
        leases_->end_if([&](std::string_view key) { return glob_matches(glob, key); });
        return store_.erase_matching(glob, now, ec);
    }

    void clear(time_point now, std::error_code& ec) requires matching_store<Store> {
        leases_->end_if([](std::string_view) { return true; });
        store_.clear(now, ec);
    }

    template<class F>
    bool visit(std::string_view key, time_point now, F&& f) requires visiting_store<Store, Value> {
        return store_.visit(key, now, std::forward<F>(f));
    }

private:
    /// A new lease, or none if another holds one.
    [[nodiscard]] lease_token take_lease(std::string_view key) {
        lease_table::shard& home = leases_->shard_of(key);
        const std::lock_guard lock{home.mutex};
        return home.holds(key) ? lease_token::none : home.begin(key, leases_->next());
    }

    void give_up(std::string_view key, lease_token lease) {
        lease_table::shard& home = leases_->shard_of(key);
        const std::lock_guard lock{home.mutex};
        home.end(key, lease);
    }

    void end_lease(std::string_view key) {
        lease_table::shard& home = leases_->shard_of(key);
        const std::lock_guard lock{home.mutex};
        home.end(key);
    }

    Store store_;
    std::shared_ptr<lease_table> leases_;
};

/// The store of a backend, with leases of its own or ours.
template<class Store, class Value>
using leasing_form =
    std::conditional_t<leasing_store<Store, Value>, Store, in_process_leases<Store, Value>>;

} // namespace weir::detail

#endif
