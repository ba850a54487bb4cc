#ifndef WEIR_TESTS_SUPPORT_SOCKETS_HPP
#define WEIR_TESTS_SUPPORT_SOCKETS_HPP

/// Places to listen at that no other test takes, and connections to them.
///
///     listening_place place{transport::tcp};
///     file_descriptor listener = place.listen();         // 127.0.0.1, a port of its own
///     file_descriptor client = connect_to(place.where());
///     listener.close();                                  // connections are refused now,
///     listener = place.listen();                         // and welcome again on the same port

#include "file_descriptor.hpp"
#include "temporary_directory.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weir::tests {

enum class transport { tcp, unix_socket };

/// How a connection ends: with the end of the stream, or with a reset. (On a Unix socket a reset
/// looks like an end to who reads, and like a closed pipe to who writes.)
enum class ending { finish, reset };

/// Where a server of a test listens.
struct endpoint {
    /// Of a port on 127.0.0.1; meant if there is no path.
    std::uint16_t port = 0;
    /// Of a Unix socket.
    std::string path{};
};

/// `redis://[user:password@]127.0.0.1:port[/database]` or
/// `unix://[user:password@]/path[?db=database]`: what the servers of tests are called. No escapes.
struct redis_uri {
    endpoint where{};
    std::string user{};
    std::string password{};
    int database = 0;

    /// Throws std::invalid_argument for anything else.
    [[nodiscard]] static redis_uri parse(std::string_view text);
    [[nodiscard]] std::string text() const;
};

/// A port of 127.0.0.1 that no other test takes while the object lives, in whatever process.
///
/// Ports are taken from 20000 to 32767, below those that the kernel gives to clients: a server that
/// went down finds its port free when it starts again. A name in the abstract namespace of Unix
/// sockets keeps other tests away; it disappears with the process, however that ends.
class reserved_port {
public:
    reserved_port();

    [[nodiscard]] std::uint16_t number() const noexcept { return number_; }

private:
    file_descriptor reservation_;
    std::uint16_t number_ = 0;
};

/// A place of one's own to listen at: a reserved port, or a Unix socket in a directory of its own.
class listening_place {
public:
    explicit listening_place(transport over);

    [[nodiscard]] const endpoint& where() const noexcept { return where_; }

    /// A listening socket, non-blocking. Also after an earlier one was closed.
    [[nodiscard]] file_descriptor listen() const;

private:
    std::optional<reserved_port> port_;
    std::optional<temporary_directory> directory_;
    endpoint where_;
};

/// A connected socket; with SOCK_NONBLOCK in `flags`, one that may be still connecting. Throws
/// std::system_error if it is refused.
[[nodiscard]] file_descriptor connect_to(const endpoint& where, int flags = 0);

/// Sends what is small at once; does nothing to a Unix socket.
void send_without_delay(const file_descriptor& socket);

/// Closes with a reset instead of an end of the stream, as the kernel does for a process that left
/// data unread. The peer of a Unix socket sees an end all the same.
void close_with_reset(file_descriptor socket);

} // namespace weir::tests

#endif
