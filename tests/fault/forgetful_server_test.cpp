// Servers that forget: their scripts, or keys.

#include "ledger.hpp"
#include "service.hpp"
#include "support/eventually.hpp"
#include "support/raw_redis.hpp"
#include "support/redis_server.hpp"

#include <weir/error.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace weir::tests;
using ::testing::IsEmpty;
using weir::decider;
using weir::errc;

TEST(forgotten_scripts, cost_no_error_and_are_carried_out_once) {
    const redis_server server;
    raw_redis admin{server.uri()};
    const service s{{.uri = server.uri(), .timeout = very_long}};
    s.begin();
    constexpr int threads = 8;
    constexpr int rounds = 50;
    for (int t = 0; t != threads; ++t) {
        ASSERT_TRUE(s.denying.allow("client " + std::to_string(t), rounds));
    }
    {
        std::vector<std::jthread> all;
        for (int t = 0; t != threads; ++t) {
            all.emplace_back([&s, me = std::to_string(t)] {
                for (int i = 0; i != rounds; ++i) {
                    const std::string key = me + " in round " + std::to_string(i);
                    EXPECT_TRUE(s.pages.add(key, "first"));
                    EXPECT_FALSE(s.pages.add(key, "second"));
                    EXPECT_EQ(*s.pages.get(key), "first");
                    s.denying.give_back("client " + me);
                }
            });
        }
        all.emplace_back([&] {
            for (int i = 0; i != rounds; ++i) {
                admin.command("SCRIPT", "FLUSH");
            }
        });
    }
    for (int t = 0; t != threads; ++t) {
        EXPECT_EQ(s.denying.peek("client " + std::to_string(t)).remaining, usual_quota.limit);
    }
    EXPECT_EQ(s.backend.stats().connections_lost, 0U);
}

/// Counts may be lost, and with them what was used. Nothing else may go wrong.
TEST(server_that_evicts_at_random, breaks_nothing_and_keeps_no_key_for_ever) {
    const redis_server server{{"--maxmemory-policy", "allkeys-random"}};
    raw_redis admin{server.uri()};
    const service s{{.uri = server.uri(), .timeout = very_long}};
    s.begin();
    const auto used = std::stoll(admin.info("memory").at("used_memory"));
    admin.command("CONFIG", "SET", "maxmemory", used + (1 << 20));
    std::vector<std::jthread> all;
    for (int t = 0; t != 4; ++t) {
        all.emplace_back([&s, me = std::to_string(t)] {
            for (int i = 0; i != 1500; ++i) {
                const weir::decision d = s.denying.allow(me + std::to_string(i % 500));
                EXPECT_TRUE(d) << d;
                EXPECT_EQ(d.decided_by, decider::backend);
                const std::string key = me + std::to_string(i);
                const auto made =
                    s.pages.get_or_compute(key, [&] { return key + " " + std::string(500, 'v'); });
                ASSERT_TRUE(made);
                EXPECT_THAT(*made, testing::StartsWith(key + ' '));
                if (const auto again = s.pages.get(key)) {
                    EXPECT_THAT(*again, testing::StartsWith(key + ' '));
                }
            }
        });
    }
    all.clear();
    EXPECT_GT(admin.info_number("stats", "evicted_keys"), 100);
    // What makes sure of it is sent without waiting.
    EXPECT_TRUE(eventually([&] { return admin.keys_without_ttl().empty(); }));
    EXPECT_EQ(s.pages.stats().backend_errors, 0U);
    EXPECT_EQ(s.backend.stats().connections_lost, 0U);
}

TEST(server_that_is_emptied, admits_no_more_than_the_limit_from_then_on) {
    const redis_server server;
    raw_redis admin{server.uri()};
    const service s{{.uri = server.uri(), .timeout = very_long}};
    s.begin();
    const weir::rate_limiter few{s.backend,
                                 weir::fixed_window{.limit = 3, .window = 24h},
                                 weir::on_failure::deny,
                                 {.name = "few", .remember_denials = 0s}};
    const auto admitted = [&] {
        int n = 0;
        while (few.allow("k")) {
            ++n;
        }
        return n;
    };
    EXPECT_EQ(admitted(), 3);
    admin.command("FLUSHALL");
    EXPECT_EQ(s.pages.get(stored_key).status(), weir::cache_status::miss);
    EXPECT_EQ(admitted(), 3);
    EXPECT_THAT(admin.keys_without_ttl(), IsEmpty());
}

} // namespace
