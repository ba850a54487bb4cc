// Replies too many, too few, or of another kind: replies get out of step with what was asked.

#include "ledger.hpp"
#include "service.hpp"
#include "support/eventually.hpp"
#include "support/fault_proxy.hpp"
#include "support/raw_redis.hpp"
#include "support/redis_server.hpp"

#include <weir/error.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace weir::tests;
using weir::errc;

class shifted_replies : public testing::Test {
protected:
    [[nodiscard]] std::uint64_t lost() const { return s->backend.stats().connections_lost; }

    void begin(weir::redis_options options) {
        options.uri = proxy.uri();
        s.emplace(options);
        s->begin();
        for (int i = 0; i != 8; ++i) {
            s->pages.put(key(i), value(i));
        }
    }

    static std::string key(int i) { return "key " + std::to_string(i); }
    static std::string value(int i) { return "value " + std::to_string(i); }

    /// Every reader gets what belongs to his key, through the same connections at the same time.
    void expect_values_in_their_places() {
        std::vector<std::jthread> threads;
        for (int t = 0; t != 8; ++t) {
            threads.emplace_back([this, t] {
                for (int i = 0; i != 50; ++i) {
                    const auto found = s->pages.get(key(t));
                    ASSERT_TRUE(found) << found.error().message();
                    EXPECT_EQ(*found, value(t));
                }
            });
        }
    }

    redis_server server;
    fault_proxy proxy{server.uri()};
    raw_redis referee{server.uri()};
    std::optional<service> s;
};

TEST_F(shifted_replies, one_that_nobody_asked_for_costs_the_connection_and_no_call) {
    begin({.timeout = very_long, .connections = 1, .heartbeat = 20ms});
    ledger book;
    for (std::uint64_t round = 1; round != 5; ++round) {
        proxy.inject(round % 2 == 0 ? "+OK\r\n" : "$7\r\nvalue 9\r\n");
        ASSERT_TRUE(eventually([&] { return lost() == round; }));
        const auto found = s->pages.get(key(0));
        ASSERT_TRUE(found) << found.error().message();
        EXPECT_EQ(*found, value(0));
        EXPECT_TRUE(book.take(*s));
    }
    book.settle(referee);
    s->calls.expect_in_time();
}

TEST_F(shifted_replies, one_that_comes_twice_to_a_lonely_caller_costs_the_connection_and_no_call) {
    begin({.timeout = very_long, .connections = 1, .heartbeat = 1h});
    for (std::uint64_t round = 1; round != 5; ++round) {
        proxy.alter_next_reply([](const std::string& reply) { return reply + reply; });
        for (int i = 0; i != 8; ++i) {
            const auto found = s->calls([&] { return s->pages.get(key(i)); });
            ASSERT_TRUE(found) << found.error().message();
            EXPECT_EQ(*found, value(i));
        }
        EXPECT_TRUE(eventually([&] { return lost() == round; }));
    }
    s->calls.expect_in_time();
}

/// A value in place of another cannot be told from the right one: that is what heartbeats are for.
TEST_F(shifted_replies, end_the_connection_with_the_next_heartbeat) {
    begin({.timeout = 5s, .connections = 1, .heartbeat = 20ms});
    for (const bool twice : {true, false}) {
        const std::uint64_t before = lost();
        std::vector<std::jthread> threads;
        for (int t = 0; t != 8; ++t) {
            threads.emplace_back([this, t](const std::stop_token& stop) {
                while (!stop.stop_requested()) {
                    static_cast<void>(s->pages.get(key(t)));
                }
            });
        }
        proxy.alter_next_reply(
            [twice](const std::string& reply) { return twice ? reply + reply : std::string{}; });
        EXPECT_TRUE(eventually([&] { return lost() > before; }));
        threads.clear();
        ASSERT_TRUE(eventually([&] { return s->works(); }));
        expect_values_in_their_places();
    }
}

TEST_F(shifted_replies, one_that_is_missing_costs_its_caller_the_deadline_and_then_the_connection) {
    begin({.timeout = 500ms, .connections = 1, .heartbeat = 50ms});
    proxy.alter_next_reply([](const std::string&) { return std::string{}; });
    // It may have been that to a heartbeat.
    const auto found = s->calls([&] { return s->pages.get(key(0)); });
    EXPECT_TRUE(found ? *found == value(0) : found.error() == errc::timeout);
    EXPECT_TRUE(eventually([&] { return lost() == 1; }));
    ASSERT_TRUE(eventually([&] { return s->works(); }));
    expect_values_in_their_places();
    s->calls.expect_in_time();
}

TEST_F(shifted_replies, of_another_kind_than_the_command_has_are_an_error_and_no_value) {
    begin({.timeout = very_long, .connections = 1, .heartbeat = 1h});
    const service in_peace{{.uri = server.uri(), .timeout = very_long}};
    ledger book;
    const std::string client = book.known_client(in_peace);
    const std::error_code protocol_error = make_error_code(errc::protocol_error);
    for (const std::string other : {":1\r\n", "+OK\r\n", "*0\r\n", "*-1\r\n", "*1\r\n$-1\r\n"}) {
        const auto alter = [&other](const std::string&) { return other; };
        if (other != "*-1\r\n") { // the same as a value that is not there
            proxy.alter_next_reply(alter);
            EXPECT_EQ(s->calls([&] { return s->pages.get(key(0)); }).error(), protocol_error);
            proxy.alter_next_reply(alter);
            EXPECT_EQ(s->calls([&] { return s->denying.peek("k"); }).error(), protocol_error);
        }
        proxy.alter_next_reply([](std::string reply) { return reply; }); // that to SET
        proxy.alter_next_reply(alter);
        EXPECT_EQ(book.take(*s, client).error(), protocol_error) << other;
        std::error_code ec;
        proxy.alter_next_reply(alter);
        static_cast<void>(s->pages.add("absent", "v", ec));
        EXPECT_EQ(ec, other == ":1\r\n" ? std::error_code{} : protocol_error) << other;
        EXPECT_TRUE(book.take(*s, client));
    }
    book.settle(referee);
    s->calls.expect_in_time();
}

} // namespace
