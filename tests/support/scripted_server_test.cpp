// Scripts are played as written, and what goes otherwise is told.

#include "scripted_server.hpp"

#include "eventually.hpp"
#include "raw_redis.hpp"
#include "received_bytes.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

namespace {

using namespace weir::tests;
using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;

/// Once all scripts that began are at their end.
std::vector<std::string> failures_of(const scripted_server& server) {
    EXPECT_TRUE(eventually([&] { return server.finished() == server.connections(); }));
    return server.failures();
}

TEST(scripted_server, a_script_is_played_step_by_step) {
    const scripted_server server{script{play::expect_command({"GET", "k"}), play::send("$3\r\na"),
                                        play::send("bc\r\n"), play::expect_command(),
                                        play::send("+OK\r\n")}};
    raw_redis client{server.uri()};
    EXPECT_EQ(client.command("GET", "k"), "abc");
    EXPECT_EQ(client.command("SET", "k", ""), "OK");
    EXPECT_TRUE(client.wait_for_close());
    EXPECT_THAT(failures_of(server), IsEmpty());
    EXPECT_THAT(server.commands(),
                ElementsAre(ElementsAre("GET", "k"), ElementsAre("SET", "k", "")));
}

TEST(scripted_server, it_listens_on_a_unix_socket_too) {
    const scripted_server server{script{play::send("+hello\r\n")}, transport::unix_socket};
    EXPECT_EQ(raw_redis{server.uri()}.receive(), "hello");
}

TEST(scripted_server, commands_are_answered_until_the_client_closes) {
    const scripted_server server{script{play::answer([](const command_words& command) {
        return std::string{":"} + std::to_string(command.size()) + "\r\n";
    })}};
    {
        raw_redis client{server.uri()};
        EXPECT_EQ(client.command("A"), 1);
        EXPECT_EQ(client.command("A", "B", "C"), 3);
    }
    EXPECT_THAT(failures_of(server), IsEmpty());
}

TEST(scripted_server, so_many_commands_are_answered_and_then_the_script_goes_on) {
    const scripted_server server{
        script{play::answer(2, [](const command_words&) { return "+OK\r\n"; }),
               play::expect_command(), play::send("-ERR enough\r\n")}};
    raw_redis client{server.uri()};
    EXPECT_EQ(client.command("A"), "OK");
    EXPECT_EQ(client.command("B"), "OK");
    EXPECT_TRUE(client.ask("C").is_error());
}

TEST(scripted_server, each_client_has_its_script_and_the_last_is_for_all_others) {
    const scripted_server server{
        std::vector{script{play::send("+first\r\n")}, script{play::send("+other\r\n")}}};
    EXPECT_EQ(raw_redis{server.uri()}.receive(), "first");
    EXPECT_EQ(raw_redis{server.uri()}.receive(), "other");
    EXPECT_EQ(raw_redis{server.uri()}.receive(), "other");
    EXPECT_EQ(server.connections(), 3U);
}

TEST(scripted_server, another_command_than_expected_is_a_failure_and_the_end) {
    const scripted_server server{script{play::expect_command({"GET", "k"}), play::send("+no\r\n")}};
    raw_redis client{server.uri()};
    client.send("PING");
    EXPECT_TRUE(client.wait_for_close());
    EXPECT_THAT(failures_of(server), ElementsAre("connection 1: expected GET k, got PING"));
}

TEST(scripted_server, a_client_that_closes_too_early_is_a_failure) {
    const scripted_server server{
        std::vector{script{play::expect_bytes(3)}, script{play::expect_command()}}};
    {
        raw_redis first{server.uri()};
        first.send_bytes("ab");
    }
    ASSERT_TRUE(eventually([&] { return server.finished() == 1; }));
    { const raw_redis second{server.uri()}; }
    ASSERT_TRUE(eventually([&] { return server.finished() == 2; }));
    EXPECT_THAT(server.failures(), ElementsAre("connection 1: expected 3 bytes, got 2 and the end",
                                               "connection 2: expected a command, got the end"));
}

TEST(scripted_server, bytes_that_are_no_command_are_a_failure) {
    const scripted_server server{script{play::expect_command()}};
    raw_redis client{server.uri()};
    client.send_bytes("PING\r\n");
    EXPECT_TRUE(client.wait_for_close());
    EXPECT_EQ(failures_of(server).size(), 1U);
}

TEST(scripted_server, a_connection_is_finished_or_reset_as_the_script_has_it) {
    const scripted_server server{std::vector{
        script{play::expect_bytes(1), play::send("a"), play::finish(), play::wait_for_close()},
        script{play::expect_bytes(1), play::send("b"), play::reset()}}};
    const file_descriptor first = connect_to(server.where());
    send_all(first, "1234");
    const received_bytes finished = receive_until_end(first);
    EXPECT_EQ(finished.bytes, "a");
    EXPECT_EQ(finished.end, ending::finish);

    const file_descriptor second = connect_to(server.where());
    send_all(second, "1");
    const received_bytes reset = receive_until_end(second);
    EXPECT_EQ(reset.bytes, "b");
    EXPECT_EQ(reset.end, ending::reset);
}

// Time is the subject.
TEST(scripted_server, a_step_can_wait) {
    const scripted_server server{
        script{play::expect_command(), play::wait(20ms), play::send("+late\r\n")}};
    raw_redis client{server.uri()};
    const auto start = std::chrono::steady_clock::now();
    EXPECT_EQ(client.command("PING"), "late");
    EXPECT_GE(std::chrono::steady_clock::now() - start, 20ms);
}

TEST(scripted_server, it_ends_while_scripts_wait_for_hours_or_for_clients) {
    const auto start = std::chrono::steady_clock::now();
    {
        const scripted_server server{
            std::vector{script{play::wait(24h)}, script{play::expect_bytes(1)},
                        script{play::send(std::string(std::size_t{32} * 1024 * 1024, 'x'))}}};
        const file_descriptor first = connect_to(server.where());
        const file_descriptor second = connect_to(server.where());
        const file_descriptor third = connect_to(server.where());
        ASSERT_TRUE(eventually([&] { return server.connections() == 3; }));
    }
    EXPECT_LT(std::chrono::steady_clock::now() - start, 1h);
}

} // namespace
