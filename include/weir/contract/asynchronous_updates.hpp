#ifndef WEIR_CONTRACT_ASYNCHRONOUS_UPDATES_HPP
#define WEIR_CONTRACT_ASYNCHRONOUS_UPDATES_HPP

/// The part of the counters suite about updates that nobody waits for: see `async_backend` in
/// <weir/counter_storage.hpp>.

#include <weir/contract/counter_trial.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace weir::contract::detail {

template<class Trial>
void add_asynchronous_update_checks(checks<Trial>& list) {
    list.add("an_update_that_does_not_wait_answers_as_one_that_does", [](Trial& t) {
        counter same{t.make()};
        const auto expect_same_decision = [](const decision& async, const decision& sync) {
            EXPECT_EQ(to_string(async), to_string(sync));
        };
        for (const std::int64_t cost : {1, 4, 3, 2, 1}) {
            expect_same_decision(
                t.limiter.take_async("k", t.start, cost).wait_for_success("update_async"),
                same.take("k", t.start, cost));
            expect_same_decision(
                t.limiter.peek_async("k", t.start).wait_for_success("update_async"),
                same.peek("k", t.start));
        }
        for (int i = 0; i < 2; ++i) {
            EXPECT_EQ(t.limiter.give_back_async("k", t.start, 5).wait_for_success("update_async"),
                      same.give_back("k", t.start, 5));
        }
        EXPECT_EQ(t.limiter.take_async("k", t.start, 3).wait_for_success("update_async").remaining,
                  0);
        for (const bool known : {true, false}) {
            EXPECT_EQ(t.limiter.forget_async("k", t.start).wait_for_success("update_async"), known);
        }
    });
    list.add("updates_that_wait_and_updates_that_do_not_count_together", [](Trial& t) {
        EXPECT_TRUE(t.limiter.take("k", t.start));
        EXPECT_TRUE(t.limiter.take_async("k", t.start).wait_for_success("update_async"));
        EXPECT_EQ(t.limiter.peek("k", t.start).remaining, 1);
        EXPECT_TRUE(t.limiter.take("k", t.start));
        EXPECT_FALSE(t.limiter.take_async("k", t.start).wait_for_success("update_async"));
        EXPECT_FALSE(t.limiter.take("k", t.start));
    });
    list.add("what_an_update_was_given_need_not_outlive_the_call", [](Trial& t) {
        auto key = std::make_unique<std::string>(500, 'k');
        auto copy = std::make_unique<counter<typename Trial::backend_type>>(t.limiter);
        auto answer = copy->take_async(*key, t.start);
        copy.reset();
        key.reset();
        EXPECT_TRUE(answer.wait_for_success("update_async"));
        EXPECT_EQ(t.limiter.peek(std::string(500, 'k'), t.start).remaining, 2);
    });
    list.add("the_handler_of_every_update_is_called_whatever_the_answer", [](Trial& t) {
        std::vector<pending_answer<decision>> decisions;
        std::vector<pending_answer<bool>> changes;
        for (int i = 0; i < 100; ++i) {
            const std::string key = std::to_string(i % 10);
            decisions.push_back(t.limiter.take_async(key, t.start));
            decisions.push_back(t.limiter.take_async(key, t.start, 4));
            decisions.push_back(t.limiter.peek_async(key, t.start));
            changes.push_back(t.limiter.give_back_async("absent", t.start));
        }
        for (auto& answer : decisions) {
            static_cast<void>(answer.wait_for_success("update_async"));
        }
        for (auto& answer : changes) {
            EXPECT_FALSE(answer.wait_for_success("update_async"));
        }
    });
    list.add("threads_that_do_not_wait_are_admitted_exactly_the_limit", [](Trial& t) {
        const auto shared = t.limiter.with_limit(500);
        std::atomic<std::int64_t> admitted{0};
        in_threads(4, [&](int) {
            auto limiter = shared;
            std::vector<pending_answer<decision>> answers;
            for (int i = 0; i < 200; ++i) {
                answers.push_back(limiter.take_async("k", t.start));
            }
            for (auto& answer : answers) {
                admitted += answer.wait_for_success("update_async").allowed ? 1 : 0;
            }
        });
        EXPECT_EQ(admitted, 500);
    });
    list.add("updates_on_their_way_are_answered_when_the_backend_goes", [](Trial& t) {
        std::vector<pending_answer<decision>> answers;
        {
            counter brief{t.make()};
            for (int i = 0; i < 100; ++i) {
                answers.push_back(brief.take_async("k", t.start));
            }
        }
        for (auto& answer : answers) {
            static_cast<void>(answer.wait("update_async of a backend that was destroyed"));
        }
    });
}

template<class Trial>
void add_asynchronous_updates(checks<Trial>& list) {
    if constexpr (async_backend<typename Trial::backend_type>) {
        add_asynchronous_update_checks(list);
    } else {
        list.add("asynchronous_updates_are_absent",
                 [](Trial&) { GTEST_SKIP() << "limiters on this backend wait for every answer"; });
    }
}

} // namespace weir::contract::detail

#endif
