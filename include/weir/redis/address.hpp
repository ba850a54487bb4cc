#ifndef WEIR_REDIS_ADDRESS_HPP
#define WEIR_REDIS_ADDRESS_HPP

#include <cstdint>
#include <string>

namespace weir::detail {

/// Where a server is, and as whom to log in.
struct redis_address {
    /// A name or an IP address, an IPv6 one without its brackets; empty if there is a path.
    std::string host{};
    std::uint16_t port = 6379;
    /// Of a Unix socket; empty if there is a host.
    std::string path{};
    /// Empty: the default user.
    std::string user{};
    /// Both empty: no login.
    std::string password{};
    int db = 0;

    friend bool operator==(const redis_address&, const redis_address&) = default;
};

} // namespace weir::detail

#endif
