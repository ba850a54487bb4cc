// Connections that end: at any byte of a request or its reply, while nobody uses them, or before they
// are of use.

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
#include <string>
#include <utility>

namespace {

using namespace std::chrono_literals;
using namespace weir::tests;
using weir::errc;

class each_ending : public testing::TestWithParam<std::pair<traffic, ending>> {
protected:
    [[nodiscard]] weir::redis_options options() const {
        return {.uri = proxy.uri(), .timeout = very_long, .connections = 1, .heartbeat = 1h};
    }

    redis_server server;
    fault_proxy proxy{server.uri()};
    raw_redis referee{server.uri()};
};

INSTANTIATE_TEST_SUITE_P(of, each_ending,
                         testing::Values(std::pair{traffic::requests, ending::finish},
                                         std::pair{traffic::requests, ending::reset},
                                         std::pair{traffic::replies, ending::finish},
                                         std::pair{traffic::replies, ending::reset}),
                         [](const auto& p) {
                             return std::string{p.param.first == traffic::requests ? "requests"
                                                                                   : "replies"} +
                                    (p.param.second == ending::finish ? "_with_an_end"
                                                                      : "_with_a_reset");
                         });

TEST_P(each_ending, at_any_byte_of_a_take_is_told_and_nothing_is_counted_twice) {
    const auto [way, how] = GetParam();
    const service in_peace{{.uri = server.uri(), .timeout = very_long}};
    ledger book;
    std::uint64_t bytes = 0;
    for (bool uncut = false; !uncut; ++bytes) {
        const service s{options()};
        ASSERT_TRUE(s.backend.wait_until_connected(patience));
        const std::string client = book.known_client(in_peace);
        proxy.cut_after(way, bytes, how);
        const weir::decision d = book.take(s, client);
        uncut = proxy.cuts() == bytes;
        EXPECT_EQ(d.error(), uncut ? std::error_code{} : make_error_code(errc::connection_lost));
        proxy.pass();
        EXPECT_TRUE(book.take(s, client)); // on another connection
        s.calls.expect_in_time();
    }
    EXPECT_GT(bytes, 20U);
    const ledger::totals all = book.settle(referee);
    EXPECT_EQ(all.perhaps, bytes - 1);
    EXPECT_EQ(all.counted_all_the_same, way == traffic::requests ? 0U : bytes - 1);
}

TEST_P(each_ending, at_any_byte_of_a_read_is_no_error) {
    const auto [way, how] = GetParam();
    const service in_peace{{.uri = server.uri(), .timeout = very_long}};
    in_peace.begin();
    in_peace.lasting.put(stored_key, stored_value);
    for (const bool lasting : {false, true}) {
        const std::uint64_t cuts = proxy.cuts();
        std::uint64_t bytes = 0;
        for (bool uncut = false; !uncut; ++bytes) {
            const service s{options()};
            ASSERT_TRUE(s.backend.wait_until_connected(patience));
            proxy.cut_after(way, bytes, how);
            const auto found = s.calls(
                [&] { return lasting ? s.lasting.get(stored_key) : s.pages.get(stored_key); });
            uncut = proxy.cuts() == cuts + bytes;
            ASSERT_TRUE(found) << found.error().message();
            EXPECT_EQ(*found, stored_value);
            s.calls.expect_in_time();
            proxy.pass();
        }
        EXPECT_GT(bytes, 20U);
    }
}

TEST(new_connection, does_not_wait_for_the_next_look_at_the_time) {
    const redis_server server;
    EXPECT_TRUE(eventually([&] {
        const auto begin = std::chrono::steady_clock::now();
        const weir::redis_backend backend{server.uri()};
        EXPECT_TRUE(backend.wait_until_connected(patience));
        return std::chrono::steady_clock::now() - begin < 8ms; // looks are 10 ms apart
    }));
}

TEST(idle_connection, that_the_server_closes_fails_no_call) {
    const redis_server server{{"--timeout", "1"}};
    const service s{{.uri = server.uri(), .timeout = very_long, .connections = 1, .heartbeat = 1h}};
    s.begin();
    ledger book;
    ASSERT_TRUE(eventually([&] { return s.backend.stats().connections_lost >= 1; }));
    const weir::decision d = book.take(s);
    EXPECT_TRUE(d) << d.error().message();
    EXPECT_TRUE(s.pages.get(stored_key));
    s.calls.expect_in_time();
}

TEST(idle_connection, that_the_server_has_closed_a_moment_ago_fails_no_call) {
    const redis_server server;
    raw_redis admin{server.uri()};
    ledger book;
    for (int round = 0; round != 25; ++round) {
        const service s{{.uri = server.uri(), .timeout = very_long, .heartbeat = 1h}};
        ASSERT_TRUE(s.backend.wait_until_connected(patience));
        EXPECT_TRUE(book.take(s));
        // That is what idle means here.
        const auto rested = std::chrono::steady_clock::now() + 20ms;
        ASSERT_TRUE(eventually([&] { return std::chrono::steady_clock::now() > rested; }));
        admin.command("CLIENT", "KILL", "TYPE", "normal");
        EXPECT_TRUE(book.take(s));
        s.calls.expect_in_time();
    }
    book.settle(admin);
}

} // namespace
