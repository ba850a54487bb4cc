#ifndef WEIR_REDIS_KEY_NAMES_HPP
#define WEIR_REDIS_KEY_NAMES_HPP

/// What things are called in Redis. Other programs read these names; README promises them.
///
///     value     <prefix><cache>:<key>
///     lease     {<prefix><cache>:<key>}:lease
///     counter   <prefix>rl:<limiter>:<window in nanoseconds>:<index of the window>:<key>
///
/// The user's key, encoded, is always the last part, so that no key can end early and become
/// another's. Prefixes and names have no braces, and no cache is called `rl`: the three kinds
/// cannot meet. A lease hashes to the slot of its value: the whole name of the value is its tag.
/// Two prefixes in one database are apart unless one is the beginning of the other.

#include <weir/glob.hpp>
#include <weir/redis/key_encoding.hpp>
#include <weir/redis/key_glob.hpp>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

namespace weir::detail {

inline constexpr std::size_t max_key_prefix_size = 64;

/// Throws std::invalid_argument, naming `what`, unless `prefix` may stand before every name.
inline void validate_key_prefix(std::string_view what, std::string_view prefix) {
    const bool printable = std::all_of(prefix.begin(), prefix.end(), [](char c) {
        return !must_encode(c) && static_cast<unsigned char>(c) < 0x7f;
    });
    if (printable && prefix.size() <= max_key_prefix_size) {
        return;
    }
    std::string message{what};
    message += " is \"";
    message += prefix.substr(0, max_key_prefix_size);
    message += prefix.size() > max_key_prefix_size ? "\"..." : "\"";
    message += "; it must be 0 to 64 bytes of printable ASCII without space, `%`, `{` and `}`";
    throw std::invalid_argument{message};
}

/// The names of one cache.
class value_names {
public:
    /// @param prefix  valid, see validate_key_prefix
    /// @param cache   valid, see validate_name; not `rl`
    value_names(std::string_view prefix, std::string_view cache) : stem_{prefix} {
        stem_ += cache;
        stem_ += ':';
    }

    /// Appends the name under which the value of `key` is stored.
    void append_value(std::string& out, std::string_view key) const {
        out += stem_;
        append_encoded_key(out, key);
    }

    /// Appends the name of the lease to compute that value.
    void append_lease(std::string& out, std::string_view key) const {
        out += '{';
        append_value(out, key);
        out += lease_end;
    }

    /// A pattern for SCAN MATCH that finds the values of all keys that `glob` matches, and others.
    [[nodiscard]] std::string value_pattern(std::string_view glob) const {
        return pattern_beginning(glob) + '*';
    }

    /// The same for leases.
    [[nodiscard]] std::string lease_pattern(std::string_view glob) const {
        return '{' + pattern_beginning(glob) + '*' + std::string{lease_end};
    }

    /// Whether this is the name of a value of this cache, of a key that `glob` matches; see
    /// glob_matches_encoded for keys that are too long to be in their name.
    [[nodiscard]] bool value_matches(std::string_view glob, std::string_view name) const {
        return name.starts_with(stem_) && glob_matches_encoded(glob, name.substr(stem_.size()));
    }

    /// The same for a lease.
    [[nodiscard]] bool lease_matches(std::string_view glob, std::string_view name) const {
        if (!name.starts_with('{') || !name.ends_with(lease_end)) {
            return false;
        }
        name.remove_prefix(1);
        name.remove_suffix(lease_end.size());
        return value_matches(glob, name);
    }

private:
    static constexpr std::string_view lease_end = "}:lease";

    [[nodiscard]] std::string pattern_beginning(std::string_view glob) const {
        std::string beginning = stem_;
        append_encoded_beginning(beginning, literal_beginning(glob));
        return glob_literal(beginning);
    }

    /// `<prefix><cache>:`
    std::string stem_;
};

/// Appends a number in decimal.
inline void append_decimal(std::string& out, std::signed_integral auto number) {
    char digits[20];
    out.append(digits, std::to_chars(digits, digits + sizeof digits, number).ptr);
}

/// Appends the name of the counter of `key` in one window.
///
/// @param prefix   valid, see validate_key_prefix
/// @param limiter  valid, see validate_name
/// @param window   how long each window is
/// @param index    which one it is: windows are counted from the Unix epoch
inline void append_counter_name(std::string& out, std::string_view prefix, std::string_view limiter,
                                std::chrono::nanoseconds window, std::int64_t index,
                                std::string_view key) {
    out += prefix;
    out += "rl:";
    out += limiter;
    out += ':';
    append_decimal(out, window.count());
    out += ':';
    append_decimal(out, index);
    out += ':';
    append_encoded_key(out, key);
}

} // namespace weir::detail

#endif
