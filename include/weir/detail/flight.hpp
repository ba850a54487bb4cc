#ifndef WEIR_DETAIL_FLIGHT_HPP
#define WEIR_DETAIL_FLIGHT_HPP

/// Flights: computations of values that several callers wait for together (single flight).
///
/// A flight is in the table of its cache from the moment its owner begins until it is finished or
/// detached, whichever comes first. Whoever looks for its key meanwhile joins it and waits; whoever
/// comes later starts afresh. Whether its result may be stored is not decided here but by the lease
/// that its owner took from the store.
///
/// States of a flight, in one atomic word:
///
///     running --(first waiter)--> awaited --(finish)--> finished
///        \-------------------------(finish)---------------^
///
/// Lock order: a shard of a flight table, or the wait graph; never both, and nothing is called under
/// them. The owner writes `outcome` before its exchange to `finished` (release); waiters read it
/// after they have seen `finished` (acquire).
///
/// Waiting for oneself: before it waits, a thread follows flight -> owner -> flight that the owner
/// waits for, and so on, under the lock of the wait graph. If it arrives at itself, nobody in the
/// circle could ever finish, and it throws instead of closing the circle. The owner of an awaited
/// flight may be followed while the lock is held: it clears itself under that lock before it goes.

#include <weir/cached.hpp>
#include <weir/detail/hash.hpp>
#include <weir/error.hpp>
#include <weir/value_ref.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <pthread.h>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace weir::detail {

class flight_base;

/// A thread, as the wait graph sees it.
struct flying_thread {
    /// What it waits for; guarded by the lock of the wait graph.
    const flight_base* waits_for = nullptr;

    [[nodiscard]] static flying_thread& mine() noexcept {
        thread_local flying_thread record;
        return record;
    }
};

/// The part of a flight that does not depend on the value.
class flight_base {
public:
    flight_base(std::string_view key, std::uint64_t hash) : key_{key}, hash_{hash} {}
    flight_base(const flight_base&) = delete;
    flight_base& operator=(const flight_base&) = delete;

    [[nodiscard]] std::string_view key() const noexcept { return key_; }
    [[nodiscard]] bool is_for(std::string_view key, std::uint64_t hash) const noexcept {
        return hash_ == hash && key_ == key;
    }

    /// Waits until the owner has finished. Throws errc::recursive_computation if that could never
    /// happen, because the owner waits, directly or not, for this thread.
    void wait() {
        if (!announce_waiter()) {
            return;
        }
        std::uint32_t seen = state_.load(std::memory_order_acquire);
        while (seen != finished) {
            state_.wait(seen, std::memory_order_acquire);
            seen = state_.load(std::memory_order_acquire);
        }
        const std::lock_guard lock{graph_};
        flying_thread::mine().waits_for = nullptr;
    }

protected:
    ~flight_base() = default;

    /// Ends the flight, after its outcome is written.
    void finish() noexcept {
        if (state_.exchange(finished, std::memory_order_acq_rel) != awaited) {
            return;
        }
        {
            const std::lock_guard lock{graph_};
            owner_ = nullptr;
        }
        state_.notify_all();
    }

private:
    static constexpr std::uint32_t running = 0;
    static constexpr std::uint32_t awaited = 1;
    static constexpr std::uint32_t finished = 2;

    /// Enters this thread into the wait graph; false if there is nothing to wait for any more.
    [[nodiscard]] bool announce_waiter() {
        flying_thread& me = flying_thread::mine();
        std::unique_lock lock{graph_};
        std::uint32_t expected = running;
        if (!state_.compare_exchange_strong(expected, awaited, std::memory_order_acq_rel) &&
            expected == finished) {
            return false;
        }
        for (const flight_base* flight = this; flight != nullptr && flight->owner_ != nullptr;
             flight = flight->owner_->waits_for) {
            if (flight->owner_ == &me) {
                lock.unlock(); // so that not even an allocator is called under it
                throw std::system_error{make_error_code(errc::recursive_computation),
                                        "weir: key \"" + key_ + "\""};
            }
        }
        me.waits_for = this;
        return true;
    }

