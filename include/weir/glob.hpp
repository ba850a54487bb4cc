#ifndef WEIR_GLOB_HPP
#define WEIR_GLOB_HPP

/// Glob patterns over keys, in the language of Redis' KEYS and SCAN MATCH.

#include <cstddef>
#include <string>
#include <string_view>

namespace weir {

namespace detail {

/// The one element of a glob that starts at `at`, laid against one byte.
struct glob_element {
    bool matches;
    /// Where the next element starts.
    std::size_t end;
};

[[nodiscard]] constexpr bool in_byte_range(char first, char last, char c) noexcept {
    const auto byte = [](char x) { return static_cast<unsigned char>(x); };
    return byte(first) <= byte(last) ? byte(first) <= byte(c) && byte(c) <= byte(last)
                                     : byte(last) <= byte(c) && byte(c) <= byte(first);
}

/// `at` is just behind the opening bracket.
[[nodiscard]] constexpr glob_element match_brackets(std::string_view glob, std::size_t at,
                                                    char c) noexcept {
    const bool negated = at < glob.size() && glob[at] == '^';
    if (negated) {
        ++at;
    }
    bool listed = false;
    while (at < glob.size() && glob[at] != ']') {
        const std::size_t left = glob.size() - at;
        if (glob[at] == '\\' && left >= 2) {
            listed = listed || glob[at + 1] == c;
            at += 2;
        } else if (left >= 3 && glob[at + 1] == '-') {
            listed = listed || in_byte_range(glob[at], glob[at + 2], c);
            at += 3;
        } else {
            listed = listed || glob[at] == c;
            ++at;
        }
    }
    // An unclosed bracket ends with the glob.
    return {listed != negated, at < glob.size() ? at + 1 : at};
}

/// `glob[at]` exists and is not `*`.
[[nodiscard]] constexpr glob_element match_element(std::string_view glob, std::size_t at,
                                                   char c) noexcept {
    switch (glob[at]) {
    case '?':
        return {true, at + 1};
    case '[':
        return match_brackets(glob, at + 1, c);
    case '\\':
        // A backslash at the very end stands for itself.
        if (at + 1 < glob.size()) {
            ++at;
        }
        break;
    default:
        break;
    }
    return {glob[at] == c, at + 1};
}

} // namespace detail

/// Answers whether `glob` describes the whole of `key`. Bytes are compared, case sensitively.
///
/// | in the glob      | stands for                                                             |
/// |------------------|------------------------------------------------------------------------|
/// | `*`              | any bytes, also none                                                   |
/// | `?`              | any one byte                                                           |
/// | `[abc]`, `[a-z]` | one of these bytes; ranges may be mixed with bytes and run backwards   |
/// | `[^abc]`         | one byte that is none of these                                         |
/// | `\x`             | the byte x, inside of brackets too                                     |
///
/// The corners are those of Redis: a bracket that is not closed ends with the glob; `[]` matches
/// nothing and `[^]` any byte; the byte after a `-` always ends a range, so `[a-]` is an unclosed
/// bracket with the range `]` to `a`; a backslash at the end stands for itself. Two differences:
/// ranges compare unsigned bytes on every machine, and a glob of several stars matches the empty
/// key, as `*` does.
///
/// Never throws, never allocates, never recurses. At most glob.size() * key.size() steps, whatever
/// the glob: a client may be allowed to choose it.
/// Source: stringmatchlen in Redis' util.c; the backtracking to the last star only is that of
/// Krauss, "Matching Wildcards: An Algorithm", Dr. Dobb's Journal 2008.
[[nodiscard]] constexpr bool glob_matches(std::string_view glob, std::string_view key) noexcept {
    constexpr std::size_t none = static_cast<std::size_t>(-1);
    std::size_t at = 0;            // in the glob
    std::size_t in_key = 0;        // the byte that glob[at] has to match
    std::size_t after_star = none; // in the glob, behind the last star passed
    std::size_t star_end = 0;      // the bytes up to here belong to the stars passed
    while (true) {
        if (at < glob.size() && glob[at] == '*') {
            after_star = ++at;
            star_end = in_key;
            continue;
        }
        if (in_key == key.size()) {
            return at == glob.size();
        }
        if (at < glob.size()) {
            const detail::glob_element element = detail::match_element(glob, at, key[in_key]);
            if (element.matches) {
                at = element.end;
                ++in_key;
                continue;
            }
        } else if (after_star == glob.size()) {
            return true;
        }
        if (after_star == none) {
            return false;
        }
        // What follows a star matches at the earliest place or not at all, so only the last star
        // has to be given more.
        at = after_star;
        in_key = ++star_end;
    }
}

/// `text` as a glob that describes just it, for globs with a part that a user chose:
/// `invalidate_matching(glob_literal(user) + ":*")`.
[[nodiscard]] inline std::string glob_literal(std::string_view text) {
    std::string glob;
    for (const char c : text) {
        if (c == '*' || c == '?' || c == '[' || c == '\\') {
            glob += '\\';
        }
        glob += c;
    }
    return glob;
}

} // namespace weir

#endif
