#ifndef WEIR_DETAIL_NAME_HPP
#define WEIR_DETAIL_NAME_HPP

/// Names of limiters and caches: they become parts of keys that other programs read.

#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>

namespace weir::detail {

inline constexpr std::size_t max_name_length = 64;

[[nodiscard]] constexpr bool is_name(std::string_view name) noexcept {
    if (name.empty() || name.size() > max_name_length) {
        return false;
    }
    for (const char c : name) {
        const bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                        (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
        if (!ok) {
            return false;
        }
    }
    return true;
}

/// Throws std::invalid_argument, naming `what` and the value, unless `name` is a name.
inline void validate_name(std::string_view what, std::string_view name) {
    if (is_name(name)) {
        return;
    }
    std::string message{what};
    message += " is \"";
    message += name.substr(0, max_name_length);
    message += name.size() > max_name_length ? "\"..." : "\"";
    message += "; it must be 1 to 64 bytes of [A-Za-z0-9._-]";
    throw std::invalid_argument{message};
}

} // namespace weir::detail

#endif
