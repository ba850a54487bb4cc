#ifndef WEIR_CONTRACT_VALUES_HPP
#define WEIR_CONTRACT_VALUES_HPP

/// The suite that the value half of every backend must pass. It checks the numbered duties of
/// <weir/storage.hpp> that a compiler cannot, and each refinement that the store has: leasing,
/// deferring, batches, asynchronous reads, matching, visiting, hosting. One that is missing is
/// reported as a skipped test.
///
///     #include <weir/contract/values.hpp>
///     #include <weir/testing.hpp>
///
///     struct my_backend_under_test {                          // see `subject` in suite.hpp
///         weir::manual_clock clock;
///         my_backend make() const { return my_backend{clock}; }     // new, and empty
///         void advance(std::chrono::nanoseconds by) const { clock.advance(by); }
///     };
///     const bool added =
///         weir::contract::add_value_tests<my_backend_under_test>("my_backend_values");
///
/// with `main` from gtest_main. Values are std::string unless a second template argument says
/// otherwise: `ticket`, which cannot be copied, for stores of native objects, or any type with a
/// `sample` (see sample.hpp). A store may forget whatever it likes; here it is expected to keep what
/// little it is given.

#include <weir/contract/asynchronous_reads.hpp>
#include <weir/contract/batches.hpp>
#include <weir/contract/deferring.hpp>
#include <weir/contract/leasing.hpp>
#include <weir/contract/refinements.hpp>
#include <weir/contract/store_trial.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace weir::contract {

