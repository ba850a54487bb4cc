#include <weir/redis/socket.hpp>

#include "support/eventually.hpp"
#include "support/file_descriptor.hpp"
#include "support/sockets.hpp"

#include <arpa/inet.h>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <gtest/gtest.h>
#include <iterator>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <system_error>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

namespace {

using weir::detail::redis::endpoint;
using weir::detail::redis::socket;
using weir::detail::redis::socket_settings;
using weir::detail::redis::transfer;
using weir::tests::checked;
using weir::tests::file_descriptor;
using weir::tests::listening_place;
using weir::tests::patience;
using weir::tests::transport;
using namespace std::chrono_literals;
using steady_clock = std::chrono::steady_clock;

endpoint to(const listening_place& place) {
    if (!place.where().path.empty()) {
        return endpoint::unix_path(place.where().path);
    }
    endpoint e;
    ::sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(place.where().port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    std::memcpy(&e.address, &address, sizeof address);
    e.size = sizeof address;
    return e;
}

int option_of(const socket& s, int level, int name) {
    int value = 0;
    ::socklen_t size = sizeof value;
    EXPECT_EQ(::getsockopt(s.poll_descriptor(), level, name, &value, &size), 0);
    return value;
}

std::size_t open_descriptors() {
    const std::filesystem::directory_iterator all{"/proc/self/fd"};
    return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

class each_socket : public testing::TestWithParam<transport> {
protected:
    /// Begins and ends an attempt to connect.
    [[nodiscard]] std::error_code connect(socket_settings settings = {}) {
        if (const std::error_code error = s.connect(to(place), settings)) {
            return error;
        }
        EXPECT_TRUE(s.wait_for(POLLOUT, steady_clock::now() + patience));
        return s.connected();
    }

    /// A socket that is connected, and the server's end of it.
    file_descriptor connected_pair(socket_settings settings = {}) {
        const std::error_code error = connect(settings);
        EXPECT_FALSE(error) << error.message();
        return accept();
    }

    file_descriptor accept() {
        // The listener does not wait, and a connection may be established before it is there.
        EXPECT_TRUE(weir::tests::eventually([&] {
            ::pollfd p{listener.get(), POLLIN, 0};
            return ::poll(&p, 1, 0) == 1;
        }));
        return file_descriptor{checked(
            "accept", [&] { return ::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC); })};
    }

    /// Waits for what must come.
    std::string receive(std::size_t most = 1000) {
        std::string bytes(most, '\0');
        EXPECT_TRUE(s.wait_for(POLLIN, steady_clock::now() + patience));
        const transfer t = s.receive(bytes.data(), bytes.size(), false);
        EXPECT_TRUE(t.done());
        bytes.resize(t.bytes);
        return bytes;
    }

    [[nodiscard]] transfer receive_into_nothing(bool may_wait = false) {
        std::array<char, 100> buffer{};
        return s.receive(buffer.data(), buffer.size(), may_wait);
    }

    static void send_from(const file_descriptor& peer, std::string_view bytes) {
        ASSERT_EQ(::send(peer.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL),
                  static_cast<::ssize_t>(bytes.size()));
    }

    listening_place place{GetParam()};
    file_descriptor listener = place.listen();
    socket s;
};

INSTANTIATE_TEST_SUITE_P(over, each_socket, testing::Values(transport::tcp, transport::unix_socket),
                         [](const auto& over) {
                             return over.param == transport::tcp ? "tcp" : "unix";
                         });

// ---- connecting --------------------------------------------------------------------------------

TEST_P(each_socket, is_closed_at_first) {
    EXPECT_FALSE(s.is_open());
    EXPECT_EQ(s.poll_descriptor(), -1);
}

TEST_P(each_socket, connects) {
    EXPECT_FALSE(connect());
    EXPECT_TRUE(s.is_open());
}

TEST_P(each_socket, says_that_it_was_refused) {
    listener.close();
    if (GetParam() == transport::unix_socket) {
        std::filesystem::remove(place.where().path);
    }
    const std::error_code error = connect();
    EXPECT_TRUE(error == std::errc::connection_refused ||
                error == std::errc::no_such_file_or_directory)
        << error.message();
}

TEST_P(each_socket, is_not_inherited_by_other_programs) {
    EXPECT_FALSE(connect());
    EXPECT_NE(::fcntl(s.poll_descriptor(), F_GETFD) & FD_CLOEXEC, 0);
}

TEST_P(each_socket, never_waits_while_it_connects_and_may_wait_afterwards) {
    ASSERT_FALSE(s.connect(to(place), {}));
    EXPECT_NE(::fcntl(s.poll_descriptor(), F_GETFL) & O_NONBLOCK, 0);
    ASSERT_TRUE(s.wait_for(POLLOUT, steady_clock::now() + patience));
    ASSERT_FALSE(s.connected());
    EXPECT_EQ(::fcntl(s.poll_descriptor(), F_GETFL) & O_NONBLOCK, 0);
}

TEST_P(each_socket, leaves_no_descriptor_behind) {
    const std::size_t before = open_descriptors();
    for (int i = 0; i != 10; ++i) {
        EXPECT_FALSE(connect()); // closes the one before
    }
    listener.close();
    std::error_code ignored = s.connect(to(place), {});
    s.close();
    EXPECT_EQ(open_descriptors(), before - 1) << "one was the listener";
    ignored.clear();
}

TEST_P(each_socket, leaves_its_descriptor_to_whom_it_is_moved) {
    const file_descriptor peer = connected_pair();
    const int descriptor = s.poll_descriptor();
    socket other{std::move(s)};
    EXPECT_FALSE(s.is_open()); // NOLINT(bugprone-use-after-move)
    EXPECT_EQ(other.poll_descriptor(), descriptor);
    s = std::move(other);
    EXPECT_EQ(s.poll_descriptor(), descriptor);
    send_from(peer, "still there");
    EXPECT_EQ(receive(), "still there");
}

TEST_P(each_socket, ends_its_connection_with_itself) {
    const file_descriptor peer = connected_pair();
    s = socket{};
    char byte = 0;
    EXPECT_EQ(checked("recv", [&] { return ::recv(peer.get(), &byte, 1, 0); }), 0);
}

// ---- sending and receiving ---------------------------------------------------------------------

TEST_P(each_socket, sends_and_receives) {
    const file_descriptor peer = connected_pair();
    const transfer sent = s.send("question");
    EXPECT_TRUE(sent.done());
    EXPECT_EQ(sent.bytes, 8U);
    std::array<char, 100> buffer{};
    EXPECT_EQ(checked("recv", [&] { return ::recv(peer.get(), buffer.data(), 100, 0); }), 8);
    EXPECT_EQ(std::string_view(buffer.data(), 8), "question");
    send_from(peer, "answer");
    EXPECT_EQ(receive(), "answer");
}

TEST_P(each_socket, receives_no_more_than_there_is_room_for) {
    const file_descriptor peer = connected_pair();
    send_from(peer, "answer");
    EXPECT_EQ(receive(4), "answ");
    EXPECT_EQ(receive(4), "er");
}

TEST_P(each_socket, does_not_wait_for_what_is_not_there) {
    const file_descriptor peer = connected_pair();
    const transfer t = receive_into_nothing();
    EXPECT_EQ(t.result, transfer::outcome::again);
    EXPECT_EQ(t.bytes, 0U);
}

TEST_P(each_socket, waits_for_a_while_if_it_may) {
    const file_descriptor peer = connected_pair({.wait = 10ms});
    const transfer nothing = receive_into_nothing(true);
    EXPECT_EQ(nothing.result, transfer::outcome::again);
    std::thread later{[&] { send_from(peer, "answer"); }};
    transfer t;
    while (!t.done()) {
        t = receive_into_nothing(true);
        ASSERT_FALSE(t.closed());
    }
    EXPECT_EQ(t.bytes, 6U);
    later.join();
}

TEST_P(each_socket, sends_as_much_as_there_is_room_for) {
    const file_descriptor peer = connected_pair();
    const std::string bytes(100'000, 'v');
    std::size_t sent = 0;
    transfer t = s.send(bytes);
    while (t.done()) {
        sent += t.bytes;
        t = s.send(bytes);
    }
    EXPECT_EQ(t.result, transfer::outcome::again);
    EXPECT_EQ(t.bytes, 0U);
    EXPECT_FALSE(s.wait_for(POLLOUT, steady_clock::now() + 1ms));
    std::string received(sent, '\0');
    EXPECT_EQ(
        checked("recv", [&] { return ::recv(peer.get(), received.data(), sent, MSG_WAITALL); }),
        static_cast<::ssize_t>(sent));
    EXPECT_TRUE(s.wait_for(POLLOUT, steady_clock::now() + patience));
    EXPECT_TRUE(s.send("more").done());
}

// ---- ends --------------------------------------------------------------------------------------

TEST_P(each_socket, says_that_the_peer_has_closed) {
    file_descriptor peer = connected_pair();
    send_from(peer, "last words");
    peer.close();
    EXPECT_EQ(receive(), "last words");
    EXPECT_TRUE(receive_into_nothing().closed());
    EXPECT_TRUE(receive_into_nothing(true).closed());
}

TEST_P(each_socket, says_that_the_peer_has_reset_the_connection) {
    file_descriptor peer = connected_pair();
    weir::tests::close_with_reset(std::move(peer));
    EXPECT_TRUE(s.wait_for(POLLIN, steady_clock::now() + patience));
    EXPECT_TRUE(receive_into_nothing().closed());
}

std::atomic<int> broken_pipes{0};

TEST_P(each_socket, does_not_raise_a_signal_when_the_peer_has_closed) {
    struct ::sigaction before {};
    struct ::sigaction counting {};
    counting.sa_handler = [](int) { ++broken_pipes; };
    ASSERT_EQ(::sigaction(SIGPIPE, &counting, &before), 0);
    file_descriptor peer = connected_pair();
    weir::tests::close_with_reset(std::move(peer));
    EXPECT_TRUE(weir::tests::eventually([&] { return s.send("question").closed(); }));
    EXPECT_TRUE(s.send("question").closed());
    EXPECT_EQ(broken_pipes, 0);
    ASSERT_EQ(::sigaction(SIGPIPE, &before, nullptr), 0);
}

TEST_P(each_socket, a_closed_one_says_so) {
    EXPECT_TRUE(s.send("question").closed());
    EXPECT_TRUE(receive_into_nothing().closed());
    EXPECT_TRUE(receive_into_nothing(true).closed());
    EXPECT_TRUE(s.is_stale());
    EXPECT_TRUE(s.connected());
    s.close();
}

TEST_P(each_socket, is_not_stale_while_nothing_happens) {
    const file_descriptor peer = connected_pair();
    EXPECT_FALSE(s.is_stale());
    EXPECT_TRUE(s.send("question").done());
    EXPECT_FALSE(s.is_stale());
}

TEST_P(each_socket, is_stale_when_the_peer_has_closed_or_speaks_unasked) {
    file_descriptor peer = connected_pair();
    send_from(peer, "-ERR no\r\n");
    EXPECT_TRUE(s.wait_for(POLLIN, steady_clock::now() + patience));
    EXPECT_TRUE(s.is_stale());
    EXPECT_EQ(receive(), "-ERR no\r\n") << "it only looked";
    EXPECT_FALSE(s.is_stale());
    peer.close();
    EXPECT_TRUE(s.wait_for(POLLIN, steady_clock::now() + patience));
    EXPECT_TRUE(s.is_stale());
}

// ---- waiting -----------------------------------------------------------------------------------

TEST_P(each_socket, waits_for_one_event_or_the_other) {
    const file_descriptor peer = connected_pair();
    EXPECT_FALSE(s.wait_for(POLLIN, steady_clock::now() + 1ms));
    EXPECT_TRUE(s.wait_for(POLLOUT, steady_clock::now() + patience));
    EXPECT_TRUE(s.wait_for(POLLIN | POLLOUT, steady_clock::now() + patience));
    send_from(peer, "answer");
    EXPECT_TRUE(s.wait_for(POLLIN, steady_clock::now() + patience));
}

TEST_P(each_socket, does_not_wait_beyond_the_deadline) {
    const file_descriptor peer = connected_pair();
    EXPECT_FALSE(s.wait_for(POLLIN, steady_clock::now() - 1h));
    const auto deadline = steady_clock::now() + 20ms;
    EXPECT_FALSE(s.wait_for(POLLIN, deadline));
    EXPECT_GE(steady_clock::now(), deadline);
}

TEST_P(each_socket, stops_waiting_when_the_connection_ends) {
    file_descriptor peer = connected_pair();
    std::thread later{[&] { peer.close(); }};
    EXPECT_TRUE(s.wait_for(POLLIN, steady_clock::now() + patience));
    later.join();
}

/// Sends a signal, which is caught and does nothing, to a thread again and again.
class interruptions {
public:
    interruptions() {
        struct ::sigaction nothing {};
        nothing.sa_handler = [](int) {}; // and system calls are not restarted
        ::sigaction(SIGUSR1, &nothing, &before_);
        thread_ = std::thread{[this, victim = ::pthread_self()] {
            while (!ending_) {
                ::pthread_kill(victim, SIGUSR1);
                std::this_thread::yield();
            }
        }};
    }
    interruptions(const interruptions&) = delete;
    interruptions& operator=(const interruptions&) = delete;
    ~interruptions() {
        ending_ = true;
        thread_.join();
        ::sigaction(SIGUSR1, &before_, nullptr);
    }

private:
    std::atomic<bool> ending_{false};
    std::thread thread_;
    struct ::sigaction before_ {};
};

TEST_P(each_socket, a_signal_does_not_prolong_a_receive_that_waits) {
    const file_descriptor peer = connected_pair({.wait = 1h});
    const interruptions signals;
    EXPECT_EQ(receive_into_nothing(true).result, transfer::outcome::again);
}

TEST_P(each_socket, signals_do_not_disturb_what_does_not_wait) {
    const file_descriptor peer = connected_pair();
    const interruptions signals;
    for (int i = 0; i != 100; ++i) { // the peer does not read
        ASSERT_TRUE(s.send("q").done());
        ASSERT_EQ(receive_into_nothing().result, transfer::outcome::again);
        ASSERT_FALSE(s.is_stale());
    }
}

TEST_P(each_socket, signals_neither_prolong_nor_shorten_a_wait) {
    const file_descriptor peer = connected_pair();
    const interruptions signals;
    const auto deadline = steady_clock::now() + 20ms;
    EXPECT_FALSE(s.wait_for(POLLIN, deadline));
    EXPECT_GE(steady_clock::now(), deadline);
    EXPECT_LT(steady_clock::now(), deadline + patience);
}

// ---- of one kind -------------------------------------------------------------------------------

TEST(tcp_socket, sends_small_pieces_at_once_and_notices_a_dead_peer) {
    const listening_place place{transport::tcp};
    const file_descriptor listener = place.listen();
    socket s;
    ASSERT_FALSE(s.connect(to(place), {.unacknowledged = 1234ms}));
    EXPECT_NE(option_of(s, IPPROTO_TCP, TCP_NODELAY), 0);
    EXPECT_NE(option_of(s, SOL_SOCKET, SO_KEEPALIVE), 0);
    EXPECT_EQ(option_of(s, IPPROTO_TCP, TCP_USER_TIMEOUT), 1234);
}

TEST(unix_socket, has_a_path_to_the_longest_that_there_is) {
    const std::string path(endpoint::most_path, 'x');
    EXPECT_EQ(path.size(), 107U);
    const endpoint e = endpoint::unix_path(path);
    ::sockaddr_un address{};
    std::memcpy(&address, e.get(), sizeof address);
    EXPECT_EQ(address.sun_family, AF_UNIX);
    EXPECT_EQ(std::string_view{&address.sun_path[0]}, path);
    EXPECT_EQ(e.size, sizeof address);
}

TEST(unix_socket, counts_a_server_that_accepts_nobody_as_one_that_refuses) {
    const weir::tests::temporary_directory directory;
    const std::string path = (directory.path() / "socket").string();
    const endpoint where = endpoint::unix_path(path);
    const file_descriptor listener{
        checked("socket", [] { return ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0); })};
    ASSERT_EQ(::bind(listener.get(), where.get(), where.size), 0);
    ASSERT_EQ(::listen(listener.get(), 0), 0);
    std::vector<socket> waiting(10);
    std::error_code error;
    for (socket& s : waiting) {
        error = s.connect(where, {});
        if (error) {
            break;
        }
    }
    EXPECT_EQ(error, std::errc::resource_unavailable_try_again);
}

} // namespace
