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
/// `b.template values<V>(name, bounds)` opens, or opens again, the store of the cache called `name`.
/// With `s` such a store, `v` a value_ref<V> (null: a cached nothing), `keep` a lifetime:
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
///  3. `ec` is cleared on success and set on failure; nothing throws but std::bad_alloc. An `update`,
///     `put`, `add` or `erase` that failed with errc::timeout may still have been applied, with any
///     other error it was not. On failure the result is value-initialised and means nothing.
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
///  - locating: `b.locate(space, key)` finds where a counter lives, and `b.update_at(place, step,
///    now)` is the update there; a limiter then reads the clock while the memory is on its way. A
///    store of values likewise, with `s.locate(key)` and `s.get_at(place, key, now)`.
///  - leasing: a store that gives leases, so that a value computed before an invalidation is not
///    stored after it, whoever computes and whoever invalidates. Without it weir keeps the leases
///    itself, in one process: among all caches on a store that is hosting, else among copies of one.
///  - matching: a store that can erase by glob and clear.
///  - visiting: a store that shows a value in place without counting a holder.
///  - hosting: a store that keeps one object of weir's beside its entries, so that caches opened
///    separately under one name share their computations and statistics, and the leases that weir
///    keeps for a store without: without hosting those hold among the copies of one cache only.

