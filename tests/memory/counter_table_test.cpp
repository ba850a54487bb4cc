#include <weir/memory/counter_table.hpp>
#include <weir/quota/fixed_window.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace std::chrono_literals;
using weir::fixed_window;
using weir::when_full;
using weir::detail::counter_table;

/// A table, a time and one space of keys with windows of a minute.
class counter_table_test : public testing::Test {
protected:
    explicit counter_table_test(std::size_t counters = 1000, when_full policy = when_full::forgive)
        : table{counters, policy} {}

    weir::decision take(std::string_view key, std::int64_t limit, std::int64_t cost = 1,
                        std::uint64_t space = 1) {
        const weir::take_step<fixed_window> step{weir::per_minute(limit), cost};
        return table.update(table.locate(space, key), step, now);
    }

    weir::decision peek(std::string_view key, std::int64_t limit, std::int64_t cost = 1) {
        const weir::peek_step<fixed_window> step{weir::per_minute(limit), cost};
        return table.update(table.locate(1, key), step, now);
    }

    bool give_back(std::string_view key, std::int64_t limit, std::int64_t cost = 1) {
        const weir::give_back_step<fixed_window> step{weir::per_minute(limit), cost};
        return table.update(table.locate(1, key), step, now);
    }

    bool forget(std::string_view key) {
        const weir::forget_step<fixed_window> step{weir::per_minute(1)};
        return table.update(table.locate(1, key), step, now);
    }

