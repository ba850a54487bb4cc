#ifndef WEIR_BASIC_CACHE_HPP
#define WEIR_BASIC_CACHE_HPP

/// `basic_cache<Value, Backend>`: a cache whose backend's type is known.
///
/// How a computed value stays out of the way of an invalidation. There are two things to end, in this
/// order:
///
///  1. the lease, in one step with the entry itself (in the store): what an older computation comes to
///     must not be stored any more;
///  2. the flight (detail/flight.hpp): callers who come after the invalidation must not join a flight
///     that began before it.
///
/// The flight comes last because a flight looks into the store before it computes: one that began
/// between the two steps, in the other order, could still find the old entry there and hand it to
/// those who join it later. tests/cache_protocol_model_test.cpp searches all interleavings.
///
/// An invalidation in another process ends the lease, and cannot detach the flight. So where processes
/// share a store, who joined a flight takes its result only from the store (run_after_waiting);
/// tests/redis/lease_protocol_model_test.cpp searches the interleavings of that.

#include <weir/cache_operations.hpp>
#include <weir/cache_options.hpp>
#include <weir/detail/cache_reader.hpp>
#include <weir/detail/flight.hpp>
#include <weir/detail/hash.hpp>
#include <weir/glob.hpp>
#include <weir/scoped_cache.hpp>
#include <weir/stats.hpp>
#include <weir/storage.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <exception>
#include <new>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>

