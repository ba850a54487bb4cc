#ifndef WEIR_CONTRACT_COUNTERS_HPP
#define WEIR_CONTRACT_COUNTERS_HPP

/// The suite that the counter half of every backend must pass. It checks the numbered duties of
/// <weir/storage.hpp> that a compiler cannot, through the steps of `fixed_window`.
///
///     #include <weir/contract/counters.hpp>
///     #include <weir/testing.hpp>
///
///     struct my_backend_under_test {                          // see `subject` in suite.hpp
///         weir::manual_clock clock;
///         my_backend make() const { return my_backend{clock}; }     // new, and empty
///         void advance(std::chrono::nanoseconds by) const { clock.advance(by); }
///     };
///     const bool added =
///         weir::contract::add_counter_tests<my_backend_under_test>("my_backend_counters");
///
/// with `main` from gtest_main. Time comes into every call as an argument, so this suite never waits:
/// it calls with readings up to ten years ahead of `now()`.

#include <weir/contract/asynchronous_updates.hpp>
#include <weir/contract/counter_refinements.hpp>
#include <weir/contract/counter_trial.hpp>
#include <weir/contract/suite.hpp>
#include <weir/contract/window_model.hpp>
#include <weir/quota/fixed_window.hpp>
#include <weir/storage.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace weir::contract {

