#ifndef WEIR_REDIS_HANDSHAKE_HPP
#define WEIR_REDIS_HANDSHAKE_HPP

/// What is said on a new connection before it is used: who we are, which database, what time it is.
/// Text in and text out; no socket.

#include <weir/clock.hpp>
#include <weir/redis/commands.hpp>
#include <weir/redis/errors.hpp>
#include <weir/redis/reply.hpp>

#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>

namespace weir::detail::redis {

/// What a connection introduces itself with.
struct introduction {
    std::string user{};
    std::string password{};
    std::int64_t database = 0;
    /// For CLIENT LIST; empty: none.
    std::string name{};
};

/// A reply to TIME as a point in time.
[[nodiscard]] inline std::optional<time_point> read_time(const reply& r) noexcept {
    const auto number = [](const reply& part) -> std::optional<std::int64_t> {
        std::int64_t n = 0;
        const char* const end = part.text.data() + part.text.size();
        const auto [rest, error] = std::from_chars(part.text.data(), end, n);
        // Up to the year 2200: 64 bits of nanoseconds end in 2262, and the clock goes on, windows and
        // lifetimes are added to it.
        const bool good = error == std::errc{} && rest == end && n >= 0 && n < 7'258'118'400;
        return good ? std::optional{n} : std::nullopt;
    };
    if (!r.is(reply::kind::array) || r.elements.size() != 2) {
        return std::nullopt;
    }
    const auto seconds = number(r.elements[0]);
    const auto microseconds = number(r.elements[1]);
    if (!seconds || !microseconds || *microseconds >= 1'000'000) {
        return std::nullopt;
    }
    return time_point{std::chrono::seconds{*seconds} + std::chrono::microseconds{*microseconds}};
}

class handshake {
public:
    explicit handshake(const introduction& who)
        : authenticates_{!who.user.empty() || !who.password.empty()}, selects_{who.database != 0} {
        if (authenticates_) {
            if (who.user.empty()) {
                said_.add("AUTH", who.password);
            } else {
                said_.add("AUTH", who.user, who.password);
            }
        }
        if (selects_) {
            said_.add("SELECT", who.database);
        }
        if (!who.name.empty()) {
            said_.add("CLIENT", "SETNAME", who.name);
        }
        said_.add("TIME");
    }

    [[nodiscard]] const commands& said() const noexcept { return said_; }

    struct verdict {
        /// Empty: the connection may be used.
        std::error_code error;
        /// What the server said when it refused.
        std::string text;
        /// What its clock showed, if it told.
        std::optional<time_point> time;
    };

    /// Judges the replies that came. Fewer than commands if the server hung up.
    [[nodiscard]] verdict judge(std::span<const reply> replies) const {
        std::size_t must_succeed = (authenticates_ ? 1 : 0) + (selects_ ? 1 : 0);
        for (const reply& r : replies) {
            const bool needed = must_succeed != 0;
            must_succeed -= needed ? 1 : 0;
            // A user without a permission for CLIENT or TIME can do without; one that has not
            // authenticated, or whom the server does not want at all, cannot.
            const bool dispensable = !needed && r.code() == "NOPERM";
            if (r.is_error() && !dispensable && (needed || refuses_us(r))) {
                const bool of_auth = authenticates_ && &r == replies.data();
                return {make_error_code(of_auth ? meaning_to_auth(r) : meaning_of(r)), r.text, {}};
            }
        }
        if (replies.size() != said_.count()) {
            return {make_error_code(errc::unavailable), "the server hung up", {}};
        }
        return {{}, {}, read_time(replies.back())};
    }

private:
    [[nodiscard]] static bool has_no_room(const reply& r) noexcept {
        return r.text.starts_with("ERR max number of");
    }
    [[nodiscard]] static bool refuses_us(const reply& r) noexcept {
        return meaning_of(r) == errc::not_permitted || has_no_room(r);
    }
    /// A server without passwords has no code of its own for who brings one.
    [[nodiscard]] static errc meaning_to_auth(const reply& r) noexcept {
        return r.code() == "ERR" && !has_no_room(r) ? errc::not_permitted : meaning_of(r);
    }

    bool authenticates_;
    bool selects_;
    commands said_;
};

} // namespace weir::detail::redis

#endif
