#ifndef WEIR_DECISION_HPP
#define WEIR_DECISION_HPP

/// What a limiter answers.

#include <chrono>
#include <cstdint>
#include <iosfwd>
#include <string>
#include <string_view>
#include <system_error>

namespace weir {

/// A time that does not come: the `retry_after` of a request that can never be allowed.
inline constexpr std::chrono::nanoseconds never = std::chrono::nanoseconds::max();

/// Why a decision is what it is.
enum class reason : std::uint8_t {
    /// Allowed.
    within_limit,
    /// Denied now; allowed again after `retry_after` if nobody else spends meanwhile.
    over_limit,
    /// The cost is greater than the limit, or the limit is 0: never allowed.
    impossible,
    /// The backend did not answer; `on_failure` decided. `error()` says what happened.
    backend_failed,
    /// The arguments make no sense: a negative cost, or a quota outside its range. Denied.
    invalid,
};

/// Who made a decision.
enum class decider : std::uint8_t {
    /// The storage backend, which all who share it agree with.
    backend,
    /// This process alone: `on_failure::allow`, `deny` or `local`, or the arguments were invalid;
    /// or it repeats a denial of the backend that it remembers
    /// (`limiter_options::remember_denials`), which has the reason `over_limit` and no error.
    local,
};

/// The answer of a limiter. A plain value; converts to true exactly if the request is allowed.
struct decision {
    /// True if the request may go on. A denied request has taken nothing.
    bool allowed = false;

    weir::reason reason = weir::reason::invalid;

    decider decided_by = decider::backend;

    /// The limit that was applied, in permits per window.
    std::int64_t limit = 0;

    /// Permits left after this decision, 0 <= remaining <= limit.
    std::int64_t remaining = 0;

    /// How long until the same request would be allowed, exact to the nanosecond of the backend's
    /// clock, if nobody else spends meanwhile: zero when allowed, `never` when impossible.
    std::chrono::nanoseconds retry_after{0};

    /// How long until the limiter is back at the full limit; zero when it already is.
    std::chrono::nanoseconds reset_after{0};

    [[nodiscard]] constexpr explicit operator bool() const noexcept { return allowed; }

    /// What the backend reported; set exactly if the backend failed and `on_failure` decided.
    [[nodiscard]] std::error_code error() const noexcept {
        return error_category_ == nullptr ? std::error_code{}
                                          : std::error_code{error_value_, *error_category_};
    }

    void set_error(std::error_code error) noexcept {
        error_value_ = error.value();
        error_category_ = &error.category();
    }

    // Kept apart, not as a std::error_code, because making one costs a call into the library on
    // every decision.
    int error_value_ = 0;
    const std::error_category* error_category_ = nullptr;
};

[[nodiscard]] constexpr std::string_view to_string(reason r) noexcept {
    switch (r) {
    case reason::within_limit:
        return "within_limit";
    case reason::over_limit:
        return "over_limit";
    case reason::impossible:
        return "impossible";
    case reason::backend_failed:
        return "backend_failed";
    case reason::invalid:
        return "invalid";
    }
    return "unknown";
}

/// The HTTP status that fits: 200 allowed, 429 over the limit, 400 impossible or invalid, 503
/// denied because the backend failed.
[[nodiscard]] constexpr int http_status(const decision& d) noexcept {
    if (d.allowed) {
        return 200;
    }
    switch (d.reason) {
    case reason::over_limit:
        return 429;
    case reason::backend_failed:
        return 503;
    default:
        return 400;
    }
}

/// One line for logs and test failures, such as
/// `denied: over_limit, limit 20, remaining 0, retry after 17000000000ns, reset after ...`.
[[nodiscard]] inline std::string to_string(const decision& d) {
    std::string text = d.allowed ? "allowed: " : "denied: ";
    text += to_string(d.reason);
    text += ", limit " + std::to_string(d.limit) + ", remaining " + std::to_string(d.remaining);
    text += d.retry_after == never
                ? std::string{", retry never"}
                : ", retry after " + std::to_string(d.retry_after.count()) + "ns";
    text += ", reset after " + std::to_string(d.reset_after.count()) + "ns";
    if (d.decided_by == decider::local) {
        text += ", decided locally";
    }
    if (const std::error_code error = d.error()) {
        text += ", " + error.message();
    }
    return text;
}

/// Writes `to_string(d)`; this is also how GoogleTest shows a decision.
template<class Traits>
std::basic_ostream<char, Traits>& operator<<(std::basic_ostream<char, Traits>& out,
                                             const decision& d) {
    return out << to_string(d);
}

} // namespace weir

#endif
