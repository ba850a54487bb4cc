#include <weir/cache.hpp>
#include <weir/memory.hpp>
#include <weir/testing.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <system_error>
#include <type_traits>
#include <utility>

using namespace std::chrono_literals;
using testing::AllOf;
using testing::HasSubstr;

namespace {

using weir::cache_status;
using weir::cached;

using memory_backend = weir::basic_memory_backend<weir::manual_clock>;

/// Both faces of a cache behave alike.
template<class Cache>
class each_cache : public testing::Test {
protected:
    weir::manual_clock clock;
    memory_backend memory{clock};

    Cache make(weir::cache_options options = {.ttl = 1min}) {
        return Cache{memory, "texts", options};
    }
};

using faces =
    testing::Types<weir::cache<std::string>, weir::basic_cache<std::string, memory_backend>>;
TYPED_TEST_SUITE(each_cache, faces);

/// A computation that counts its calls.
auto counted(int& calls, std::string text) {
    return [&calls, text = std::move(text)] {
        ++calls;
        return text;
    };
}

std::string failing() {
    throw std::runtime_error{"the database is down"};
}

TYPED_TEST(each_cache, computes_once_and_then_hits_until_the_ttl_and_never_after) {
    const auto texts = this->make({.ttl = 1min});
    int calls = 0;
    const cached<std::string> first = texts.get_or_compute("k", counted(calls, "v"));
    EXPECT_EQ(first.status(), cache_status::computed);
    EXPECT_EQ(*first, "v");
    EXPECT_EQ(first.expires_in(), 1min);
    EXPECT_FALSE(first.from_store());
    this->clock.advance(1min - 1ns);
    const cached<std::string> last = texts.get_or_compute("k", counted(calls, "w"));
    EXPECT_EQ(last.status(), cache_status::hit);
    EXPECT_EQ(*last, "v");
    EXPECT_EQ(last.expires_in(), 1ns);
    EXPECT_TRUE(last.from_store());
    EXPECT_EQ(calls, 1);
    this->clock.advance(1ns);
    EXPECT_EQ(texts.get("k"), nullptr);
    EXPECT_EQ(*texts.get_or_compute("k", counted(calls, "w")), "w");
    EXPECT_EQ(calls, 2);
}

TYPED_TEST(each_cache, get_of_an_absent_key_is_a_miss) {
    const auto texts = this->make();
    const cached<std::string> answer = texts.get("k");
    EXPECT_FALSE(answer);
    EXPECT_EQ(answer.status(), cache_status::miss);
    EXPECT_FALSE(answer.error());
}

TYPED_TEST(each_cache, put_replaces_value_and_time_to_live) {
    const auto texts = this->make({.ttl = 1min});
    texts.put("k", "v");
    this->clock.advance(30s);
    texts.put("k", "w", 10min);
    this->clock.advance(9min);
    EXPECT_EQ(*texts.get("k"), "w");
    texts.put("k", "x", 1s);
    this->clock.advance(1s);
    EXPECT_FALSE(texts.get("k"));
}

TYPED_TEST(each_cache, put_without_a_time_to_live_removes) {
    const auto texts = this->make();
    for (const auto ttl : {0ns, -1ns}) {
        texts.put("k", "v");
        texts.put("k", "w", ttl);
        EXPECT_FALSE(texts.get("k"));
    }
}

TYPED_TEST(each_cache, put_beyond_ten_years_is_refused_and_loses_nothing) {
    const auto texts = this->make();
    texts.put("k", "v");
    EXPECT_THROW(texts.put("k", "w", 24h * 3650 + 1ns), std::invalid_argument);
    EXPECT_EQ(*texts.get("k"), "v");
}

TYPED_TEST(each_cache, add_stores_only_where_nothing_fresh_is) {
    const auto texts = this->make({.ttl = 1min});
    EXPECT_TRUE(texts.add("k", "v"));
    EXPECT_FALSE(texts.add("k", "w"));
    EXPECT_EQ(*texts.get("k"), "v");
    this->clock.advance(1min);
    EXPECT_TRUE(texts.add("k", "x", 5s));
    EXPECT_EQ(texts.get("k").expires_in(), 5s);
    EXPECT_FALSE(texts.add("never", "x", 0s));
    EXPECT_FALSE(texts.get("never"));
}

TYPED_TEST(each_cache, invalidate_removes_and_answers_whether_there_was_a_live_entry) {
    const auto texts = this->make({.ttl = 1min});
    texts.put("k", "v");
    EXPECT_TRUE(texts.invalidate("k"));
    EXPECT_FALSE(texts.get("k"));
    EXPECT_FALSE(texts.invalidate("k"));
    texts.put("k", "v");
    this->clock.advance(1min);
    EXPECT_FALSE(texts.invalidate("k"));
}

TYPED_TEST(each_cache, invalidate_matching_removes_what_matches_and_nothing_else) {
    const auto texts = this->make();
    for (const char* key : {"list:a", "list:b", "item:a", "list", "list:*"}) {
        texts.put(key, "v");
    }
    EXPECT_EQ(texts.invalidate_matching("list:\\*"), 1);
    EXPECT_EQ(texts.invalidate_matching("list:[a-z]"), 2);
    EXPECT_EQ(texts.invalidate_matching("nothing*"), 0);
    EXPECT_TRUE(texts.get("list"));
    EXPECT_TRUE(texts.get("item:a"));
}

TYPED_TEST(each_cache, clear_removes_everything) {
    const auto texts = this->make();
    for (int key = 0; key < 100; ++key) {
        texts.put(key, "v");
    }
    texts.clear();
    for (int key = 0; key < 100; ++key) {
        EXPECT_FALSE(texts.get(key));
    }
}

TYPED_TEST(each_cache, visit_shows_the_fresh_value_in_place) {
    const auto texts = this->make({.ttl = 1min});
    texts.put("k", "v");
    const std::string* seen = nullptr;
    EXPECT_TRUE(texts.visit("k", [&](const std::string& text) { seen = &text; }));
    EXPECT_EQ(seen, texts.get("k").get());
    EXPECT_FALSE(texts.visit("absent", [](const std::string&) { FAIL(); }));
    this->clock.advance(1min);
    EXPECT_FALSE(texts.visit("k", [](const std::string&) { FAIL(); }));
}

TYPED_TEST(each_cache, an_answer_outlives_eviction_and_cache) {
    std::shared_ptr<const std::string> kept;
    cached<std::string> answer;
    {
        const auto texts = TypeParam{memory_backend{this->clock}, "texts", {.ttl = 1min}};
        texts.put("k", "a value long enough to need memory of its own");
        answer = texts.get("k");
        kept = answer;
        texts.invalidate("k");
    }
    EXPECT_EQ(*answer, "a value long enough to need memory of its own");
    answer = {};
    EXPECT_EQ(*kept, "a value long enough to need memory of its own");
}

// ---- computations ------------------------------------------------------------------------------

TYPED_TEST(each_cache, an_exception_passes_through_and_stores_nothing) {
    const auto texts = this->make();
    EXPECT_THROW(static_cast<void>(texts.get_or_compute("k", failing)), std::runtime_error);
    EXPECT_FALSE(texts.get("k"));
    int calls = 0;
    EXPECT_EQ(*texts.get_or_compute("k", counted(calls, "v")), "v");
    EXPECT_EQ(calls, 1);
}

TYPED_TEST(each_cache, an_expiring_result_chooses_its_time_to_live) {
    const auto texts = this->make({.ttl = 1min});
    const auto brief = [] { return weir::expiring<std::string>{"v", 5s}; };
    EXPECT_EQ(texts.get_or_compute("k", brief).expires_in(), 5s);
    this->clock.advance(5s);
    EXPECT_FALSE(texts.get("k"));
}

TYPED_TEST(each_cache, a_result_may_be_nothing_or_choose_its_time_to_live) {
    const auto texts = this->make({.ttl = 1min, .negative_ttl = 1s});
    const auto find = [&](bool there) {
        return texts.get_or_compute("k", [there]() -> std::optional<weir::expiring<std::string>> {
            if (!there) {
                return std::nullopt;
            }
            return weir::expiring{std::string{"v"}, 5s};
        });
    };
    EXPECT_EQ(find(false).status(), cache_status::negative);
    this->clock.advance(1s);
    EXPECT_EQ(find(true).expires_in(), 5s);
}

TYPED_TEST(each_cache, an_expiring_result_without_a_time_to_live_is_not_stored) {
    const auto texts = this->make({.ttl = 1min, .grace = 1min});
    texts.put("k", "old");
    this->clock.advance(1min);
    const auto unkept = [] { return weir::expiring<std::string>{"v", 0s}; };
    const cached<std::string> answer = texts.get_or_compute("k", unkept);
    EXPECT_EQ(*answer, "v");
    EXPECT_EQ(answer.status(), cache_status::computed);
    EXPECT_EQ(answer.expires_in(), 0ns);
    EXPECT_FALSE(texts.get("k"));
    // The entry in its grace is superseded too.
    EXPECT_THROW(static_cast<void>(texts.get_or_compute("k", failing)), std::runtime_error);
}

TYPED_TEST(each_cache, an_expiring_result_beyond_ten_years_counts_as_ten_years) {
    const auto texts = this->make();
    const auto lasting = [] { return weir::expiring<std::string>{"v", weir::never}; };
    EXPECT_EQ(texts.get_or_compute("k", lasting).expires_in(), 24h * 3650);
    EXPECT_TRUE(texts.get("k"));
}

TYPED_TEST(each_cache, nothing_is_kept_for_negative_ttl) {
    const auto texts = this->make({.ttl = 1min, .negative_ttl = 10s});
    int calls = 0;
    const auto none = [&] {
        ++calls;
        return std::optional<std::string>{};
    };
    for (int i = 0; i < 3; ++i) {
        const cached<std::string> answer = texts.get_or_compute("k", none);
        EXPECT_FALSE(answer);
        EXPECT_EQ(answer.status(), cache_status::negative);
        EXPECT_EQ(answer.from_store(), i > 0);
    }
    EXPECT_EQ(texts.get("k").status(), cache_status::negative);
    EXPECT_FALSE(texts.visit("k", [](const std::string&) { FAIL(); }));
    EXPECT_EQ(calls, 1);
    this->clock.advance(10s);
    EXPECT_EQ(texts.get("k").status(), cache_status::miss);
    EXPECT_EQ(*texts.get_or_compute("k", [] { return std::optional<std::string>{"v"}; }), "v");
}

TYPED_TEST(each_cache, nothing_is_not_kept_without_negative_ttl) {
    const auto texts = this->make({.ttl = 1min});
    int calls = 0;
    const auto none = [&] {
        ++calls;
        return std::optional<std::string>{};
    };
    EXPECT_EQ(texts.get_or_compute("k", none).status(), cache_status::negative);
    EXPECT_EQ(texts.get_or_compute("k", none).status(), cache_status::negative);
    EXPECT_EQ(calls, 2);
}

TYPED_TEST(each_cache, within_its_grace_a_stale_value_stands_in_for_a_failed_computation) {
    const auto texts = this->make({.ttl = 1min, .grace = 5min});
    texts.put("k", "old");
    this->clock.advance(1min);
    EXPECT_FALSE(texts.get("k"));
    const cached<std::string> answer = texts.get_or_compute("k", failing);
    EXPECT_EQ(answer.status(), cache_status::stale);
    EXPECT_TRUE(answer.from_store());
    EXPECT_EQ(*answer, "old");
    EXPECT_EQ(answer.expires_in(), 0ns);
    int calls = 0;
    EXPECT_EQ(*texts.get_or_compute("k", counted(calls, "new")), "new");
    this->clock.advance(6min);
    EXPECT_THROW(static_cast<void>(texts.get_or_compute("k", failing)), std::runtime_error);
}

TYPED_TEST(each_cache, a_value_invalidated_during_a_failing_computation_is_not_served_as_stale) {
    const auto texts = this->make({.ttl = 1min, .grace = 5min});
    texts.put("k", "old");
    this->clock.advance(1min);
    EXPECT_THROW(static_cast<void>(texts.get_or_compute("k",
                                                        [&]() -> std::string {
                                                            texts.invalidate("k");
                                                            throw std::runtime_error{"down"};
                                                        })),
                 std::runtime_error);
}

TYPED_TEST(each_cache, a_stale_value_is_not_served_beside_a_cached_nothing) {
    const auto texts = this->make({.ttl = 1min, .grace = 5min});
    texts.put("k", "old");
    this->clock.advance(1min);
    EXPECT_FALSE(texts.get_or_compute("k", [] { return std::optional<std::string>{}; }));
    EXPECT_THROW(static_cast<void>(texts.get_or_compute("k", failing)), std::runtime_error);
}

// ---- no stale store ----------------------------------------------------------------------------

TYPED_TEST(each_cache, a_computation_that_was_overtaken_answers_its_caller_and_is_not_stored) {
    const auto texts = this->make();
    const auto overtaken_by = [&](auto change) {
        const cached<std::string> answer = texts.get_or_compute("k", [&] {
            change();
            return std::string{"old"};
        });
        EXPECT_EQ(*answer, "old");
        const cached<std::string> kept = texts.get("k");
        const bool stored = kept && *kept == "old";
        EXPECT_EQ(answer.expires_in(), stored ? 1min : 0ns);
        texts.clear();
        return kept ? *kept : "nothing";
    };
    EXPECT_EQ(overtaken_by([&] { texts.invalidate("k"); }), "nothing");
    EXPECT_EQ(overtaken_by([&] { texts.invalidate_matching("[k]"); }), "nothing");
    EXPECT_EQ(overtaken_by([&] { texts.clear(); }), "nothing");
    EXPECT_EQ(overtaken_by([&] { texts.put("k", "new"); }), "new");
    EXPECT_EQ(overtaken_by([&] { texts.add("k", "new"); }), "new");
    EXPECT_EQ(overtaken_by([&] { texts.put("k", "new", 0s); }), "nothing");
    EXPECT_EQ(overtaken_by([&] { texts.invalidate("other"); }), "old");
    EXPECT_EQ(overtaken_by([&] { texts.invalidate_matching("o*"); }), "old");
}

TYPED_TEST(each_cache,
           a_computation_begun_after_the_invalidation_is_stored_although_an_older_runs) {
    const auto texts = this->make();
    static_cast<void>(texts.get_or_compute("k", [&] {
        texts.invalidate("k");
        // The older flight is detached: this one neither joins it nor waits for it.
        EXPECT_EQ(*texts.get_or_compute("k", [] { return std::string{"new"}; }), "new");
        return std::string{"old"};
    }));
    EXPECT_EQ(*texts.get("k"), "new");
}

TYPED_TEST(each_cache, handles_opened_apart_share_entries_and_invalidations) {
    const auto one = this->make();
    const auto other = this->make();
    static_cast<void>(one.get_or_compute("k", [&] {
        other.invalidate("k");
        return std::string{"old"};
    }));
    EXPECT_FALSE(one.get("k"));
    other.put("k", "v");
    EXPECT_EQ(*one.get("k"), "v");
}

// ---- recursion ---------------------------------------------------------------------------------

TYPED_TEST(each_cache, a_computation_may_ask_for_other_keys) {
    const auto texts = this->make();
    const auto nested = [&] {
        return *texts.get_or_compute("inner", [] { return std::string{"v"}; }) + "!";
    };
    EXPECT_EQ(*texts.get_or_compute("outer", nested), "v!");
}

TYPED_TEST(each_cache, a_computation_that_asks_for_itself_is_reported_and_not_waited_for) {
    const auto texts = this->make();
    const auto itself = [&] { return *texts.get_or_compute("k", [] { return std::string{"v"}; }); };
    try {
        static_cast<void>(texts.get_or_compute("k", itself));
        FAIL() << "not reported";
    } catch (const std::system_error& error) {
        EXPECT_EQ(error.code(), weir::errc::recursive_computation);
        EXPECT_THAT(error.what(), HasSubstr("\"k\""));
    }
    EXPECT_EQ(*texts.get_or_compute("k", [] { return std::string{"v"}; }), "v");
}

// ---- conveniences ------------------------------------------------------------------------------

TYPED_TEST(each_cache, wrap_asks_the_cache_before_the_function) {
    const auto texts = this->make();
    int calls = 0;
    const auto find = texts.wrap([&](int id) {
        ++calls;
        return std::to_string(id);
    });
    EXPECT_EQ(*find(42), "42");
    EXPECT_EQ(*find(42), "42");
    EXPECT_EQ(calls, 1);
    EXPECT_TRUE(texts.invalidate("42"));
    EXPECT_EQ(*find(42), "42");
    EXPECT_EQ(calls, 2);
}

TYPED_TEST(each_cache, wrap_of_several_arguments_makes_one_key_of_them) {
    const auto texts = this->make();
    const auto join = texts.wrap([](std::string_view a, std::string_view b) {
        return std::string{a} + "|" + std::string{b};
    });
    EXPECT_EQ(*join("a:b", "c"), "a:b|c");
    EXPECT_EQ(*join("a", "b:c"), "a|b:c");
    EXPECT_TRUE(texts.invalidate(weir::make_key("a:b", "c")));
}

TYPED_TEST(each_cache, scopes_do_not_meet_whatever_the_keys) {
    const auto texts = this->make();
    const auto a = texts.scoped("a");
    const auto ab = texts.scoped("a:b");
    a.put("b:k", "of a");
    EXPECT_FALSE(ab.get("k"));
    ab.put("k", "of a:b");
    EXPECT_EQ(*a.get("b:k"), "of a");
    EXPECT_EQ(*ab.get("k"), "of a:b");
    EXPECT_TRUE(a.invalidate("b:k"));
    EXPECT_EQ(*ab.get("k"), "of a:b");
}

TYPED_TEST(each_cache, a_scope_clears_and_matches_only_itself) {
    const auto texts = this->make();
    const auto star = texts.scoped("*");
    const auto user = texts.scoped(7);
    for (const auto& scope : {star, user}) {
        scope.put("x1", "v");
        scope.put("x2", "v");
        scope.put("y", "v");
    }
    EXPECT_EQ(star.invalidate_matching("x?"), 2);
    EXPECT_TRUE(user.get("x1"));
    star.clear();
    EXPECT_FALSE(star.get("y"));
    EXPECT_TRUE(user.get("y"));
    int calls = 0;
    EXPECT_EQ(*user.get_or_compute("z", counted(calls, "v")), "v");
    EXPECT_TRUE(user.visit("z", [](const std::string&) {}));
    EXPECT_TRUE(user.add("w", "v"));
    EXPECT_TRUE(user.scoped("inner").add("w", "v"));
    EXPECT_EQ(*texts.get("7:w"), "v");
}

// ---- options and names -------------------------------------------------------------------------

TYPED_TEST(each_cache, jitter_shortens_lives_by_at_most_itself_and_spreads_them) {
    const auto texts = this->make({.ttl = 1min, .jitter = 10s});
    std::set<std::chrono::nanoseconds> lives;
    for (int key = 0; key < 200; ++key) {
        texts.put(key, "v");
        const auto life = texts.get(key).expires_in();
        EXPECT_LE(life, 1min);
        EXPECT_GE(life, 50s);
        lives.insert(life);
    }
    EXPECT_GT(lives.size(), 190U);
    EXPECT_LT(*lives.begin(), 51s);
    EXPECT_GT(*lives.rbegin(), 59s);
}

TYPED_TEST(each_cache, jitter_takes_at_most_half_of_a_short_life) {
    const auto texts = this->make({.ttl = 1min, .jitter = 1min});
    for (int key = 0; key < 100; ++key) {
        texts.put(key, "v", 2s);
        EXPECT_GE(texts.get(key).expires_in(), 1s);
    }
}

TYPED_TEST(each_cache, options_out_of_range_are_refused_with_value_and_range) {
    const auto message = [&](std::string_view name, weir::cache_options options) {
        try {
            static_cast<void>(TypeParam{this->memory, name, options});
        } catch (const std::invalid_argument& error) {
            return std::string{error.what()};
        }
        return std::string{"not refused"};
    };
    EXPECT_THAT(message("c", {}), AllOf(HasSubstr("ttl is 0ns"), HasSubstr("from 1ms")));
    EXPECT_THAT(message("c", {.ttl = 999'999ns}), HasSubstr("ttl is 999999ns"));
    EXPECT_THAT(message("c", {.ttl = 24h * 3651}), HasSubstr("3650 days"));
    EXPECT_THAT(message("c", {.ttl = 1s, .grace = -1ns}), HasSubstr("grace is -1ns"));
    EXPECT_THAT(message("c", {.ttl = 1s, .jitter = 2s}), HasSubstr("jitter is 2000000000ns"));
    EXPECT_THAT(message("c", {.ttl = 1s, .negative_ttl = 1ns}), HasSubstr("negative_ttl is 1ns"));
    EXPECT_THAT(message("c", {.ttl = 1s, .lease = 0s}),
                AllOf(HasSubstr("lease is 0ns"), HasSubstr("from 1ms to 1h")));
    EXPECT_THAT(message("c", {.ttl = 1s, .lease = 1h + 1ns}), HasSubstr("lease is 36000"));
    EXPECT_THAT(message("c", {.ttl = 1s, .capacity = (std::size_t{1} << 32) + 1}),
                AllOf(HasSubstr("capacity is 4294967297"), HasSubstr("at most")));
    EXPECT_THAT(message("", {.ttl = 1s}), HasSubstr("1 to 64"));
    EXPECT_THAT(message("a:b", {.ttl = 1s}), HasSubstr("\"a:b\""));
    EXPECT_THAT(message("rl", {.ttl = 1s}), HasSubstr("kept for limiters"));
}

TYPED_TEST(each_cache, a_name_open_with_another_type_or_bound_is_refused) {
    const auto texts = this->make({.ttl = 1min, .capacity = 100});
    EXPECT_THROW((weir::cache<int>{this->memory, "texts", {.ttl = 1min, .capacity = 100}}),
                 std::invalid_argument);
    try {
        this->make({.ttl = 1min, .capacity = 200});
        FAIL() << "not refused";
    } catch (const std::invalid_argument& error) {
        EXPECT_THAT(error.what(), AllOf(HasSubstr("capacity 100"), HasSubstr("capacity 200")));
    }
    EXPECT_NO_THROW(this->make({.ttl = 5s, .grace = 1s, .capacity = 100}));
}

TYPED_TEST(each_cache, statistics_count_what_happened) {
    const auto texts = this->make({.ttl = 1min, .grace = 1min});
    int calls = 0;
    static_cast<void>(texts.get("k"));
    static_cast<void>(texts.get_or_compute("k", counted(calls, "v")));
    static_cast<void>(texts.get_or_compute("k", counted(calls, "v")));
    static_cast<void>(texts.get("k"));
    this->clock.advance(1min);
    static_cast<void>(texts.get_or_compute("k", failing));
    static_cast<void>(texts.get_or_compute("n", [&] {
        texts.invalidate("n");
        return std::string{};
    }));
    const weir::cache_stats stats = texts.stats();
    EXPECT_EQ(stats.hits, 2U);
    EXPECT_EQ(stats.misses, 4U);
    EXPECT_EQ(stats.computations, 3U);
    EXPECT_EQ(stats.failures, 1U);
    EXPECT_EQ(stats.stale_served, 1U);
    EXPECT_EQ(stats.not_stored, 1U);
    EXPECT_EQ(stats.waits, 0U);
    EXPECT_EQ(stats.backend_errors, 0U);
    EXPECT_EQ(stats.store.entries, 1U);
}

TEST(cache_with_a_bound_of_bytes, refuses_what_is_too_heavy_and_says_so) {
    weir::manual_clock clock;
    const memory_backend memory{clock};
    const weir::cache<std::string> texts{
        memory, "texts", {.ttl = 1min, .negative_ttl = 1s, .max_bytes = 10'000}};
    const std::string heavy(100'000, 'x');
    // The very first entry of a store is one that is not kept, and has no value.
    EXPECT_FALSE(texts.get_or_compute(heavy, [] { return std::optional<std::string>{}; }));
    EXPECT_FALSE(texts.add("k", heavy));
    const auto answer = texts.get_or_compute("k", [&] { return heavy; });
    EXPECT_EQ(*answer, heavy);
    EXPECT_EQ(answer.expires_in(), 0ns);
    EXPECT_FALSE(texts.get("k"));
    EXPECT_EQ(texts.stats().not_stored, 2U);
    texts.put("k", "light");
    texts.put("k", heavy);
    EXPECT_FALSE(texts.get("k")) << "the old value must not outlive a newer one";
}

TEST(cache_of_any_value, a_value_put_during_a_failing_computation_is_a_hit_and_not_stale) {
    weir::manual_clock clock;
    const memory_backend memory{clock};
    const weir::cache<int> numbers{memory, "numbers", {.ttl = 1s}};
    const auto answer = numbers.get_or_compute("k", [&]() -> int {
        numbers.put("k", 7);
        throw std::runtime_error{"down"};
    });
    EXPECT_EQ(answer.status(), cache_status::hit);
    EXPECT_EQ(answer.expires_in(), 1s);
    EXPECT_EQ(numbers.stats().stale_served, 0U);
}

TEST(cache_of_any_value, holds_move_only_and_plain_types) {
    weir::manual_clock clock;
    const memory_backend memory{clock};
    const weir::cache<std::unique_ptr<int>> pointers{memory, "pointers", {.ttl = 1s}};
    const auto answer = pointers.get_or_compute("k", [] { return std::make_unique<int>(7); });
    EXPECT_EQ(**answer, 7);
    pointers.put("k", std::make_unique<int>(8));
    EXPECT_EQ(**pointers.get("k"), 8);
    const weir::cache<int> numbers{memory, "numbers", {.ttl = 1s}};
    EXPECT_EQ(*numbers.get_or_compute("k", [] { return 7; }), 7);
    const weir::cache<std::optional<int>> maybes{memory, "maybes", {.ttl = 1s}};
    const auto none = maybes.get_or_compute("k", [] { return std::optional<int>{}; });
    EXPECT_EQ(none.status(), cache_status::computed);
    EXPECT_FALSE(none->has_value());
}

// ---- a store that can fail, and one without leases ---------------------------------------------

class cache_on_a_failing_backend : public testing::Test {
protected:
    weir::manual_clock clock;
    memory_backend memory{clock};
    weir::failing_backend<memory_backend> backend{memory};
    weir::cache<std::string> texts{backend, "texts", {.ttl = 1min}};
};

TEST_F(cache_on_a_failing_backend, computes_and_reports_while_the_store_is_down) {
    texts.put("k", "v");
    backend.fail_with(weir::errc::unavailable);
    const cached<std::string> unknown = texts.get("k");
    EXPECT_FALSE(unknown);
    EXPECT_EQ(unknown.status(), cache_status::unavailable);
    EXPECT_EQ(unknown.error(), weir::errc::unavailable);
    int calls = 0;
    const cached<std::string> answer = texts.get_or_compute("k", counted(calls, "w"));
    EXPECT_EQ(*answer, "w");
    EXPECT_EQ(answer.status(), cache_status::computed);
    EXPECT_EQ(answer.error(), weir::errc::unavailable);
    EXPECT_EQ(answer.expires_in(), 0ns);
    EXPECT_EQ(calls, 1);
    backend.recover();
    EXPECT_EQ(*texts.get("k"), "v");
    EXPECT_EQ(texts.stats().backend_errors, 2U);
}

TEST_F(cache_on_a_failing_backend, changes_throw_or_report) {
    backend.fail_with(weir::errc::timeout);
    EXPECT_THROW(texts.put("k", "v"), std::system_error);
    EXPECT_THROW(texts.add("k", "v"), std::system_error);
    EXPECT_THROW(texts.invalidate("k"), std::system_error);
    EXPECT_THROW(texts.invalidate_matching("*"), std::system_error);
    EXPECT_THROW(texts.clear(), std::system_error);
    std::error_code ec;
    EXPECT_FALSE(texts.invalidate("k", ec));
    EXPECT_EQ(ec, weir::errc::timeout);
}

} // namespace
