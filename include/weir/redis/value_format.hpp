#ifndef WEIR_REDIS_VALUE_FORMAT_HPP
#define WEIR_REDIS_VALUE_FORMAT_HPP

/// What stands under the name of a value: the bytes of its codec and nothing else, so that every
/// other program can read and write it. Three things need more, and begin with a byte that neither
/// JSON nor text begins with:
///
///     0x01                      there is nothing, and that is known
///     0x02 <bytes>              the bytes, which themselves begin with a byte below 0x09
///     0x03 <15 digits> <rest>   fresh until so many milliseconds after the Unix epoch, by the
///                               server's clock; then one of the above, or plain bytes
///
/// The time is there only if the entry's grace is not the one that the cache mostly uses. Otherwise
/// the key's time to live (TTL) tells: a key lives for its ttl and its grace, and is fresh while
/// more than the grace is left. 0x00 and 0x04 to 0x08 are kept for later.

#include <weir/clock.hpp>
#include <weir/storage.hpp>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weir::detail {

inline constexpr char nothing_mark = '\x01';
inline constexpr char plain_mark = '\x02';
inline constexpr char fresh_until_mark = '\x03';
inline constexpr std::size_t fresh_until_digits = 15;

[[nodiscard]] constexpr bool is_value_mark(char c) noexcept {
    return static_cast<unsigned char>(c) < 0x09;
}

// ---- writing -------------------------------------------------------------------------------

/// How to store a value: under its name go the bytes of `head`, then those of the payload, if any.
struct written_value {
    /// Mostly empty.
    std::string head;
    /// The TTL of the key, at least 1 ms.
    std::chrono::milliseconds expiry{0};
};

/// The sum, but never beyond the end of the axis. d >= 0.
[[nodiscard]] constexpr time_point saturating_add(time_point t,
                                                  std::chrono::nanoseconds d) noexcept {
    return t > time_point::max() - d ? time_point::max() : t + d;
}

/// Appends `t` in milliseconds, rounded down: an entry may look older than it is, never fresher.
inline void append_fresh_until(std::string& out, time_point t) {
    const auto since_epoch = std::chrono::floor<std::chrono::milliseconds>(t.time_since_epoch());
    char digits[20];
    const char* const end = std::to_chars(digits, digits + sizeof digits,
                                          std::max<std::int64_t>(0, since_epoch.count()))
                                .ptr;
    const auto size = static_cast<std::size_t>(end - digits);
    out.append(fresh_until_digits - size, '0');
    out.append(digits, size);
}

/// @param payload      the codec's bytes; nothing: the entry says that there is nothing
/// @param keep         ttl > 0
/// @param usual_grace  see store_options
/// @param now          on the server's clock
[[nodiscard]] inline written_value write_value(std::optional<std::string_view> payload,
                                               const lifetime& keep,
                                               std::chrono::nanoseconds usual_grace,
                                               time_point now) {
    using std::chrono::milliseconds;
    written_value written;
    written.expiry =
        std::chrono::ceil<milliseconds>(keep.ttl) + std::chrono::ceil<milliseconds>(keep.grace);
    if (keep.grace != usual_grace) {
        written.head += fresh_until_mark;
        append_fresh_until(written.head, saturating_add(now, keep.ttl));
    }
    if (!payload) {
        written.head += nothing_mark;
    } else if (!payload->empty() && is_value_mark(payload->front())) {
        written.head += plain_mark;
    }
    return written;
}

// ---- reading -------------------------------------------------------------------------------

/// The most that still counts in nanoseconds: 292 years.
inline constexpr std::int64_t max_milliseconds =
    std::chrono::floor<std::chrono::milliseconds>(std::chrono::nanoseconds::max()).count();

enum class value_kind {
    payload,
    nothing,
    /// No version of this format that is known here.
    unreadable,
};

/// What was found under a name.
struct seen_value {
    value_kind kind = value_kind::unreadable;
    /// The codec's bytes, a part of what was read.
    std::string_view payload;
    /// time_point::max(): fresh, and nobody can tell until when.
    time_point fresh_until{};
    /// The key has no TTL, and must be given one.
    bool needs_expiry = false;
};

/// The freshness of an entry that does not say it itself.
///
/// @param usual  see store_options
/// @param pttl   what PTTL answered in the same write, before the GET; nothing if it was not asked,
///               which only a cache without grace may do
[[nodiscard]] constexpr time_point fresh_until_by_expiry(std::optional<std::int64_t> pttl,
                                                         const lifetime& usual,
                                                         time_point now) noexcept {
    if (!pttl) {
        return time_point::max();
    }
    if (*pttl == -1) { // no TTL: it is given one now
        return usual.ttl.count() > 0 ? saturating_add(now, usual.ttl) : time_point::max();
    }
    // -2, no such key: it has appeared since. That it looks expired costs one computation.
    const std::int64_t left = std::clamp<std::int64_t>(*pttl, 0, max_milliseconds);
    return saturating_add(now - usual.grace, std::chrono::milliseconds{left});
}

/// Takes the time that follows the mark off `bytes`; nothing if there is none.
[[nodiscard]] inline std::optional<time_point> take_fresh_until(std::string_view& bytes) {
    const std::string_view digits = bytes.substr(0, fresh_until_digits);
    std::uint64_t count = 0;
    const char* const end = digits.data() + digits.size();
    const auto [stop, error] = std::from_chars(digits.data(), end, count);
    if (digits.size() != fresh_until_digits || stop != end) {
        return std::nullopt;
    }
    bytes.remove_prefix(fresh_until_digits);
    return saturating_add(time_point{}, std::chrono::milliseconds{std::min(
                                            static_cast<std::int64_t>(count), max_milliseconds)});
}

/// Reads what write_value and other programs write.
///
/// @param bytes  what GET answered; the payload is a part of it
/// @param usual, pttl, now  see fresh_until_by_expiry
[[nodiscard]] inline seen_value read_value(std::string_view bytes, const lifetime& usual,
                                           std::optional<std::int64_t> pttl, time_point now) {
    seen_value seen;
    seen.needs_expiry = pttl == -1;
    seen.fresh_until = fresh_until_by_expiry(pttl, usual, now);
    if (bytes.starts_with(fresh_until_mark)) {
        bytes.remove_prefix(1);
        const std::optional<time_point> told = take_fresh_until(bytes);
        if (!told) {
            return seen;
        }
        seen.fresh_until = *told;
    }
    if (bytes.empty() || !is_value_mark(bytes.front())) {
        seen.kind = value_kind::payload;
        seen.payload = bytes;
    } else if (bytes.front() == plain_mark) {
        seen.kind = value_kind::payload;
        seen.payload = bytes.substr(1);
    } else if (bytes.front() == nothing_mark && bytes.size() == 1) {
        seen.kind = value_kind::nothing;
    }
    return seen;
}

} // namespace weir::detail

#endif
