#ifndef WEIR_REDIS_OPTIONS_HPP
#define WEIR_REDIS_OPTIONS_HPP

/// What a `redis_backend` can be told, and what it tells about itself.

#include <weir/handler.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

namespace weir {

/// What AUTH takes.
struct redis_credentials {
    /// Empty: the default user.
    std::string user{};
    std::string password{};
};

/// What a `redis_backend` can be told.
struct redis_options {
    /// `redis://[user:password@]host[:port][/db]`, or `unix://[user:password@]/path[?db=n]`; see
    /// <weir/redis/uri.hpp> for the particulars.
    std::string uri = "redis://127.0.0.1:6379/0";

    /// How long one call may take, everything included: waiting for a connection, sending, the
    /// reply. 1 ms to 1 minute. Asynchronous calls may end up to 25 ms later.
    std::chrono::nanoseconds timeout = std::chrono::milliseconds{250};

    /// How long an attempt to connect to one address may take, the handshake included; and how long
    /// calls wait for addresses or credentials before they fail at once. 1 ms to 1 minute.
    std::chrono::nanoseconds connect_timeout = std::chrono::seconds{1};

    /// Most connections to the server, 1 to 16. One is made at once, others when several threads ask
    /// at one time. More than a few cost the server more than they bring.
    std::size_t connections = 4;

    /// Stands before the name of every key: 0 to 64 bytes of printable ASCII without space, `%` and
    /// braces. Whatever shares limits and caches must have the same one.
    std::string prefix = "weir:";

    /// What CLIENT LIST shows; empty: nothing. At most 64 bytes of printable ASCII without spaces.
    std::string client_name = "weir";

    /// Asked for user and password before each attempt to connect, in place of those in `uri`, on a
    /// thread of its own, so it may take its time: for credentials that change. What it throws counts
    /// as a failed attempt.
    std::function<redis_credentials()> credentials{};

    /// Where handlers of asynchronous operations run, such as
    /// `[&](weir::handler<> task) { asio::post(pool, std::move(task)); }`. It must not throw, must run
    /// each task, and must work as long as the backend and any limiter or cache on it. A decision
    /// that needs no server (a remembered denial, invalid arguments) calls its handler at once, on the
    /// thread that asks: hold no lock there that the handler takes.
    ///
    /// Empty: on a thread that the backend keeps for them, one after the other, where they may make
    /// waiting calls. It blocks the signals that are sent to the process (SIGTERM, SIGCHLD...), and a
    /// program that a handler starts inherits that; not SIGPROF, nor those of faults (SIGSEGV,
    /// SIGABRT...).
    ///
    /// `weir::run_inline`: on the thread that reads the replies of all callers, where a handler must
    /// be short and must not wait; a waiting call of this backend is errc::would_deadlock there, for
    /// a limiter a failure like any other.
    weir::executor executor{};

    /// The largest value that is stored, encoded, in bytes: 1 to 512 MiB, and not more than
    /// max_reply_bytes. A larger one is errc::value_too_large.
    std::size_t max_value_bytes = std::size_t{16} << 20;

    /// The largest reply that is taken to one command, in bytes: 1 KiB to 1 GiB. A larger one costs
    /// the connection and is errc::reply_too_large.
    std::size_t max_reply_bytes = std::size_t{64} << 20;

    /// How many operations may wait to be sent, 1 to 1,000,000. More are errc::overloaded.
    std::size_t max_queued = 16'384;

    /// How often each connection is asked whether it still works and what time it is, 10 ms to 1
    /// hour. After so long, too, a connection to a server that has become a replica is made anew.
    std::chrono::nanoseconds heartbeat = std::chrono::seconds{1};
};

/// What a `redis_backend` counts about itself, since it was made in this process.
struct redis_stats {
    /// Calls that their callers sent and received themselves.
    std::uint64_t own_calls = 0;
    /// Calls that went through the thread that serves all.
    std::uint64_t shared_calls = 0;
    /// Calls that got no reply in time.
    std::uint64_t timeouts = 0;
    /// Open now.
    std::size_t connections = 0;
    /// Connections made, and lost again.
    std::uint64_t connections_made = 0;
    std::uint64_t connections_lost = 0;
    /// System calls on sockets and for events; sleeping callers have theirs beside.
    std::uint64_t system_calls = 0;
    /// By how much the server's clock may be off here, as it was when it was sampled; negative while
    /// it was not, and this host's clock is used.
    std::chrono::nanoseconds clock_error{-1};
    /// What the server or the system said when something failed the last time.
    std::string last_error;
};

} // namespace weir

#endif
