#ifndef WEIR_TESTS_SUPPORT_SCRIPTED_SERVER_HPP
#define WEIR_TESTS_SUPPORT_SCRIPTED_SERVER_HPP

/// A server that plays a script to each client, for replies that no real server would send.
///
///     scripted_server server{script{
///         play::expect_command({"PING"}),
///         play::send("+PO"), play::wait(20ms), play::send("NG\r\n"),
///         play::expect_command(), play::send("*2147483647\r\n"), play::wait_for_close()}};
///     weir::redis_backend backend{server.uri()};
///     ...
///     EXPECT_THAT(server.failures(), IsEmpty());
///
/// Or with an answer to whatever the client asks, such as its handshake:
///
///     scripted_server server{script{play::answer([](const command_words& command) {
///         return command[0] == "GET" ? "$2\r\nab\r\n" : "+OK\r\n";
///     })}};

#include "sockets.hpp"

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace weir::tests {

using command_words = std::vector<std::string>;

namespace play {

/// The server's end of one connection. What cannot be done ends the script, and is a failure of it.
class connection;

using step = std::function<void(connection&)>;

/// Reads exactly so many bytes.
[[nodiscard]] step expect_bytes(std::size_t count);
/// Reads a command.
[[nodiscard]] step expect_command();
/// Reads a command, which must be this one.
[[nodiscard]] step expect_command(command_words words);
/// Reads commands and sends what `reply` returns to each, until the client closes.
[[nodiscard]] step answer(std::function<std::string(const command_words&)> reply);
/// The same for so many commands.
[[nodiscard]] step answer(std::size_t commands,
                          std::function<std::string(const command_words&)> reply);
[[nodiscard]] step send(std::string bytes);
/// Does nothing for a while.
[[nodiscard]] step wait(std::chrono::nanoseconds time);
/// Reads and forgets what comes, until the client closes.
[[nodiscard]] step wait_for_close();
/// Sends no more; what follows may still read.
[[nodiscard]] step finish();
/// Closes with a reset. Nothing may follow.
[[nodiscard]] step reset();

} // namespace play

/// What a connection does; it is closed after the last step. (The kernel makes that a reset if
/// bytes came that no step read: finish() and wait_for_close() avoid it.)
using script = std::vector<play::step>;

class scripted_server {
public:
    /// Plays this to every client.
    explicit scripted_server(script each, transport over = transport::tcp);
    /// Plays the first to the first client, and so on, and the last to all that follow.
    explicit scripted_server(std::vector<script> in_turn, transport over = transport::tcp);
    scripted_server(const scripted_server&) = delete;
    scripted_server& operator=(const scripted_server&) = delete;
    /// Closes all connections, whatever their scripts were about to do.
    ~scripted_server();

    [[nodiscard]] std::string uri() const;
    [[nodiscard]] const endpoint& where() const noexcept;

    [[nodiscard]] std::size_t connections() const;
    /// Scripts that have come to their end, well or not.
    [[nodiscard]] std::size_t finished() const;
    /// All commands that were read, in the order in which they came.
    [[nodiscard]] std::vector<command_words> commands() const;
    /// What went otherwise than a script has it, a sentence each.
    [[nodiscard]] std::vector<std::string> failures() const;

private:
    class stage;

    std::unique_ptr<stage> stage_;
};

} // namespace weir::tests

#endif
