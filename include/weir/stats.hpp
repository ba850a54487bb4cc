#ifndef WEIR_STATS_HPP
#define WEIR_STATS_HPP

/// What limiters' tables and caches count about themselves.
///
/// Counts are since the object was made, exact once the threads that caused them are joined, and
/// may lag by operations in progress otherwise.

#include <cstdint>

namespace weir {

/// The table of counters of a memory backend.
struct counter_stats {
    /// Keys that the table can hold at once.
    std::uint64_t capacity = 0;
    /// Bytes that the table occupies, fixed when it is made.
    std::uint64_t bytes = 0;
    /// Keys that were put in the place of another one that was not back at its full quota.
    std::uint64_t displaced = 0;
    /// Permits that the displaced keys had in use: forgiven with `when_full::forgive`, charged to
    /// the newcomers with `when_full::share`.
    std::uint64_t displaced_used = 0;
    /// Requests of new keys that found only exhausted keys in their places, and so could not be
    /// counted: allowed with `when_full::forgive`, denied with `share`.
    std::uint64_t unplaced = 0;
};

/// A store of values: what it counts; the rest stays 0.
struct store_stats {
    /// Entries, of which some may have expired and not been swept yet.
    std::uint64_t entries = 0;
    /// Estimated bytes of the entries: values, keys, and overhead.
    std::uint64_t bytes = 0;
    /// Live entries that made room for others, or were refused on arrival for being asked for less
    /// often than what they would have displaced, or too heavy.
    std::uint64_t evictions = 0;
    /// Entries removed because their time was over.
    std::uint64_t expirations = 0;
    /// Entries that were found and counted as absent because their bytes are no value of this
    /// cache.
    std::uint64_t undecodable = 0;
};

/// A cache, over all its handles on one store in this process.
struct cache_stats {
    /// Lookups (`get`, `visit`, `get_or_compute`) answered from the store with a fresh entry; for
    /// `get` and `get_or_compute` that includes a cached nothing.
    std::uint64_t hits = 0;
    /// Lookups that found no fresh entry.
    std::uint64_t misses = 0;
    /// Calls of `get_or_compute` that found the value being computed and waited for it. They count
    /// as misses too.
    std::uint64_t waits = 0;
    /// Computations begun.
    std::uint64_t computations = 0;
    /// Computations that threw.
    std::uint64_t failures = 0;
    /// Computations whose result was not stored because the key was invalidated, written or leased
    /// to another meanwhile, or because the computation asked for that.
    std::uint64_t not_stored = 0;
    /// Stale values served in place of a failed computation.
    std::uint64_t stale_served = 0;
    /// Lookups and stores that the backend failed.
    std::uint64_t backend_errors = 0;
    /// What the store counts, where it does.
    store_stats store;
};

} // namespace weir

#endif
