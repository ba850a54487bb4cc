#ifndef WEIR_VALUE_STORAGE_HPP
#define WEIR_VALUE_STORAGE_HPP

/// The value half of the storage-backend concept: see <weir/storage.hpp>, which has its duties. One
/// idea, and so one header: what caches and stores of values say to each other.

#include <weir/backend.hpp>
#include <weir/clock.hpp>
#include <weir/handler.hpp>
#include <weir/value_ref.hpp>

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace weir {

/// How long to keep a value.
struct lifetime {
    /// Fresh for this long, greater than zero.
    std::chrono::nanoseconds ttl{0};
    /// Then kept this much longer, to be served if a new computation fails.
    std::chrono::nanoseconds grace{0};
};

/// What the store of one cache is told when it is opened. A store uses what it has a use for.
struct store_options {
    /// Most entries to keep; 0: the store's default.
    std::size_t capacity = 0;
    /// Most bytes to keep, values, keys and overhead; 0: unbounded.
    std::size_t max_bytes = 0;
    /// How long the cache that opens the store keeps most of its entries; zero: it does not say.
    /// Every `put` says for itself how long; this is for entries that others wrote. It belongs to
    /// the handle: stores opened under one name are one store whatever it is.
    lifetime usual{};
    /// How long a computation may hold a lease, where the store is shared by processes and has to
    /// end the leases of those that died. Belongs to the handle too.
    std::chrono::nanoseconds lease = std::chrono::seconds{10};
};

/// What a store of values found under a key.
template<class V>
struct found {
    /// True if there is an entry, be it fresh or in its grace.
    bool present = false;
    /// Null if absent, or if the entry says that there is nothing.
    value_ref<V> value;
    /// The end of freshness of an entry that is present. `time_point::max()`: it is fresh, and the
    /// store does not tell until when; only an entry without grace may be answered so.
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

// ---- a store ---------------------------------------------------------------------------------

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

/// Refinement: what ends a computation does not make its caller wait.
///
/// | expression                                        | result | guarantee                        |
/// |---------------------------------------------------|--------|----------------------------------|
/// | s.put_if_leased_later(key, v, keep, lease, now, done) | void | as `put_if_leased`; calls `done(stored, ec)` exactly once; noexcept |
/// | s.release_later(key, lease)                       | void   | as `release`; a failure goes unseen, the lease then ends by itself; noexcept |
///
/// Both return when the operation is on its way: whatever this process asks of the same key after
/// that, on any thread and any handle of the store, comes after it. `done` is a handler<bool,
/// std::error_code>, called as by `get_async` (see async_store) but possibly on the thread that
/// serves the store, so it must be short and ask nothing of the store. `key` need not outlive the
/// call.
template<class S, class V>
concept deferring_store = leasing_store<S, V> &&
    requires(S& s, std::string_view key, value_ref<V> value, const lifetime& keep,
             lease_token lease, time_point now, handler<bool, std::error_code> done) {
    { s.put_if_leased_later(key, std::move(value), keep, lease, now, std::move(done)) }
    noexcept->std::same_as<void>;
    { s.release_later(key, lease) }
    noexcept->std::same_as<void>;
};

/// Refinement: many keys found in one go.
///
/// | expression                | result                | guarantee                               |
/// |---------------------------|-----------------------|-----------------------------------------|
/// | s.get_many(keys, now, ec) | std::vector<found<V>> | what `get` finds under each of `keys`, in their order |
///
/// `keys` is a std::span<const std::string_view>, in which a key may occur more than once. The
/// answers are those of separate calls of `get`: other threads may write in between. On failure
/// nothing is known of any key.
template<class S, class V>
concept batch_store = requires(S& s, std::span<const std::string_view> keys, time_point now,
                               std::error_code& ec) {
    { s.get_many(keys, now, ec) } -> std::same_as<std::vector<found<V>>>;
};

/// Refinement: a `get` that does not make the caller wait.
///
/// | expression                | result | guarantee                                              |
/// |---------------------------|--------|--------------------------------------------------------|
/// | s.get_async(key, now, done) | void | as `get`; calls `done(entry, ec)` exactly once; noexcept |
///
/// `done` is a handler<found<V>, std::error_code>, of which all is true that `async_backend` says.
template<class S, class V>
concept async_store = requires(S& s, std::string_view key, time_point now,
                               handler<found<V>, std::error_code> done) {
    { s.get_async(key, now, std::move(done)) }
    noexcept->std::same_as<void>;
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

/// Refinement: an entry is located before the clock is read. Only for stores that cannot fail and
/// always tell the end of freshness.
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

/// What `b.template values<V>(name, options)` returns.
template<class B, class V>
using store_of = decltype(std::declval<B&>().template values<V>(
    std::declval<std::string_view>(), std::declval<const store_options&>()));

template<class B, class V>
concept opening_backend = requires {
    typename store_of<B, V>;
};

/// The value half of a backend, for values of type V.
template<class B, class V>
concept value_backend =
    clocked_backend<B> && opening_backend<B, V> && value_store<store_of<B, V>, V>;

} // namespace weir

#endif
