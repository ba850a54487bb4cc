#ifndef WEIR_REDIS_KEY_ENCODING_HPP
#define WEIR_REDIS_KEY_ENCODING_HPP

/// How a user's key is spelt in the name of a Redis key.
///
/// Readable bytes stay as they are. `%`, braces, space, control bytes and 0x7f become `%` and two
/// upper-case hexadecimal digits: without braces a user cannot choose the slot of a cluster, and
/// without line breaks and NUL every tool can show and take the name. A key that would be longer
/// than 512 bytes becomes its beginning, `%~` and its SHA-256; `%~` occurs in no other encoding. So
/// different keys never have the same encoding (but for a collision of SHA-256).

#include <weir/detail/sha256.hpp>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace weir::detail {

/// The longest encoding that stands for the whole key.
inline constexpr std::size_t max_encoded_size = 512;
/// Of a longer one at most this much is kept, and never a part of a `%XX`.
inline constexpr std::size_t max_beginning_size = 256;
inline constexpr std::string_view shortened_mark = "%~";

[[nodiscard]] constexpr bool must_encode(char c) noexcept {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x21 || byte == 0x7f || c == '%' || c == '{' || c == '}';
}

/// Appends the encoding of as much of `key` as fits into `most` bytes, and returns what is left.
inline std::string_view append_encoded(std::string& out, std::string_view key, std::size_t most) {
    constexpr std::string_view digits = "0123456789ABCDEF";
    std::size_t used = 0;
    for (std::size_t i = 0; i < key.size(); ++i) {
        const char c = key[i];
        used += must_encode(c) ? 3 : 1;
        if (used > most) {
            return key.substr(i);
        }
        if (must_encode(c)) {
            const auto byte = static_cast<unsigned char>(c);
            out += {'%', digits[byte >> 4], digits[byte & 15]};
        } else {
            out += c;
        }
    }
    return {};
}

/// Appends what every key that starts with `key` has at the beginning of its encoding, shortened or
/// not.
inline void append_encoded_beginning(std::string& out, std::string_view key) {
    append_encoded(out, key, max_beginning_size);
}

/// Appends the encoding of `key`: at most 512 bytes. Reads the whole of a key that is longer.
inline void append_encoded_key(std::string& out, std::string_view key) {
    if (key.size() <= max_encoded_size && std::none_of(key.begin(), key.end(), must_encode)) {
        out += key;
        return;
    }
    const std::size_t before = out.size();
    if (append_encoded(out, key, max_encoded_size).empty()) {
        return;
    }
    out.resize(before);
    append_encoded_beginning(out, key);
    out += shortened_mark;
    out += to_hex(sha256(key));
}

/// What an encoding says of the key.
struct decoded_key {
    /// The key; if shortened, only what it begins with.
    std::string bytes;
    bool shortened = false;

    friend bool operator==(const decoded_key&, const decoded_key&) = default;
};

/// The value of an upper-case hexadecimal digit, or -1.
[[nodiscard]] constexpr int upper_hex_digit(char c) noexcept {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/// Whether `text` is what stands behind `shortened_mark`.
[[nodiscard]] constexpr bool is_key_hash(std::string_view text) noexcept {
    return text.size() == 2 * sha256_digest{}.size() &&
           text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

/// Undoes append_encoded_key. Nothing for text that it never writes, as other programs may put it
/// into a name: no key of ours is stored under that.
[[nodiscard]] inline std::optional<decoded_key> decode_key(std::string_view encoded) {
    decoded_key key;
    const std::size_t mark = encoded.find(shortened_mark);
    if (mark != std::string_view::npos) {
        // One more `%XX` at most would have fitted into the beginning.
        if (!is_key_hash(encoded.substr(mark + shortened_mark.size())) ||
            mark > max_beginning_size || mark + 3 <= max_beginning_size) {
            return std::nullopt;
        }
        key.shortened = true;
        encoded = encoded.substr(0, mark);
    } else if (encoded.size() > max_encoded_size) {
        return std::nullopt;
    }
    key.bytes.reserve(encoded.size());
    for (std::size_t i = 0; i < encoded.size(); ++i) {
        char c = encoded[i];
        if (c == '%') {
            const int high = i + 2 < encoded.size() ? upper_hex_digit(encoded[i + 1]) : -1;
            const int low = i + 2 < encoded.size() ? upper_hex_digit(encoded[i + 2]) : -1;
            c = static_cast<char>(static_cast<unsigned char>(high * 16 + low));
            if (high < 0 || low < 0 || !must_encode(c)) {
                return std::nullopt;
            }
            i += 2;
        } else if (must_encode(c)) {
            return std::nullopt;
        }
        key.bytes += c;
    }
    return key;
}

} // namespace weir::detail

#endif
