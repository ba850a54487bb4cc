#ifndef WEIR_REDIS_SOCKET_HPP
#define WEIR_REDIS_SOCKET_HPP

/// A stream socket, TCP or Unix: what a transport is to a connection.
///
/// A transport offers `connect`, `connected`, `send`, `receive`, `poll_descriptor` and `close`, as
/// they are here. One that encrypts (OpenSSL) has its handshake behind `connected`, and keeps
/// `outcome::again` to its word when it wants the other direction.

#include <arpa/inet.h>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string_view>
#include <sys/socket.h>
#include <sys/un.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace weir::detail::redis {

/// An address to connect to.
struct endpoint {
    ::sockaddr_storage address{};
    ::socklen_t size = 0;

    [[nodiscard]] const ::sockaddr* get() const noexcept {
        return reinterpret_cast<const ::sockaddr*>(&address);
    }

    /// Of a Unix socket. Requires that the path fits (`most_path`).
    [[nodiscard]] static endpoint unix_path(std::string_view path) noexcept {
        endpoint e;
        auto& un = reinterpret_cast<::sockaddr_un&>(e.address);
        un.sun_family = AF_UNIX;
        std::memcpy(un.sun_path, path.data(), path.size());
        e.size = static_cast<::socklen_t>(offsetof(::sockaddr_un, sun_path) + path.size() + 1);
        return e;
    }
    static constexpr std::size_t most_path = sizeof(::sockaddr_un::sun_path) - 1;
};

/// What came of an attempt to send or receive.
struct transfer {
    enum class outcome : unsigned char { done, again, closed };

    outcome result = outcome::again;
    std::size_t bytes = 0;

    [[nodiscard]] bool done() const noexcept { return result == outcome::done; }
    [[nodiscard]] bool closed() const noexcept { return result == outcome::closed; }
};

/// How a socket is to behave.
struct socket_settings {
    /// How long data may stay unacknowledged before the connection counts as dead.
    std::chrono::milliseconds unacknowledged{1000};
    /// How long a `receive` that may wait waits at most.
    std::chrono::microseconds wait{250'000};
};

/// Not for use by two threads at once. Never raises SIGPIPE; is not inherited by other programs.
class socket {
public:
    socket() noexcept = default;
    socket(socket&& other) noexcept : fd_{std::exchange(other.fd_, -1)} {}
    socket& operator=(socket other) noexcept {
        std::swap(fd_, other.fd_);
        return *this;
    }
    ~socket() { close(); }

    /// Begins to connect. Without an error it is under way: wait until the descriptor is writable
    /// and ask `connected`.
    [[nodiscard]] std::error_code connect(const endpoint& to,
                                          const socket_settings& settings) noexcept {
        close();
        fd_ = ::socket(to.address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd_ < 0) {
            return last_error();
        }
        if (to.address.ss_family != AF_UNIX) {
            option(IPPROTO_TCP, TCP_NODELAY, 1);
            option(SOL_SOCKET, SO_KEEPALIVE, 1);
            option(IPPROTO_TCP, TCP_USER_TIMEOUT,
                   static_cast<int>(settings.unacknowledged.count()));
        }
        const auto us = settings.wait.count();
        const ::timeval most{us / 1'000'000, us % 1'000'000};
        ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof most);
        // A Unix socket whose server does not get round to accepting answers EAGAIN, and no event
        // tells when that changes; that counts as refused.
        if (::connect(fd_, to.get(), to.size) != 0 && errno != EINPROGRESS) {
            return last_error();
        }
        return {};
    }

    /// Whether the attempt to connect, which is over, has succeeded. Then `receive` may wait.
    [[nodiscard]] std::error_code connected() noexcept {
        int error = 0;
        ::socklen_t size = sizeof error;
        if (::getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size) != 0) {
            return last_error();
        }
        if (error != 0) {
            return {error, std::system_category()};
        }
        if (::fcntl(fd_, F_SETFL, ::fcntl(fd_, F_GETFL) & ~O_NONBLOCK) != 0) {
            return last_error();
        }
        return {};
    }

    /// Sends as much as can be sent without waiting.
    [[nodiscard]] transfer send(std::string_view bytes) noexcept {
        ::ssize_t n = 0;
        do {
            n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        } while (n < 0 && errno == EINTR);
        return came_of(n);
    }

    /// Receives what is there. If `may_wait`, waits for it, but not longer than the settings say.
    [[nodiscard]] transfer receive(char* to, std::size_t room, bool may_wait) noexcept {
        ::ssize_t n = 0;
        do {
            n = ::recv(fd_, to, room, may_wait ? 0 : MSG_DONTWAIT);
            // A wait that a signal ends is not begun anew, or signals could prolong it for ever.
        } while (n < 0 && errno == EINTR && !may_wait);
        if (n < 0 && errno == EINTR) {
            return {};
        }
        return n == 0 ? transfer{transfer::outcome::closed, 0} : came_of(n);
    }

    /// Whether the peer has closed the connection, or sent something that nobody asked for.
    [[nodiscard]] bool is_stale() noexcept {
        char byte = 0;
        return ::recv(fd_, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 ||
               (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
    }

    /// Waits until `events` (POLLIN, POLLOUT) come true or `until` is over; false if it is.
    bool wait_for(short events, std::chrono::steady_clock::time_point until) noexcept {
        using std::chrono::duration_cast;
        ::pollfd p{fd_, events, 0};
        while (true) {
            const auto left = until - std::chrono::steady_clock::now();
            if (left.count() <= 0) {
                return false;
            }
            const auto seconds = duration_cast<std::chrono::seconds>(left);
            const ::timespec timeout{
                seconds.count(), duration_cast<std::chrono::nanoseconds>(left - seconds).count()};
            const int n = ::ppoll(&p, 1, &timeout, nullptr);
            if (n > 0 || (n < 0 && errno != EINTR)) {
                return true; // if something is wrong, sending or receiving will say what
            }
        }
    }

    [[nodiscard]] int poll_descriptor() const noexcept { return fd_; }
    [[nodiscard]] bool is_open() const noexcept { return fd_ >= 0; }

    void close() noexcept {
        if (fd_ >= 0) {
            ::close(std::exchange(fd_, -1));
        }
    }

private:
    [[nodiscard]] static std::error_code last_error() noexcept {
        return {errno, std::system_category()};
    }

    [[nodiscard]] static transfer came_of(::ssize_t n) noexcept {
        if (n >= 0) {
            return {transfer::outcome::done, static_cast<std::size_t>(n)};
        }
        const bool again = errno == EAGAIN || errno == EWOULDBLOCK;
        return {again ? transfer::outcome::again : transfer::outcome::closed, 0};
    }

    void option(int level, int name, int value) noexcept {
        ::setsockopt(fd_, level, name, &value, sizeof value);
    }

    int fd_ = -1;
};

} // namespace weir::detail::redis

#endif
