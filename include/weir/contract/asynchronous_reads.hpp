#ifndef WEIR_CONTRACT_ASYNCHRONOUS_READS_HPP
#define WEIR_CONTRACT_ASYNCHRONOUS_READS_HPP

/// The part of the values suite about reads that nobody waits for: see `async_store` in
/// <weir/value_storage.hpp>.

#include <weir/contract/store_trial.hpp>

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace weir::contract::detail {

template<class Trial>
void add_asynchronous_read_checks(checks<Trial>& list) {
    using handle = typename Trial::handle;
    using answer_type = pending_answer<found<typename Trial::value_type>>;
    list.add("a_read_that_does_not_wait_finds_what_one_that_does_finds", [](Trial& t) {
        t.store.put("value", 1);
        t.store.put("nothing", nothing);
        t.store.put("stale", 2, {t.short_ttl, 1h});
        t.store.put("over", 3, {t.short_ttl});
        t.wait_until_over(t.now() + t.short_ttl);
        for (const auto& [key, expected] :
             {std::pair{"value", "1"}, std::pair{"nothing", "nothing"},
              std::pair{"stale", "stale 2"}, std::pair{"over", "absent"},
              std::pair{"absent", "absent"}}) {
            EXPECT_EQ(t.store.text(t.store.get_async(key).wait_for_success("get_async")), expected)
                << key;
            EXPECT_EQ(t.store.at(key), expected) << key;
        }
    });
    list.add("a_read_that_does_not_wait_knows_keys_of_any_bytes", [](Trial& t) {
        const std::vector<std::string> keys = awkward_keys();
        for (std::size_t i = 0; i < keys.size(); ++i) {
            t.store.put(keys[i], static_cast<int>(i));
        }
        for (std::size_t i = 0; i < keys.size(); ++i) {
            EXPECT_EQ(t.store.text(t.store.get_async(keys[i]).wait_for_success("get_async")),
                      std::to_string(i))
                << shown(keys[i]);
        }
    });
    list.add("the_key_of_a_read_need_not_outlive_the_call", [](Trial& t) {
        t.store.put(std::string(500, 'k'), 1);
        auto key = std::make_unique<std::string>(500, 'k');
        auto answer = t.store.get_async(*key);
        key.reset();
        EXPECT_EQ(t.store.text(answer.wait_for_success("get_async")), "1");
    });
    list.add("threads_that_do_not_wait_are_each_told_of_the_key_that_they_asked_for", [](Trial& t) {
        for (int i = 0; i < 50; ++i) {
            t.store.put("key " + std::to_string(i), i);
        }
        in_threads(4, [&](int thread) {
            auto mine = t.store;
            std::vector<answer_type> answers;
            for (int i = 0; i < 200; ++i) {
                answers.push_back(mine.get_async("key " + std::to_string((i + thread) % 60)));
            }
            for (int i = 0; i < 200; ++i) {
                const int which = (i + thread) % 60;
                EXPECT_EQ(
                    mine.text(answers[static_cast<std::size_t>(i)].wait_for_success("get_async")),
                    which < 50 ? std::to_string(which) : "absent");
            }
        });
    });
    list.add("reads_on_their_way_are_answered_when_the_backend_goes", [](Trial& t) {
        std::vector<answer_type> answers;
        {
            handle brief{t.make()};
            for (int i = 0; i < 100; ++i) {
                answers.push_back(brief.get_async("k"));
            }
        }
        for (answer_type& answer : answers) {
            static_cast<void>(answer.wait("get_async of a backend that was destroyed"));
        }
    });
}

template<class Trial>
void add_asynchronous_reads(checks<Trial>& list) {
    if constexpr (async_store<typename Trial::raw_type, typename Trial::value_type>) {
        add_asynchronous_read_checks(list);
    } else {
        list.add("asynchronous_reads_are_absent",
                 [](Trial&) { GTEST_SKIP() << "caches on this store wait for every answer"; });
    }
}

} // namespace weir::contract::detail

#endif
