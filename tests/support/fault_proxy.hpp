#ifndef WEIR_TESTS_SUPPORT_FAULT_PROXY_HPP
#define WEIR_TESTS_SUPPORT_FAULT_PROXY_HPP

/// A proxy between a Redis client and its server whose behaviour the test changes while both run.
///
///     fault_proxy proxy{server.uri()};
///     weir::redis_backend backend{proxy.uri()};
///
///     proxy.delay(750us);                            // a network with this round trip
///     proxy.stall(traffic::replies);                 // commands arrive, replies do not
///     proxy.pass();                                  // as at the beginning; late replies go on
///     proxy.cut_after(traffic::replies, 3, ending::reset);    // in the middle of a reply
///     proxy.cut_after(traffic::requests, 0, ending::reset);   // nothing of a command arrives
///     proxy.alter_next_reply([](std::string reply) { return reply + reply; });   // sent twice
///     proxy.refuse_connections();
///     proxy.drop_connections(ending::finish);
///     EXPECT_TRUE(eventually([&] { return proxy.connections() == 2; }));
///
/// It runs in one thread of the test's process. What a process forked from the test's inherits
/// keeps connections open: fork before there is a proxy, or use exec.

#include "sockets.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace weir::tests {

enum class traffic { requests, replies, both };

/// May be used from many threads at once. What a call changes holds for all connections, open and
/// new, from its return on; changes add up until pass().
class fault_proxy {
public:
    /// Takes the whole bytes of a reply and returns what the client gets instead: nothing,
    /// something else, more. Runs in the proxy's thread: must not throw and must not call the
    /// proxy.
    using alteration = std::function<std::string(std::string reply)>;

    /// Listens at a place of its own `over` and connects to the server once for each connection
    /// that it accepts.
    explicit fault_proxy(std::string_view server_uri, transport over = transport::tcp);
    fault_proxy(const fault_proxy&) = delete;
    fault_proxy& operator=(const fault_proxy&) = delete;
    /// Drops all connections.
    ~fault_proxy();

    /// The server's URI, with the proxy's place in it.
    [[nodiscard]] std::string uri() const;

    /// Forwards everything at once, as at the beginning. What was held back goes on.
    void pass();

    /// Forwards what comes after this time, half of it on either way, and never before. The proxy's
    /// own work comes on top, some 0.1 ms a round trip.
    void delay(std::chrono::nanoseconds round_trip);
    void delay(traffic of, std::chrono::nanoseconds by);

    /// Reads and forwards nothing, not even the end of a connection; at most 64 MiB on each way.
    void stall(traffic of = traffic::both);

    /// Does not even read: the sender's and the kernel's buffers fill up.
    void black_hole(traffic of = traffic::both);

    /// Forwards so many bytes on each connection, and the next after `interval`.
    void trickle(traffic of, std::size_t bytes, std::chrono::nanoseconds interval);

    /// Forwards so many bytes more, on all connections together; then cuts the connection that has
    /// one more to forward, on which this is over. Replies that wait behind requests that were cut
    /// off are lost, too. Not for both ways at once: std::invalid_argument.
    void cut_after(traffic of, std::uint64_t bytes, ending how);

    /// Alters all replies that begin from now on. A reply is forwarded when all of it has come.
    void alter_replies(alteration alter);
    /// Alters the next reply that begins, on whatever connection. May be called several times, for
    /// as many replies; these come before what alter_replies does.
    void alter_next_reply(alteration alter);

    /// Sends these bytes to all clients, between two replies.
    void inject(std::string bytes);

    /// Closes the listening socket, until pass().
    void refuse_connections();
    /// Accepts and closes, until pass().
    void close_new_connections(ending how);
    /// Ends all connections that are open, to the client and to the server, once.
    void drop_connections(ending how);

    /// Since the beginning. A connection counts when it was accepted, a byte when it was forwarded,
    /// a cut is one by cut_after().
    [[nodiscard]] std::uint64_t connections() const noexcept;
    [[nodiscard]] std::uint64_t bytes(traffic of) const noexcept;
    [[nodiscard]] std::uint64_t cuts() const noexcept;
    /// Now.
    [[nodiscard]] std::uint64_t open_connections() const noexcept;

private:
    class relay;

    redis_uri uri_;
    std::unique_ptr<relay> relay_;
};

} // namespace weir::tests

#endif
