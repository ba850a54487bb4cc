// Both faces of fixed_window, in memory and on a server, with the same histories: every field of every
// decision must be the same (G4).

#include <weir/memory.hpp>
#include <weir/quota/fixed_window.hpp>
#include <weir/rate_limiter.hpp>
#include <weir/redis.hpp>
#include <weir/testing.hpp>

#include "support/raw_redis.hpp"
#include "support/redis_server.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <random>
#include <string>
#include <system_error>
#include <vector>

namespace {

using namespace std::chrono_literals;
using weir::fixed_window;

/// A limiter in memory and its twin on Redis, under one clock that the test moves.
class twins {
public:
    explicit twins(fixed_window quota, bool spread_resets = false)
        : memory_{weir::basic_memory_backend{clock_}, quota, {.spread_resets = spread_resets}},
          redis_{weir::redis_backend{{.uri = database_.uri(), .timeout = 10s}},
                 quota,
                 weir::on_failure::deny,
                 {.name = "twin", .spread_resets = spread_resets, .remember_denials = 0s}} {}

    void advance(std::chrono::nanoseconds by) { clock_.advance(by); }
    [[nodiscard]] weir::time_point now() const { return clock_.now(); }

    void expect_same_allow(const std::string& key, std::int64_t cost, weir::time_point at) {
        EXPECT_EQ(to_string(redis_.allow(key, cost, at)), to_string(memory_.allow(key, cost, at)))
            << key << ", cost " << cost;
    }

    [[nodiscard]] weir::tests::raw_redis referee() const {
        return weir::tests::raw_redis{database_.uri()};
    }

private:
    weir::tests::database database_ = weir::tests::fresh_database();
    weir::manual_clock clock_;
    weir::rate_limiter memory_;
    weir::rate_limiter redis_;
};

class histories : public ::testing::TestWithParam<std::uint32_t> {};

TEST_P(histories, decide_alike_in_memory_and_on_redis) {
    std::mt19937 random{GetParam()};
    const auto draw = [&](std::int64_t least, std::int64_t most) {
        return std::uniform_int_distribution<std::int64_t>{least, most}(random);
    };
    const std::vector<std::int64_t> limits{0, 1, 3, 20, 1'000, fixed_window::max_limit};
    const std::vector<std::chrono::nanoseconds> windows{1s, 1500ms, 10s, 1min, 24h, 3650 * 24h};
    const fixed_window quota{limits[std::size_t(draw(0, 5))], windows[std::size_t(draw(0, 5))]};
    SCOPED_TRACE(to_string(quota));
    twins both{quota, draw(0, 1) == 1};
    for (int i = 0; i < 500 && !HasFailure(); ++i) {
        if (draw(0, 3) == 0) {
            both.advance(std::chrono::nanoseconds{draw(0, quota.window.count() / 3)});
        }
        const std::int64_t cost = draw(0, 4) == 0 ? draw(0, quota.limit + 1) : draw(0, 2);
        both.expect_same_allow("key " + std::to_string(draw(0, 3)), cost, both.now());
    }
    EXPECT_EQ(both.referee().keys_without_ttl(), std::vector<std::string>{});
}

INSTANTIATE_TEST_SUITE_P(random, histories, ::testing::Range(std::uint32_t{1}, std::uint32_t{21}));

TEST(counters_differential, the_edges_of_a_window_are_the_same_to_the_nanosecond) {
    twins both{{.limit = 2, .window = 10s}};
    const weir::time_point start = std::chrono::ceil<std::chrono::hours>(both.now());
    for (const weir::time_point at : {start, start + 10s - 1ns, start + 10s - 1ns, start + 10s,
                                      start + 20s - 1ns, start + 20s - 1ns, start + 20s}) {
        both.expect_same_allow("k", 1, at);
    }
}

TEST(counters_differential, costs_and_limits_at_their_ends_are_counted_alike) {
    constexpr std::int64_t most = fixed_window::max_limit;
    twins both{{.limit = most, .window = 1min}};
    for (const std::int64_t cost : {most - 1, std::int64_t{2}, std::int64_t{1}, std::int64_t{1},
                                    most, most + 1, std::int64_t{0}}) {
        both.expect_same_allow("k", cost, both.now());
    }
}

} // namespace
