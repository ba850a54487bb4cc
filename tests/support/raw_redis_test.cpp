// The referee itself: what it says about a server is what the server said.

#include "raw_redis.hpp"

#include "redis_server.hpp"
#include "scripted_server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using namespace weir::tests;
using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::ThrowsMessage;

class raw_redis_test : public testing::Test {
protected:
    database empty_ = fresh_database();
    raw_redis redis_{empty_.uri()};
};

TEST_F(raw_redis_test, replies_of_every_kind_are_told_apart) {
    EXPECT_EQ(redis_.command("SET", "k", 42), "OK");
    EXPECT_EQ(redis_.command("GET", "k"), "42");
    EXPECT_EQ(redis_.command("INCRBY", "k", -50), -8);
    EXPECT_TRUE(redis_.command("GET", "other").is_nil());
    EXPECT_FALSE(redis_.command("GET", "other") == "");
    EXPECT_FALSE(redis_.command("GET", "k") == -8) << "a string is no integer";
    const raw_reply both = redis_.command("MGET", "k", "other");
    ASSERT_EQ(both.elements.size(), 2U);
    EXPECT_EQ(both.elements[0], "-8");
    EXPECT_TRUE(both.elements[1].is_nil());
}

TEST_F(raw_redis_test, values_are_any_bytes) {
    const std::string bytes{"\0\r\n$5\r\n\xff", 8};
    redis_.command("SET", bytes, bytes);
    EXPECT_EQ(redis_.command("GET", bytes).text, bytes);
}

TEST_F(raw_redis_test, a_value_of_a_megabyte_arrives_whole) {
    const std::string large(1'000'000, 'x');
    redis_.command("SET", "k", large);
    EXPECT_EQ(redis_.command("GET", "k").text, large);
}

TEST_F(raw_redis_test, an_error_is_an_exception_unless_it_was_asked_for) {
    redis_.command("SET", "k", "v");
    EXPECT_THAT([&] { redis_.command("LPUSH", "k", "v"); },
                ThrowsMessage<error_reply>(HasSubstr("LPUSH: WRONGTYPE ")));
    EXPECT_EQ(redis_.ask("LPUSH", "k", "v").error_code(), "WRONGTYPE");
    EXPECT_EQ(redis_.command("GET", "k"), "v") << "the connection is as good as before";
}

TEST_F(raw_redis_test, commands_can_be_sent_before_the_replies_are_awaited) {
    redis_.send("SET", "k", 1);
    redis_.send("INCR", "k");
    EXPECT_EQ(redis_.receive(), "OK");
    EXPECT_EQ(redis_.receive(), 2);
}

TEST_F(raw_redis_test, it_speaks_over_a_unix_socket_to_the_same_database) {
    redis_.command("SET", "k", "v");
    EXPECT_EQ(raw_redis{empty_.unix_uri()}.command("GET", "k"), "v");
}

