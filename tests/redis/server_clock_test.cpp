#include <weir/clock.hpp>
#include <weir/redis/request.hpp>
#include <weir/redis/server_clock.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>

namespace {

using weir::time_point;
using weir::detail::redis::server_clock;
using weir::detail::redis::steady_time;
using namespace std::chrono_literals;
using nanoseconds = std::chrono::nanoseconds;

/// A clock that is sampled at moments of the test's choice. Readings are compared with the steady
/// clock, which both are moved along.
class sampled_clock : public testing::Test {
protected:
    /// A sample that was asked for at `sent` and came a round trip later, from a server whose clock is
    /// `ahead` of the steady clock, and answered in the middle.
    void sample(steady_time sent, nanoseconds round_trip, nanoseconds ahead) {
        clock.sample(sent, sent + round_trip,
                     time_point{sent.time_since_epoch() + round_trip / 2 + ahead});
    }

    /// How far the clock is ahead of the steady clock, to 10 ms; read again if more than 1 ms passes
    /// between two readings.
    [[nodiscard]] std::chrono::milliseconds ahead() const {
        while (true) {
            const steady_time before = std::chrono::steady_clock::now();
            const nanoseconds read = clock.now().time_since_epoch();
            if (std::chrono::steady_clock::now() - before < 1ms) {
                return std::chrono::round<std::chrono::duration<std::int64_t, std::centi>>(
                    read - before.time_since_epoch());
            }
        }
    }

    server_clock clock;
    /// Some moment.
    const steady_time start{100h};
};

TEST_F(sampled_clock, shows_the_time_of_this_host_until_there_is_a_sample) {
    EXPECT_LT(clock.error(), 0ns);
    const auto host = std::chrono::system_clock::now().time_since_epoch();
    EXPECT_LT(std::chrono::abs(clock.now().time_since_epoch() - host), 1s);
}

TEST_F(sampled_clock, takes_the_first_sample_whatever_its_error) {
    sample(start, 20s, 1000h);
    EXPECT_EQ(ahead(), 1000h);
    EXPECT_EQ(clock.error(), 10s);
}

TEST_F(sampled_clock, is_off_by_half_a_round_trip_at_most) {
    sample(start, 2ms, 1000h);
    EXPECT_EQ(clock.error(), 1ms);
    sample(start, 0ns, 1000h);
    EXPECT_EQ(clock.error(), 0ns);
}

TEST_F(sampled_clock, takes_the_server_to_have_answered_in_the_middle) {
    clock.sample(start, start + 4s, time_point{start.time_since_epoch() + 1000h});
    EXPECT_EQ(ahead(), 1000h - 2s);
}

TEST_F(sampled_clock, prefers_a_sample_with_a_smaller_error) {
    sample(start, 2s, 1000h);
    sample(start + 10s, 1s, 1000h + 500ms);
    EXPECT_EQ(ahead(), 1000h + 500ms);
    EXPECT_EQ(clock.error(), 500ms);
}

TEST_F(sampled_clock, keeps_a_sample_that_has_the_smaller_error) {
    sample(start, 1s, 1000h);
    sample(start + 10s, 2s, 1000h + 1s);
    EXPECT_EQ(ahead(), 1000h);
    EXPECT_EQ(clock.error(), 500ms);
}

TEST_F(sampled_clock, replaces_an_old_sample_by_one_that_is_no_worse_by_now) {
    // In 1,000,000 s two quartz clocks may have gone apart by 100 s.
    sample(start, 2s, 1000h);
    sample(start + 1'000'000s - 203s, 202s, 1000h + 50s);
    EXPECT_EQ(ahead(), 1000h) << "at that time the old one is off by at most 100.9999 s";
    sample(start + 1'000'000s, 202s, 1000h + 50s);
    EXPECT_EQ(ahead(), 1000h + 50s);
    EXPECT_EQ(clock.error(), 101s);
}

TEST_F(sampled_clock, follows_a_server_whose_clock_was_set) {
    sample(start, 2ms, 1000h);
    sample(start + 1s, 20ms, 1000h + 5s);
    EXPECT_EQ(ahead(), 1000h + 5s) << "forwards";
    EXPECT_EQ(clock.error(), 10ms);
    sample(start + 2s, 200ms, 900h);
    EXPECT_EQ(ahead(), 900h) << "backwards";
    EXPECT_EQ(clock.error(), 100ms);
}

TEST_F(sampled_clock, does_not_follow_what_the_errors_explain) {
    sample(start, 2s, 1000h);
    sample(start + 1s, 4s, 1000h + 3s); // 1 s and 2 s may be 3 s apart
    EXPECT_EQ(ahead(), 1000h);
    sample(start + 2s, 4s, 1000h - 3s);
    EXPECT_EQ(ahead(), 1000h);
    sample(start + 3s, 4s, 1000h + 3s + 10ms);
    EXPECT_EQ(ahead(), 1000h + 3s + 10ms);
}

TEST_F(sampled_clock, never_goes_back_under_one_sample) {
    sample(start, 2ms, 1000h);
    time_point last = clock.now();
    for (int i = 0; i != 100'000; ++i) {
        const time_point now = clock.now();
        ASSERT_LE(last, now);
        last = now;
    }
}

TEST_F(sampled_clock, stands_the_ends_of_what_a_server_may_say) {
    for (const auto seconds : {0s, 7'258'118'399s}) { // see read_time
        clock.sample(start, start + 1s, time_point{seconds});
        clock.sample(start + 2s, start + 3s, time_point{7'258'118'399s});
        clock.sample(start + 4s, start + 5s, time_point{0s});
        EXPECT_LT(clock.now(), time_point{} + 3650 * 24h);
    }
}

} // namespace
