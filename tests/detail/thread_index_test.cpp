#include <weir/detail/thread_index.hpp>

#include <gtest/gtest.h>

#include <cstddef>
#include <latch>
#include <set>
#include <thread>
#include <vector>

namespace {

using weir::detail::max_threads;
using weir::detail::thread_index;

std::vector<std::size_t> indices_of(std::size_t threads) {
    std::vector<std::size_t> indices(threads);
    std::latch all_running{static_cast<std::ptrdiff_t>(threads)};
    std::vector<std::jthread> running;
    for (std::size_t& index : indices) {
        running.emplace_back([&] {
            index = thread_index::get();
            all_running.arrive_and_wait();
        });
    }
    running.clear();
    return indices;
}

TEST(thread_index, is_the_same_for_one_thread) {
    EXPECT_EQ(thread_index::get(), thread_index::get());
    EXPECT_LT(thread_index::get(), max_threads);
}

TEST(thread_index, differs_between_threads_that_run_at_one_time) {
    const std::vector<std::size_t> indices = indices_of(32);
    EXPECT_EQ(std::set<std::size_t>(indices.begin(), indices.end()).size(), 32U);
}

TEST(thread_index, is_passed_on_by_threads_that_ended) {
    for (int round = 0; round < 20; ++round) {
        for (const std::size_t index : indices_of(32)) {
            EXPECT_LT(index, max_threads);
        }
    }
}

TEST(thread_index, is_shared_by_threads_beyond_the_most) {
    const std::vector<std::size_t> indices = indices_of(max_threads + 10);
    std::size_t shared = 0;
    for (const std::size_t index : indices) {
        EXPECT_LE(index, max_threads);
        shared += index == max_threads ? 1U : 0U;
    }
    EXPECT_GE(shared, 10U);
}

} // namespace
