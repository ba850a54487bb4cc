#include <weir/detail/futex.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>

namespace {

using weir::detail::futex_wait;
using weir::detail::futex_wake_all;
using time_point = std::chrono::steady_clock::time_point;
using namespace std::chrono_literals;

TEST(futex, a_wait_is_over_at_its_deadline_however_long_ago_that_was) {
    const std::atomic<std::uint32_t> word{0};
    EXPECT_FALSE(futex_wait(word, 0, time_point{1ns}));
    EXPECT_FALSE(futex_wait(word, 0, time_point{-1ns}));
    EXPECT_FALSE(futex_wait(word, 0, time_point::min()));
}

TEST(futex, no_wait_begins_for_a_word_that_has_changed) {
    const std::atomic<std::uint32_t> word{1};
    EXPECT_TRUE(futex_wait(word, 0, time_point::max()));
}

TEST(futex, a_wait_of_any_length_ends_when_it_is_woken) {
    std::atomic<std::uint32_t> word{0};
    std::thread waker{[&] {
        word = 1;
        futex_wake_all(&word);
    }};
    while (word == 0) {
        EXPECT_TRUE(futex_wait(word, 0, time_point::max()));
    }
    waker.join();
}

} // namespace
