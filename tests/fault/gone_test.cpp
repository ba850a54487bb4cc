// Servers that are killed, restarted, or not there at all; connections that end at any moment.

#include "ledger.hpp"
#include "service.hpp"
#include "support/eventually.hpp"
#include "support/fault_proxy.hpp"
#include "support/raw_redis.hpp"
#include "support/redis_server.hpp"

#include <weir/error.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace weir::tests;
using ::testing::HasSubstr;
using weir::cache_status;
using weir::decision;
using weir::errc;

const std::error_code connection_lost = make_error_code(errc::connection_lost);

/// Many calls, none of which waits for its deadline.
void expect_calls_to_fail_at_once(const service& s) {
    const auto begin = std::chrono::steady_clock::now();
    for (int i = 0; i != 1000; ++i) {
        const decision d = s.calls([&] { return s.denying.allow("k"); });
        ASSERT_EQ(d.error(), unavailable) << d;
        const auto found = s.calls([&] { return s.pages.get(stored_key); });
        ASSERT_EQ(found.error(), unavailable);
    }
    EXPECT_LT(std::chrono::steady_clock::now() - begin, very_long);
}

TEST(server_that_was_killed, ends_what_is_on_its_way_at_once) {
    redis_server server{{"--appendonly", "yes", "--appendfsync", "always"}};
    fault_proxy proxy{server.uri()};
    const service in_peace{{.uri = server.uri(), .timeout = very_long}};
    const service s{{.uri = proxy.uri(), .timeout = very_long, .connections = 1, .heartbeat = 1h}};
    s.begin();
    ledger book;
    const std::string client = book.known_client(in_peace);
    const auto sent = [&] { return proxy.bytes(traffic::requests); };
    const std::uint64_t before = sent();
    EXPECT_TRUE(book.take(s, client));
    const std::uint64_t size = sent() - before;
    server.pause(); // everything arrives, and nothing is answered
    const std::uint64_t quiet = sent();
    for (int i = 0; i != 8; ++i) {
        book.take_later(s, client);
    }
    ASSERT_TRUE(eventually([&] { return sent() == quiet + 8 * size; }));
    std::vector<std::jthread> threads;
    for (int i = 0; i != 8; ++i) {
        threads.emplace_back([&] { EXPECT_EQ(book.take(s, client).error(), connection_lost); });
    }
    const std::uint64_t all = quiet + 16 * size;
    ASSERT_TRUE(eventually([&] { return sent() == all; }));
    threads.emplace_back([&] { // it may be asked again, and there is nobody to be asked
        EXPECT_EQ(s.calls([&] { return s.pages.get(stored_key); }).error(), unavailable);
    });
    ASSERT_TRUE(eventually([&] { return sent() > all; }));
    const auto begin = std::chrono::steady_clock::now();
    server.kill();
    threads.clear();
    ASSERT_TRUE(eventually([&] { return book.open() == 0; }));
    EXPECT_LT(std::chrono::steady_clock::now() - begin, very_long / 2);
    s.calls.expect_in_time();
    server.restart();
    raw_redis referee{server.uri()};
    EXPECT_EQ(book.settle(referee).perhaps, 16U);
}

TEST(server_that_is_restarted, is_used_again) {
    redis_server server;
    const service s{{.uri = server.uri(), .timeout = very_long}};
    s.begin();
    for (int round = 0; round != 5; ++round) {
        server.kill();
        ASSERT_TRUE(eventually([&] { return s.pages.get("k").error() == unavailable; }));
        expect_calls_to_fail_at_once(s);
        server.restart();
        s.expect_return();
        // It knows nothing any more, neither values nor scripts.
        EXPECT_EQ(s.pages.get(stored_key).status(), cache_status::miss);
        EXPECT_TRUE(s.denying.allow("k"));
        s.denying.give_back("k");
        EXPECT_EQ(s.denying.peek("k").remaining, usual_quota.limit);
        EXPECT_TRUE(s.pages.add("added", "value"));
    }
    s.calls.expect_in_time();
}

TEST(server_that_is_not_there, makes_calls_fail_at_once_until_it_comes) {
    redis_server server;
    server.kill();
    const service s{{.uri = server.uri(), .timeout = very_long}};
    EXPECT_FALSE(s.backend.wait_until_connected(1ms));
    expect_failure(s, unavailable, true);
    expect_calls_to_fail_at_once(s);
    EXPECT_THAT(s.backend.stats().last_error, HasSubstr("Connection refused"));
    server.restart();
    EXPECT_TRUE(s.backend.wait_until_connected(patience));
    s.expect_return();
    s.calls.expect_in_time();
}

} // namespace
