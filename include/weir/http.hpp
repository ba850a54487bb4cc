#ifndef WEIR_HTTP_HPP
#define WEIR_HTTP_HPP

/// What a limiter's answer is in HTTP: header fields and a problem document, as text for any server.
///
///     const weir::decision d = limiter.allow(client);
///     const weir::applied_quota applied[] = {{"search", weir::per_minute(20), d}};
///     response.set("RateLimit-Policy", weir::rate_limit_policy_field(applied));
///     response.set("RateLimit", weir::rate_limit_field(applied));
///     if (!d) {
///         response.status = weir::http_status(d);
///         if (const auto wait = weir::retry_after_seconds(d)) {
///             response.set("Retry-After", std::to_string(*wait));
///         }
///         response.set("Content-Type", weir::problem_content_type);
///         response.body = weir::problem_json(applied);
///     }
///
/// Fields are for the header section, never for trailers; a 429 must not be stored by HTTP caches
/// (RFC 6585 section 4), so send `Cache-Control: no-store` with it.
/// Sources: draft-ietf-httpapi-ratelimit-headers-10 (fields and problem types), RFC 9651 (their
/// syntax), RFC 9110 section 10.2.3 (Retry-After), RFC 9457 (problem documents).

#include <weir/decision.hpp>
#include <weir/quota/step.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace weir {

/// The media type of `problem_json`.
inline constexpr std::string_view problem_content_type = "application/problem+json";

/// One policy that applied to a request: its public name, its quota, and what the limiter answered.
struct applied_quota {
    /// @param policy_name  stays the caller's: valid until the last use of this object. Bytes that
    ///                     a field cannot carry (outside 0x20..0x7e) are shown percent-encoded
    template<quota Q>
    applied_quota(std::string_view policy_name, const Q& quota, const decision& decided)
        : name{policy_name}, limit{quota.limit}, window{quota.period()}, answer{decided} {}

    std::string_view name;
    std::int64_t limit;
    std::chrono::nanoseconds window;
    decision answer;
};

namespace detail {

/// Rounded up: a client that waits this long has waited long enough. Never negative.
[[nodiscard]] constexpr std::int64_t whole_seconds(std::chrono::nanoseconds time) noexcept {
    return std::max<std::int64_t>(0, std::chrono::ceil<std::chrono::seconds>(time).count());
}

/// `text` with every byte but printable ASCII percent-encoded.
[[nodiscard]] inline std::string printable(std::string_view text) {
    constexpr std::string_view hex = "0123456789ABCDEF";
    std::string out;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte >= 0x20 && byte <= 0x7e) {
            out += c;
        } else {
            out += {'%', hex[byte >> 4], hex[byte & 15]};
        }
    }
    return out;
}

/// Appends `text` in quotes. Once the text is printable ASCII, a String of RFC 9651 and a string of
/// JSON are the same: `"` and `\` get a `\`, all else stands for itself.
inline void append_quoted(std::string& out, std::string_view text) {
    out += '"';
    for (const char c : printable(text)) {
        if (c == '"' || c == '\\') {
            out += '\\';
        }
        out += c;
    }
    out += '"';
}

[[nodiscard]] inline std::string quoted(std::string_view text) {
    std::string out;
    append_quoted(out, text);
    return out;
}

/// When the client may count on more: for a denied request the moment at which it is allowed, which
/// is what Retry-After says too (it should not come before `t`); otherwise the full limit.
[[nodiscard]] constexpr std::int64_t seconds_until_more(const decision& d) noexcept {
    return whole_seconds(d.reason == reason::over_limit ? d.retry_after : d.reset_after);
}

/// `20 per 60 s`
[[nodiscard]] inline std::string describe(const applied_quota& applied) {
    return std::to_string(applied.limit) + " per " + std::to_string(whole_seconds(applied.window)) +
           " s";
}

struct problem_text {
    std::string_view type;
    std::string_view title;
    std::string detail;
};

