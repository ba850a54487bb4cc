#ifndef WEIR_STORAGE_HPP
#define WEIR_STORAGE_HPP

/// The storage-backend concept: what limiters and caches ask of a store, and nothing else.
///
/// A backend has two halves, and may have only one of them:
///  - counters, for limiters: one atomic primitive, `update`;
///  - values of a type V, for caches: a store opened by name, with get, put, add and erase.
/// What not every store can do is a named refinement; where one is missing, weir does without and
/// says what that costs. `weir::explain_storage<B, V>()` answers at compile time what a type lacks,
/// one sentence per missing operation. `examples/custom_backend.cpp` is a complete backend, and the
/// suites in <weir/contract/...> check the semantics that the compiler cannot.
///
/// ## The backend
///
/// With `b` a const B:
///
/// | expression   | result     | guarantee                                                     |
/// |--------------|------------|---------------------------------------------------------------|
/// | B c(b)       |            | a cheap handle to the same state                              |
/// | b.now()      | time_point | this backend's clock; noexcept                                |
///
/// ## Counters
///
/// With `b` a B, `space` a const counter_space, `key` a std::string_view, `step` a const
/// counter_step S, `ec` a std::error_code:
///
/// | expression                          | result         | guarantee                           |
/// |-------------------------------------|----------------|-------------------------------------|
/// | b.update(space, key, step, now, ec) | S::result_type | reads the state of (space, key), or `state_type{}` if absent, applies `step`, stores `next` if `write`: as one, atomically |
///
/// ## Values
///
/// `b.template values<V>(name, options)` opens, or opens again, the store of the cache called
/// `name`. With `s` such a store, `v` a value_ref<V> (null: a cached nothing), `keep` a lifetime:
///
/// | expression                    | result   | guarantee                                       |
/// |-------------------------------|----------|-------------------------------------------------|
/// | s.get(key, now, ec)           | found<V> | an entry until now >= its end, never after      |
/// | s.put(key, v, keep, now, ec)  | void     | visible to every later get on the same store    |
/// | s.add(key, v, keep, now, ec)  | bool     | as put, but only if absent; true iff stored     |
/// | s.erase(key, now, ec)         | bool     | true iff this call removed a live entry         |
///
/// An entry is live to the end of its grace: until then it is there for `get`, in the way of `add`,
/// and an entry removed for `erase`.
///
/// ## Semantics the compiler cannot check
///
///  1. A copy of a backend, and of a store, refers to the same state. Stores opened under one name
///     on one backend share their entries; under different names they share none.
///  2. Every call is safe to make from many threads at once on one object.
///  3. `ec` is cleared on success and set on failure; nothing throws but std::bad_alloc. An
///     `update`, `put`, `add` or `erase` that failed with an error of which
///     `may_have_been_applied(ec)` is true may still have been applied, now or later; with any
///     other error it was not and will not be. On failure the result is value-initialised and means
///     nothing.
///  4. Keys are opaque bytes of any length, compared byte by byte. A store may prefix, encode or hash
///     them (with 128 bits or more between processes); it never confuses two of them on purpose.
///  5. A step is pure: it may be called several times, on any thread, before one result counts.
///  6. A bounded store may forget: values whenever it likes, counters only while keys beyond its
///     stated capacity are active, and those with the most permits left first.
///  7. `now` comes from `b.now()` or from the caller's reading of the same clock; readings of
///     different threads may arrive out of order.
///
/// ## Refinements
///
///  - in_process: `B::in_process` is true. Calls cannot fail (`ec` is never set), so a limiter needs
///    no `on_failure`, and an unnamed limiter is private to its copies.
///  - registering: `b.register_limiter(name, shape)` throws std::invalid_argument if `name` is in use
///    with another shape (algorithm and window).
///  - quota checking: `b.validate_quota(q)` throws std::invalid_argument for a quota that this
///    backend cannot count, and `b.counts(q)` answers the same.
///  - locating: `b.locate(space, key)` finds where a counter lives, and `b.update_at(place, step,
///    now)` is the update there; a limiter then reads the clock while the memory is on its way. A
///    store of values likewise, with `s.locate(key)` and `s.get_at(place, key, now)`.
///  - async: `b.update_async(...)` and `s.get_async(...)` return at once and call a handler with
///    the answer. Without it the asynchronous operations of limiters and caches wait for their
///    answers.
///  - batch: `s.get_many(...)` finds many keys in one go. Without it caches ask for one by one.
///  - leasing: a store that gives leases, so that a value computed before an invalidation is not
///    stored after it, whoever computes and whoever invalidates. Without it weir keeps the leases
///    itself, in one process: among all caches on a store that is hosting, else among copies of one.
///  - deferring: a leasing store that puts under a lease, and releases one, without making the
///    caller wait for the answer.
///  - matching: a store that can erase by glob and clear.
///  - visiting: a store that shows a value in place without counting a holder.
///  - hosting: a store that keeps one object of weir's beside its entries, so that caches opened
///    separately under one name share their computations and statistics, and the leases that weir
///    keeps for a store without: without hosting those hold among the copies of one cache only.

