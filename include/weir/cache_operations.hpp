#ifndef WEIR_CACHE_OPERATIONS_HPP
#define WEIR_CACHE_OPERATIONS_HPP

/// What every cache offers: the functions that `cache`, `basic_cache` and `scoped_cache` share.

#include <weir/cached.hpp>
#include <weir/detail/computation.hpp>
#include <weir/detail/function_ref.hpp>
#include <weir/detail/key_list.hpp>
#include <weir/handler.hpp>
#include <weir/key.hpp>

#include <chrono>
#include <concepts>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

namespace weir {

namespace detail {

/// What `get_async` calls.
template<class F, class Value>
concept takes_answer = std::invocable<std::add_lvalue_reference_t<std::decay_t<F>>, cached<Value>>;

} // namespace detail

template<class Cache>
class scoped_cache;

/// The operations of a cache, as documented here, over a few primitives of `Derived`.
///
/// A key is any bytes, or an integer by its text; `make_key` joins several parts. `get`, `visit`
/// and `get_or_compute` throw nothing but what the caller's own function throws (and std::bad_alloc
/// where there is no memory for a computation, as `get_many` and `get_async` say of themselves).
/// Operations that change something throw std::system_error when the store fails (an invalidation
/// that failed must not pass unseen) and have overloads that report through `std::error_code&`. A
/// cache is a handle: its functions are const, and a copy is the same cache.
///
/// No stale store: a value whose computation began before an `invalidate`, `invalidate_matching`,
/// `clear`, `put` or successful `add` of its key was called is not stored, and not served to anyone
/// who asks after that call returned. Those who already waited for it still get it.
///
/// Concurrency: everything may be called from many threads at once.
template<class Derived, class Value>
class cache_operations {
public:
    using value_type = Value;

    /// The fresh value under `key`, or null. In memory a hit takes no lock.
    [[nodiscard]] cached<Value> get(key_view key) const { return self().find(key.bytes()); }

    /// What `get` finds under each of `keys`, in their order; where the store can, in one go: one
    /// round trip, or overlapping cache misses in memory. If the store fails then, every answer is
    /// `unavailable`.
    ///
    /// @param keys  any range of what converts to a key: strings, views, integers
    ///
    /// Throws std::bad_alloc where there is no memory for the answers.
    template<detail::key_range R>
    [[nodiscard]] std::vector<cached<Value>> get_many(R&& keys) const {
        const detail::key_list list{keys};
        return self().find_many(list.views());
    }

    /// The same for keys that are listed in place: `get_many({"a", "b", 42})`.
    [[nodiscard]] std::vector<cached<Value>> get_many(std::initializer_list<key_view> keys) const {
        const detail::key_list list{keys};
        return self().find_many(list.views());
    }

    /// What `get` does, without waiting for the store: calls `done(cached<Value>)` exactly once.
    ///
    /// @param done  takes a cached<Value>; moved from; must not throw (std::terminate)
    ///
    /// `done` is called on a thread of the backend's choice, later; or here, before this returns,
    /// if the store answers at once, as memory does, or if it is no `async_store`: then this waits
    /// as `get` does. It is called also when the store fails and when the backend is destroyed.
    /// Throws nothing but std::bad_alloc, where `done` is larger than 48 bytes, or the key has a
    /// scope, and there is no memory for it: then nothing was asked.
    template<detail::takes_answer<Value> F>
    void get_async(key_view key, F&& done) const {
        self().find_async(key.bytes(), handler<cached<Value>>{std::forward<F>(done)});
    }

    /// Calls `look` with the fresh value under `key`, in place, and returns true; or returns false.
    /// In memory this does not even count a holder; an eviction meanwhile waits with the value's
    /// destruction, so keep `look` short.
    template<std::invocable<const Value&> F>
    bool visit(key_view key, F&& look) const {
        return self().look_at(key.bytes(), look);
    }

    /// The fresh value under `key`; or else what `fn()` returns, which is stored.
    ///
    /// @param fn  returns `Value`; or `expiring<Value>`, which chooses the time to live; or a
    ///            `std::optional` of one of them, empty for "there is none": the answer is null and
    ///            kept for `negative_ttl`
    ///
    /// One computation per key at a time: callers who find one going on wait for it and share its
    /// result, or the exception that it throws. Where processes share the store, each of them may
    /// compute, without waiting for another; what one of them computes under the lease is stored,
    /// and what the others compute meanwhile is their callers' alone. There, those who waited look
    /// into the store, and if the value could not be stored one of them computes it once more. No lock is held while `fn`
    /// runs; it may use this and other caches. If `fn` throws, nothing is stored; if a value within
    /// its grace is there, that is the answer (`stale`), otherwise everyone who waited gets the
    /// exception.
    ///
    /// Throws std::system_error with errc::recursive_computation if the computation would have to
    /// wait for itself, directly or through other threads.
    template<class F>
    [[nodiscard]] cached<Value> get_or_compute(key_view key, F&& fn) const {
        static_assert(detail::computes<F, Value>,
                      "weir: the function of get_or_compute takes nothing and must return Value, "
                      "std::optional<Value> or weir::expiring<Value>");
        const auto run = [&fn](const detail::value_maker<Value>& make) {
            return detail::computation<Value>::from(std::invoke(fn), make);
        };
        return self().find_or_run(key.bytes(), run);
    }

