#ifndef WEIR_CONTRACT_LEASING_HPP
#define WEIR_CONTRACT_LEASING_HPP

/// The part of the values suite about leases: see `leasing_store` in <weir/storage.hpp>.

#include <weir/contract/store_trial.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <utility>

namespace weir::contract::detail {

template<class Trial>
void add_granting_of_leases(checks<Trial>& list) {
    list.add("an_absent_key_is_leased_to_the_first_who_asks_and_to_no_other", [](Trial& t) {
        const auto first = t.store.get_or_lease("k");
        EXPECT_FALSE(first.entry.present);
        EXPECT_NE(first.lease, lease_token::none);
        auto copy = t.store;
        const auto second = copy.get_or_lease("k");
        EXPECT_FALSE(second.entry.present);
        EXPECT_EQ(second.lease, lease_token::none);
        EXPECT_NE(copy.get_or_lease("other").lease, lease_token::none);
    });
    list.add("a_fresh_entry_comes_without_a_lease", [](Trial& t) {
        t.store.put("k", 1);
        t.store.put("nothing", nothing);
        const auto answer = t.store.get_or_lease("k");
        EXPECT_EQ(t.store.text(answer.entry), "1");
        EXPECT_EQ(answer.lease, lease_token::none);
        const auto negative = t.store.get_or_lease("nothing");
        EXPECT_EQ(t.store.text(negative.entry), "nothing");
        EXPECT_EQ(negative.lease, lease_token::none);
    });
    list.add("an_entry_in_its_grace_comes_with_a_lease", [](Trial& t) {
        t.store.put("k", 1, {t.short_ttl, 1h});
        t.wait_until_over(t.now() + t.short_ttl);
        const auto answer = t.store.get_or_lease("k");
        EXPECT_EQ(t.store.text(answer.entry), "stale 1");
        EXPECT_NE(answer.lease, lease_token::none);
        EXPECT_EQ(t.store.get_or_lease("k").lease, lease_token::none);
        EXPECT_TRUE(t.store.put_if_leased("k", 2, answer.lease));
        EXPECT_EQ(t.store.at("k"), "2");
    });
    list.add("an_entry_that_is_over_can_be_leased", [](Trial& t) {
        t.store.put("k", 1, {t.short_ttl});
        t.wait_until_over(t.now() + t.short_ttl);
        EXPECT_TRUE(t.store.put_if_leased("k", 2, t.store.lease("k")));
        EXPECT_EQ(t.store.at("k"), "2");
    });
    list.add("of_many_threads_that_ask_for_a_lease_exactly_one_gets_it", [](Trial& t) {
        for (int round = 0; round < 50; ++round) {
            const std::string key = std::to_string(round);
            std::atomic<int> granted{0};
            in_threads(4, [&](int) {
                auto mine = t.store;
                granted += mine.get_or_lease(key).lease != lease_token::none ? 1 : 0;
            });
            EXPECT_EQ(granted, 1) << "round " << round;
        }
    });
}

template<class Trial>
void add_use_of_leases(checks<Trial>& list) {
    list.add("who_holds_the_lease_stores_once", [](Trial& t) {
        const lease_token lease = t.store.lease("k");
        EXPECT_TRUE(t.store.put_if_leased("k", 1, lease));
        EXPECT_EQ(t.store.at("k"), "1");
        EXPECT_FALSE(t.store.put_if_leased("k", 2, lease));
        EXPECT_EQ(t.store.at("k"), "1");
    });
    list.add("a_leased_put_keeps_its_lifetime", [](Trial& t) {
        EXPECT_TRUE(t.store.put_if_leased("k", 1, t.store.lease("k"), {t.short_ttl, 1h}));
        t.wait_until_over(t.now() + t.short_ttl);
        EXPECT_EQ(t.store.at("k"), "stale 1");
    });
    list.add("a_nothing_can_be_stored_under_a_lease", [](Trial& t) {
        EXPECT_TRUE(t.store.put_if_leased("k", nothing, t.store.lease("k")));
        EXPECT_EQ(t.store.at("k"), "nothing");
    });
    list.add("a_leased_put_without_a_lifetime_removes_the_entry_and_ends_the_lease", [](Trial& t) {
        t.store.put("k", 1, {t.short_ttl, 1h});
        t.wait_until_over(t.now() + t.short_ttl);
        const lease_token lease = t.store.get_or_lease("k").lease;
        EXPECT_TRUE(t.store.put_if_leased("k", 2, lease, {}));
        EXPECT_EQ(t.store.at("k"), "absent");
        EXPECT_FALSE(t.store.put_if_leased("k", 3, lease));
        t.store.put("k", 4);
        EXPECT_FALSE(t.store.put_if_leased("k", 5, lease, {}));
        EXPECT_EQ(t.store.at("k"), "4");
    });
    list.add("without_a_lease_nothing_is_stored", [](Trial& t) {
        EXPECT_FALSE(t.store.put_if_leased("k", 1, lease_token::none));
        EXPECT_FALSE(t.store.put_if_leased("k", 1, lease_token{12345}));
        const lease_token lease = t.store.lease("k");
        EXPECT_FALSE(t.store.put_if_leased("k", 1, lease_token::none));
        EXPECT_FALSE(t.store.put_if_leased("other", 1, lease));
        EXPECT_EQ(t.store.at("k"), "absent");
        EXPECT_EQ(t.store.at("other"), "absent");
        EXPECT_TRUE(t.store.put_if_leased("k", 2, lease)) << "the attempts ended the lease";
    });
    list.add("every_lease_has_a_token_of_its_own", [](Trial& t) {
        const lease_token first = t.store.lease("k");
        t.store.release("k", first);
        const lease_token second = t.store.lease("k");
        EXPECT_NE(first, second);
        EXPECT_FALSE(t.store.put_if_leased("k", 1, first));
        EXPECT_TRUE(t.store.put_if_leased("k", 2, second));
        EXPECT_EQ(t.store.at("k"), "2");
    });
    list.add("a_release_ends_only_the_lease_that_it_names", [](Trial& t) {
        const lease_token lease = t.store.lease("k");
        t.store.release("k", lease_token::none);
        t.store.release("k", lease_token{12345});
        t.store.release("other", lease);
        EXPECT_EQ(t.store.get_or_lease("k").lease, lease_token::none) << "it was leased again";
        EXPECT_TRUE(t.store.put_if_leased("k", 1, lease));
    });
}

/// Expects that `change` ends the lease of "k", and leaves those of other keys and stores alone.
template<class Trial, class Change>
void expect_end_of_lease(Trial& t, const Change& change) {
    typename Trial::handle elsewhere{t.backend, "elsewhere"};
    const lease_token lease = t.store.lease("k");
    const lease_token other = t.store.lease("other");
    const lease_token foreign = elsewhere.lease("k");
    change(t.store, lease);
    const std::string then = t.store.at("k");
    EXPECT_FALSE(t.store.put_if_leased("k", 77, lease)) << "the lease is still held";
    EXPECT_EQ(t.store.at("k"), then) << "the value computed before came after the change";
    if (then == "absent") {
        EXPECT_TRUE(t.store.put_if_leased("k", 78, t.store.lease("k")));
    }
    EXPECT_TRUE(t.store.put_if_leased("other", 79, other)) << "the lease of another key ended";
    EXPECT_TRUE(elsewhere.put_if_leased("k", 80, foreign)) << "the lease of another store ended";
}

template<class Trial>
void add_ends_of_leases(checks<Trial>& list) {
    using handle = typename Trial::handle;
    list.add("a_put_ends_the_lease", [](Trial& t) {
        expect_end_of_lease(t, [](handle& s, lease_token) { s.put("k", 1); });
        EXPECT_EQ(t.store.at("k"), "1");
    });
    list.add("a_put_of_a_nothing_ends_the_lease", [](Trial& t) {
        expect_end_of_lease(t, [](handle& s, lease_token) { s.put("k", nothing); });
        EXPECT_EQ(t.store.at("k"), "nothing");
    });
    list.add("an_add_ends_the_lease", [](Trial& t) {
        expect_end_of_lease(t, [](handle& s, lease_token) { EXPECT_TRUE(s.add("k", 1)); });
        EXPECT_EQ(t.store.at("k"), "1");
    });
    list.add("an_erase_ends_the_lease_also_of_an_absent_key", [](Trial& t) {
        expect_end_of_lease(t, [](handle& s, lease_token) { EXPECT_FALSE(s.erase("k")); });
    });
    list.add("a_release_ends_the_lease", [](Trial& t) {
        expect_end_of_lease(t, [](handle& s, lease_token lease) { s.release("k", lease); });
    });
    list.add("an_erase_of_an_entry_in_its_grace_ends_the_lease", [](Trial& t) {
        t.store.put("k", 1, {t.short_ttl, 1h});
        t.wait_until_over(t.now() + t.short_ttl);
        const lease_token lease = t.store.lease("k");
        EXPECT_TRUE(t.store.erase("k"));
        EXPECT_FALSE(t.store.put_if_leased("k", 2, lease));
        EXPECT_EQ(t.store.at("k"), "absent");
    });
    list.add("an_add_that_finds_an_entry_leaves_the_lease", [](Trial& t) {
        t.store.put("k", 1, {t.short_ttl, 1h});
        t.wait_until_over(t.now() + t.short_ttl);
        const lease_token lease = t.store.lease("k");
        EXPECT_FALSE(t.store.add("k", 2));
        EXPECT_TRUE(t.store.put_if_leased("k", 3, lease));
        EXPECT_EQ(t.store.at("k"), "3");
    });
    if constexpr (matching_store<typename Trial::raw_type>) {
        list.add("a_matching_erase_ends_the_lease_also_of_an_absent_key", [](Trial& t) {
            expect_end_of_lease(
                t, [](handle& s, lease_token) { EXPECT_EQ(s.erase_matching("[k]"), 0); });
        });
        list.add("clearing_ends_every_lease", [](Trial& t) {
            const lease_token lease = t.store.lease("k");
            t.store.clear();
            EXPECT_FALSE(t.store.put_if_leased("k", 1, lease));
            EXPECT_EQ(t.store.at("k"), "absent");
        });
    }
}

/// A source that counts its versions, read by computations under leases and invalidated after every
/// change: what is found after an invalidation must be at least that new.
template<class Trial, class Invalidate>
void expect_no_stale_store(Trial& t, const Invalidate& invalidate) {
    using samples = sample<typename Trial::value_type>;
    std::atomic<int> source{0};
    std::atomic<int> stale{0};
    std::atomic<bool> done{false};
    in_threads(3, [&](int thread) {
        auto mine = t.store;
        if (thread == 0) {
            for (int i = 0; i < 200 && stale == 0; ++i) {
                const int version = ++source;
                invalidate(mine);
                for (int look = 0; look < 3; ++look) {
                    const auto entry = mine.get("k");
                    stale += entry.value && samples::number(*entry.value) < version ? 1 : 0;
                    std::this_thread::yield();
                }
            }
            done = true;
            return;
        }
        while (!done) {
            const auto answer = mine.get_or_lease("k");
            const int version = source;
            std::this_thread::yield(); // the computation takes its time
            if (answer.lease != lease_token::none) {
                mine.put_if_leased("k", version, answer.lease);
            }
        }
    });
    EXPECT_EQ(stale, 0);
}

template<class Trial>
void add_races_of_leases(checks<Trial>& list) {
    using handle = typename Trial::handle;
    list.add("no_value_from_before_an_erase_is_found_after_it",
             [](Trial& t) { expect_no_stale_store(t, [](handle& s) { s.erase("k"); }); });
    if constexpr (matching_store<typename Trial::raw_type>) {
        list.add("no_value_from_before_a_matching_erase_is_found_after_it", [](Trial& t) {
            expect_no_stale_store(t, [](handle& s) { s.erase_matching("k*"); });
        });
        list.add("no_value_from_before_a_clear_is_found_after_it",
                 [](Trial& t) { expect_no_stale_store(t, [](handle& s) { s.clear(); }); });
    }
}

template<class Trial>
void add_leasing(checks<Trial>& list) {
    if constexpr (leasing_store<typename Trial::raw_type, typename Trial::value_type>) {
        add_granting_of_leases(list);
        add_use_of_leases(list);
        add_ends_of_leases(list);
        add_races_of_leases(list);
    } else {
        list.add("leasing_is_absent", [](Trial&) {
            GTEST_SKIP() << "this store gives no leases: each process keeps its own";
        });
    }
}

} // namespace weir::contract::detail

#endif