#include <weir/backend.hpp>
#include <weir/counter_storage.hpp>
#include <weir/value_storage.hpp>

#include <concepts>
#include <string>

namespace weir {

/// Both halves.
template<class B, class V = std::string>
concept storage_backend = counter_backend<B> && value_backend<B, V>;

// ---- explanations --------------------------------------------------------------------------

/// Compiles if B has the counter half; otherwise the compiler prints one sentence per missing
/// operation.
template<class B>
consteval bool explain_counters() {
    static_assert(std::copyable<B>,
                  "weir storage: a backend must be copyable; a copy is a handle to "
                  "the same state");
    static_assert(detail::tells_time<B>, "weir storage: missing or wrong "
                                         "`weir::time_point B::now() const noexcept`");
    static_assert(
        updating_backend<B>,
        "weir storage: missing or wrong `template<weir::counter_step S> typename "
        "S::result_type B::update(const weir::counter_space&, std::string_view key, const "
        "S&, weir::time_point now, std::error_code&)`");
    return true;
}

/// The same for a store of values.
template<class S, class V>
consteval bool explain_store() {
    static_assert(std::copyable<S>, "weir storage: a store of values must be copyable; a copy is a "
                                    "handle to the same entries");
    static_assert(readable_store<S, V>,
                  "weir storage: missing or wrong `weir::found<V> S::get(std::string_view key, "
                  "weir::time_point now, std::error_code&)`");
    static_assert(writable_store<S, V>,
                  "weir storage: missing or wrong `void S::put(std::string_view key, "
                  "weir::value_ref<V>, const weir::lifetime&, weir::time_point now, "
                  "std::error_code&)`");
    static_assert(addable_store<S, V>,
                  "weir storage: missing or wrong `bool S::add(std::string_view key, "
                  "weir::value_ref<V>, const weir::lifetime&, weir::time_point now, "
                  "std::error_code&)`");
    static_assert(erasable_store<S>,
                  "weir storage: missing or wrong `bool S::erase(std::string_view key, "
                  "weir::time_point now, std::error_code&)`");
    return true;
}

/// The same for the value half of a backend.
template<class B, class V>
consteval bool explain_values() {
    static_assert(std::copyable<B>,
                  "weir storage: a backend must be copyable; a copy is a handle to "
                  "the same state");
    static_assert(detail::tells_time<B>, "weir storage: missing or wrong "
                                         "`weir::time_point B::now() const noexcept`");
    static_assert(
        opening_backend<B, V>,
        "weir storage: missing or wrong `template<class V> auto B::values(std::string_view "
        "name, const weir::store_options&)`, which opens the store of one cache");
    if constexpr (opening_backend<B, V>) {
        explain_store<store_of<B, V>, V>();
    }
    return true;
}

/// Compiles if B is a complete backend for counters and values of type V; otherwise the compiler
/// prints one plain sentence per missing operation.
///
///     static_assert(weir::explain_storage<my_backend>());
template<class B, class V = std::string>
consteval bool explain_storage() {
    return explain_counters<B>() && explain_values<B, V>();
}

} // namespace weir

#endif
