#ifndef WEIR_CONTRACT_DEFERRING_HPP
#define WEIR_CONTRACT_DEFERRING_HPP

/// The part of the values suite about stores that end a computation without making its caller wait:
/// see `deferring_store` in <weir/value_storage.hpp>.

#include <weir/contract/store_trial.hpp>

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace weir::contract::detail {

template<class Trial>
void add_deferred_puts(checks<Trial>& list) {
    list.add("a_deferred_put_stores_under_its_lease_once", [](Trial& t) {
        const lease_token lease = t.store.lease("k");
        auto first = t.store.put_if_leased_later("k", 1, lease);
        auto second = t.store.put_if_leased_later("k", 2, lease);
        EXPECT_TRUE(first.wait_for_success("put_if_leased_later"));
        EXPECT_FALSE(second.wait_for_success("put_if_leased_later"));
        EXPECT_EQ(t.store.at("k"), "1");
    });
    list.add("a_deferred_put_comes_before_what_is_asked_next", [](Trial& t) {
        auto other = t.store;
        for (int i = 0; i < 100; ++i) {
            const std::string key = std::to_string(i);
            auto answer = t.store.put_if_leased_later(key, i, t.store.lease(key));
            EXPECT_EQ(other.at(key), std::to_string(i));
            EXPECT_TRUE(answer.wait_for_success("put_if_leased_later"));
        }
        for (int i = 0; i < 100; ++i) {
            auto answer = t.store.put_if_leased_later("k", i, t.store.lease("k"));
            EXPECT_TRUE(other.erase("k")) << "the erase came before the put";
            EXPECT_EQ(t.store.at("k"), "absent") << "the put came after the erase";
            EXPECT_TRUE(answer.wait_for_success("put_if_leased_later"));
        }
    });
    list.add("a_deferred_put_comes_before_what_another_thread_asks_next", [](Trial& t) {
        for (int i = 0; i < 20; ++i) {
            const std::string key = std::to_string(i);
            auto answer = t.store.put_if_leased_later(key, i, t.store.lease(key));
            std::thread{[&, mine = t.store]() mutable {
                EXPECT_EQ(mine.at(key), std::to_string(i));
            }}.join();
            EXPECT_TRUE(answer.wait_for_success("put_if_leased_later"));
        }
    });
    list.add("a_deferred_put_after_the_end_of_its_lease_stores_nothing", [](Trial& t) {
        const lease_token lease = t.store.lease("k");
        t.store.erase("k");
        EXPECT_FALSE(
            t.store.put_if_leased_later("k", 1, lease).wait_for_success("put_if_leased_later"));
        EXPECT_FALSE(t.store.put_if_leased_later("k", 2, lease_token::none)
                         .wait_for_success("put_if_leased_later"));
        EXPECT_EQ(t.store.at("k"), "absent");
    });
    list.add("a_deferred_put_keeps_its_lifetime_and_stores_a_nothing", [](Trial& t) {
        auto value = t.store.put_if_leased_later("k", 1, t.store.lease("k"), {t.short_ttl, 1h});
        auto none = t.store.put_if_leased_later("none", nothing, t.store.lease("none"));
        EXPECT_TRUE(value.wait_for_success("put_if_leased_later"));
        EXPECT_TRUE(none.wait_for_success("put_if_leased_later"));
        t.wait_until_over(t.now() + t.short_ttl);
        EXPECT_EQ(t.store.at("k"), "stale 1");
        EXPECT_EQ(t.store.at("none"), "nothing");
    });
    list.add("a_deferred_put_without_a_lifetime_removes_the_entry", [](Trial& t) {
        t.store.put("k", 1, {t.short_ttl, 1h});
        t.wait_until_over(t.now() + t.short_ttl);
        const lease_token lease = t.store.get_or_lease("k").lease;
        auto answer = t.store.put_if_leased_later("k", 2, lease, {});
        EXPECT_EQ(t.store.at("k"), "absent");
        EXPECT_TRUE(answer.wait_for_success("put_if_leased_later"));
        EXPECT_FALSE(t.store.put_if_leased("k", 3, lease)) << "the lease is still held";
    });
    list.add("deferred_puts_on_their_way_are_answered_when_the_backend_goes", [](Trial& t) {
        std::vector<pending_answer<bool>> answers;
        {
            typename Trial::handle brief{t.make()};
            for (int i = 0; i < 100; ++i) {
                const std::string key = std::to_string(i);
                answers.push_back(brief.put_if_leased_later(key, i, brief.lease(key)));
            }
        }
        for (auto& answer : answers) {
            static_cast<void>(answer.wait("put_if_leased_later of a backend that was destroyed"));
        }
    });
}

template<class Trial>
void add_deferred_releases(checks<Trial>& list) {
    list.add("a_deferred_release_comes_before_what_is_asked_next", [](Trial& t) {
        auto other = t.store;
        for (int i = 0; i < 100; ++i) {
            const lease_token lease = t.store.lease("k");
            t.store.release_later("k", lease);
            const lease_token next = other.get_or_lease("k").lease;
            EXPECT_NE(next, lease_token::none) << "the lease is still held";
            EXPECT_FALSE(t.store.put_if_leased("k", 1, lease));
            t.store.release_later("k", next);
        }
    });
    list.add("a_deferred_release_ends_only_the_lease_that_it_names", [](Trial& t) {
        const lease_token lease = t.store.lease("k");
        t.store.release_later("k", lease_token::none);
        t.store.release_later("k", lease_token{12345});
        t.store.release_later("other", lease);
        EXPECT_EQ(t.store.get_or_lease("k").lease, lease_token::none) << "it was leased again";
        EXPECT_TRUE(t.store.put_if_leased("k", 1, lease));
    });
}

template<class Trial>
void add_deferring(checks<Trial>& list) {
    if constexpr (deferring_store<typename Trial::raw_type, typename Trial::value_type>) {
        add_deferred_puts(list);
        add_deferred_releases(list);
    } else {
        list.add("deferring_is_absent",
                 [](Trial&) { GTEST_SKIP() << "who computes a value waits until it is stored"; });
    }
}

} // namespace weir::contract::detail

#endif
