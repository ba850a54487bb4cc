#ifndef WEIR_CACHE_OPTIONS_HPP
#define WEIR_CACHE_OPTIONS_HPP

#include <weir/detail/name.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

namespace weir {

/// What a cache can be told.
struct cache_options {
    /// How long a value is fresh: 1 ms to 10 years (3,650 days). Required.
    std::chrono::nanoseconds ttl{0};

    /// How much longer a value is kept, to be served as `stale` if the computation of a new one
    /// throws: 0 (off) to 10 years.
    std::chrono::nanoseconds grace{0};

    /// Shortens each time to live by a random part of up to this, and of at most half, so that what
    /// was stored together does not expire together: 0 (off) to ttl.
    std::chrono::nanoseconds jitter{0};

    /// How long the answer that there is nothing (a computation that returns an empty
    /// std::optional) is kept: 0 (not at all), or 1 ms to 10 years.
    std::chrono::nanoseconds negative_ttl{0};

    /// How long a computation may take and still be stored, where processes share the store: 1 ms
    /// to one hour. Meanwhile nothing that others compute of the key is stored, so this is also how
    /// long the end of a process in the middle of a computation keeps the key out of the cache. In
    /// memory leases last as long as their computations.
    std::chrono::nanoseconds lease = std::chrono::seconds{10};

    /// Most entries to keep, at most 2^32; 0: the default of the backend (in memory 65,536, or one
    /// per 128 bytes of `max_bytes`, up to 2^24; about 20 bytes are reserved for each at once). Set
    /// it, or `max_bytes`, where values are large and clients choose the keys.
    std::size_t capacity = 0;

    /// Most bytes of values and keys to keep, with what the cache needs for itself; 0: unbounded.
    /// Values count as `value_weight` says: a struct of one's own that owns memory needs a
    /// specialisation of it, or counts as its mere size.
    std::size_t max_bytes = 0;
};

namespace detail {

inline constexpr std::chrono::nanoseconds min_ttl = std::chrono::milliseconds{1};
inline constexpr std::chrono::nanoseconds max_ttl = std::chrono::hours{24 * 3650};
inline constexpr std::uint64_t max_capacity = std::uint64_t{1} << 32;

inline void validate_duration(std::string_view what, std::chrono::nanoseconds value,
                              bool zero_allowed, std::chrono::nanoseconds least,
                              std::chrono::nanoseconds most, std::string_view range) {
    if ((zero_allowed && value.count() == 0) || (value >= least && value <= most)) {
        return;
    }
    throw std::invalid_argument{"weir::cache_options: " + std::string{what} + " is " +
                                std::to_string(value.count()) + "ns; it must be " +
                                std::string{range}};
}

inline void validate(std::string_view name, const cache_options& options) {
    validate_name("weir::cache: name", name);
    if (name == "rl") {
        throw std::invalid_argument{"weir::cache: name is \"rl\"; that name is kept for limiters"};
    }
    const std::chrono::nanoseconds none{0};
    validate_duration("ttl", options.ttl, false, min_ttl, max_ttl, "from 1ms to 3650 days");
    validate_duration("grace", options.grace, true, none, max_ttl, "from 0 to 3650 days");
    validate_duration("jitter", options.jitter, true, none, options.ttl, "from 0 to the ttl");
    validate_duration("negative_ttl", options.negative_ttl, true, min_ttl, max_ttl,
                      "0, or from 1ms to 3650 days");
    validate_duration("lease", options.lease, false, min_ttl, std::chrono::hours{1},
                      "from 1ms to 1h");
    if (std::uint64_t{options.capacity} > max_capacity) {
        throw std::invalid_argument{"weir::cache_options: capacity is " +
                                    std::to_string(options.capacity) +
                                    "; it must be at most 4294967296"};
    }
}

} // namespace detail

} // namespace weir

#endif
