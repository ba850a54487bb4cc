#ifndef WEIR_REDIS_URI_TEXT_HPP
#define WEIR_REDIS_URI_TEXT_HPP

/// Reading the text of a URI, and refusing it.

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>

namespace weir::detail {

[[noreturn]] inline void refuse_uri(const std::string& why) {
    throw std::invalid_argument{"weir: Redis URI: " + why};
}

/// What is left of a text that is read from left to right.
class uri_rest {
public:
    explicit uri_rest(std::string_view text) : text_{text} {}

    [[nodiscard]] std::string_view text() const noexcept { return text_; }

    /// Takes what stands before the first of `ends`, which stays; or all.
    std::string_view take_until(std::string_view ends) {
        const std::string_view taken = text_.substr(0, text_.find_first_of(ends));
        text_.remove_prefix(taken.size());
        return taken;
    }

    /// Takes `expected` if it is next.
    bool take(std::string_view expected) {
        const bool next = text_.starts_with(expected);
        text_.remove_prefix(next ? expected.size() : 0);
        return next;
    }

private:
    std::string_view text_;
};

[[nodiscard]] constexpr bool is_letter_or_digit(char c) noexcept {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/// Whether `text` is fit to be shown: 1 to 32 letters, digits and bytes of `others`.
[[nodiscard]] inline bool is_word(std::string_view text, std::string_view others) {
    return !text.empty() && text.size() <= 32 &&
           std::all_of(text.begin(), text.end(), [others](char c) {
               return is_letter_or_digit(c) || others.find(c) != std::string_view::npos;
           });
}

/// @param part  what `text` is, for the message
[[nodiscard]] inline std::string percent_decode(std::string_view text, const std::string& part) {
    const auto digit = [](char c) {
        const bool letter = (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
        return c >= '0' && c <= '9' ? c - '0' : letter ? (c | 0x20) - 'a' + 10 : -1;
    };
    std::string bytes;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            bytes += text[i];
            continue;
        }
        const int high = i + 2 < text.size() ? digit(text[i + 1]) : -1;
        const int low = i + 2 < text.size() ? digit(text[i + 2]) : -1;
        if (high < 0 || low < 0) {
            refuse_uri("a `%` in the " + part +
                       " is not followed by two hexadecimal digits; a `%` itself is written %25");
        }
        bytes += static_cast<char>(static_cast<unsigned char>(high * 16 + low));
        i += 2;
    }
    return bytes;
}

/// @param part  what `text` is, for the message
template<class Number>
[[nodiscard]] Number parse_uri_number(std::string_view text, const std::string& part, Number least,
                                      Number most) {
    Number number{};
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, number);
    const bool digits_only = !text.starts_with('-') && stop == end;
    if (error != std::errc{} || !digits_only || number < least || number > most) {
        refuse_uri("the " + part + " must be a number from " + std::to_string(least) + " to " +
                   std::to_string(most));
    }
    return number;
}

} // namespace weir::detail

#endif
