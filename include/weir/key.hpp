#ifndef WEIR_KEY_HPP
#define WEIR_KEY_HPP

/// Keys: any bytes, any length, empty and NUL included.
///
/// Functions of limiters and caches take a `key_view`, which strings and integers convert to.
/// `make_key` joins several parts so that different parts never give the same key.

#include <charconv>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

namespace weir {

namespace detail {

template<class T>
concept character = std::same_as<T, char> || std::same_as<T, wchar_t> || std::same_as<T, char8_t> ||
    std::same_as<T, char16_t> || std::same_as<T, char32_t>;

/// An integer that counts or names something: not a truth value, not a character.
template<class T>
concept key_integer = std::integral<T> && !std::same_as<T, bool> && !character<T> && sizeof(T) <= 8;

template<class T>
concept key_string = std::convertible_to<const T&, std::string_view> &&
    !std::same_as<std::remove_cvref_t<T>, std::nullptr_t>;

} // namespace detail

/// A key as an argument: a view of the caller's bytes, or an integer by its decimal text, so that
/// `42` and `"42"` are the same key. Valid while the bytes that it was made from are.
class key_view {
public:
    /// A null C string, as getenv() and many C functions return it, is the empty key.
    template<detail::key_string S>
    constexpr key_view(const S& bytes) noexcept(noexcept(std::string_view(bytes))) {
        if constexpr (std::is_pointer_v<S>) {
            if (bytes == nullptr) {
                data_ = "";
                return;
            }
        }
        const std::string_view view = bytes;
        data_ = view.data() != nullptr ? view.data() : "";
        size_ = view.size();
    }

    template<detail::key_integer I>
    constexpr key_view(I number) noexcept {
        size_ = static_cast<std::size_t>(write_decimal(digits_, number));
    }

    key_view(std::nullptr_t) = delete;
    /// A key from a truth value or a single character is nearly always a slip; spell the text.
    key_view(bool) = delete;
    key_view(char) = delete;
    /// Floating point numbers have no one text.
    key_view(double) = delete;

    [[nodiscard]] constexpr std::string_view bytes() const noexcept {
        return {data_ != nullptr ? data_ : digits_, size_};
    }

private:
    /// Writes at most 20 characters, the length of -2^63 and of 2^64 - 1.
    template<class I>
    static constexpr std::ptrdiff_t write_decimal(char* out, I number) noexcept {
        using wide = std::conditional_t<std::is_signed_v<I>, std::int64_t, std::uint64_t>;
        const bool negative = number < I{0};
        auto rest = static_cast<std::uint64_t>(static_cast<wide>(number));
        if (negative) {
            rest = std::uint64_t{0} - rest;
        }
        char reversed[20] = {};
        std::ptrdiff_t count = 0;
        do {
            reversed[count++] = static_cast<char>('0' + static_cast<char>(rest % 10));
            rest /= 10;
        } while (rest != 0);
        char* const begin = out;
        if (negative) {
            *out++ = '-';
        }
        while (count != 0) {
            *out++ = reversed[--count];
        }
        return out - begin;
    }

    const char* data_ = nullptr;
    std::size_t size_ = 0;
    char digits_[20];
};

namespace detail {

inline void append_key_part(std::string& key, std::string_view part) {
    for (const char c : part) {
        switch (c) {
        case '%':
            key += "%25";
            break;
        case ':':
            key += "%3A";
            break;
        default:
            key += c;
        }
    }
}

} // namespace detail

/// Joins parts into one key: their texts with `:` between them, where a `:` or `%` inside a part is
/// percent-encoded, so that two different lists of the same number of parts, or of different
/// numbers, never give the same key. Parts count by their text: `make_key(42)`, `make_key("42")`
/// and the plain key `"42"` are the same key. A plain key is used as it is, so `make_key(x)` is not
/// the plain key x if x has a `:` or `%` in it, as IPv6 addresses have: use one or the other.
///
///     make_key("user", 7, "a:b")   ->   "user:7:a%3Ab"
///
/// Parts are strings and integers; floating point numbers, truth values, single characters and null
/// pointers are refused at compile time.
template<class First, class... Rest>
    requires(std::convertible_to<const First&, key_view>&&...&&
                 std::convertible_to<const Rest&, key_view>)
[[nodiscard]] std::string make_key(const First& first, const Rest&... rest) {
    std::string key;
    detail::append_key_part(key, key_view{first}.bytes());
    ((key += ':', detail::append_key_part(key, key_view{rest}.bytes())), ...);
    return key;
}

} // namespace weir

#endif
