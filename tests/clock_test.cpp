#include <weir/clock.hpp>

#include <gtest/gtest.h>

#include <chrono>

namespace {

using weir::time_point;
using namespace std::chrono_literals;

static_assert(weir::clock_source<weir::real_clock>);
static_assert(std::is_convertible_v<std::chrono::system_clock::time_point, time_point>);
static_assert(!std::is_convertible_v<std::chrono::steady_clock::time_point, time_point>);

struct clock_that_throws {
    time_point now() const;
};
struct clock_that_changes {
    time_point now() noexcept;
};
struct clock_of_seconds {
    std::chrono::sys_seconds now() const noexcept;
};
struct clock_that_cannot_be_copied {
    clock_that_cannot_be_copied(const clock_that_cannot_be_copied&) = delete;
    time_point now() const noexcept;
};
static_assert(!weir::clock_source<clock_that_throws>);
static_assert(!weir::clock_source<clock_that_changes>);
static_assert(!weir::clock_source<clock_of_seconds>);
static_assert(!weir::clock_source<clock_that_cannot_be_copied>);

/// Between a reading of the system clock before and one after, give or take `slack`.
template<class Clock>
void expect_the_time_of_day(std::chrono::nanoseconds slack) {
    const time_point before = std::chrono::system_clock::now();
    const time_point now = Clock{}.now();
    const time_point after = std::chrono::system_clock::now();
    EXPECT_GE(now, before - slack);
    EXPECT_LE(now, after + slack);
}

template<class Clock>
void expect_no_step_back() {
    const Clock clock;
    const Clock copy = clock;
    time_point last = clock.now();
    for (int i = 0; i < 10'000; ++i) {
        const time_point next = i % 2 == 0 ? copy.now() : clock.now();
        ASSERT_GE(next, last);
        last = next;
    }
}

// The slack is for a system clock that is being corrected while the test runs.
TEST(real_clock, counts_from_the_unix_epoch) {
    expect_the_time_of_day<weir::real_clock>(1s);
}

TEST(real_clock, never_goes_back_and_agrees_with_its_copies) {
    expect_no_step_back<weir::real_clock>();
}

#if defined(__linux__) && defined(CLOCK_MONOTONIC_COARSE)
static_assert(weir::clock_source<weir::coarse_clock>);

TEST(coarse_clock, counts_from_the_unix_epoch) {
    expect_the_time_of_day<weir::coarse_clock>(1s);
}

TEST(coarse_clock, never_goes_back_and_agrees_with_its_copies) {
    expect_no_step_back<weir::coarse_clock>();
}
#endif

} // namespace
