#ifndef WEIR_CONTRACT_REFINEMENTS_HPP
#define WEIR_CONTRACT_REFINEMENTS_HPP

/// The parts of the values suite about stores that match, show in place and host: see
/// `matching_store`, `visiting_store` and `hosting_store` in <weir/storage.hpp>.

#include <weir/contract/store_trial.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <vector>

namespace weir::contract::detail {

template<class Trial>
void add_matching_checks(checks<Trial>& list) {
    using handle = typename Trial::handle;
    list.add("a_matching_erase_removes_what_matches_and_counts_it", [](Trial& t) {
        for (const char* key : {"user:1", "user:2", "user:12", "user:", "users", "auser:1"}) {
            t.store.put(key, 1);
        }
        EXPECT_EQ(t.store.erase_matching("user:?"), 2);
        EXPECT_EQ(t.store.at("user:1"), "absent");
        EXPECT_EQ(t.store.at("user:2"), "absent");
        EXPECT_EQ(t.store.at("user:12"), "1") << "a glob describes the whole key";
        EXPECT_EQ(t.store.at("user:"), "1");
        EXPECT_EQ(t.store.at("users"), "1");
        EXPECT_EQ(t.store.at("auser:1"), "1") << "a glob describes the whole key";
        EXPECT_EQ(t.store.erase_matching("user:?"), 0);
        EXPECT_EQ(t.store.erase_matching("user:*"), 2);
        EXPECT_EQ(t.store.at("users"), "1");
    });
    list.add("globs_know_sets_ranges_negation_and_escapes", [](Trial& t) {
        const auto erased_by = [&](const char* glob, std::vector<std::string> keys) {
            std::string erased;
            for (const std::string& key : keys) {
                t.store.put(key, 1);
            }
            const std::int64_t count = t.store.erase_matching(glob);
            for (const std::string& key : keys) {
                erased += t.store.at(key) == "absent" ? key + " " : "";
                t.store.erase(key);
            }
            return erased + std::to_string(count);
        };
        EXPECT_EQ(erased_by("h[ae]llo", {"hallo", "hello", "hillo"}), "hallo hello 2");
        EXPECT_EQ(erased_by("h[a-f]llo", {"hallo", "hello", "hillo"}), "hallo hello 2");
        EXPECT_EQ(erased_by("h[^e]llo", {"hallo", "hello", "hillo"}), "hallo hillo 2");
        EXPECT_EQ(erased_by("h*o", {"hallo", "HALLO", "Hallo"}), "hallo 1");
        EXPECT_EQ(erased_by("a\\*b", {"a*b", "axb"}), "a*b 1");
        EXPECT_EQ(erased_by("\\[a\\]", {"[a]", "a"}), "[a] 1");
        EXPECT_EQ(erased_by("%7B*", {"{x", "%7Bx"}), "%7Bx 1");
        EXPECT_EQ(erased_by("{?", {"{x", "%7Bx"}), "{x 1");
        EXPECT_EQ(erased_by("a?b", {"a{b", "a%b", "a\nb", "ab"}), "a{b a%b a\nb 3");
    });
    list.add("a_glob_without_wildcards_is_one_key", [](Trial& t) {
        t.store.put("k", 1);
        t.store.put("k2", 1);
        EXPECT_EQ(t.store.erase_matching("k"), 1);
        EXPECT_EQ(t.store.at("k2"), "1");
    });
    list.add("globs_see_keys_of_any_bytes", [](Trial& t) {
        using namespace std::string_literals;
        const std::vector<std::string> keys{""s, "\0"s, "a\0b"s, "\xff\n"s, "%"s, "{}"s};
        for (const std::string& key : keys) {
            t.store.put(key, 1);
        }
        EXPECT_EQ(t.store.erase_matching("a\0?"s), 1);
        EXPECT_EQ(t.store.erase_matching("*"), 5);
        for (const std::string& key : keys) {
            EXPECT_EQ(t.store.at(key), "absent") << shown(key);
        }
    });
    list.add("a_matching_erase_removes_a_cached_nothing_and_what_is_in_its_grace", [](Trial& t) {
        t.store.put("nothing", nothing);
        t.store.put("stale", 1, {t.short_ttl, 1h});
        t.wait_until_over(t.now() + t.short_ttl);
        EXPECT_EQ(t.store.erase_matching("*"), 2);
        EXPECT_EQ(t.store.at("nothing"), "absent");
        EXPECT_EQ(t.store.at("stale"), "absent");
    });
    list.add("a_matching_erase_and_a_clear_stay_in_their_store", [](Trial& t) {
        handle longer{t.backend, "contract.longer"};
        handle other{t.backend, "other"};
        for (handle* s : {&t.store, &longer, &other}) {
            s->put("k", 1);
        }
        EXPECT_EQ(t.store.erase_matching("*"), 1);
        t.store.put("k", 2);
        t.store.clear();
        EXPECT_EQ(t.store.at("k"), "absent");
        EXPECT_EQ(longer.at("k"), "1");
        EXPECT_EQ(other.at("k"), "1");
    });
    list.add("clearing_leaves_nothing_and_the_store_usable", [](Trial& t) {
        for (int i = 0; i < 500; ++i) {
            t.store.put("product " + std::to_string(i), i);
        }
        t.store.clear();
        for (int i = 0; i < 500; ++i) {
            EXPECT_EQ(t.store.at("product " + std::to_string(i)), "absent");
        }
        EXPECT_TRUE(t.store.add("product 1", 2));
        EXPECT_EQ(t.store.at("product 1"), "2");
    });
}

template<class Trial>
void add_matching(checks<Trial>& list) {
    if constexpr (matching_store<typename Trial::raw_type>) {
        add_matching_checks(list);
    } else {
        list.add("matching_is_absent", [](Trial&) {
            GTEST_SKIP() << "this store cannot erase by glob nor clear, nor can caches on it";
        });
    }
}

template<class Trial>
void add_visiting(checks<Trial>& list) {
    using value = typename Trial::value_type;
    if constexpr (visiting_store<typename Trial::raw_type, value>) {
        list.add("a_visit_shows_the_fresh_value_once", [](Trial& t) {
            std::vector<int> seen;
            const auto look = [&](const value& v) { seen.push_back(sample<value>::number(v)); };
            t.store.put("k", 7);
            EXPECT_TRUE(t.store.raw().visit("k", t.now(), look));
            EXPECT_EQ(seen, std::vector{7});
        });
        list.add("a_visit_shows_nothing_where_there_is_no_fresh_value", [](Trial& t) {
            const auto look = [](const value&) { ADD_FAILURE() << "a value was shown"; };
            t.store.put("nothing", nothing);
            t.store.put("erased", 1);
            t.store.erase("erased");
            t.store.put("stale", 1, {t.short_ttl, 1h});
            t.store.put("over", 1, {t.short_ttl});
            t.wait_until_over(t.now() + t.short_ttl);
            for (const char* key : {"absent", "nothing", "erased", "stale", "over"}) {
                EXPECT_FALSE(t.store.raw().visit(key, t.now(), look)) << key;
            }
        });
        list.add("a_visitor_may_use_the_store", [](Trial& t) {
            t.store.put("k", 1);
            t.store.put("other", 2);
            const auto look = [&](const value& v) {
                EXPECT_EQ(t.store.at("other"), "2");
                t.store.erase("k");
                t.store.put("k", 3);
                EXPECT_EQ(sample<value>::number(v), 1);
            };
            EXPECT_TRUE(t.store.raw().visit("k", t.now(), look));
            EXPECT_EQ(t.store.at("k"), "3");
        });
    } else {
        list.add("visiting_is_absent", [](Trial&) {
            GTEST_SKIP() << "this store shows no value in place: visits take a reference count";
        });
    }
}

template<class Trial>
void add_hosting(checks<Trial>& list) {
    using handle = typename Trial::handle;
    if constexpr (hosting_store<typename Trial::raw_type>) {
        list.add("handles_of_one_store_host_one_object", [](Trial& t) {
            const auto make_int =
                +[]() -> std::shared_ptr<void> { return std::make_shared<int>(); };
            const std::shared_ptr<void> first = t.store.raw().hosted(make_int);
            EXPECT_NE(first, nullptr);
            EXPECT_EQ(t.store.raw().hosted(make_int), first);
            EXPECT_EQ(handle{t.store}.raw().hosted(make_int), first);
            EXPECT_EQ(handle{t.backend}.raw().hosted(make_int), first);
            EXPECT_NE((handle{t.backend, "other"}.raw().hosted(make_int)), first);
        });
    } else {
        list.add("hosting_is_absent", [](Trial&) {
            GTEST_SKIP() << "caches opened separately share no computations nor statistics";
        });
    }
}

} // namespace weir::contract::detail

#endif