namespace detail {

template<class Trial>
void add_sharing_of_values(checks<Trial>& list) {
    using handle = typename Trial::handle;
    list.add("a_copy_of_a_store_shows_what_the_original_stored", [](Trial& t) {
        handle copy = t.store;
        t.store.put("k", 1);
        EXPECT_EQ(copy.at("k"), "1");
        copy.put("k", 2);
        EXPECT_EQ(t.store.at("k"), "2");
        EXPECT_TRUE(copy.erase("k"));
        EXPECT_EQ(t.store.at("k"), "absent");
    });
    list.add("a_store_opened_again_under_its_name_is_the_same_store", [](Trial& t) {
        t.store.put("k", 1);
        handle again{t.backend};
        EXPECT_EQ(again.at("k"), "1");
        again.put("k", 2);
        EXPECT_EQ(t.store.at("k"), "2");
    });
    list.add("a_copy_of_a_backend_opens_the_stores_of_the_original", [](Trial& t) {
        typename Trial::backend_type copy = t.backend;
        handle late{copy, "opened-through-the-copy"};
        late.put("k", 1);
        EXPECT_EQ((handle{t.backend, "opened-through-the-copy"}.at("k")), "1");
    });
    list.add("stores_of_different_names_share_nothing", [](Trial& t) {
        handle a{t.backend, "a"};
        handle ab{t.backend, "a.b"};
        a.put("k", 1);
        EXPECT_EQ(ab.at("k"), "absent");
        EXPECT_TRUE(ab.add("k", 2));
        EXPECT_EQ(a.at("k"), "1");
        EXPECT_TRUE(ab.erase("k"));
        EXPECT_EQ(a.at("k"), "1");
    });
    list.add("a_store_outlives_the_backend_that_opened_it", [](Trial& t) {
        auto backend = std::make_unique<typename Trial::backend_type>(t.make());
        const time_point now = backend->now();
        auto store = backend->template values<typename Trial::value_type>("contract", {});
        backend.reset();
        std::error_code ec;
        store.put("k", handle::sampled(1), an_hour, now, ec);
        EXPECT_EQ(t.store.text(store.get("k", now, ec)), "1");
    });
    list.add("a_new_backend_has_no_entries", [](Trial& t) {
        t.store.put("k", 1);
        EXPECT_EQ(handle{t.make()}.at("k"), "absent");
    });
}

template<class Trial>
void add_keys_of_values(checks<Trial>& list) {
    list.add("different_keys_hold_different_values_whatever_their_bytes", [](Trial& t) {
        const std::vector<std::string> keys = awkward_keys();
        for (std::size_t i = 0; i < keys.size(); ++i) {
            EXPECT_TRUE(t.store.add(keys[i], static_cast<int>(i))) << shown(keys[i]);
        }
        for (std::size_t i = 0; i < keys.size(); ++i) {
            EXPECT_EQ(t.store.at(keys[i]), std::to_string(i)) << shown(keys[i]);
        }
        for (const std::string& key : keys) {
            EXPECT_TRUE(t.store.erase(key)) << shown(key);
            EXPECT_EQ(t.store.at(key), "absent") << shown(key);
        }
    });
    list.add("five_hundred_entries_are_kept", [](Trial& t) {
        for (int i = 0; i < 500; ++i) {
            t.store.put("product " + std::to_string(i), i);
        }
        for (int i = 0; i < 500; ++i) {
            EXPECT_EQ(t.store.at("product " + std::to_string(i)), std::to_string(i));
        }
    });
}

template<class Trial>
void add_operations(checks<Trial>& list) {
    list.add("an_absent_key_is_not_present_and_has_no_value", [](Trial& t) {
        const auto entry = t.store.get("k");
        EXPECT_FALSE(entry.present);
        EXPECT_FALSE(entry.value);
    });
    list.add("a_put_replaces_the_value", [](Trial& t) {
        t.store.put("k", 1);
        EXPECT_EQ(t.store.at("k"), "1");
        t.store.put("k", 2);
        EXPECT_EQ(t.store.at("k"), "2");
    });
    list.add("a_cached_nothing_is_present_and_null", [](Trial& t) {
        t.store.put("k", nothing);
        EXPECT_EQ(t.store.at("k"), "nothing");
        t.store.put("k", 1);
        t.store.put("k", nothing);
        EXPECT_EQ(t.store.at("k"), "nothing");
        EXPECT_TRUE(t.store.erase("k"));
        EXPECT_EQ(t.store.at("k"), "absent");
    });
    list.add("an_add_stores_only_if_the_key_is_absent", [](Trial& t) {
        EXPECT_TRUE(t.store.add("k", 1));
        EXPECT_FALSE(t.store.add("k", 2));
        EXPECT_EQ(t.store.at("k"), "1");
        EXPECT_TRUE(t.store.erase("k"));
        EXPECT_TRUE(t.store.add("k", 3));
        EXPECT_EQ(t.store.at("k"), "3");
    });
    list.add("an_add_does_not_replace_a_nothing_and_may_add_one", [](Trial& t) {
        EXPECT_TRUE(t.store.add("k", nothing));
        EXPECT_FALSE(t.store.add("k", 1));
        EXPECT_EQ(t.store.at("k"), "nothing");
    });
    list.add("an_erase_answers_whether_it_removed_an_entry", [](Trial& t) {
        EXPECT_FALSE(t.store.erase("k"));
        t.store.put("k", 1);
        t.store.put("other", 2);
        EXPECT_TRUE(t.store.erase("k"));
        EXPECT_FALSE(t.store.erase("k"));
        EXPECT_EQ(t.store.at("k"), "absent");
        EXPECT_EQ(t.store.at("other"), "2");
    });
    list.add("a_value_that_was_found_stays_when_its_entry_goes", [](Trial& t) {
        using samples = sample<typename Trial::value_type>;
        t.store.put("k", 1);
        const auto first = t.store.get("k");
        t.store.put("k", 2);
        const auto second = t.store.get("k");
        t.store.erase("k");
        ASSERT_TRUE(first.value && second.value);
        EXPECT_EQ(samples::number(*first.value), 1);
        EXPECT_EQ(samples::number(*second.value), 2);
    });
    if constexpr (std::is_same_v<typename Trial::value_type, std::string>) {
        list.add("a_string_comes_back_byte_by_byte", [](Trial& t) {
            for (const std::string& value : awkward_keys()) {
                t.store.put("k", make_value<std::string>(value), an_hour, t.now());
                const auto entry = t.store.get("k");
                ASSERT_TRUE(entry.present && entry.value) << shown(value);
                EXPECT_TRUE(*entry.value == value) << shown(value);
            }
        });
    }
}

template<class Trial>
void add_lifetimes(checks<Trial>& list) {
    list.add("an_entry_is_found_until_its_end_and_never_after", [](Trial& t) {
        t.store.put("k", 1, {t.short_ttl});
        const time_point end = t.now() + t.short_ttl;
        t.wait_until_just_before(end);
        const std::string before = t.store.at("k");
        if (t.surely_before(end)) {
            EXPECT_EQ(before, "1");
        }
        t.wait_until_over(end);
        EXPECT_EQ(t.store.at("k"), "absent");
    });
    list.add("an_entry_in_its_grace_is_found_and_not_fresh", [](Trial& t) {
        t.store.put("k", 1, {t.short_ttl, 2 * t.short_ttl});
        const time_point stale = t.now() + t.short_ttl;
        const time_point end = stale + 2 * t.short_ttl;
        t.wait_until_over(stale);
        const std::string in_grace = t.store.at("k");
        if (t.surely_before(end)) {
            EXPECT_EQ(in_grace, "stale 1");
        }
        t.wait_until_just_before(end);
        const std::string before = t.store.at("k");
        if (t.surely_before(end)) {
            EXPECT_EQ(before, "stale 1");
        }
        t.wait_until_over(end);
        EXPECT_EQ(t.store.at("k"), "absent");
    });
    list.add("the_end_of_freshness_is_told", [](Trial& t) {
        for (const nanoseconds grace : {0ns, nanoseconds{1h}}) {
            const time_point before = t.now();
            t.store.put("k", 1, {5min, grace});
            const time_point after = t.now();
            const time_point told = t.store.get("k").fresh_until;
            if (grace == 0ns && told == time_point::max()) {
                continue; // fresh, and the store does not tell until when
            }
            EXPECT_GE(told, before + 5min - t.margin);
            EXPECT_LE(told, after + 5min + t.margin);
        }
    });
    list.add("a_put_replaces_the_lifetime_by_a_longer_one", [](Trial& t) {
        t.store.put("k", 1, {t.short_ttl});
        const time_point end = t.now() + t.short_ttl;
        t.store.put("k", 2, an_hour);
        t.wait_until_over(end);
        EXPECT_EQ(t.store.at("k"), "2");
    });
    list.add("a_put_replaces_the_lifetime_by_a_shorter_one", [](Trial& t) {
        t.store.put("k", 1, {1h, 1h});
        t.store.put("k", 2, {t.short_ttl});
        t.wait_until_over(t.now() + t.short_ttl);
        EXPECT_EQ(t.store.at("k"), "absent");
    });
    list.add("reading_an_entry_does_not_prolong_it", [](Trial& t) {
        t.store.put("k", 1, {t.short_ttl});
        const time_point end = t.now() + t.short_ttl;
        t.wait_until_just_before(end);
        static_cast<void>(t.store.get("k"));
        t.wait_until_over(end);
        EXPECT_EQ(t.store.at("k"), "absent");
    });
    list.add("an_add_that_finds_an_entry_does_not_prolong_it", [](Trial& t) {
        t.store.put("k", 1, {t.short_ttl});
        const time_point end = t.now() + t.short_ttl;
        const bool added = t.store.add("k", 2, an_hour);
        if (t.surely_before(end)) {
            EXPECT_FALSE(added);
            t.wait_until_over(end);
            EXPECT_EQ(t.store.at("k"), "absent");
        }
    });
    list.add("an_entry_that_is_over_is_absent_to_add_and_to_erase", [](Trial& t) {
        t.store.put("k", 1, {t.short_ttl});
        t.store.put("other", 1, {t.short_ttl});
        t.wait_until_over(t.now() + t.short_ttl);
        EXPECT_FALSE(t.store.erase("k"));
        EXPECT_TRUE(t.store.add("other", 2));
        EXPECT_EQ(t.store.at("other"), "2");
    });
    list.add("an_entry_in_its_grace_is_present_to_add_and_to_erase", [](Trial& t) {
        t.store.put("k", 1, {t.short_ttl, 1h});
        t.wait_until_over(t.now() + t.short_ttl);
        EXPECT_FALSE(t.store.add("k", 2));
        EXPECT_EQ(t.store.at("k"), "stale 1");
        EXPECT_TRUE(t.store.erase("k"));
        EXPECT_EQ(t.store.at("k"), "absent");
    });
    list.add("the_shortest_and_the_longest_lifetime_are_kept", [](Trial& t) {
        constexpr nanoseconds decade = std::chrono::hours{24 * 3650};
        t.store.put("long", 1, {decade, decade});
        EXPECT_EQ(t.store.at("long"), "1");
        t.store.put("k", 1);
        t.store.put("k", 2, {1ns});
        t.wait_until_over(t.now() + 1ms);
        EXPECT_EQ(t.store.at("k"), "absent");
    });
    list.add("an_earlier_reading_finds_what_is_there", [](Trial& t) {
        const time_point now = t.now();
        t.store.put("k", t.store.sampled(1), an_hour, now);
        EXPECT_EQ(t.store.text(t.store.get("k", now - 1s)), "1");
        t.store.put("k", t.store.sampled(2), an_hour, now - 1s);
        EXPECT_EQ(t.store.text(t.store.get("k", now)), "2");
    });
}

template<class Trial>
void add_threads_on_values(checks<Trial>& list) {
    list.add("of_many_threads_that_add_a_key_exactly_one_succeeds", [](Trial& t) {
        for (int round = 0; round < 50; ++round) {
            const std::string key = std::to_string(round);
            std::atomic<int> added{0};
            std::atomic<int> winner{-1};
            in_threads(4, [&](int i) {
                auto mine = t.store;
                if (mine.add(key, i)) {
                    ++added;
                    winner = i;
                }
            });
            EXPECT_EQ(added, 1) << "round " << round;
            EXPECT_EQ(t.store.at(key), std::to_string(winner)) << "round " << round;
        }
    });
    list.add("of_many_threads_that_erase_a_key_exactly_one_succeeds", [](Trial& t) {
        for (int round = 0; round < 50; ++round) {
            t.store.put("k", round);
            std::atomic<int> erased{0};
            in_threads(4, [&](int) {
                auto mine = t.store;
                erased += mine.erase("k") ? 1 : 0;
            });
            EXPECT_EQ(erased, 1) << "round " << round;
        }
    });
    list.add("threads_find_only_whole_values_of_the_key_they_asked_for", [](Trial& t) {
        using samples = sample<typename Trial::value_type>;
        constexpr int keys = 3;
        std::atomic<int> foreign{0};
        in_threads(4, [&](int thread) {
            auto mine = t.store;
            for (int i = 0; i < 600; ++i) {
                const int which = i % keys;
                const std::string key = std::to_string(which);
                if ((i / keys + thread) % 4 == 0) {
                    mine.put(key, which + keys * (thread * 600 + i));
                } else if ((i / keys + thread) % 7 == 0) {
                    mine.erase(key);
                }
                const auto entry = mine.get(key);
                const int number = entry.value ? samples::number(*entry.value) : which;
                foreign += number < 0 || number % keys != which ? 1 : 0;
            }
        });
        EXPECT_EQ(foreign, 0);
    });
}

} // namespace detail

/// All the checks of the value half, with values of type V.
template<subject T, class V = std::string>
[[nodiscard]] checks<store_trial<T, V>> value_checks() {
    static_assert(explain_values<backend_of<T>, V>());
    checks<store_trial<T, V>> list;
    detail::add_sharing_of_values(list);
    detail::add_keys_of_values(list);
    detail::add_operations(list);
    detail::add_lifetimes(list);
    detail::add_threads_on_values(list);
    detail::add_leasing(list);
    detail::add_deferring(list);
    detail::add_batches(list);
    detail::add_asynchronous_reads(list);
    detail::add_matching(list);
    detail::add_visiting(list);
    detail::add_hosting(list);
    return list;
}

/// Registers the checks as tests of `suite`, before `main` runs them. Always true, so that it can be
/// called where a constant is initialised.
template<subject T, class V = std::string>
bool add_value_tests(const std::string& suite) {
    return detail::add_tests(suite, value_checks<T, V>());
}

} // namespace weir::contract

#endif
