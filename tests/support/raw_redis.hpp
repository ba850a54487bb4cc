#ifndef WEIR_TESTS_SUPPORT_RAW_REDIS_HPP
#define WEIR_TESTS_SUPPORT_RAW_REDIS_HPP

/// A small blocking Redis client for the tests' own questions to a server. It shares no code with
/// weir or hiredis, so that it can be the referee between weir and the server.
///
///     raw_redis referee{server.uri()};
///     referee.command("SET", "k", 42, "PX", 1500);
///     EXPECT_EQ(referee.command("GET", "k"), "42");
///     EXPECT_EQ(referee.command("INCRBY", "k", 8), 50);
///     EXPECT_TRUE(referee.command("GET", "other").is_nil());
///     EXPECT_EQ(referee.ask("LPUSH", "k", "v").error_code(), "WRONGTYPE");
///     EXPECT_EQ(referee.keys_without_ttl(), std::vector<std::string>{});
///     EXPECT_EQ(referee.commandstats().at("get").calls, 2);
///
///     referee.send("DEBUG", "SLEEP", 0.5);   // and does not wait for the reply
///     referee.receive();

#include "file_descriptor.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace weir::tests {

/// A reply of RESP2.
struct raw_reply {
    enum class type { nil, status, error, integer, string, array };

    type kind = type::nil;
    /// Of a status, an error or a string.
    std::string text{};
    std::int64_t integer = 0;
    /// Of an array.
    std::vector<raw_reply> elements{};

    [[nodiscard]] bool is_nil() const noexcept { return kind == type::nil; }
    [[nodiscard]] bool is_error() const noexcept { return kind == type::error; }
    /// The first word of an error, such as `WRONGTYPE`; empty for other replies.
    [[nodiscard]] std::string error_code() const;

    friend bool operator==(const raw_reply&, const raw_reply&) = default;
    /// A string or a status of this text.
    friend bool operator==(const raw_reply& reply, std::string_view expected) {
        return (reply.kind == type::string || reply.kind == type::status) && reply.text == expected;
    }
    friend bool operator==(const raw_reply& reply, const char* expected) {
        return reply == std::string_view{expected};
    }
    friend bool operator==(const raw_reply& reply, std::int64_t expected) {
        return reply.kind == type::integer && reply.integer == expected;
    }
    friend bool operator==(const raw_reply& reply, int expected) {
        return reply == std::int64_t{expected};
    }
    /// As redis-cli shows it, in one line.
    friend std::ostream& operator<<(std::ostream& out, const raw_reply& reply);
};

/// An error reply that nobody asked to see.
class error_reply : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// A command in RESP.
[[nodiscard]] std::string encode_command(const std::vector<std::string>& arguments);

/// For one thread at a time.
class raw_redis {
public:
    /// Connects, and authenticates and selects the database as the URI has it.
    explicit raw_redis(std::string_view uri);

    /// How long a call waits for the server from now on, at first a minute.
    void set_limit(std::chrono::milliseconds limit) { limit_ = limit; }

    /// The reply to a command of strings and numbers. Throws error_reply for an error, and
    /// std::runtime_error if no reply comes in time or at all.
    template<class... Arguments>
    raw_reply command(const Arguments&... arguments) {
        return command(words(arguments...));
    }
    raw_reply command(const std::vector<std::string>& arguments);

    /// The same, but an error is a reply like others.
    template<class... Arguments>
    raw_reply ask(const Arguments&... arguments) {
        send(arguments...);
        return receive();
    }

    template<class... Arguments>
    void send(const Arguments&... arguments) {
        send_bytes(encode_command(words(arguments...)));
    }
    void send_bytes(std::string_view bytes);
    raw_reply receive();
    /// Whether nothing comes for so long, neither a reply nor the end of the connection.
    [[nodiscard]] bool is_silent(std::chrono::milliseconds time) const;
    /// Waits until something comes. Whether that was the end of the connection.
    [[nodiscard]] bool wait_for_close();

    /// The lines `name:value` of INFO.
    [[nodiscard]] std::map<std::string, std::string> info(std::string_view section);
    [[nodiscard]] std::int64_t info_number(std::string_view section, const std::string& name);

    struct command_statistics {
        std::int64_t calls = 0;
        /// Processor time.
        std::chrono::microseconds time{0};
        std::int64_t rejected = 0;
        std::int64_t failed = 0;
    };

    /// What the server did since it started or since CONFIG RESETSTAT, by the names of commands in
    /// lower case (`config|get` for a part of one). Commands never called are missing.
    [[nodiscard]] std::map<std::string, command_statistics> commandstats();
    /// How often the command was called; 0 if it is missing.
    [[nodiscard]] std::int64_t calls(const std::string& command_name);

    /// The fields of CLIENT LIST, one map per connection.
    [[nodiscard]] std::vector<std::map<std::string, std::string>> clients();

    /// All keys of the database that match, sorted.
    [[nodiscard]] std::vector<std::string> keys(std::string_view pattern = "*");
    /// Those that would stay for ever.
    [[nodiscard]] std::vector<std::string> keys_without_ttl();

private:
    template<class... Arguments>
    [[nodiscard]] static std::vector<std::string> words(const Arguments&... arguments) {
        return {word(arguments)...};
    }
    template<class Argument>
    [[nodiscard]] static std::string word(const Argument& argument) {
        if constexpr (std::is_arithmetic_v<Argument>) {
            return std::to_string(argument);
        } else {
            return std::string{argument};
        }
    }

    using time_point = std::chrono::steady_clock::time_point;

    [[nodiscard]] bool is_ready_before(time_point deadline, short events) const;
    void wait(short events, time_point deadline) const;
    void receive_more(time_point deadline);
    [[nodiscard]] std::string take_line(time_point deadline);
    [[nodiscard]] raw_reply take_reply(time_point deadline);

    file_descriptor socket_;
    std::chrono::milliseconds limit_{std::chrono::minutes{1}};
    std::string received_;
};

} // namespace weir::tests

#endif
