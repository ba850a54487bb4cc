#ifndef WEIR_DETAIL_CACHE_READER_HPP
#define WEIR_DETAIL_CACHE_READER_HPP

/// What a cache reads from its store, and how that becomes an answer; the part of `basic_cache`
/// that neither computes nor writes.

#include <weir/cached.hpp>
#include <weir/clock.hpp>
#include <weir/detail/flight.hpp>
#include <weir/detail/hash.hpp>
#include <weir/detail/in_process_leases.hpp>
#include <weir/detail/striped_counters.hpp>
#include <weir/error.hpp>
#include <weir/handler.hpp>
#include <weir/storage.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <new>
#include <span>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

namespace weir::detail {

/// What the handles of one cache share beside its entries.
template<class Value>
struct cache_core {
    enum counter : std::size_t {
        hits,
        misses,
        waits,
        computations,
        failures,
        not_stored,
        stale_served,
        backend_errors,
        counter_count
    };

    flight_table<Value> flights;
    /// For a store that has no leases of its own.
    lease_table leases;
    striped_counters<counter_count> counters;
    std::atomic<std::uint64_t> jitter_draws{0};
    const std::uint64_t jitter_seed = random_seed();
};

/// The store of one cache, and the lookups in it. The base of `basic_cache`.
template<class Value, class Backend>
class cache_reader {
    static_assert(std::is_object_v<Value> && !std::is_const_v<Value>,
                  "weir: the Value of a cache is a plain object type");
    static_assert(explain_values<Backend, Value>());

protected:
    using raw_store = store_of<Backend, Value>;
    using store_type = leasing_form<raw_store, Value>;
    static constexpr bool our_leases = !leasing_store<raw_store, Value>;
    using core = cache_core<Value>;

    cache_reader(Backend backend, raw_store store)
        : backend_{std::move(backend)},
          core_{core_of(store)},
          store_{leasing(std::move(store), core_)} {}

    [[nodiscard]] static bool fresh(const found<Value>& entry, time_point now) noexcept {
        return entry.present && now < entry.fresh_until;
    }

    [[nodiscard]] static cached<Value> hit(found<Value>&& entry, time_point now) noexcept {
        const cache_status status =
            entry.value != nullptr ? cache_status::hit : cache_status::negative;
        std::chrono::nanoseconds expires_in = entry.fresh_until - now;
        if constexpr (!locating_store<store_type, Value>) {
            if (entry.fresh_until == time_point::max()) {
                expires_in = std::chrono::nanoseconds{0}; // the store does not tell
            }
        }
        return {std::move(entry.value), status, expires_in, {}, true};
    }

    /// What a look into the store came to.
    struct asked {
        found<Value> entry;
        time_point now;
        std::error_code error;
    };

    /// The answer of `get`.
    [[nodiscard]] static cached<Value> answer(asked&& first) noexcept {
        if (fresh(first.entry, first.now)) {
            return hit(std::move(first.entry), first.now);
        }
        if (first.error) {
            return {nullptr, cache_status::unavailable, std::chrono::nanoseconds{0}, first.error};
        }
        return {};
    }

    /// Counts how a look into the store went. It found nothing if it failed.
    static void count(core& shared, asked& first) noexcept {
        const bool found = !first.error && fresh(first.entry, first.now);
        shared.counters.add(found ? core::hits : core::misses);
        if (first.error) {
            shared.counters.add(core::backend_errors);
            first.entry = {};
        }
    }

    /// Looks `key` up in the store and counts how that went.
    asked ask(std::string_view key) const {
        if constexpr (locating_store<store_type, Value>) {
            const auto place = store_.locate(key);
            const time_point now = backend_.now();
            asked first{store_.get_at(place, key, now), now, {}};
            core_->counters.add(fresh(first.entry, now) ? core::hits : core::misses);
            return first;
        } else {
            asked first{{}, backend_.now(), {}};
            first.entry =
                guarded(first.error, [&] { return store_.get(key, first.now, first.error); });
            count(*core_, first);
            return first;
        }
    }

    cached<Value> find(std::string_view key) const { return answer(ask(key)); }

    std::vector<cached<Value>> find_many(std::span<const std::string_view> keys) const {
        std::vector<cached<Value>> answers;
        answers.reserve(keys.size());
        if constexpr (batch_store<store_type, Value>) {
            std::error_code error;
            const time_point now = backend_.now();
            std::vector<found<Value>> entries =
                guarded(error, [&] { return store_.get_many(keys, now, error); });
            entries.resize(keys.size()); // there are none if it failed
            for (found<Value>& entry : entries) {
                asked one{std::move(entry), now, error};
                count(*core_, one);
                answers.push_back(answer(std::move(one)));
            }
        } else {
            for (const std::string_view key : keys) {
                answers.push_back(find(key));
            }
        }
        return answers;
    }

    /// `find`, told to `done`: at once where the store answers at once or can only be waited for.
    void find_async(std::string_view key, handler<cached<Value>> done) const noexcept {
        if constexpr (locating_store<store_type, Value> || !async_store<store_type, Value>) {
            done(find(key));
        } else {
            const time_point now = backend_.now();
            auto settle = [shared = core_, now, done = std::move(done)](
                              found<Value> entry, std::error_code error) mutable noexcept {
                asked one{std::move(entry), now, error};
                count(*shared, one);
                done(answer(std::move(one)));
            };
            handler<found<Value>, std::error_code> settled;
            try {
                settled = std::move(settle);
            } catch (const std::bad_alloc&) { // and `settle` is as it was
                settle({}, std::make_error_code(std::errc::not_enough_memory));
                return;
            }
            store_.get_async(key, now, std::move(settled));
        }
    }

    /// What `operation()` returns; what it throws is an error like others.
    template<class Operation>
    static std::invoke_result_t<Operation&> guarded(std::error_code& ec, Operation&& operation) {
        try {
            return operation();
        } catch (const std::bad_alloc&) {
            ec = std::make_error_code(std::errc::not_enough_memory);
        } catch (...) {
            // Of a store nothing else comes, but of the user's value_weight or move constructor.
            ec = make_error_code(errc::unavailable);
        }
        return {};
    }

    template<class F>
    bool look_at(std::string_view key, F& look) const {
        if constexpr (visiting_store<store_type, Value>) {
            const bool seen = store_.visit(key, backend_.now(), look);
            core_->counters.add(seen ? core::hits : core::misses);
            return seen;
        } else {
            const cached<Value> answer = find(key);
            if (answer) {
                std::invoke(look, *answer);
            }
            return static_cast<bool>(answer);
        }
    }

    // Mutable, because a handle refers to what it changes.
    mutable Backend backend_;
    std::shared_ptr<core> core_;
    mutable store_type store_;

private:
    [[nodiscard]] static std::shared_ptr<core> core_of(raw_store& store) {
        if constexpr (hosting_store<raw_store>) {
            return std::static_pointer_cast<core>(
                store.hosted(+[]() -> std::shared_ptr<void> { return std::make_shared<core>(); }));
        } else {
            return std::make_shared<core>();
        }
    }

    [[nodiscard]] static store_type leasing(raw_store store, const std::shared_ptr<core>& shared) {
        if constexpr (our_leases) {
            return {std::move(store), std::shared_ptr<lease_table>{shared, &shared->leases}};
        } else {
            return store;
        }
    }
};

} // namespace weir::detail

#endif
