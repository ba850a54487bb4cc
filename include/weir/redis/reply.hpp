#ifndef WEIR_REDIS_REPLY_HPP
#define WEIR_REDIS_REPLY_HPP

#include <cstdint>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace weir::detail::redis {

/// A reply of the server (RESP2).
struct reply {
    enum class kind : std::uint8_t { nil, status, error, integer, string, array };

    kind type = kind::nil;
    /// Of an integer.
    std::int64_t integer = 0;
    /// Of a status, an error or a string.
    std::string text{};
    /// Of an array.
    std::vector<reply> elements{};

    [[nodiscard]] bool is(kind k) const noexcept { return type == k; }
    [[nodiscard]] bool is_error() const noexcept { return type == kind::error; }
    [[nodiscard]] bool is_status(std::string_view s) const noexcept {
        return type == kind::status && text == s;
    }
    /// The first word of an error, its code: `WRONGTYPE`, `NOSCRIPT`, `ERR`.
    [[nodiscard]] std::string_view code() const noexcept {
        return std::string_view{text}.substr(0, text.find(' '));
    }
};

/// What came of some commands: an error, or one reply for each of them.
struct result {
    std::error_code error;
    std::vector<reply> replies;
};

} // namespace weir::detail::redis

#endif
