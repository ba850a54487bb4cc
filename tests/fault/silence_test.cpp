// Servers that are there and do not answer: stopped, paused, behind a link that is stalled or slow.

#include "busy_service.hpp"
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
#include <ostream>
#include <string>

namespace {

using namespace std::chrono_literals;
using namespace weir::tests;
using ::testing::AnyOf;
using ::testing::IsEmpty;
using weir::errc;

/// What a call may say whose reply does not come in time; when that has lasted for a second, which a
/// slow machine needs for a few calls, that the server is gone.
auto too_late() {
    return AnyOf(make_error_code(errc::timeout), make_error_code(errc::not_sent), unavailable);
}

TEST(stopped_server, costs_the_deadline_at_first_and_nothing_later) {
    const redis_server server;
    const service s{{.uri = server.uri(), .timeout = 100ms, .connect_timeout = 200ms}};
    s.begin();
    ledger book;
    server.pause();
    {
        const busy_service busy{s, book, 4};
        ASSERT_TRUE(eventually([&] { return s.denying.peek("k").error() == unavailable; }));
    }
    const std::uint64_t timeouts = s.backend.stats().timeouts;
    EXPECT_GT(timeouts, 0U);
    expect_failure(s, unavailable, true);
    EXPECT_EQ(s.backend.stats().timeouts, timeouts);
    server.resume();
    s.expect_return();
    raw_redis referee{server.uri()};
    book.settle(referee);
    EXPECT_THAT(referee.keys_without_ttl(), IsEmpty());
    s.calls.expect_in_time();
}

TEST(server_that_stops_again_and_again, keeps_no_call_beyond_its_deadline_and_mixes_up_no_values) {
    const redis_server server;
    const service s{{.uri = server.uri(), .timeout = 50ms}};
    s.begin();
    ledger book;
    {
        const busy_service busy{s, book, 64};
        for (int round = 0; round != 6; ++round) {
            const std::uint64_t hits = busy.hits();
            ASSERT_TRUE(eventually([&] { return busy.hits() > hits + 100; }));
            const std::uint64_t timeouts = s.backend.stats().timeouts;
            server.pause();
            EXPECT_TRUE(eventually([&] { return s.backend.stats().timeouts >= timeouts + 64; }));
            server.resume();
        }
    }
    s.expect_return();
    raw_redis referee{server.uri()};
    const ledger::totals all = book.settle(referee);
    EXPECT_GT(all.applied, 0U);
    EXPECT_GT(all.perhaps, 0U);
    EXPECT_THAT(referee.keys_without_ttl(), IsEmpty());
    s.calls.expect_in_time();
}

/// A way not to let traffic pass.
struct obstacle {
    std::string name;
    void (*begin)(fault_proxy& proxy);

    friend void PrintTo(const obstacle& o, std::ostream* out) { *out << o.name; }
};

class obstructed_link : public testing::TestWithParam<obstacle> {};

INSTANTIATE_TEST_SUITE_P(
    that, obstructed_link,
    testing::Values(obstacle{"takes_requests_and_gives_no_replies",
                             [](fault_proxy& p) { p.stall(traffic::replies); }},
                    obstacle{"takes_nothing", [](fault_proxy& p) { p.black_hole(); }},
                    obstacle{"gives_replies_byte_by_byte",
                             [](fault_proxy& p) { p.trickle(traffic::replies, 1, 80ms); }},
                    obstacle{"takes_requests_byte_by_byte",
                             [](fault_proxy& p) { p.trickle(traffic::requests, 1, 20ms); }},
                    obstacle{"is_slower_than_the_deadline",
                             [](fault_proxy& p) { p.delay(400ms); }}),
    [](const auto& p) { return p.param.name; });

TEST_P(obstructed_link, costs_the_deadline_and_late_replies_reach_nobody) {
    const redis_server server;
    fault_proxy proxy{server.uri()};
    const service s{{.uri = proxy.uri(), .timeout = 100ms}};
    s.begin();
    ledger book;
    GetParam().begin(proxy);
    EXPECT_EQ(book.take(s).error(), errc::timeout);
    for (int i = 0; i != 3; ++i) {
        EXPECT_THAT(book.take(s).error(), too_late());
        EXPECT_THAT(s.calls([&] { return s.pages.get(stored_key); }).error(), too_late());
    }
    std::error_code ec; // more than buffers on the way can hold
    s.calls([&] { s.pages.put("large", std::string(15'000'000, 'v'), ec); });
    EXPECT_THAT(ec, too_late());
    proxy.pass();
    s.expect_return();
    raw_redis referee{server.uri()};
    // When only connections are left that are in use, what was on its way elsewhere has come.
    ASSERT_TRUE(eventually([&] {
        const weir::redis_stats now = s.backend.stats();
        const std::uint64_t used = now.connections_made - now.connections_lost;
        return proxy.open_connections() == used && referee.clients().size() == used + 1;
    }));
    book.settle(referee);
    s.calls.expect_in_time();
}

TEST(paused_server, that_comes_back_soon_costs_no_connection) {
    const redis_server server;
    raw_redis admin{server.uri()};
    const service s{{.uri = server.uri(), .timeout = 200ms, .connections = 1}};
    s.begin();
    admin.command("CLIENT", "PAUSE", 500, "ALL");
    ledger book;
    EXPECT_EQ(book.take(s).error(), errc::timeout);
    EXPECT_THAT(s.calls([&] { return s.pages.get(stored_key); }).error(), too_late());
    ASSERT_TRUE(eventually([&] { return s.works(); }));
    EXPECT_EQ(s.backend.stats().connections_lost, 0U);
    EXPECT_EQ(s.backend.stats().connections_made, 1U);
    EXPECT_EQ(book.settle(admin).counted_all_the_same, 1U);
    s.calls.expect_in_time();
}

TEST(server_that_takes_no_writes, answers_reads_on_the_connections_that_are_left) {
    const redis_server server;
    raw_redis admin{server.uri()};
    const service s{{.uri = server.uri(), .timeout = 200ms}};
    s.begin();
    admin.command("CLIENT", "PAUSE", 100'000, "WRITE");
    ledger book;
    // A connection with a write on it is of no use any more. Another is made for who asks next.
    EXPECT_EQ(book.take(s).error(), errc::timeout);
    ASSERT_TRUE(eventually([&] { return static_cast<bool>(s.pages.get(stored_key)); }));
    for (int i = 0; i != 200; ++i) {
        const auto found = s.calls([&] { return s.pages.get(stored_key); });
        EXPECT_TRUE(found) << found.error().message();
    }
    EXPECT_EQ(s.denying.peek("k").decided_by, weir::decider::backend);
    admin.command("CLIENT", "UNPAUSE");
    s.expect_return();
    EXPECT_LE(book.settle(admin).counted_all_the_same, 1U);
    s.calls.expect_in_time();
}

} // namespace