    counter_table table;
    /// The start of a minute.
    weir::time_point now{1'700'000'040s};
};

TEST_F(counter_table_test, a_key_is_admitted_exactly_up_to_its_limit) {
    for (int i = 3; i != 0; --i) {
        EXPECT_EQ(take("k", 3).remaining, i - 1);
    }
    EXPECT_FALSE(take("k", 3));
    EXPECT_EQ(take("k", 3).retry_after, 1min);
}

TEST_F(counter_table_test, a_window_begins_with_the_full_limit) {
    EXPECT_TRUE(take("k", 1));
    now += 1min - 1ns;
    EXPECT_FALSE(take("k", 1));
    now += 1ns;
    EXPECT_TRUE(take("k", 1));
}

TEST_F(counter_table_test, a_reading_of_the_clock_just_before_the_edge_counts_in_the_new_window) {
    now += 1min;
    EXPECT_TRUE(take("k", 1));
    now -= 1ns;
    EXPECT_FALSE(take("k", 1));
}

TEST_F(counter_table_test, a_denied_request_takes_nothing) {
    EXPECT_TRUE(take("k", 5, 3));
    EXPECT_FALSE(take("k", 5, 3));
    EXPECT_TRUE(take("k", 5, 2));
}

TEST_F(counter_table_test, a_peek_takes_nothing_and_creates_no_key) {
    for (int i = 0; i != 5; ++i) {
        EXPECT_TRUE(peek("k", 1));
    }
    EXPECT_FALSE(forget("k"));
    EXPECT_TRUE(take("k", 1));
    EXPECT_FALSE(peek("k", 1));
}

TEST_F(counter_table_test, a_cost_above_the_limit_is_impossible_and_creates_no_key) {
    EXPECT_EQ(take("k", 5, 6).reason, weir::reason::impossible);
    EXPECT_FALSE(forget("k"));
}

TEST_F(counter_table_test, a_limit_of_zero_blocks) {
    EXPECT_FALSE(take("k", 0));
}

TEST_F(counter_table_test, what_is_given_back_can_be_taken_again_and_no_more) {
    EXPECT_TRUE(take("k", 2, 2));
    EXPECT_TRUE(give_back("k", 2, 9));
    EXPECT_TRUE(take("k", 2, 2));
    EXPECT_FALSE(take("k", 2));
}

TEST_F(counter_table_test, giving_back_to_an_absent_key_creates_nothing) {
    EXPECT_FALSE(give_back("k", 2));
    EXPECT_FALSE(forget("k"));
}

TEST_F(counter_table_test, a_forgotten_key_starts_afresh) {
    EXPECT_TRUE(take("k", 1));
    EXPECT_TRUE(forget("k"));
    EXPECT_TRUE(take("k", 1));
}

TEST_F(counter_table_test, one_count_serves_calls_with_different_limits) {
    EXPECT_TRUE(take("k", 2, 2));
    EXPECT_FALSE(take("k", 2));
    EXPECT_TRUE(take("k", 3));
    EXPECT_EQ(take("k", 5).remaining, 1);
}

TEST_F(counter_table_test, a_key_counts_apart_in_each_space) {
    EXPECT_TRUE(take("k", 1, 1, 1));
    EXPECT_TRUE(take("k", 1, 1, 2));
    EXPECT_FALSE(take("k", 1, 1, 1));
    EXPECT_FALSE(take("k", 1, 1, 2));
}

TEST_F(counter_table_test, keys_are_any_bytes) {
    using namespace std::string_view_literals;
    for (const std::string_view key : {""sv, "\0"sv, "\0\0"sv, "a\0b"sv, "a\0c"sv}) {
        EXPECT_TRUE(take(key, 1));
        EXPECT_FALSE(take(key, 1));
    }
    const std::string large(1 << 20, 'x');
    EXPECT_TRUE(take(large, 1));
    EXPECT_TRUE(take(large + "y", 1));
    EXPECT_FALSE(take(large, 1));
}

TEST_F(counter_table_test, keys_made_to_cancel_the_constants_of_the_hash_do_not_share_a_count) {
    // Keys that differ in the filling alone. The first factor of a key of 16 bytes is made of its
    // bytes 0 to 3 and 8 to 11.
    for (const std::uint64_t constant : weir::detail::hash_secret) {
        const std::uint64_t high = constant >> 32;
        for (char filling = 'a'; filling != 'e'; ++filling) {
            for (std::size_t at = 0; at <= 24; at += 8) {
                std::string key(32, filling);
                std::memcpy(key.data() + at, &constant, 8);
                EXPECT_TRUE(take(key, 1)) << constant << " at " << at;
            }
            std::string key(16, filling);
            std::memcpy(key.data(), &high, 4);
            std::memcpy(key.data() + 8, &constant, 4);
            EXPECT_TRUE(take(key, 1)) << constant;
        }
    }
}

TEST(counter_table, counts_are_exact_for_as_many_keys_as_promised) {
    for (std::size_t keys = 1; keys != 200; ++keys) {
        counter_table table{keys, when_full::forgive};
        const weir::take_step<fixed_window> step{weir::per_minute(2)};
        const weir::time_point now{1'700'000'040s};
        for (int round = 0; round != 4; ++round) {
            for (std::size_t k = 0; k != keys; ++k) {
                const auto d = table.update(table.locate(9, std::to_string(k)), step, now);
                ASSERT_EQ(d.allowed, round < 2) << keys << " keys, key " << k;
            }
        }
        EXPECT_EQ(table.stats().displaced, 0U);
        EXPECT_EQ(table.stats().capacity, keys);
    }
}

TEST(counter_table, counts_of_100000_keys_are_exact_at_40_bytes_a_key_or_less) {
    constexpr std::uint32_t count = 100'000;
    std::vector<std::uint32_t> keys(count);
    for (std::uint32_t k = 0; k != count; ++k) {
        keys[k] = k;
    }
    const weir::take_step<fixed_window> step{weir::per_minute(3)};
    std::mt19937 random{1};
    for (int repetition = 0; repetition != 5; ++repetition) {
        // Each table draws a seed of its own.
        counter_table table{count, when_full::forgive};
        weir::time_point now{1'700'000'040s};
        for (int window = 0; window != 2; ++window, now += 1min) {
            for (int round = 0; round != 5; ++round) {
                std::shuffle(keys.begin(), keys.end(), random);
                std::int64_t allowed = 0;
                for (const std::uint32_t k : keys) {
                    const std::string_view key{reinterpret_cast<const char*>(&k), sizeof k};
                    allowed += table.update(table.locate(9, key), step, now).allowed;
                }
                ASSERT_EQ(allowed, round < 3 ? count : 0);
            }
        }
        EXPECT_EQ(table.stats().displaced, 0U);
        EXPECT_LE(table.stats().bytes, 40U * count);
    }
}

TEST(counter_table, a_new_set_of_keys_in_each_window_is_counted_exactly) {
    constexpr int count = 10'000;
    counter_table table{count, when_full::forgive};
    const weir::take_step<fixed_window> step{weir::per_minute(1)};
    weir::time_point now{1'700'000'040s};
    for (int window = 0; window != 20; ++window, now += 1min) {
        for (int round = 0; round != 2; ++round) {
            std::int64_t allowed = 0;
            for (int k = 0; k != count; ++k) {
                const std::string key = std::to_string(k + window * count * 2 / 3);
                allowed += table.update(table.locate(9, key), step, now).allowed;
            }
            ASSERT_EQ(allowed, round == 0 ? count : 0) << "window " << window;
        }
    }
    EXPECT_EQ(table.stats().displaced, 0U);
}

TEST(counter_table, refuses_sizes_out_of_range_and_names_them) {
    for (const std::size_t counters : {std::size_t{0}, (std::size_t{1} << 32) + 1}) {
        try {
            counter_table table{counters, when_full::forgive};
            ADD_FAILURE() << counters;
        } catch (const std::invalid_argument& e) {
            const std::string_view what = e.what();
            EXPECT_NE(what.find("counters is " + std::to_string(counters)), what.npos) << what;
            EXPECT_NE(what.find("from 1 to 4294967296"), what.npos) << what;
        }
    }
}

// ---- more keys than fit: a table for one key has eight buckets of four slots --------------------

class small_table : public counter_table_test {
protected:
    explicit small_table(when_full policy = when_full::forgive) : counter_table_test{1, policy} {}

    static constexpr int slots = 32;

    /// Takes `cost` for `count` keys with this name.
    int take_many(const std::string& name, int count, std::int64_t limit, std::int64_t cost = 1) {
        int allowed = 0;
        for (int i = 0; i != count; ++i) {
            allowed += take(name + std::to_string(i), limit, cost).allowed;
        }
        return allowed;
    }
};

TEST_F(small_table, newcomers_take_the_places_of_keys_whose_window_is_over) {
    take_many("old", slots, 10);
    const auto before = table.stats().displaced;
    now += 1min;
    EXPECT_EQ(take_many("new", slots / 2, 1), slots / 2);
    EXPECT_EQ(take_many("new", slots / 2, 1), 0);
    EXPECT_EQ(table.stats().displaced, before);
}

TEST_F(small_table, newcomers_displace_the_least_used) {
    constexpr int few = 3; // so that they fill no bucket, wherever the seed puts them
    take_many("much", few, 1000, 500);
    take_many("little", 100 * slots, 1000, 2);
    EXPECT_GT(table.stats().displaced, 0U);
    EXPECT_EQ(table.stats().displaced_used, 2 * table.stats().displaced);
    for (int i = 0; i != few; ++i) {
        EXPECT_EQ(peek("much" + std::to_string(i), 1000).remaining, 500);
    }
}

TEST_F(small_table, exhausted_keys_are_never_displaced) {
    take_many("exhausted", slots / 4, 1);
    take_many("newcomer", 100 * slots, 10);
    EXPECT_EQ(take_many("exhausted", slots / 4, 1), 0);
}

TEST_F(small_table, newcomers_among_exhausted_keys_are_admitted_and_counted_as_unplaced) {
    take_many("exhausted", 100 * slots, 1);
    const auto before = table.stats().unplaced;
    EXPECT_GT(before, 0U);
    EXPECT_EQ(take_many("newcomer", 10, 1), 10);
    EXPECT_EQ(table.stats().unplaced, before + 10);
}

TEST_F(small_table, an_exhausted_key_can_be_displaced_once_it_has_given_back) {
    take_many("exhausted", 100 * slots, 1);
    int returned = 0;
    for (int i = 0; i != 100 * slots; ++i) {
        returned += give_back("exhausted" + std::to_string(i), 1);
    }
    EXPECT_EQ(returned, slots);
    const auto before = table.stats().unplaced;
    EXPECT_EQ(take_many("newcomer", slots / 2, 1), slots / 2);
    EXPECT_EQ(take_many("newcomer", slots / 2, 1), 0);
    EXPECT_EQ(table.stats().unplaced, before);
}

TEST_F(small_table, kinds_of_quota_beyond_the_255th_are_counted_too) {
    for (int round = 0; round != 2; ++round) {
        counter_table large{1000, when_full::forgive};
        for (std::int64_t i = 0; i != 300; ++i) {
            const auto place = large.locate(static_cast<std::uint64_t>(i), "k");
            const weir::take_step<fixed_window> step{{1, 1h + std::chrono::milliseconds{i}}};
            EXPECT_TRUE(large.update(place, step, now));
            EXPECT_FALSE(large.update(place, step, now));
        }
    }
}

TEST_F(small_table, keys_of_unknown_kinds_are_displaced_before_keys_in_use) {
    for (std::int64_t i = 0; i != 300; ++i) {
        const weir::take_step<fixed_window> step{{1, 1h + std::chrono::milliseconds{i}}};
        table.update(table.locate(static_cast<std::uint64_t>(i), "k"), step, now);
    }
    now += 2h;
    EXPECT_EQ(take_many("k", slots / 2, 1), slots / 2);
    EXPECT_EQ(take_many("k", slots / 2, 1), 0);
}

class small_shared_table : public small_table {
protected:
    small_shared_table() : small_table{when_full::share} {}
};

TEST_F(small_shared_table, no_key_is_admitted_more_than_its_limit) {
    constexpr int keys = 10 * slots;
    std::mt19937 random{1};
    std::array<int, keys> admitted{};
    for (int i = 0; i != 100 * keys; ++i) {
        const auto k = random() % keys;
        admitted[k] += take(std::to_string(k), 20, 1 + random() % 3).allowed;
    }
    EXPECT_LE(*std::max_element(admitted.begin(), admitted.end()), 20);
    EXPECT_GT(table.stats().displaced, 0U);
}

TEST_F(small_shared_table, newcomers_among_exhausted_keys_are_denied_whatever_their_limit) {
    take_many("exhausted", 100 * slots, 1);
    EXPECT_EQ(take_many("newcomer", 10, 1000), 0);
    EXPECT_EQ(take("newcomer0", 1000).retry_after, 1min);
}

TEST_F(small_shared_table, a_full_table_is_forgotten_with_its_window) {
    take_many("exhausted", 100 * slots, 1);
    now += 1min;
    EXPECT_EQ(take_many("newcomer", slots / 2, 1), slots / 2);
    EXPECT_EQ(take_many("newcomer", slots / 2, 1), 0);
}

TEST_F(small_shared_table, keys_within_the_promise_inherit_nothing) {
    for (int i = 0; i != 10; ++i, now += 1min) {
        EXPECT_EQ(take_many("key", slots / 2, 3, 3), slots / 2);
        EXPECT_EQ(take_many("key", slots / 2, 3), 0);
    }
    EXPECT_EQ(table.stats().displaced, 0U);
}

TEST_F(small_shared_table, nothing_is_stored_for_an_absent_key_that_gives_back_or_is_forgotten) {
    take_many("k", 3 * slots, 10);
    const auto before = table.stats().displaced;
    EXPECT_FALSE(give_back("absent", 10));
    EXPECT_FALSE(forget("absent"));
    EXPECT_EQ(table.stats().displaced, before);
}

} // namespace