namespace detail {

template<class Trial>
void add_sharing_of_counters(checks<Trial>& list) {
    list.add("a_copy_of_a_backend_counts_with_the_original", [](Trial& t) {
        counter copy{typename Trial::backend_type{t.backend}};
        EXPECT_TRUE(t.limiter.take("k", t.start, 2));
        EXPECT_EQ(copy.peek("k", t.start).remaining, 1);
        EXPECT_TRUE(copy.take("k", t.start));
        EXPECT_FALSE(t.limiter.take("k", t.start));
    });
    list.add("an_assigned_backend_counts_with_its_source", [](Trial& t) {
        auto other = t.make();
        other = t.backend;
        EXPECT_TRUE(t.limiter.take("k", t.start, 3));
        EXPECT_FALSE(counter{other}.take("k", t.start));
    });
    list.add("counts_outlive_the_handle_that_was_first", [](Trial& t) {
        auto first = std::make_unique<typename Trial::backend_type>(t.make());
        counter second{*first};
        EXPECT_TRUE(counter{*first}.take("k", t.start, 3));
        first.reset();
        EXPECT_FALSE(second.take("k", t.start));
    });
    list.add("a_new_backend_is_empty", [](Trial& t) {
        EXPECT_TRUE(t.limiter.take("k", t.start, 3));
        EXPECT_TRUE(counter{t.make()}.take("k", t.start, 3));
    });
}

template<class Trial>
void add_names_of_counters(checks<Trial>& list) {
    list.add("limiters_of_different_names_share_no_count", [](Trial& t) {
        const fixed_window quota{.limit = 3, .window = 10s};
        counter a{t.backend, quota, "a"};
        counter b{t.backend, quota, "b"};
        counter ab{t.backend, quota, "a.b"};
        EXPECT_TRUE(a.take("k", t.start, 3));
        EXPECT_TRUE(b.take("k", t.start, 3));
        EXPECT_TRUE(ab.take("k", t.start, 3));
        EXPECT_FALSE(a.take("k", t.start));
    });
    list.add("windows_of_different_lengths_share_no_count", [](Trial& t) {
        counter longer{t.backend, {.limit = 3, .window = 20s}};
        EXPECT_TRUE(t.limiter.take("k", t.start, 3));
        EXPECT_TRUE(longer.take("k", t.start, 3));
        EXPECT_FALSE(t.limiter.take("k", t.start));
        EXPECT_FALSE(longer.take("k", t.start));
    });
    list.add("different_keys_share_no_count_whatever_their_bytes", [](Trial& t) {
        const std::vector<std::string> keys = awkward_keys();
        for (const std::string& key : keys) {
            EXPECT_TRUE(t.limiter.take(key, t.start, 3)) << shown(key);
        }
        for (const std::string& key : keys) {
            EXPECT_FALSE(t.limiter.take(std::string{key}, t.start)) << shown(key);
        }
    });
    list.add("five_hundred_keys_are_counted_exactly", [](Trial& t) {
        for (int round = 0; round < 4; ++round) {
            for (int i = 0; i < 500; ++i) {
                const std::string key = "client " + std::to_string(i);
                EXPECT_EQ(t.limiter.take(key, t.start).allowed, round < 3) << key;
            }
        }
    });
}

template<class Trial>
void add_steps(checks<Trial>& list) {
    list.add("takes_add_up_to_the_limit_and_no_further", [](Trial& t) {
        EXPECT_EQ(t.limiter.take("k", t.start).remaining, 2);
        EXPECT_EQ(t.limiter.take("k", t.start).remaining, 1);
        EXPECT_EQ(t.limiter.take("k", t.start).remaining, 0);
        const decision denied = t.limiter.take("k", t.start);
        EXPECT_FALSE(denied);
        EXPECT_EQ(denied.reason, reason::over_limit);
        EXPECT_EQ(denied.retry_after, 10s);
    });
    list.add("a_denied_request_takes_nothing", [](Trial& t) {
        EXPECT_TRUE(t.limiter.take("k", t.start, 2));
        EXPECT_FALSE(t.limiter.take("k", t.start, 2));
        EXPECT_EQ(t.limiter.peek("k", t.start).remaining, 1);
        EXPECT_TRUE(t.limiter.take("k", t.start, 1));
    });
    list.add("an_impossible_request_takes_nothing_and_creates_no_key", [](Trial& t) {
        EXPECT_EQ(t.limiter.take("k", t.start, 4).reason, reason::impossible);
        EXPECT_FALSE(t.limiter.forget("k", t.start)) << "there was a key";
        EXPECT_TRUE(t.limiter.take("k", t.start, 3));
    });
    list.add("a_peek_takes_nothing_and_creates_no_key", [](Trial& t) {
        EXPECT_EQ(t.limiter.peek("k", t.start, 2).remaining, 3);
        EXPECT_TRUE(t.limiter.take("k", t.start, 0));
        EXPECT_FALSE(t.limiter.forget("k", t.start)) << "there was a key";
        EXPECT_TRUE(t.limiter.take("k", t.start, 3));
        EXPECT_FALSE(t.limiter.peek("k", t.start));
    });
    list.add("calls_with_different_limits_spend_from_one_count", [](Trial& t) {
        EXPECT_TRUE(t.limiter.take("k", t.start, 3));
        EXPECT_FALSE(t.limiter.take("k", t.start));
        EXPECT_EQ(t.limiter.with_limit(10).take("k", t.start).remaining, 6);
        EXPECT_EQ(t.limiter.take("k", t.start).remaining, 0);
        EXPECT_EQ(t.limiter.with_limit(5).take("k", t.start).remaining, 0);
        EXPECT_FALSE(t.limiter.with_limit(5).take("k", t.start));
    });
    list.add("the_largest_limit_and_cost_are_counted", [](Trial& t) {
        auto all = t.limiter.with_limit(fixed_window::max_limit);
        EXPECT_EQ(all.take("k", t.start, fixed_window::max_limit - 1).remaining, 1);
        EXPECT_FALSE(all.take("k", t.start, 2));
        EXPECT_TRUE(all.take("k", t.start));
        EXPECT_FALSE(all.take("k", t.start));
    });
    list.add("what_is_given_back_can_be_taken_again_and_no_more", [](Trial& t) {
        EXPECT_TRUE(t.limiter.take("k", t.start, 3));
        EXPECT_TRUE(t.limiter.give_back("k", t.start, 2));
        EXPECT_EQ(t.limiter.peek("k", t.start).remaining, 2);
        EXPECT_TRUE(t.limiter.give_back("k", t.start, 1'000));
        EXPECT_EQ(t.limiter.peek("k", t.start).remaining, 3);
        EXPECT_TRUE(t.limiter.take("k", t.start, 3));
        EXPECT_FALSE(t.limiter.take("k", t.start));
    });
    list.add("giving_back_to_an_absent_key_creates_none", [](Trial& t) {
        EXPECT_FALSE(t.limiter.give_back("k", t.start, 2));
        EXPECT_FALSE(t.limiter.forget("k", t.start)) << "there was a key";
        EXPECT_EQ(t.limiter.peek("k", t.start).remaining, 3);
    });
    list.add("forgetting_starts_the_key_afresh", [](Trial& t) {
        EXPECT_TRUE(t.limiter.take("k", t.start, 3));
        EXPECT_TRUE(t.limiter.take("other", t.start, 3));
        EXPECT_TRUE(t.limiter.forget("k", t.start));
        EXPECT_FALSE(t.limiter.forget("k", t.start)) << "there still was a key";
        EXPECT_TRUE(t.limiter.take("k", t.start, 3));
        EXPECT_FALSE(t.limiter.take("other", t.start));
    });
}

template<class Trial>
void add_time_of_counters(checks<Trial>& list) {
    list.add("a_count_ends_at_the_edge_of_its_window_and_not_before", [](Trial& t) {
        EXPECT_TRUE(t.limiter.take("k", t.start + 4s, 3));
        EXPECT_FALSE(t.limiter.take("k", t.start + 10s - 1ns));
        EXPECT_TRUE(t.limiter.take("k", t.start + 10s, 3));
    });
    list.add("windows_of_a_shifted_key_start_earlier", [](Trial& t) {
        t.limiter.shift = 3s;
        EXPECT_TRUE(t.limiter.take("k", t.start, 3));
        EXPECT_EQ(t.limiter.take("k", t.start).retry_after, 7s);
        EXPECT_FALSE(t.limiter.take("k", t.start + 7s - 1ns));
        EXPECT_TRUE(t.limiter.take("k", t.start + 7s, 3));
    });
    list.add("the_longest_window_is_counted", [](Trial& t) {
        counter decade{t.backend, {.limit = 3, .window = fixed_window::max_window}};
        const decision first = decade.take("k", t.start, 3);
        EXPECT_TRUE(first);
        EXPECT_FALSE(decade.take("k", t.start + first.reset_after - 1ns));
        EXPECT_TRUE(decade.take("k", t.start + first.reset_after));
    });
    list.add("an_earlier_reading_in_the_same_window_counts_in_it", [](Trial& t) {
        EXPECT_TRUE(t.limiter.take("k", t.start + 9s, 2));
        EXPECT_EQ(t.limiter.take("k", t.start + 1s).remaining, 0);
        const decision denied = t.limiter.take("k", t.start);
        EXPECT_FALSE(denied);
        EXPECT_EQ(denied.retry_after, 10s);
    });
    list.add("readings_from_before_an_edge_admit_no_window_twice", [](Trial& t) {
        std::int64_t earlier = 0;
        std::int64_t later = 0;
        for (int i = 0; i < 10; ++i) {
            later += t.limiter.take("k", t.start + 10s).allowed ? 1 : 0;
            earlier += t.limiter.take("k", t.start + 10s - 1ns).allowed ? 1 : 0;
        }
        EXPECT_LE(later, 3);
        EXPECT_LE(earlier, 3);
        EXPECT_GE(later + earlier, 3);
    });
    list.add("a_count_from_a_clock_that_was_set_back_bans_nobody", [](Trial& t) {
        EXPECT_TRUE(t.limiter.take("k", t.start + 24h, 3));
        EXPECT_TRUE(t.limiter.take("k", t.start, 3));
        EXPECT_FALSE(t.limiter.take("k", t.start));
    });
}

/// One random history on a few keys, compared with the model after every step.
template<class Trial>
void follow_the_model(Trial& t, std::uint32_t seed) {
    constexpr nanoseconds window = 10s;
    std::mt19937 random{seed};
    const auto draw = [&](std::int64_t most) {
        return std::uniform_int_distribution<std::int64_t>{0, most}(random);
    };
    window_model model{window};
    time_point latest = t.start;
    for (int i = 0; i < 2'000 && !::testing::Test::HasFailure(); ++i) {
        const std::int64_t which = draw(5);
        const std::string key = "key " + std::to_string(which);
        const nanoseconds shift = which % 2 == 0 ? 0s : which * 1'234'567'891ns;
        const std::int64_t limit = std::vector<std::int64_t>{0, 1, 3, 7, 50}[std::size_t(draw(4))];
        const std::int64_t cost = draw(3) == 0 ? draw(60) : draw(3);
        latest += draw(9) == 0 ? nanoseconds{draw(15'000'000'000)} : nanoseconds{draw(400'000'000)};
        // Readings of different threads come out of order.
        const time_point now =
            std::max(latest - nanoseconds{draw(2'000'000'000)}, model.start(latest, shift));
        auto limiter = t.limiter.with_limit(limit);
        limiter.shift = shift;
        SCOPED_TRACE("seed " + std::to_string(seed) + ", step " + std::to_string(i) + ", " + key +
                     ", limit " + std::to_string(limit) + ", cost " + std::to_string(cost));
        switch (draw(11)) {
        case 0:
            EXPECT_EQ(to_string(limiter.peek(key, now, cost)),
                      to_string(model.peek(key, limit, cost, now, shift)));
            break;
        case 1:
            EXPECT_EQ(limiter.give_back(key, now, cost), model.give_back(key, cost, now, shift));
            break;
        case 2: {
            const bool known = limiter.forget(key, now);
            // Whether a count that is over is still known is the store's affair.
            if (model.used(key, now, shift) > 0) {
                EXPECT_TRUE(known);
            } else if (!model.ever_used(key)) {
                EXPECT_FALSE(known);
            }
            model.forget(key);
            break;
        }
        default:
            EXPECT_EQ(to_string(limiter.take(key, now, cost)),
                      to_string(model.take(key, limit, cost, now, shift)));
        }
    }
}

template<class Trial>
void add_histories(checks<Trial>& list) {
    list.add("a_random_history_gives_what_a_plain_model_gives_field_by_field",
             [](Trial& t) { follow_the_model(t, 1); });
    list.add("another_random_history_does_too", [](Trial& t) { follow_the_model(t, 2); });
}

template<class Trial>
void add_threads_on_counters(checks<Trial>& list) {
    list.add("threads_on_one_key_are_admitted_exactly_the_limit", [](Trial& t) {
        const auto shared = t.limiter.with_limit(3'000);
        std::atomic<std::int64_t> admitted{0};
        in_threads(4, [&](int) {
            auto limiter = shared;
            for (int i = 0; i < 1'000; ++i) {
                admitted += limiter.take("k", t.start).allowed ? 1 : 0;
            }
        });
        EXPECT_EQ(admitted, 3'000);
    });
    list.add("threads_that_meet_on_new_keys_admit_exactly_the_limit_of_each", [](Trial& t) {
        constexpr std::size_t keys = 300;
        std::vector<std::atomic<int>> admitted(keys);
        in_threads(4, [&](int) {
            auto limiter = t.limiter;
            for (std::size_t key = 0; key < keys; ++key) {
                for (int i = 0; i < 2; ++i) {
                    admitted[key] += limiter.take(std::to_string(key), t.start).allowed ? 1 : 0;
                }
            }
        });
        for (std::size_t key = 0; key < keys; ++key) {
            EXPECT_EQ(admitted[key], 3) << "key " << key;
        }
    });
    list.add("threads_that_take_and_give_back_lose_no_permit", [](Trial& t) {
        const auto shared = t.limiter.with_limit(10'000);
        in_threads(4, [&](int) {
            auto limiter = shared;
            for (int i = 0; i < 500; ++i) {
                EXPECT_TRUE(limiter.take("k", t.start, 3));
                EXPECT_TRUE(limiter.give_back("k", t.start, 2));
            }
        });
        EXPECT_EQ(counter{shared}.peek("k", t.start).remaining, 10'000 - 4 * 500);
    });
}

} // namespace detail

/// All the checks of the counter half.
template<subject T>
[[nodiscard]] checks<counter_trial<T>> counter_checks() {
    static_assert(explain_counters<backend_of<T>>());
    checks<counter_trial<T>> list;
    detail::add_sharing_of_counters(list);
    detail::add_names_of_counters(list);
    detail::add_steps(list);
    detail::add_time_of_counters(list);
    detail::add_histories(list);
    detail::add_threads_on_counters(list);
    detail::add_asynchronous_updates(list);
    detail::add_counter_refinements(list);
    return list;
}

/// Registers the checks as tests of `suite`, before `main` runs them. Always true, so that it can be
/// called where a constant is initialised.
template<subject T>
bool add_counter_tests(const std::string& suite) {
    return detail::add_tests(suite, counter_checks<T>());
}

} // namespace weir::contract

#endif
