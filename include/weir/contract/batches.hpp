#ifndef WEIR_CONTRACT_BATCHES_HPP
#define WEIR_CONTRACT_BATCHES_HPP

/// The part of the values suite about many keys in one go: see `batch_store` in
/// <weir/value_storage.hpp>.

#include <weir/contract/store_trial.hpp>

#include <gtest/gtest.h>

#include <cstddef>
#include <string>
#include <vector>

namespace weir::contract::detail {

/// What `get_many` finds, as texts.
template<class Trial>
[[nodiscard]] std::vector<std::string> texts_of_many(Trial& t,
                                                     const std::vector<std::string>& keys) {
    std::vector<std::string> texts;
    for (const auto& entry : t.store.get_many(keys)) {
        texts.push_back(t.store.text(entry));
    }
    return texts;
}

template<class Trial>
void add_batch_checks(checks<Trial>& list) {
    using texts = std::vector<std::string>;
    list.add("many_keys_are_found_as_each_alone_in_the_order_of_the_question", [](Trial& t) {
        t.store.put("value", 1);
        t.store.put("nothing", nothing);
        t.store.put("stale", 2, {t.short_ttl, 1h});
        t.store.put("over", 3, {t.short_ttl});
        t.wait_until_over(t.now() + t.short_ttl);
        t.store.put("another", 4);
        EXPECT_EQ(texts_of_many(t, {"value", "absent", "nothing", "stale", "over", "another"}),
                  (texts{"1", "absent", "nothing", "stale 2", "absent", "4"}));
        EXPECT_EQ(texts_of_many(t, {"another", "over", "stale", "nothing", "absent", "value"}),
                  (texts{"4", "absent", "stale 2", "nothing", "absent", "1"}));
    });
    list.add("a_key_that_is_asked_for_twice_is_answered_twice", [](Trial& t) {
        t.store.put("k", 1);
        EXPECT_EQ(texts_of_many(t, {"k", "absent", "k", "absent", "k"}),
                  (texts{"1", "absent", "1", "absent", "1"}));
    });
    list.add("no_keys_have_no_answers", [](Trial& t) {
        EXPECT_EQ(texts_of_many(t, {}), texts{});
        EXPECT_EQ(texts_of_many(t, {"k"}), texts{"absent"});
    });
    list.add("many_keys_may_be_of_any_bytes", [](Trial& t) {
        const std::vector<std::string> keys = awkward_keys();
        texts expected;
        for (std::size_t i = 0; i < keys.size(); ++i) {
            t.store.put(keys[i], static_cast<int>(i));
            expected.push_back(std::to_string(i));
        }
        EXPECT_EQ(texts_of_many(t, keys), expected);
    });
    list.add("five_hundred_keys_are_found_in_one_go", [](Trial& t) {
        std::vector<std::string> keys;
        texts expected;
        for (int i = 0; i < 500; ++i) {
            keys.push_back("product " + std::to_string(i));
            expected.push_back(i % 3 == 0 ? "absent" : std::to_string(i));
            if (i % 3 != 0) {
                t.store.put(keys.back(), i);
            }
        }
        EXPECT_EQ(texts_of_many(t, keys), expected);
    });
}

template<class Trial>
void add_batches(checks<Trial>& list) {
    if constexpr (batch_store<typename Trial::raw_type, typename Trial::value_type>) {
        add_batch_checks(list);
    } else {
        list.add("batches_are_absent", [](Trial&) {
            GTEST_SKIP() << "caches on this store ask for many keys one by one";
        });
    }
}

} // namespace weir::contract::detail

#endif
