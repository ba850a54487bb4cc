#ifndef WEIR_TESTS_SUPPORT_RECEIVED_BYTES_HPP
#define WEIR_TESTS_SUPPORT_RECEIVED_BYTES_HPP

/// What a client sees of a connection, byte for byte.

#include "file_descriptor.hpp"
#include "sockets.hpp"

#include <array>
#include <cerrno>
#include <cstddef>
#include <string>
#include <string_view>
#include <sys/socket.h>

namespace weir::tests {

/// Sends bytes that fit into the kernel's buffers.
inline void send_all(const file_descriptor& socket, std::string_view bytes) {
    if (send(socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) !=
        static_cast<ssize_t>(bytes.size())) {
        throw_errno("send");
    }
}

struct received_bytes {
    std::string bytes;
    ending end = ending::finish;
};

/// All that comes until the connection ends, and how it ends.
[[nodiscard]] inline received_bytes receive_until_end(const file_descriptor& socket) {
    received_bytes result;
    std::array<char, 4096> buffer{};
    for (;;) {
        const ssize_t count = recv(socket.get(), buffer.data(), buffer.size(), 0);
        if (count > 0) {
            result.bytes.append(buffer.data(), static_cast<std::size_t>(count));
        } else if (count == 0 || errno == ECONNRESET) {
            result.end = count == 0 ? ending::finish : ending::reset;
            return result;
        } else if (errno != EINTR) {
            throw_errno("recv");
        }
    }
}

} // namespace weir::tests

#endif