#include <weir/clock.hpp>
#include <weir/quota/step.hpp>
#include <weir/value_ref.hpp>

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace weir {

/// Which counters a key belongs to: one limiter with one algorithm and one window length. The limit
/// is no part of it.
struct counter_space {
    /// The limiter's name, [A-Za-z0-9._-]{1,64}, or `#` and a number for a private one.
    std::string limiter;
    /// `limiter`, algorithm and period in nanoseconds, joined by `:`. Unique for the space.
    std::string name;
    /// A 64-bit hash of `name`, for stores that do not need the text.
    std::uint64_t id = 0;
};

/// How long to keep a value.
struct lifetime {
    /// Fresh for this long, greater than zero.
    std::chrono::nanoseconds ttl{0};
    /// Then kept this much longer, to be served if a new computation fails.
    std::chrono::nanoseconds grace{0};
};

/// The bounds of a store of values, where the store is one that has bounds.
struct value_bounds {
    /// Most entries to keep; 0: the store's default.
    std::size_t capacity = 0;
    /// Most bytes to keep, values, keys and overhead; 0: unbounded.
    std::size_t max_bytes = 0;
};

/// What a store of values found under a key.
template<class V>
struct found {
    /// True if there is an entry, be it fresh or in its grace.
    bool present = false;
    /// Null if absent, or if the entry says that there is nothing.
    value_ref<V> value;
    /// The end of freshness of an entry that is present.
    time_point fresh_until{};
};

/// Leave to store what is being computed, granted to one computation per key at a time.
enum class lease_token : std::uint64_t {
    /// No lease: what is computed must not be stored.
    none = 0,
};

/// What `get_or_lease` found: a live entry, or a lease, or neither (another holds the lease).
template<class V>
struct leased {
    found<V> entry;
    lease_token lease = lease_token::none;
};

// ---- the backend and its counters ----------------------------------------------------------

namespace detail {

template<class B>
concept tells_time = requires(const B& b) {
    { b.now() }
    noexcept->std::same_as<time_point>;
};

} // namespace detail

template<class B>
concept clocked_backend = std::copyable<B> && detail::tells_time<B>;

namespace detail {

/// A quota with the least that the concept asks for, to ask backends about.
struct probe_quota {
    using state_type = std::uint64_t;
    static constexpr std::string_view algorithm = "probe";
    std::int64_t limit = 1;

    void validate() const;
    [[nodiscard]] bool valid() const noexcept;
    [[nodiscard]] std::chrono::nanoseconds period() const noexcept;
    [[nodiscard]] stepped<state_type, decision> take(state_type, std::int64_t, time_point,
                                                     std::chrono::nanoseconds) const noexcept;
    [[nodiscard]] state_type give_back(state_type, std::int64_t, time_point,
                                       std::chrono::nanoseconds) const noexcept;
    [[nodiscard]] static standing stands(state_type, std::chrono::nanoseconds, time_point) noexcept;
    [[nodiscard]] static state_type having_used(std::uint32_t, std::chrono::nanoseconds, time_point,
                                                std::chrono::nanoseconds) noexcept;
    friend std::string to_string(const probe_quota&);
};

} // namespace detail

template<class B>
concept updating_backend = requires(B& b, const counter_space& space, std::string_view key,
                                    const take_step<detail::probe_quota>& take,
                                    const forget_step<detail::probe_quota>& forget, time_point now,
                                    std::error_code& ec) {
    { b.update(space, key, take, now, ec) } -> std::same_as<decision>;
    { b.update(space, key, forget, now, ec) } -> std::same_as<bool>;
};

/// The counter half of a backend.
template<class B>
concept counter_backend = clocked_backend<B> && updating_backend<B>;

/// Refinement: calls cannot fail, and no other process sees the counters.
template<class B>
concept in_process_backend = clocked_backend<B> && requires {
    requires B::in_process;
};

/// Refinement: names of limiters are checked.
template<class B>
concept registering_backend = counter_backend<B> &&
    requires(B& b, std::string_view name, std::string_view shape) {
    b.register_limiter(name, shape);
};

/// Refinement: a counter is located before the clock is read. In process only.
template<class B>
concept locating_backend = counter_backend<B> && in_process_backend<B> &&
    requires(B& b, const counter_space& space, std::string_view key,
             const take_step<detail::probe_quota>& take, time_point now) {
    { b.update_at(b.locate(space, key), take, now) }
    noexcept->std::same_as<decision>;
};

// ---- values --------------------------------------------------------------------------------

template<class S, class V>
concept readable_store = requires(S& s, std::string_view key, time_point now, std::error_code& ec) {
    { s.get(key, now, ec) } -> std::same_as<found<V>>;
};

template<class S, class V>
concept writable_store = requires(S& s, std::string_view key, value_ref<V> value,
                                  const lifetime& keep, time_point now, std::error_code& ec) {
    { s.put(key, value, keep, now, ec) } -> std::same_as<void>;
};

template<class S, class V>
concept addable_store = requires(S& s, std::string_view key, value_ref<V> value,
                                 const lifetime& keep, time_point now, std::error_code& ec) {
    { s.add(key, value, keep, now, ec) } -> std::same_as<bool>;
};

template<class S>
concept erasable_store = requires(S& s, std::string_view key, time_point now, std::error_code& ec) {
    { s.erase(key, now, ec) } -> std::same_as<bool>;
};

/// A store of values of one cache.
template<class S, class V>
concept value_store = std::copyable<S> && readable_store<S, V> && writable_store<S, V> &&
    addable_store<S, V> && erasable_store<S>;

/// Refinement: computations hold a lease, and only who holds it stores.
///
/// | expression                                   | result    | guarantee                        |
/// |----------------------------------------------|-----------|----------------------------------|
/// | s.get_or_lease(key, now, ec)                 | leased<V> | a fresh entry and no lease; or a new lease, and beside it the entry in its grace, if any; or, if another holds the lease, no lease |
/// | s.put_if_leased(key, v, keep, lease, now, ec)| bool      | stores, or with keep.ttl 0 removes the entry, and ends the lease: iff `lease` is still held |
/// | s.release(key, lease, ec)                    | void      | ends the lease iff it is still held |
///
/// `put`, a successful `add`, `erase` (also of an absent key), `erase_matching` and `clear` end the
/// leases of the keys that they concern, in one step with their change.
template<class S, class V>
concept leasing_store = value_store<S, V> &&
    requires(S& s, std::string_view key, value_ref<V> value, const lifetime& keep,
             lease_token lease, time_point now, std::error_code& ec) {
    { s.get_or_lease(key, now, ec) } -> std::same_as<leased<V>>;
    { s.put_if_leased(key, value, keep, lease, now, ec) } -> std::same_as<bool>;
    { s.release(key, lease, ec) } -> std::same_as<void>;
};

/// Refinement: erasing by pattern.
///
/// | expression                       | result       | guarantee                               |
/// |----------------------------------|--------------|-----------------------------------------|
/// | s.erase_matching(glob, now, ec)  | std::int64_t | entries removed; see <weir/glob.hpp>    |
/// | s.clear(now, ec)                 | void         | no entry that was there is found again  |
template<class S>
concept matching_store = requires(S& s, std::string_view glob, time_point now,
                                  std::error_code& ec) {
    { s.erase_matching(glob, now, ec) } -> std::same_as<std::int64_t>;
    { s.clear(now, ec) } -> std::same_as<void>;
};

/// Refinement: a look at a fresh value in place. `s.visit(key, now, f)` calls `f(const V&)` and
/// returns true, or returns false if there is no fresh entry with a value.
template<class S, class V>
concept visiting_store = requires(S& s, std::string_view key, time_point now, void (*f)(const V&)) {
    { s.visit(key, now, f) } -> std::same_as<bool>;
};

/// Refinement: an entry is located before the clock is read. Only for stores that cannot fail.
template<class S, class V>
concept locating_store = requires(S& s, std::string_view key, time_point now) {
    { s.get_at(s.locate(key), key, now) }
    noexcept->std::same_as<found<V>>;
};

/// Refinement: `s.hosted(make)` returns the object that the first such call, on any handle of the
/// store, made by `make()`.
template<class S>
concept hosting_store = requires(S& s, std::shared_ptr<void> (*make)()) {
    { s.hosted(make) } -> std::same_as<std::shared_ptr<void>>;
};

/// What `b.template values<V>(name, bounds)` returns.
template<class B, class V>
using store_of = decltype(std::declval<B&>().template values<V>(
    std::declval<std::string_view>(), std::declval<const value_bounds&>()));

template<class B, class V>
concept opening_backend = requires {
    typename store_of<B, V>;
};

/// The value half of a backend, for values of type V.
template<class B, class V>
concept value_backend =
    clocked_backend<B> && opening_backend<B, V> && value_store<store_of<B, V>, V>;

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
        "name, const weir::value_bounds&)`, which opens the store of one cache");
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