[[nodiscard]] inline problem_text explain(const applied_quota& applied) {
    const decision& d = applied.answer;
    const std::string policy = "the policy " + quoted(applied.name);
    switch (d.reason) {
    case reason::over_limit:
        return {"https://iana.org/assignments/http-problem-types#quota-exceeded",
                "Request cannot be satisfied as assigned quota has been exceeded",
                "Denied by " + policy + ", which allows " + describe(applied) + ". Try again in " +
                    std::to_string(whole_seconds(d.retry_after)) + " s."};
    case reason::backend_failed:
        return {"https://iana.org/assignments/http-problem-types#temporary-reduced-capacity",
                "Request cannot be satisfied due to temporary server capacity constraints",
                "Denied because " + policy + " cannot be checked at the moment."};
    case reason::impossible:
        return {"about:blank", "Bad Request",
                "The request needs more than " + policy + " ever allows: " + describe(applied) +
                    "."};
    default:
        return {"about:blank", "Bad Request", "The request has no valid cost for " + policy + "."};
    }
}

} // namespace detail

/// The value of `Retry-After`: whole seconds, rounded up, at least 1. Nothing unless the answer is
/// a 429: an impossible request has no time to come back at, and of a failed backend nobody knows.
[[nodiscard]] constexpr std::optional<std::int64_t>
retry_after_seconds(const decision& d) noexcept {
    if (http_status(d) != 429) {
        return std::nullopt;
    }
    return std::max<std::int64_t>(1, detail::whole_seconds(d.retry_after));
}

/// The value of `RateLimit-Policy`: `"burst";q=100;w=60, "daily";q=1000;w=86400`, where q is the
/// limit and w the window in seconds. A window is rounded up, so that a client that keeps to what is
/// stated keeps to the quota. Empty for an empty list; an empty field is not sent (RFC 9651).
[[nodiscard]] inline std::string rate_limit_policy_field(std::span<const applied_quota> applied) {
    std::string field;
    for (const applied_quota& one : applied) {
        field += field.empty() ? "" : ", ";
        detail::append_quoted(field, one.name);
        field += ";q=" + std::to_string(one.limit);
        field += ";w=" + std::to_string(detail::whole_seconds(one.window));
    }
    return field;
}

/// The value of `RateLimit`: `"default";r=5;t=30`, where r is what remains and t the seconds until
/// there is more, never fewer than it takes: after a denial, until the same request is allowed;
/// otherwise until the limit is full again. Policies about which nothing is known, because the
/// backend failed or the cost was invalid, are left out. If that leaves none the result is empty,
/// and the field is not sent.
[[nodiscard]] inline std::string rate_limit_field(std::span<const applied_quota> applied) {
    std::string field;
    for (const applied_quota& one : applied) {
        const decision& d = one.answer;
        if (d.reason == reason::backend_failed || d.reason == reason::invalid) {
            continue;
        }
        field += field.empty() ? "" : ", ";
        detail::append_quoted(field, one.name);
        field += ";r=" + std::to_string(std::max<std::int64_t>(0, d.remaining));
        field += ";t=" + std::to_string(detail::seconds_until_more(d));
    }
    return field;
}

/// A problem document for a denied request: one JSON object on one line, in ASCII, with `type`,
/// `title`, `status`, `detail` and `violated-policies`. The first denied policy gives the status
/// (that of `http_status`) and the words; `violated-policies` names every denied one. Empty if none
/// is denied.
[[nodiscard]] inline std::string problem_json(std::span<const applied_quota> applied) {
    const auto denied = [](const applied_quota& one) { return !one.answer.allowed; };
    const auto first = std::find_if(applied.begin(), applied.end(), denied);
    if (first == applied.end()) {
        return {};
    }
    const detail::problem_text text = detail::explain(*first);
    std::string json = R"({"type":)" + detail::quoted(text.type);
    json += R"(,"title":)" + detail::quoted(text.title);
    json += R"(,"status":)" + std::to_string(http_status(first->answer));
    json += R"(,"detail":)" + detail::quoted(text.detail);
    json += R"(,"violated-policies":[)";
    const char* separator = "";
    for (const applied_quota& one : applied) {
        if (denied(one)) {
            json += separator;
            detail::append_quoted(json, one.name);
            separator = ",";
        }
    }
    json += "]}";
    return json;
}

} // namespace weir

#endif
