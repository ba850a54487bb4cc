#ifndef WEIR_LIMITER_OPTIONS_HPP
#define WEIR_LIMITER_OPTIONS_HPP

#include <weir/detail/name.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>

namespace weir {

/// What a limiter can be told beside its quota.
struct limiter_options {
    /// Limiters of one name on one backend share their counters: 1 to 64 bytes of [A-Za-z0-9._-].
    /// Empty: on a backend of this process a limiter of its own, which only its copies share; on one
    /// that processes may share, the quota's text, such as `20-60s`: two unnamed limiters of one quota
    /// then spend from one count, so name them.
    std::string name{};

    /// Starts each key's windows at an offset of its own, drawn from the key, so that clients who
    /// wait for the reset do not all come back in one instant. The same in every process.
    bool spread_resets = false;

    /// On a backend that processes may share: how long a denial is remembered here and repeated
    /// without asking the backend, so that a client who keeps asking costs it nothing: 0 (off) to
    /// one hour, and never longer than the denial's `retry_after`. `forget` and `give_back` through
    /// this limiter and its copies end it at once; elsewhere, through another limiter of the name
    /// or in another process, they are noticed after this time. At most 65,536 denials are
    /// remembered at a time, in at most 4 MiB; `peek` and costs of 0 always ask.
    std::chrono::nanoseconds remember_denials = std::chrono::seconds{1};

    /// With `on_failure::local`: how many keys can be counted locally, 1 to 2^32, at about 40 bytes.
    std::size_t local_counters = 16'384;
};

namespace detail {

inline void validate(const limiter_options& options) {
    if (!options.name.empty()) {
        validate_name("weir::limiter_options: name", options.name);
    }
    if (options.remember_denials.count() < 0 || options.remember_denials > std::chrono::hours{1}) {
        throw std::invalid_argument{"weir::limiter_options: remember_denials is " +
                                    std::to_string(options.remember_denials.count()) +
                                    "ns; it must be from 0 to 1h"};
    }
    if (options.local_counters == 0 ||
        std::uint64_t{options.local_counters} > (std::uint64_t{1} << 32)) {
        throw std::invalid_argument{"weir::limiter_options: local_counters is " +
                                    std::to_string(options.local_counters) +
                                    "; it must be from 1 to 4294967296"};
    }
}

} // namespace detail

} // namespace weir

#endif
