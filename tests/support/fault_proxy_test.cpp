// What the proxy is told to do to a connection, it does, and nothing else.

#include "fault_proxy.hpp"

#include "eventually.hpp"
#include "raw_redis.hpp"
#include "received_bytes.hpp"
#include "redis_server.hpp"
#include "scripted_server.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

namespace {

using namespace weir::tests;
using namespace std::chrono_literals;

/// How long a client looks whether anything comes that must not.
constexpr auto a_little_while = 50ms;

std::chrono::nanoseconds time_of(const auto& call) {
    const auto start = std::chrono::steady_clock::now();
    call();
    return std::chrono::steady_clock::now() - start;
}

class fault_proxy_test : public testing::Test {
protected:
    database empty_ = fresh_database();
    fault_proxy proxy_{empty_.uri()};
    raw_redis referee_{empty_.uri()};
};

// --- As at the beginning ---------------------------------------------------------------------

class fault_proxy_over : public testing::TestWithParam<transport> {
protected:
    database empty_ = fresh_database();
    fault_proxy proxy_{GetParam() == transport::tcp ? empty_.unix_uri() : empty_.uri(), GetParam()};
};

TEST_P(fault_proxy_over, commands_reach_the_database_of_the_uri_and_replies_come_back) {
    raw_redis client{proxy_.uri()};
    client.command("SET", "k", "v");
    EXPECT_EQ(client.command("GET", "k"), "v");
    EXPECT_EQ(raw_redis{empty_.uri()}.command("GET", "k"), "v");
}

TEST_P(fault_proxy_over, megabytes_go_either_way_unchanged) {
    raw_redis client{proxy_.uri()};
    std::string large;
    for (int i = 0; large.size() < 5'000'000; ++i) {
        large += std::to_string(i) + '\n';
    }
    client.command("SET", "k", large);
    EXPECT_EQ(client.command("GET", "k").text, large);
}

TEST_P(fault_proxy_over, the_end_of_either_side_is_told_to_the_other) {
    {
        const raw_redis client{proxy_.uri()};
        ASSERT_TRUE(eventually([&] { return proxy_.open_connections() == 1; }));
    }
    EXPECT_TRUE(eventually([&] { return proxy_.open_connections() == 0; }));

    raw_redis client{proxy_.uri()};
    client.send("QUIT");
    EXPECT_EQ(client.receive(), "OK");
    EXPECT_TRUE(client.wait_for_close());
}

TEST_P(fault_proxy_over, connections_are_refused_until_it_passes_again) {
    raw_redis open{proxy_.uri()};
    open.command("PING");
    proxy_.refuse_connections();
    EXPECT_THROW(raw_redis{proxy_.uri()}, std::system_error);
    EXPECT_EQ(open.command("PING"), "PONG") << "open ones go on";
    proxy_.pass();
    EXPECT_EQ(raw_redis{proxy_.uri()}.command("PING"), "PONG");
}

INSTANTIATE_TEST_SUITE_P(either, fault_proxy_over,
                         testing::Values(transport::tcp, transport::unix_socket),
                         [](const auto& each) {
                             return each.param == transport::tcp ? "tcp" : "a_unix_socket";
                         });

TEST_F(fault_proxy_test, connections_and_bytes_are_counted) {
    raw_redis first{redis_uri{.where = redis_uri::parse(proxy_.uri()).where}.text()};
    raw_redis second{redis_uri{.where = redis_uri::parse(proxy_.uri()).where}.text()};
    first.send_bytes("PING\r\n");
    EXPECT_EQ(first.receive(), "PONG");
    second.send_bytes("ECHO abc\r\n");
    EXPECT_EQ(second.receive(), "abc");
    EXPECT_EQ(proxy_.connections(), 2U);
    EXPECT_TRUE(eventually([&] { return proxy_.bytes(traffic::requests) == 16; }));
    EXPECT_TRUE(eventually([&] { return proxy_.bytes(traffic::replies) == 16; }));
    EXPECT_EQ(proxy_.bytes(traffic::both), 32U);
    EXPECT_EQ(proxy_.cuts(), 0U);
}

TEST_F(fault_proxy_test, it_can_go_while_connections_are_open_and_bytes_are_held) {
    raw_redis client{proxy_.uri()};
    {
        fault_proxy other{empty_.uri()};
        raw_redis{other.uri()}.command("PING");
        client = raw_redis{other.uri()};
        other.stall();
        client.send("PING");
    }
    EXPECT_TRUE(client.wait_for_close());
}

// --- Slow: time is the subject ---------------------------------------------------------------

TEST_F(fault_proxy_test, a_round_trip_takes_the_delay_at_least) {
    raw_redis client{proxy_.uri()};
    proxy_.delay(20ms);
    EXPECT_GE(time_of([&] { client.command("PING"); }), 20ms);
    proxy_.pass();
    proxy_.delay(traffic::requests, 30ms);
    EXPECT_GE(time_of([&] { client.command("PING"); }), 30ms);
    proxy_.pass();
    proxy_.delay(traffic::replies, 30ms);
    EXPECT_GE(time_of([&] { client.command("PING"); }), 30ms);
}

TEST_F(fault_proxy_test, commands_sent_one_after_the_other_are_delayed_together) {
    constexpr int commands = 100;
    raw_redis client{proxy_.uri()};
    proxy_.delay(200ms);
    const auto time = time_of([&] {
        for (int i = 0; i < commands; ++i) {
            client.send("ECHO", i);
        }
        for (int i = 0; i < commands; ++i) {
            ASSERT_EQ(client.receive(), std::to_string(i));
        }
    });
    EXPECT_GE(time, 200ms);
    EXPECT_LT(time, commands * 200ms / 2) << "on the slowest of machines";
}

TEST_F(fault_proxy_test, what_is_under_way_keeps_its_order_when_the_delay_ends) {
    raw_redis client{proxy_.uri()};
    proxy_.delay(traffic::replies, 30ms);
    client.send("ECHO", "slow");
    ASSERT_TRUE(eventually([&] { return proxy_.bytes(traffic::requests) > 0; }));
    proxy_.pass();
    client.send("ECHO", "fast");
    EXPECT_EQ(client.receive(), "slow");
    EXPECT_EQ(client.receive(), "fast");
}

TEST_F(fault_proxy_test, a_trickle_gives_so_many_bytes_at_a_time) {
    raw_redis client{proxy_.uri()};
    proxy_.trickle(traffic::replies, 2, 5ms);
    // 7 bytes: at once, and after 5, 10 and 15 ms
    EXPECT_GE(time_of([&] { EXPECT_EQ(client.command("PING"), "PONG"); }), 15ms);
    EXPECT_THROW(proxy_.trickle(traffic::replies, 0, 5ms), std::invalid_argument);
}

// --- Silent ----------------------------------------------------------------------------------

TEST_F(fault_proxy_test, stalled_replies_come_late_and_the_command_was_carried_out) {
    raw_redis client{proxy_.uri()};
    client.command("PING");
    proxy_.stall(traffic::replies);
    client.send("SET", "k", "v");
    EXPECT_TRUE(eventually([&] { return referee_.command("GET", "k") == "v"; }));
    EXPECT_TRUE(client.is_silent(a_little_while));
    proxy_.pass();
    EXPECT_EQ(client.receive(), "OK");
}

TEST_F(fault_proxy_test, stalled_requests_are_carried_out_late) {
    raw_redis client{proxy_.uri()};
    client.command("PING");
    proxy_.stall(traffic::requests);
    client.send("SET", "k", "v");
    EXPECT_TRUE(client.is_silent(a_little_while));
    EXPECT_TRUE(referee_.command("GET", "k").is_nil());
    proxy_.pass();
    EXPECT_EQ(client.receive(), "OK");
}

TEST_F(fault_proxy_test, a_new_connection_is_accepted_by_a_stalled_proxy) {
    proxy_.stall();
    raw_redis client{redis_uri{.where = redis_uri::parse(proxy_.uri()).where}.text()};
    client.send("PING");
    EXPECT_TRUE(client.is_silent(a_little_while));
    proxy_.pass();
    EXPECT_EQ(client.receive(), "PONG");
}

TEST(fault_proxy_before_its_own_server, a_stall_hides_that_the_server_is_gone) {
    redis_server server;
    fault_proxy proxy{server.uri()};
    raw_redis client{proxy.uri()};
    client.command("PING");
    proxy.stall();
    server.kill();
    EXPECT_TRUE(client.is_silent(a_little_while));
    proxy.pass();
    EXPECT_TRUE(client.wait_for_close());
}

TEST_F(fault_proxy_test, a_stall_takes_what_a_black_hole_leaves_to_the_sender) {
    const std::string more_than_the_kernel_takes(std::size_t{32} * 1024 * 1024, 'x');
    {
        raw_redis client{proxy_.uri()};
        proxy_.stall();
        client.send_bytes(more_than_the_kernel_takes);
    }
    proxy_.pass();
    raw_redis client{proxy_.uri()};
    proxy_.black_hole(traffic::requests);
    client.set_limit(a_little_while);
    EXPECT_THROW(client.send_bytes(more_than_the_kernel_takes), std::runtime_error);
}

TEST_F(fault_proxy_test, what_a_black_hole_left_arrives_when_it_passes_again) {
    raw_redis client{proxy_.uri()};
    client.command("PING");
    proxy_.black_hole();
    client.send("ECHO", "a");
    EXPECT_TRUE(client.is_silent(a_little_while));
    proxy_.pass();
    EXPECT_EQ(client.receive(), "a");
}

// --- Broken ----------------------------------------------------------------------------------

class cut_test : public testing::TestWithParam<ending> {
protected:
    database empty_ = fresh_database();
    fault_proxy proxy_{empty_.uri()};
    raw_redis referee_{empty_.uri()};
    endpoint place_ = redis_uri::parse(proxy_.uri()).where;
};

TEST_P(cut_test, exactly_so_many_bytes_of_replies_arrive_before_the_end) {
    const std::string reply = "$5\r\nvalue\r\n";
    for (std::size_t count = 0; count < reply.size(); ++count) {
        const file_descriptor client = connect_to(place_);
        proxy_.cut_after(traffic::replies, count, GetParam());
        send_all(client, "ECHO value\r\n");
        const received_bytes received = receive_until_end(client);
        EXPECT_EQ(received.bytes, reply.substr(0, count));
        EXPECT_EQ(received.end, GetParam());
    }
    EXPECT_EQ(proxy_.cuts(), reply.size());
}

TEST_P(cut_test, a_command_that_was_cut_off_is_not_carried_out) {
    const std::string command = encode_command({"INCR", "k"});
    for (std::size_t count = 0; count < command.size(); ++count) {
        const file_descriptor client = connect_to(place_);
        proxy_.cut_after(traffic::requests, count, GetParam());
        send_all(client, command);
        EXPECT_EQ(receive_until_end(client).bytes, "");
    }
    EXPECT_TRUE(referee_.command("GET", "k").is_nil());
}

TEST_P(cut_test, a_command_whose_reply_was_cut_off_is_carried_out) {
    raw_redis client{proxy_.uri()};
    proxy_.cut_after(traffic::replies, 0, GetParam());
    client.send("SET", "k", "v");
    EXPECT_TRUE(client.wait_for_close());
    EXPECT_EQ(referee_.command("GET", "k"), "v");
}

TEST_P(cut_test, only_one_connection_is_cut) {
    raw_redis first{proxy_.uri()};
    raw_redis second{proxy_.uri()};
    first.command("PING");
    second.command("PING");
    proxy_.cut_after(traffic::replies, 0, GetParam());
    first.send("PING");
    EXPECT_TRUE(first.wait_for_close());
    EXPECT_EQ(second.command("PING"), "PONG");
    EXPECT_EQ(raw_redis{proxy_.uri()}.command("PING"), "PONG");
}

TEST_P(cut_test, dropped_connections_end_as_they_were_told_and_new_ones_pass) {
    const file_descriptor client = connect_to(place_);
    ASSERT_TRUE(eventually([&] { return proxy_.open_connections() == 1; }));
    proxy_.drop_connections(GetParam());
    EXPECT_EQ(receive_until_end(client).end, GetParam());
    EXPECT_EQ(raw_redis{proxy_.uri()}.command("PING"), "PONG");
}

TEST_P(cut_test, new_connections_can_end_at_once) {
    raw_redis open{proxy_.uri()};
    open.command("PING");
    proxy_.close_new_connections(GetParam());
    EXPECT_EQ(receive_until_end(connect_to(place_)).end, GetParam());
    EXPECT_EQ(open.command("PING"), "PONG");
    proxy_.pass();
    EXPECT_EQ(raw_redis{proxy_.uri()}.command("PING"), "PONG");
}

INSTANTIATE_TEST_SUITE_P(with, cut_test, testing::Values(ending::finish, ending::reset),
                         [](const auto& each) {
                             return each.param == ending::finish ? "an_end" : "a_reset";
                         });

TEST_F(fault_proxy_test, an_end_is_not_followed_by_a_reset_though_bytes_were_not_read) {
    const file_descriptor client = connect_to(redis_uri::parse(proxy_.uri()).where);
    ASSERT_TRUE(eventually([&] { return proxy_.open_connections() == 1; }));
    proxy_.black_hole();
    send_all(client, "PING\r\n");
    proxy_.drop_connections(ending::finish);
    EXPECT_EQ(receive_until_end(client).end, ending::finish);
    EXPECT_NO_THROW(send_all(client, "PING\r\n"));
}

TEST_F(fault_proxy_test, bytes_of_both_ways_cannot_be_counted_to_a_cut) {
    EXPECT_THROW(proxy_.cut_after(traffic::both, 1, ending::reset), std::invalid_argument);
}

TEST(fault_proxy_before_its_own_server, a_connection_ends_when_the_server_refuses_it) {
    redis_server server;
    fault_proxy proxy{server.uri()};
    server.kill();
    const endpoint place = redis_uri::parse(proxy.uri()).where;
    EXPECT_EQ(receive_until_end(connect_to(place)).bytes, "");
    server.restart();
    EXPECT_EQ(raw_redis{proxy.uri()}.command("PING"), "PONG");
}

// --- Wrong -----------------------------------------------------------------------------------

TEST_F(fault_proxy_test, replies_are_altered_until_it_passes_again) {
    raw_redis client{proxy_.uri()};
    proxy_.alter_replies([](std::string reply) {
        reply.at(1) = 'Q';
        return reply;
    });
    EXPECT_EQ(client.command("PING"), "QONG");
    EXPECT_EQ(client.command("PING"), "QONG");
    proxy_.pass();
    EXPECT_EQ(client.command("PING"), "PONG");
}

TEST_F(fault_proxy_test, a_reply_is_altered_whole_however_it_comes) {
    raw_redis client{proxy_.uri()};
    const std::string large(1'000'000, 'x');
    client.command("SET", "k", large);
    proxy_.alter_replies(
        [](const std::string& reply) { return "+" + std::to_string(reply.size()) + "\r\n"; });
    EXPECT_EQ(client.command("GET", "k"), "1000012");
    client.send_bytes("PING\r\nMGET k k\r\nPING\r\n");
    EXPECT_EQ(client.receive(), "7");
    EXPECT_EQ(client.receive(), "2000028");
    EXPECT_EQ(client.receive(), "7");
}

TEST_F(fault_proxy_test, the_next_replies_are_doubled_dropped_and_left_alone_in_turn) {
    raw_redis client{proxy_.uri()};
    client.command("PING");
    proxy_.alter_next_reply([](const std::string& reply) { return reply + reply; });
    proxy_.alter_next_reply([](const std::string&) { return std::string{}; });
    for (const char* word : {"a", "b", "c"}) {
        client.send("ECHO", word);
    }
    EXPECT_EQ(client.receive(), "a");
    EXPECT_EQ(client.receive(), "a");
    EXPECT_EQ(client.receive(), "c");
}

TEST_F(fault_proxy_test, an_extra_reply_reaches_clients_that_asked_nothing) {
    raw_redis first{proxy_.uri()};
    raw_redis second{proxy_.uri()};
    first.command("PING");
    second.command("PING");
    proxy_.inject("-ERR max number of clients reached\r\n");
    EXPECT_EQ(first.receive().error_code(), "ERR");
    EXPECT_EQ(second.receive().error_code(), "ERR");
    EXPECT_EQ(second.command("PING"), "PONG");
}

TEST(fault_proxy_before_a_script, an_extra_reply_waits_for_the_end_of_the_one_that_is_half_sent) {
    const scripted_server server{script{play::send("$5\r\nab"), play::expect_bytes(1),
                                        play::send("cde\r\n"), play::wait_for_close()}};
    fault_proxy proxy{server.uri()};
    raw_redis client{proxy.uri()};
    ASSERT_TRUE(eventually([&] { return proxy.bytes(traffic::replies) == 6; }));
    proxy.inject("+extra\r\n");
    client.send_bytes("x");
    EXPECT_EQ(client.receive(), "abcde");
    EXPECT_EQ(client.receive(), "extra");
}

TEST(fault_proxy_before_a_script, a_reply_that_is_half_sent_is_not_altered) {
    const scripted_server server{script{play::send("$5\r\nab"), play::expect_bytes(1),
                                        play::send("cde\r\n+OK\r\n"), play::wait_for_close()}};
    fault_proxy proxy{server.uri()};
    raw_redis client{proxy.uri()};
    ASSERT_TRUE(eventually([&] { return proxy.bytes(traffic::replies) == 6; }));
    proxy.alter_replies([](const std::string&) { return std::string{"+altered\r\n"}; });
    client.send_bytes("x");
    EXPECT_EQ(client.receive(), "abcde");
    EXPECT_EQ(client.receive(), "altered");
}

TEST(fault_proxy_before_a_script, the_part_of_a_reply_that_was_to_be_altered_is_not_lost) {
    const scripted_server server{script{play::expect_bytes(1), play::send("$5\r\nab"),
                                        play::expect_bytes(1), play::send("cde\r\n")}};
    fault_proxy proxy{server.uri()};
    raw_redis client{proxy.uri()};
    proxy.alter_replies([](const std::string&) { return std::string{"+altered\r\n"}; });
    client.send_bytes("x");
    EXPECT_TRUE(client.is_silent(a_little_while)) << "it is not whole";
    proxy.pass();
    client.send_bytes("x");
    EXPECT_EQ(client.receive(), "abcde");
}

TEST(fault_proxy_before_a_script, bytes_that_are_no_replies_pass) {
    const scripted_server server{script{play::send("HTTP/1.1 400 Bad Request\r\n\r\n"),
                                        play::finish(), play::wait_for_close()}};
    const fault_proxy proxy{server.uri()};
    const file_descriptor client = connect_to(redis_uri::parse(proxy.uri()).where);
    EXPECT_EQ(receive_until_end(client).bytes, "HTTP/1.1 400 Bad Request\r\n\r\n");
}

// --- All at once -------------------------------------------------------------------------------

TEST_F(fault_proxy_test, every_reply_reaches_its_client_in_order_while_the_behaviour_changes) {
    constexpr int clients = 8;
    constexpr int rounds = 40;
    constexpr int pipelined = 10;
    std::atomic<int> wrong{0};
    std::atomic<int> running{clients};
    std::vector<std::thread> threads;
    for (int number = 0; number < clients; ++number) {
        threads.emplace_back([&, number] {
            raw_redis client{proxy_.uri()};
            for (int round = 0; round < rounds; ++round) {
                const std::string word = std::to_string(number) + "-" + std::to_string(round) + "-";
                for (int i = 0; i < pipelined; ++i) {
                    client.send("ECHO", word + std::to_string(i));
                }
                for (int i = 0; i < pipelined; ++i) {
                    wrong += client.receive() == word + std::to_string(i) ? 0 : 1;
                }
            }
            --running;
        });
    }
    for (int change = 0; running > 0; ++change) {
        switch (change % 6) {
        case 0:
            proxy_.delay(2ms);
            break;
        case 1:
            proxy_.trickle(traffic::both, 100, 1ms);
            break;
        case 2:
            proxy_.stall(change % 4 == 0 ? traffic::replies : traffic::requests);
            break;
        case 3:
            proxy_.black_hole();
            break;
        case 4:
            proxy_.alter_replies([](std::string reply) { return reply; });
            break;
        default:
            break;
        }
        const std::uint64_t before = proxy_.bytes(traffic::both);
        static_cast<void>(
            eventually([&] { return running == 0 || proxy_.bytes(traffic::both) > before; }, 3ms));
        proxy_.pass();
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    EXPECT_EQ(wrong, 0);
}

} // namespace
