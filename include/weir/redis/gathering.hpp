#ifndef WEIR_REDIS_GATHERING_HPP
#define WEIR_REDIS_GATHERING_HPP

/// Requests that gather until the next replies are there, as in Nagle's algorithm (RFC 896): what
/// callers leave meanwhile travels in one write, and nobody has to ring; but each may lose a round
/// trip by it.

#include <weir/redis/client_settings.hpp>
#include <weir/redis/pipeline.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace weir::detail::redis {

/// Whether it pays to let requests gather. Only for the I/O thread, and always for the link that
/// requests go to.
class gathering {
public:
    explicit gathering(const gathering_limits& limits) noexcept : limits_{limits} {}

    /// Never where nothing is to come, nor where something has yet to be written.
    ///
    /// @param callers  about how many wait for replies
    [[nodiscard]] bool pays(std::uint32_t callers, const pipeline& p) const noexcept {
        return callers >= many && p.size() != 0 && p.unwritten().empty() &&
               round_trip_ < std::min(callers * limits_.per_caller, limits_.at_most);
    }

    /// Replies came, so long after they were asked for. That counts, too, for how long callers were
    /// being woken meanwhile.
    void replied(std::chrono::nanoseconds after) noexcept {
        round_trip_ += (after - round_trip_) / 8; // smoothed as the round-trip times of RFC 6298
    }

    /// Replies were expected, and did not come.
    void missed() noexcept { round_trip_ = unknown; }

private:
    /// With 8 callers throughput fell by a quarter, with 16 it did not: redis_benchmark.
    static constexpr std::uint32_t many = 12;
    static constexpr std::chrono::nanoseconds unknown = std::chrono::seconds{1};

    const gathering_limits limits_;
    std::chrono::nanoseconds round_trip_ = unknown;
};

} // namespace weir::detail::redis

#endif
