#include <weir/memory/frequency_sketch.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace {

using weir::detail::frequency_sketch;

TEST(frequency_sketch, never_estimates_less_than_was_counted_up_to_fifteen) {
    frequency_sketch sketch{1024};
    for (std::uint32_t key = 0; key < 200; ++key) {
        for (std::uint32_t i = 0; i < key % 20; ++i) {
            sketch.increment(key);
        }
    }
    for (std::uint32_t key = 0; key < 200; ++key) {
        EXPECT_GE(sketch.estimate(key), std::min(key % 20, frequency_sketch::most));
        EXPECT_LE(sketch.estimate(key), frequency_sketch::most);
    }
}

TEST(frequency_sketch, estimates_keys_never_counted_at_nearly_nothing) {
    frequency_sketch sketch{1024};
    for (std::uint32_t key = 0; key < 512; ++key) {
        sketch.increment(key);
    }
    std::uint32_t sum = 0;
    for (std::uint32_t key = 10'000; key < 11'000; ++key) {
        sum += sketch.estimate(key);
    }
    EXPECT_LT(sum, 50U);
}

TEST(frequency_sketch, halves_its_counts_after_a_sample) {
    frequency_sketch sketch{1024};
    for (int i = 0; i < 8; ++i) {
        sketch.increment(1);
    }
    sketch.age(100);
    EXPECT_EQ(sketch.estimate(1), 8U);
    sketch.age(8);
    EXPECT_EQ(sketch.estimate(1), 4U);
    sketch.age(5);
    EXPECT_EQ(sketch.estimate(1), 4U);
}

TEST(frequency_sketch, takes_8_to_16_bytes_per_entry) {
    for (const std::size_t capacity : {100U, 1000U, 1024U, 1025U, 100'000U}) {
        const frequency_sketch sketch{capacity};
        EXPECT_GE(sketch.bytes(), 8 * capacity);
        EXPECT_LE(sketch.bytes(), 16 * capacity);
    }
}

} // namespace
