#include <weir/detail/striped_counters.hpp>

#include <gtest/gtest.h>

#include <cstddef>
#include <latch>
#include <thread>
#include <vector>

namespace {

using weir::detail::max_threads;
using weir::detail::striped_counters;

TEST(striped_counters, begin_at_zero_and_count_apart) {
    striped_counters<2> counters;
    counters.add(1);
    counters.add(1, 5);
    EXPECT_EQ(counters.sum(0), 0U);
    EXPECT_EQ(counters.sum(1), 6U);
}

TEST(striped_counters, lose_nothing_with_more_threads_than_stripes) {
    striped_counters<1> counters;
    const std::size_t threads = max_threads + 20;
    std::latch all_running{static_cast<std::ptrdiff_t>(threads)};
    {
        std::vector<std::jthread> running;
        for (std::size_t t = 0; t < threads; ++t) {
            running.emplace_back([&] {
                counters.add(0);
                all_running.arrive_and_wait(); // every index is in use
                for (int i = 0; i < 1000; ++i) {
                    counters.add(0);
                }
            });
        }
    }
    EXPECT_EQ(counters.sum(0), threads * 1001);
}

TEST(striped_counters, lose_nothing_when_a_thread_takes_over_the_stripe_of_one_that_ended) {
    striped_counters<1> counters;
    for (int round = 0; round < 200; ++round) {
        std::jthread{[&] { counters.add(0); }};
    }
    EXPECT_EQ(counters.sum(0), 200U);
}

} // namespace
