#ifndef WEIR_ON_FAILURE_HPP
#define WEIR_ON_FAILURE_HPP

namespace weir {

/// What a limiter answers while its backend does not. There is no default: whoever makes a limiter
/// on a backend that can fail says which it is. The decision's `reason` is `backend_failed`,
/// whichever way it goes, and `decided_by` is `local`.
enum class on_failure {
    /// Let requests through: an outage of the store is not an outage of the service.
    allow,
    /// Refuse requests (HTTP 503, not 429): for what must never run unlimited.
    deny,
    /// Count in this process, with the same quota, until the backend answers again. Bounded memory;
    /// every process has the whole limit to itself meanwhile. The decision's `reason` says what the
    /// local counter found (within_limit, over_limit, ...), and `error()` why it was asked.
    local,
};

} // namespace weir

#endif