namespace weir {

/// A cache of `Value` on `Backend`, without the erasure of `cache`.
template<class Value, class Backend>
class basic_cache : public cache_operations<basic_cache<Value, Backend>, Value>,
                    private detail::cache_reader<Value, Backend> {
public:
    using value_type = Value;

    /// Opens the cache called `name` (1 to 64 bytes of [A-Za-z0-9._-], not `rl`) on `backend`. Caches
    /// of one name on one backend share their entries; ttl, grace, jitter and negative_ttl belong to
    /// each handle.
    ///
    /// Throws std::invalid_argument, naming the value and the range, for a name or options out of
    /// range; in memory also if `name` is open with another Value, capacity or max_bytes.
    basic_cache(Backend backend, std::string_view name, cache_options options)
        : basic_cache{backend, open(backend, name, options), options} {}

    /// What the cache did so far, over all its handles in this process.
    [[nodiscard]] cache_stats stats() const {
        const auto count = [&](auto which) { return core_->counters.sum(which); };
        cache_stats all;
        all.hits = count(core::hits);
        all.misses = count(core::misses);
        all.waits = count(core::waits);
        all.computations = count(core::computations);
        all.failures = count(core::failures);
        all.not_stored = count(core::not_stored);
        all.stale_served = count(core::stale_served);
        all.backend_errors = count(core::backend_errors);
        if constexpr (requires {
                          { store_.stats() } -> std::same_as<store_stats>;
                      }) {
            all.store = store_.stats();
        }
        return all;
    }

private:
    friend class cache_operations<basic_cache, Value>;
    template<class>
    friend class scoped_cache;
    template<class>
    friend class cache;

    using reader = detail::cache_reader<Value, Backend>;
    using reader::ask;
    using reader::backend_;
    using reader::core_;
    using reader::fresh;
    using reader::guarded;
    using reader::hit;
    using reader::store_;
    using typename reader::asked;
    using typename reader::core;
    using typename reader::raw_store;
    using typename reader::store_type;
    using computation = detail::computation<Value>;
    using outcome = detail::flight_outcome<Value>;

    basic_cache(Backend backend, raw_store store, const cache_options& options)
        : reader{std::move(backend), std::move(store)}, options_{options} {}

    [[nodiscard]] static raw_store open(Backend& backend, std::string_view name,
                                        const cache_options& options) {
        detail::validate(name, options);
        return backend.template values<Value>(
            name,
            {options.capacity, options.max_bytes, {options.ttl, options.grace}, options.lease});
    }

    [[nodiscard]] std::chrono::nanoseconds ttl() const noexcept { return options_.ttl; }

    // ---- computing -------------------------------------------------------------------------

    template<class Run>
    cached<Value> find_or_run(std::string_view key, const Run& run) const {
        asked first = ask(key);
        if (fresh(first.entry, first.now)) [[likely]] {
            return hit(std::move(first.entry), first.now);
        }
        return run_once(key, run, first.error);
    }

    /// Runs the computation in a flight of its own, or shares the one that is on its way.
    cached<Value> run_once(std::string_view key, const detail::value_computer<Value>& run,
                           std::error_code error) const {
        const auto [flight, owner] = core_->flights.join(key);
        if (owner) {
            core_->flights.finish(flight, lead(key, run, error));
        } else {
            core_->counters.add(core::waits);
            flight->wait();
            if constexpr (others_change_it) {
                if (!flight->outcome().thrown) {
                    return run_after_waiting(key, run);
                }
            }
        }
        return flight->outcome().get();
    }

    /// Other processes change the store, too, and cannot detach the flights of this one.
    static constexpr bool others_change_it = !reader::our_leases && !in_process_backend<Backend>;

    /// For a caller who has waited for a flight that was there before him: it may have begun before a
    /// change in another process that had returned when the caller came. What the store has now did
    /// not, nor did a flight that begins now; if another caller has begun it, that was after this one
    /// came, as a key has one flight in the table at a time.
    cached<Value> run_after_waiting(std::string_view key,
                                    const detail::value_computer<Value>& run) const {
        std::error_code error;
        const time_point now = backend_.now();
        found<Value> entry = guarded(error, [&] { return store_.get(key, now, error); });
        if (!error && fresh(entry, now)) {
            return hit(std::move(entry), now);
        }
        const auto [flight, owner] = core_->flights.join(key);
        if (owner) {
            core_->flights.finish(flight, lead(key, run, error));
        } else {
            flight->wait();
        }
        return flight->outcome().get();
    }

    /// The part of a flight's owner: everything that can throw ends up in the outcome.
    outcome lead(std::string_view key, const detail::value_computer<Value>& run,
                 std::error_code error) const noexcept {
        try {
            return {compute(key, run, error), nullptr};
        } catch (...) {
            return {{}, std::current_exception()};
        }
    }

    cached<Value> compute(std::string_view key, const detail::value_computer<Value>& run,
                          std::error_code error) const {
        leased<Value> start;
        if (!error) {
            const time_point now = backend_.now();
            start = guarded(error, [&] { return store_.get_or_lease(key, now, error); });
            if (!error && fresh(start.entry, now)) {
                return hit(std::move(start.entry), now);
            }
        }
        computation result;
        core_->counters.add(core::computations);
        try {
            const auto maker = [&](Value&& value) { return make(key, std::move(value)); };
            result = run(maker);
        } catch (...) {
            core_->counters.add(core::failures);
            give_up(key, start.lease);
            if (cached<Value> kept = kept_entry(key); kept) {
                core_->counters.add(kept.status() == cache_status::stale ? core::stale_served
                                                                         : core::hits);
                return kept;
            }
            throw;
        }
        return keep(key, std::move(result), start, error);
    }

    /// Stores what was computed, as far as the lease and the computation allow.
    cached<Value> keep(std::string_view key, computation&& result, const leased<Value>& start,
                       std::error_code error) const {
        const bool nothing = result.value == nullptr;
        const cache_status status = nothing ? cache_status::negative : cache_status::computed;
        lifetime kept = nothing ? lifetime{options_.negative_ttl, std::chrono::nanoseconds{0}}
                                : lifetime{result.ttl.value_or(options_.ttl), options_.grace};
        kept.ttl = shortened(std::min(kept.ttl, detail::max_ttl));
        if (start.lease == lease_token::none) {
            core_->counters.add(core::not_stored);
            return {std::move(result.value), status, std::chrono::nanoseconds{0}, error};
        }
        // Without a time to live this removes what is there: a stale entry that is superseded.
        kept.ttl = std::max(kept.ttl, std::chrono::nanoseconds{0});
        const time_point now = backend_.now();
        if constexpr (deferring_store<store_type, Value>) {
            store_.put_if_leased_later(key, result.value, kept, start.lease, now,
                                       [shared = core_, keeps = kept.ttl.count() != 0](
                                           bool held, std::error_code failure) noexcept {
                                           count_store(*shared, held && keeps, failure);
                                       });
            return {std::move(result.value), status, kept.ttl, error};
        } else {
            const bool held = guarded(error, [&] {
                return store_.put_if_leased(key, result.value, kept, start.lease, now, error);
            });
            count_store(*core_, held && kept.ttl.count() != 0, error);
            if (error) {
                give_up(key, start.lease);
            }
            return {std::move(result.value), status, held ? kept.ttl : std::chrono::nanoseconds{0},
                    error};
        }
    }

    static void count_store(core& shared, bool stored, std::error_code error) noexcept {
        if (error) {
            shared.counters.add(core::backend_errors);
        } else if (!stored) {
            shared.counters.add(core::not_stored);
        }
    }

    /// A lease that cannot be given up, because the store cannot be reached, ends by itself.
    void give_up(std::string_view key, lease_token lease) const {
        if (lease == lease_token::none) {
            return;
        }
        if constexpr (deferring_store<store_type, Value>) {
            store_.release_later(key, lease);
        } else {
            std::error_code ignored;
            store_.release(key, lease, ignored);
        }
    }

    /// The value of `key` in its grace, asked for anew: since the computation began, it may have been
    /// invalidated.
    cached<Value> kept_entry(std::string_view key) const {
        std::error_code ec;
        const time_point now = backend_.now();
        found<Value> entry = guarded(ec, [&] { return store_.get(key, now, ec); });
        if (ec || entry.value == nullptr) {
            return {};
        }
        if (fresh(entry, now)) {
            return hit(std::move(entry), now); // written by somebody else meanwhile
        }
        return {std::move(entry.value), cache_status::stale, std::chrono::nanoseconds{0}, {}, true};
    }

    /// A time to live less a random part of the jitter.
    [[nodiscard]] std::chrono::nanoseconds shortened(std::chrono::nanoseconds ttl) const noexcept {
        const std::chrono::nanoseconds most = std::min(options_.jitter, ttl / 2);
        if (most.count() <= 0) {
            return ttl;
        }
        const std::uint64_t draw = detail::mix(
            core_->jitter_seed + core_->jitter_draws.fetch_add(1, std::memory_order_relaxed));
        return ttl - std::chrono::nanoseconds{static_cast<std::int64_t>(
                         draw % (static_cast<std::uint64_t>(most.count()) + 1))};
    }

    // ---- writing ---------------------------------------------------------------------------

    static void refuse_long(std::chrono::nanoseconds ttl) {
        if (ttl > detail::max_ttl) {
            throw std::invalid_argument{"weir::cache: ttl is " + std::to_string(ttl.count()) +
                                        "ns; it must be at most 3650 days"};
        }
    }

    /// Makes a value where the store will keep it, if it can say so.
    value_ref<Value> make(std::string_view key, Value&& value) const {
        if constexpr (requires { store_.make(key, std::move(value)); }) {
            return store_.make(key, std::move(value));
        } else {
            return make_value<Value>(std::move(value));
        }
    }

    void store(std::string_view key, value_ref<Value> value, std::chrono::nanoseconds ttl,
               std::error_code& ec) const {
        refuse_long(ttl);
        if (ttl.count() <= 0) {
            static_cast<void>(remove(key, ec));
            return;
        }
        store_.put(key, std::move(value), lifetime{shortened(ttl), options_.grace}, backend_.now(),
                   ec);
        core_->flights.detach(key);
    }

    bool store_if_absent(std::string_view key, value_ref<Value> value, std::chrono::nanoseconds ttl,
                         std::error_code& ec) const {
        refuse_long(ttl);
        if (ttl.count() <= 0) {
            ec.clear();
            return false;
        }
        const bool added = store_.add(key, std::move(value),
                                      lifetime{shortened(ttl), options_.grace}, backend_.now(), ec);
        if (added) {
            core_->flights.detach(key);
        }
        return added;
    }

    bool remove(std::string_view key, std::error_code& ec) const {
        const bool removed = store_.erase(key, backend_.now(), ec);
        core_->flights.detach(key);
        return removed;
    }

    std::int64_t remove_matching(std::string_view glob, std::error_code& ec) const {
        if constexpr (matching_store<store_type>) {
            const std::int64_t removed = store_.erase_matching(glob, backend_.now(), ec);
            core_->flights.detach_if(
                [glob](std::string_view key) { return glob_matches(glob, key); });
            return removed;
        } else {
            ec = std::make_error_code(std::errc::operation_not_supported);
            return 0;
        }
    }

    void remove_all(std::error_code& ec) const {
        if constexpr (matching_store<store_type>) {
            store_.clear(backend_.now(), ec);
            core_->flights.detach_if([](std::string_view) { return true; });
        } else {
            ec = std::make_error_code(std::errc::operation_not_supported);
        }
    }

    cache_options options_;
};

} // namespace weir

#endif
