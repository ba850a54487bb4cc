#ifndef WEIR_REDIS_KEY_GLOB_HPP
#define WEIR_REDIS_KEY_GLOB_HPP

/// What a glob over user keys says about keys of which only the encoding is known.
///
/// A glob cannot be laid against encoded names: its `?` is one byte of the key, and that may be
/// three of the name. So SCAN gets only what every matching key begins with, and each name that
/// comes back is decoded and compared here.

#include <weir/glob.hpp>
#include <weir/redis/key_encoding.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace weir::detail {

/// The bytes that every key begins with that `glob` matches.
[[nodiscard]] inline std::string literal_beginning(std::string_view glob) {
    std::string bytes;
    for (std::size_t at = 0; at < glob.size(); ++at) {
        char c = glob[at];
        if (c == '*' || c == '?' || c == '[') {
            break;
        }
        if (c == '\\' && at + 1 < glob.size()) {
            c = glob[++at];
        }
        bytes += c;
    }
    return bytes;
}

/// Whether `glob` may match a key that begins with `beginning` and goes on, whatever follows. Only
/// a no is certain.
[[nodiscard]] constexpr bool may_match_longer(std::string_view glob,
                                              std::string_view beginning) noexcept {
    std::size_t at = 0;
    for (const char c : beginning) {
        if (at == glob.size()) {
            return false;
        }
        if (glob[at] == '*') {
            return true;
        }
        const glob_element element = match_element(glob, at, c);
        if (!element.matches) {
            return false;
        }
        at = element.end;
    }
    return at < glob.size();
}

/// Whether `glob` matches the key with this encoding, or, of a shortened one, may match it: one
/// entry too many is computed again, one too few would be stale.
[[nodiscard]] inline bool glob_matches_encoded(std::string_view glob, std::string_view encoded) {
    const std::optional<decoded_key> key = decode_key(encoded);
    if (!key) {
        return false;
    }
    return key->shortened ? may_match_longer(glob, key->bytes) : glob_matches(glob, key->bytes);
}

} // namespace weir::detail

#endif
