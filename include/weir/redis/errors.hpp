#ifndef WEIR_REDIS_ERRORS_HPP
#define WEIR_REDIS_ERRORS_HPP

#include <weir/error.hpp>
#include <weir/redis/reply.hpp>

#include <algorithm>
#include <array>
#include <string_view>
#include <system_error>

namespace weir::detail::redis {

/// What an error reply means to a caller. Servers say these before they change anything, and the
/// scripts here check before they write, so nothing was applied.
[[nodiscard]] inline errc meaning_of(const reply& error) noexcept {
    constexpr std::array<std::string_view, 4> not_permitted{"NOAUTH", "WRONGPASS", "NOPERM",
                                                            "DENIED"};
    constexpr std::array<std::string_view, 3> wrong_type{"WRONGTYPE", "ERR value is not an integer",
                                                         "ERR bit offset is not an integer"};
    const auto begins = [&error](std::string_view with) { return error.text.starts_with(with); };
    if (std::any_of(not_permitted.begin(), not_permitted.end(), begins) ||
        // What a script says of a command that its user may not run: Redis 7.0, and later ones.
        begins("ERR The user executing the script can't") || begins("ERR ACL failure in script")) {
        return errc::not_permitted;
    }
    if (std::any_of(wrong_type.begin(), wrong_type.end(), begins)) {
        return errc::wrong_type;
    }
    return errc::rejected;
}

} // namespace weir::detail::redis

#endif