TEST_F(raw_redis_test, keys_without_ttl_are_those_that_would_stay_for_ever) {
    redis_.command("SET", "with", 1, "PX", 100'000);
    redis_.command("SET", "without", 1);
    redis_.command("RPUSH", "a list", 1);
    EXPECT_THAT(redis_.keys_without_ttl(), ElementsAre("a list", "without"));
    EXPECT_THAT(redis_.keys(), ElementsAre("a list", "with", "without"));
    EXPECT_THAT(redis_.keys("with*"), ElementsAre("with", "without"));
}

TEST_F(raw_redis_test, all_keys_of_a_large_database_are_found) {
    constexpr int count = 5000;
    std::string commands;
    for (int i = 0; i < count; ++i) {
        commands += encode_command({"SET", std::to_string(i), "v", "EX", "1000"});
    }
    redis_.send_bytes(commands);
    for (int i = 0; i < count; ++i) {
        ASSERT_EQ(redis_.receive(), "OK");
    }
    EXPECT_EQ(redis_.keys().size(), std::size_t{count});
    EXPECT_THAT(redis_.keys_without_ttl(), IsEmpty());
}

TEST_F(raw_redis_test, clients_are_told_with_their_names) {
    redis_.command("CLIENT", "SETNAME", "the-referee");
    const auto clients = redis_.clients();
    EXPECT_TRUE(std::any_of(clients.begin(), clients.end(), [&](const auto& client) {
        return client.at("name") == "the-referee" &&
               client.at("db") == std::to_string(empty_.number());
    }));
}

TEST(raw_redis_on_its_own_server, commandstats_count_calls_of_each_command) {
    const redis_server server;
    raw_redis redis{server.uri()};
    redis.command("CONFIG", "RESETSTAT");
    redis.command("SET", "k", 1);
    redis.command("GET", "k");
    redis.command("GET", "k");
    redis.ask("GET");
    redis.ask("LPUSH", "k", 1);
    const auto statistics = redis.commandstats();
    EXPECT_EQ(statistics.at("set").calls, 1);
    EXPECT_EQ(statistics.at("get").calls, 2);
    EXPECT_EQ(statistics.at("get").rejected, 1);
    EXPECT_EQ(statistics.at("lpush").failed, 1);
    EXPECT_EQ(redis.calls("get"), 2);
    EXPECT_EQ(redis.calls("del"), 0);
}

TEST(raw_redis_on_its_own_server, a_password_in_the_uri_is_used) {
    const redis_server server{{"--requirepass", "secret"}};
    EXPECT_EQ(raw_redis{server.uri()}.ask("GET", "k").error_code(), "NOAUTH");
    redis_uri uri = redis_uri::parse(server.uri());
    uri.password = "secret";
    EXPECT_EQ(raw_redis{uri.text()}.command("PING"), "PONG");
    uri.user = "default";
    EXPECT_EQ(raw_redis{uri.text()}.command("PING"), "PONG");
}

TEST(raw_redis_on_its_own_server, no_reply_is_an_exception_after_the_limit) {
    const redis_server server;
    raw_redis redis{server.uri()};
    server.pause();
    redis.set_limit(50ms);
    redis.send("PING");
    EXPECT_THAT([&] { redis.receive(); },
                ThrowsMessage<std::runtime_error>(HasSubstr("did not answer in 50 ms")));
}

TEST(raw_redis_on_its_own_server, silence_is_told_from_replies_and_from_the_end) {
    redis_server server;
    raw_redis redis{server.uri()};
    EXPECT_TRUE(redis.is_silent(0ms));
    redis.send_bytes("PING\r\nPING\r\n");
    EXPECT_EQ(redis.receive(), "PONG");
    EXPECT_FALSE(redis.is_silent(1min)) << "the second may be here already";
    EXPECT_EQ(redis.receive(), "PONG");
    EXPECT_TRUE(redis.is_silent(1ms));
    server.kill();
    EXPECT_FALSE(redis.is_silent(1min));
}

TEST(raw_redis_on_a_script, the_end_of_the_connection_is_an_exception) {
    const scripted_server server{script{play::expect_command(), play::send("$5\r\nab")}};
    raw_redis redis{server.uri()};
    EXPECT_THAT([&] { redis.command("GET", "k"); },
                ThrowsMessage<std::runtime_error>(HasSubstr("closed the connection")));
    EXPECT_TRUE(redis.wait_for_close());
}

TEST(raw_redis_on_a_script, what_is_no_reply_is_an_exception) {
    for (const char* bytes : {"HTTP/1.1 400 Bad Request\r\n", "\r\n", ":one\r\n", "$x\r\n"}) {
        const scripted_server server{
            script{play::expect_command(), play::send(bytes), play::wait_for_close()}};
        EXPECT_THROW(raw_redis{server.uri()}.command("GET", "k"), std::runtime_error) << bytes;
    }
}

TEST(raw_reply, it_is_printed_in_one_line) {
    using type = raw_reply::type;
    const raw_reply reply{
        .kind = type::array,
        .elements = {{.kind = type::string, .text = "a"},
                     {.kind = type::integer, .integer = 7},
                     {},
                     {.kind = type::array, .elements = {{.kind = type::error, .text = "ERR"}}}}};
    std::ostringstream out;
    out << reply;
    EXPECT_EQ(out.str(), R"(["a", (integer) 7, (nil), [(error) ERR]])");
}

} // namespace