    /// Of the wait graph of all caches. A fork waits for it, so that no child finds it locked by a
    /// thread that is not there.
    static inline std::mutex graph_;
    static void lock_graph() noexcept { graph_.lock(); }
    static void unlock_graph() noexcept { graph_.unlock(); }
    static inline const int waited_for_by_forks_ =
        ::pthread_atfork(&lock_graph, &unlock_graph, &unlock_graph);

    const std::string key_;
    const std::uint64_t hash_;
    std::atomic<std::uint32_t> state_{running};
    /// Guarded by the lock of the wait graph once the flight is awaited; not to be followed before.
    const flying_thread* owner_ = &flying_thread::mine();
};

/// What a flight came to: an answer, or what the computation threw.
template<class Value>
struct flight_outcome {
    cached<Value> answer;
    std::exception_ptr thrown;

    /// The answer; rethrows what was thrown.
    [[nodiscard]] const cached<Value>& get() const {
        if (thrown) {
            std::rethrow_exception(thrown);
        }
        return answer;
    }
};

template<class Value>
class flight final : public flight_base {
public:
    using flight_base::flight_base;

    void finish(flight_outcome<Value> outcome) noexcept {
        outcome_ = std::move(outcome);
        flight_base::finish();
    }

    /// Only after `wait()`.
    [[nodiscard]] const flight_outcome<Value>& outcome() const noexcept { return outcome_; }

private:
    flight_outcome<Value> outcome_;
};

/// The flights of one cache. Few are in it at one time: at most one per thread that computes.
template<class Value>
class flight_table {
public:
    struct joined {
        std::shared_ptr<detail::flight<Value>> flight;
        /// True if this call began the flight, and must `finish` it.
        bool owner;
    };

    /// Joins the flight of `key`, or begins one.
    [[nodiscard]] joined join(std::string_view key) {
        const std::uint64_t hash = hash_bytes(key, seed_);
        auto fresh = std::make_shared<detail::flight<Value>>(key, hash);
        shard& home = shard_of(hash);
        const std::lock_guard lock{home.mutex};
        for (const auto& flight : home.flights) {
            if (flight->is_for(key, hash)) {
                return {flight, false};
            }
        }
        home.flights.push_back(fresh);
        count_.fetch_add(1, std::memory_order_seq_cst);
        return {std::move(fresh), true};
    }

    /// Ends `flight` with `outcome`: from now on nobody joins it, and its waiters go on.
    void finish(const std::shared_ptr<detail::flight<Value>>& flight,
                flight_outcome<Value> outcome) noexcept {
        remove_if(shard_of(hash_bytes(flight->key(), seed_)),
                  [&](const auto& other) { return other == flight; });
        flight->finish(std::move(outcome));
    }

    /// From now on nobody joins a flight of `key` that has begun already.
    void detach(std::string_view key) noexcept {
        if (empty()) {
            return;
        }
        const std::uint64_t hash = hash_bytes(key, seed_);
        remove_if(shard_of(hash), [&](const auto& flight) { return flight->is_for(key, hash); });
    }

    /// The same for all keys that `matches` is true of.
    template<class Predicate>
    void detach_if(const Predicate& matches) noexcept {
        if (empty()) {
            return;
        }
        for (shard& s : shards_) {
            remove_if(s, [&](const auto& flight) { return matches(flight->key()); });
        }
    }

private:
    struct alignas(64) shard {
        std::mutex mutex;
        std::vector<std::shared_ptr<detail::flight<Value>>> flights;
    };

    /// Sequentially consistent, like the increment in join(): an invalidation that finds no flight
    /// comes before every flight that it does not see, in the one order of both.
    [[nodiscard]] bool empty() const noexcept {
        return count_.load(std::memory_order_seq_cst) == 0;
    }

    [[nodiscard]] shard& shard_of(std::uint64_t hash) noexcept { return shards_[hash >> 58]; }

    template<class Predicate>
    void remove_if(shard& home, const Predicate& matches) noexcept {
        const std::lock_guard lock{home.mutex};
        const std::size_t gone = std::erase_if(home.flights, matches);
        count_.fetch_sub(gone, std::memory_order_relaxed);
    }

    const std::uint64_t seed_ = random_seed();
    std::atomic<std::size_t> count_{0};
    std::array<shard, 64> shards_;
};

} // namespace weir::detail

#endif
