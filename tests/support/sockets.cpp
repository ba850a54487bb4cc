#include "sockets.hpp"

#include <array>
#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstring>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <random>
#include <stdexcept>
#include <sys/socket.h>
#include <sys/un.h>

namespace weir::tests {

namespace {

/// A socket's address in the form that the kernel wants.
class socket_address {
public:
    explicit socket_address(const endpoint& where) {
        if (where.path.empty()) {
            sockaddr_in address{};
            address.sin_family = AF_INET;
            address.sin_port = htons(where.port);
            address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
            store(address, sizeof address);
            return;
        }
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        if (where.path.size() >= sizeof address.sun_path) {
            throw std::invalid_argument{"too long for a Unix socket: " + where.path};
        }
        // An abstract name begins with a zero byte and ends where the address ends.
        where.path.copy(&address.sun_path[0], where.path.size());
        store(address, offsetof(sockaddr_un, sun_path) + where.path.size() +
                           (where.path.front() == '\0' ? 0 : 1));
    }

    [[nodiscard]] int family() const noexcept { return storage_.ss_family; }
    [[nodiscard]] const sockaddr* get() const noexcept {
        return reinterpret_cast<const sockaddr*>(&storage_);
    }
    [[nodiscard]] socklen_t size() const noexcept { return size_; }

private:
    template<class Address>
    void store(const Address& address, std::size_t size) noexcept {
        std::memcpy(&storage_, &address, sizeof address);
        size_ = static_cast<socklen_t>(size);
    }

    sockaddr_storage storage_{};
    socklen_t size_ = 0;
};

file_descriptor make_socket(const socket_address& address, int flags) {
    return file_descriptor{checked(
        "socket", [&] { return socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC | flags, 0); })};
}

/// Bound as servers bind; not open if the address is taken.
file_descriptor try_to_bind(const endpoint& where, int flags = 0) {
    const socket_address address{where};
    file_descriptor result = make_socket(address, flags);
    const int yes = 1;
    setsockopt(result.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(result.get(), address.get(), address.size()) != 0) {
        if (errno != EADDRINUSE) {
            throw_errno("bind");
        }
        result.close();
    }
    return result;
}

int number_in(std::string_view digits, std::string_view uri) {
    int result = 0;
    const char* last = digits.data() + digits.size();
    const auto [end, error] = std::from_chars(digits.data(), last, result);
    if (error != std::errc{} || end != last || result < 0) {
        throw std::invalid_argument{"not a URI of a test's server: " + std::string{uri}};
    }
    return result;
}

/// Takes what stands before `separator` off the front of `text`, and the separator; nothing if it
/// does not occur.
std::optional<std::string_view> take_until(std::string_view& text, std::string_view separator) {
    const std::size_t at = text.find(separator);
    if (at == std::string_view::npos) {
        return std::nullopt;
    }
    const std::string_view result = text.substr(0, at);
    text.remove_prefix(at + separator.size());
    return result;
}

} // namespace

redis_uri redis_uri::parse(std::string_view text) {
    redis_uri result;
    std::string_view rest = text;
    const std::string_view scheme = take_until(rest, "://").value_or("");
    if (auto credentials = take_until(rest, "@")) {
        result.user = take_until(*credentials, ":").value_or("");
        result.password = *credentials;
    }
    if (scheme == "unix" && rest.starts_with('/')) {
        if (const auto path = take_until(rest, "?db=")) {
            result.where.path = *path;
            result.database = number_in(rest, text);
        } else {
            result.where.path = rest;
        }
        return result;
    }
    if (scheme != "redis" || take_until(rest, ":") != "127.0.0.1") {
        throw std::invalid_argument{"not a URI of a test's server: " + std::string{text}};
    }
    const std::optional<std::string_view> port = take_until(rest, "/");
    result.where.port = static_cast<std::uint16_t>(number_in(port.value_or(rest), text));
    if (port && !rest.empty()) {
        result.database = number_in(rest, text);
    }
    return result;
}

std::string redis_uri::text() const {
    const std::string credentials =
        user.empty() && password.empty() ? std::string{} : user + ":" + password + "@";
    if (where.path.empty()) {
        return "redis://" + credentials + "127.0.0.1:" + std::to_string(where.port) + "/" +
               std::to_string(database);
    }
    return "unix://" + credentials + where.path + "?db=" + std::to_string(database);
}

reserved_port::reserved_port() {
    constexpr int first = 20'000;
    constexpr int last = 32'767;
    std::random_device random;
    int candidate = std::uniform_int_distribution{first, last}(random);
    for (int tried = 0; tried <= last - first; ++tried) {
        candidate = candidate == last ? first : candidate + 1;
        const std::string name = "weir-test-port-" + std::to_string(candidate);
        reservation_ = try_to_bind({.path = '\0' + name});
        number_ = static_cast<std::uint16_t>(candidate);
        if (reservation_.is_open() && try_to_bind({.port = number_}).is_open()) {
            return;
        }
    }
    throw std::runtime_error{"no port between 20000 and 32767 is free"};
}

listening_place::listening_place(transport over) {
    if (over == transport::tcp) {
        port_.emplace();
        where_.port = port_->number();
    } else {
        directory_.emplace();
        where_.path = (directory_->path() / "socket").string();
    }
}

file_descriptor listening_place::listen() const {
    if (!where_.path.empty()) {
        unlink(where_.path.c_str());
    }
    file_descriptor result = try_to_bind(where_, SOCK_NONBLOCK);
    if (!result.is_open()) {
        throw std::runtime_error{"somebody else listens at " + redis_uri{where_, "", "", 0}.text()};
    }
    checked("listen", [&] { return ::listen(result.get(), SOMAXCONN); });
    return result;
}

file_descriptor connect_to(const endpoint& where, int flags) {
    const socket_address address{where};
    file_descriptor result = make_socket(address, flags);
    if (connect(result.get(), address.get(), address.size()) != 0 && errno != EINPROGRESS) {
        throw_errno("connect");
    }
    send_without_delay(result);
    return result;
}

void send_without_delay(const file_descriptor& socket) {
    const int yes = 1;
    setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
}

void close_with_reset(file_descriptor socket) {
    const linger at_once{.l_onoff = 1, .l_linger = 0};
    setsockopt(socket.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

} // namespace weir::tests
