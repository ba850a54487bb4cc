#ifndef WEIR_REDIS_URI_HPP
#define WEIR_REDIS_URI_HPP

/// Addresses of Redis servers as text.
///
///     redis://[user:password@]host[:port][/db]         redis://:secret@[::1]:6380/2
///     unix://[user:password@]/path/to/socket[?db=n]    unix:///run/redis/redis.sock?db=2
///
/// As redis-py reads them, and in the TCP form redis-cli and lettuce; `redis://host?db=n` is fine.
/// Stricter where these differ or guess: the host must be there, and so must the `:` of the
/// credentials, because `secret@` is a password to redis-cli and lettuce and a user to redis-py.
/// User, password and path are percent-decoded.
///
/// A URI may hold a password, and any part of it may be one if that is not encoded as it should be.
/// So the sentences that refuse a URI name the part and never show it; only a scheme and the name
/// of an option are shown, the latter once there is a host or path, and no `@` behind it.

#include <weir/redis/address.hpp>
#include <weir/redis/socket.hpp>
#include <weir/redis/uri_text.hpp>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

namespace weir::detail {

[[nodiscard]] inline int parse_uri_db(std::string_view text) {
    return parse_uri_number<int>(text, "database", 0, std::numeric_limits<int>::max());
}

/// @param text  `user:password`
inline void parse_uri_credentials(std::string_view text, redis_address& address) {
    const std::size_t colon = text.find(':');
    if (colon == std::string_view::npos) {
        refuse_uri("the part before the `@` has no `:`; write `user:password@`, or `:password@` "
                   "for a password alone");
    }
    address.user = percent_decode(text.substr(0, colon), "user");
    address.password = percent_decode(text.substr(colon + 1), "password");
}

/// @param text  `host`, `host:port`, `[IPv6 address]` or `[IPv6 address]:port`
inline void parse_uri_host(std::string_view text, redis_address& address) {
    uri_rest rest{text};
    if (rest.take("[")) {
        address.host = rest.take_until("]");
        in6_addr ignored{};
        if (!rest.take("]") || ::inet_pton(AF_INET6, address.host.c_str(), &ignored) != 1) {
            refuse_uri("the host in brackets must be an IPv6 address without a zone");
        }
    } else {
        address.host = rest.take_until(":");
        const bool plain = std::all_of(address.host.begin(), address.host.end(), [](char c) {
            return is_letter_or_digit(c) || c == '.' || c == '-' || c == '_';
        });
        if (address.host.empty() || address.host.size() > 253 || !plain) {
            refuse_uri("the host must be 1 to 253 letters, digits, `.`, `-` and `_`, or an IPv6 "
                       "address in brackets");
        }
    }
    if (rest.take(":")) {
        if (rest.text().find(':') != std::string_view::npos) {
            refuse_uri("the host has several `:`; an IPv6 address goes into brackets");
        }
        address.port = parse_uri_number<std::uint16_t>(rest.text(), "port", 1, 65535);
    } else if (!rest.text().empty()) {
        refuse_uri("behind the bracketed host must come `:` and a port, `/` and a database, or the "
                   "end");
    }
}

/// @param text  a path that begins with `/`
[[nodiscard]] inline std::string parse_uri_socket_path(std::string_view text) {
    constexpr std::size_t most = redis::endpoint::most_path;
    std::string path = percent_decode(text, "path");
    if (path.empty() || path.size() > most || path.find('\0') != std::string::npos) {
        refuse_uri("the path of a Unix socket must be 1 to " + std::to_string(most) +
                   " bytes without NUL, as in `unix:///run/redis.sock`");
    }
    return path;
}

/// @param text       what stands behind the `?`
/// @param path_is_db whether the database was given already
inline void parse_uri_options(std::string_view text, bool path_is_db, redis_address& address) {
    uri_rest rest{text};
    bool given = path_is_db;
    do {
        uri_rest option{rest.take_until("&")};
        const std::string_view name = option.take_until("=");
        if (name != "db") {
            refuse_uri((is_word(name, "_-.") ? "the option `" + std::string{name} + "` is unknown"
                                             : std::string{"an option is unknown"}) +
                       "; the only one is `db`");
        }
        if (given) {
            refuse_uri("the database is given twice");
        }
        given = true;
        option.take("=");
        address.db = parse_uri_db(option.text());
    } while (rest.take("&"));
}

/// Throws std::invalid_argument for a scheme other than `redis` and `unix`.
inline void refuse_other_schemes(std::string_view scheme) {
    if (scheme == "rediss") {
        refuse_uri("TLS (`rediss://`) is not supported yet; use `redis://`, through a TLS proxy if "
                   "the network is not trusted");
    }
    if (scheme != "redis" && scheme != "unix") {
        refuse_uri((is_word(scheme, "+-.") ? "the scheme is `" + std::string{scheme} + "`"
                                           : std::string{"the scheme cannot be read"}) +
                   "; it must be `redis://` or `unix://`");
    }
}

/// Throws std::invalid_argument for what files, shells and comments leave in a URI.
inline void refuse_unencoded_bytes(std::string_view uri) {
    const bool fine = std::all_of(uri.begin(), uri.end(), [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return byte > 0x20 && byte != 0x7f && c != '#';
    });
    if (!fine) {
        refuse_uri("spaces, control bytes (a line's end as well) and `#` must be percent-encoded");
    }
}

/// Reads a URI of one of the forms above. Throws std::invalid_argument with one sentence that says
/// which part is wrong and what it must be.
[[nodiscard]] inline redis_address parse_redis_uri(std::string_view uri) {
    refuse_unencoded_bytes(uri);
    const std::size_t scheme_end = uri.find("://");
    if (scheme_end == std::string_view::npos) {
        refuse_uri("it must begin with `redis://` or `unix://`");
    }
    const std::string_view scheme = uri.substr(0, scheme_end);
    refuse_other_schemes(scheme);
    const bool is_unix = scheme == "unix";

    uri_rest rest{uri.substr(scheme_end + 3)};
    std::string_view authority = rest.take_until("/?");
    const std::string_view path = rest.take_until("?");
    // A `/` or `?` in a password has ended the authority. This comes first, because what follows
    // would take a part of the password for something else.
    if (rest.text().find('@') != std::string_view::npos ||
        (!is_unix && path.find('@') != std::string_view::npos)) {
        refuse_uri("there is an `@` behind the host; percent-encode `/`, `?` and `@` in user and "
                   "password");
    }
    redis_address address;
    if (const std::size_t at = authority.rfind('@'); at != std::string_view::npos) {
        parse_uri_credentials(authority.substr(0, at), address);
        authority.remove_prefix(at + 1);
    }
    if (is_unix) {
        if (!authority.empty()) {
            refuse_uri("a Unix socket has no host: between `unix://` and the `/` of the path may "
                       "be `user:password@` only");
        }
        address.path = parse_uri_socket_path(path);
    } else {
        parse_uri_host(authority, address);
        if (path.size() > 1) {
            address.db = parse_uri_db(path.substr(1));
        }
    }
    if (rest.take("?")) {
        parse_uri_options(rest.text(), !is_unix && path.size() > 1, address);
    }
    return address;
}

} // namespace weir::detail

#endif