    /// Stores `value` under `key` in place of what is there, for the cache's `ttl`.
    void put(key_view key, Value value) const { put(key, std::move(value), self().ttl()); }

    /// The same for `ttl`, at most 3650 days (std::invalid_argument otherwise). With ttl <= 0 nothing
    /// is stored and what is there is removed.
    void put(key_view key, Value value, std::chrono::nanoseconds ttl) const {
        std::error_code ec;
        put(key, std::move(value), ttl, ec);
        throw_if(ec, "weir: put");
    }

    void put(key_view key, Value value, std::error_code& ec) const {
        put(key, std::move(value), self().ttl(), ec);
    }

    void put(key_view key, Value value, std::chrono::nanoseconds ttl, std::error_code& ec) const {
        self().store(key.bytes(), self().make(key.bytes(), std::move(value)), ttl, ec);
    }

    /// Stores `value` only if `key` has no entry, fresh or in its grace; true if it did.
    bool add(key_view key, Value value) const { return add(key, std::move(value), self().ttl()); }

    bool add(key_view key, Value value, std::chrono::nanoseconds ttl) const {
        std::error_code ec;
        const bool added = add(key, std::move(value), ttl, ec);
        throw_if(ec, "weir: add");
        return added;
    }

    bool add(key_view key, Value value, std::error_code& ec) const {
        return add(key, std::move(value), self().ttl(), ec);
    }

    bool add(key_view key, Value value, std::chrono::nanoseconds ttl, std::error_code& ec) const {
        return self().store_if_absent(key.bytes(), self().make(key.bytes(), std::move(value)), ttl,
                                      ec);
    }

    /// Removes the entry of `key`; true if there was a live one. Later callers compute afresh.
    bool invalidate(key_view key) const {
        std::error_code ec;
        const bool removed = invalidate(key, ec);
        throw_if(ec, "weir: invalidate");
        return removed;
    }

    bool invalidate(key_view key, std::error_code& ec) const {
        return self().remove(key.bytes(), ec);
    }

    /// Removes the entries of all keys that match `glob` (see <weir/glob.hpp>) and returns how many
    /// there were. Looks at every entry of the cache. After an error some of them may be gone.
    std::int64_t invalidate_matching(std::string_view glob) const {
        std::error_code ec;
        const std::int64_t removed = invalidate_matching(glob, ec);
        throw_if(ec, "weir: invalidate_matching");
        return removed;
    }

    std::int64_t invalidate_matching(std::string_view glob, std::error_code& ec) const {
        return self().remove_matching(glob, ec);
    }

    /// Removes every entry.
    void clear() const {
        std::error_code ec;
        clear(ec);
        throw_if(ec, "weir: clear");
    }

    void clear(std::error_code& ec) const { self().remove_all(ec); }

    /// A callable that asks this cache before it calls `fn`: with one argument the key is that
    /// argument, with several it is `make_key` of them.
    ///
    ///     auto find = products.wrap(db_find);   // cached<Product> find(42), key "42"
    ///
    /// The callable keeps a copy of `fn`. Wrap one function per cache: another one with the same
    /// arguments would be taken for the same.
    template<class F>
    [[nodiscard]] auto wrap(F fn) const {
        return [cache = self(), fn = std::move(fn)]<class... Args>(const Args&... args) {
            static_assert(sizeof...(Args) > 0 &&
                              (std::convertible_to<const Args&, key_view> && ...),
                          "weir: the arguments of a wrapped function make the key; they must be "
                          "strings or integers");
            const auto run = [&] { return std::invoke(fn, args...); };
            if constexpr (sizeof...(Args) == 1) {
                return cache.get_or_compute(args..., run);
            } else {
                return cache.get_or_compute(make_key(args...), run);
            }
        };
    }

    /// A view of this cache for one user, tenant or whatever `scope` names: keys of different scopes
    /// never meet, whatever bytes the users choose, and `clear` and `invalidate_matching` stay
    /// within the scope. Its entries live in this cache, under `make_key(scope)`, `:` and the key; so
    /// the cache's own plain keys can reach into a scope, and a scope's into one nested in it.
    [[nodiscard]] scoped_cache<Derived> scoped(key_view scope) const {
        return scoped_cache<Derived>{self(), scope};
    }

protected:
    cache_operations() = default;

private:
    [[nodiscard]] const Derived& self() const noexcept {
        return static_cast<const Derived&>(*this);
    }

    static void throw_if(std::error_code ec, const char* what) {
        if (ec) {
            throw std::system_error{ec, what};
        }
    }
};

} // namespace weir

#endif
