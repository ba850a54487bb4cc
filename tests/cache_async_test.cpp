// What a cache does without waiting: get_async, and the end of a computation on a store that
// defers.

#include "../examples/custom_backend.hpp"
#include "support/late_backend.hpp"

#include <weir/cache.hpp>
#include <weir/memory.hpp>
#include <weir/testing.hpp>

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

using namespace std::chrono_literals;

namespace {

using weir::cache_status;
using weir::cached;

using memory_backend = weir::basic_memory_backend<weir::manual_clock>;
using failing = weir::failing_backend<memory_backend>;
using late = weir_tests::late_backend<failing>;
using late_texts = weir::store_of<late, std::string>;
static_assert(weir::async_store<late_texts, std::string>);
static_assert(weir::deferring_store<late_texts, std::string>);
static_assert(!weir::locating_store<late_texts, std::string>);

/// On a store whose answers come later, at once, and on one that can only be waited for.
template<class Cache>
class each_async_cache : public testing::Test {
protected:
    weir::manual_clock clock;
    memory_backend memory{clock};
    failing backend{memory};
    late late_one{backend};
    map_backend<weir::manual_clock> plain{clock};

    Cache make(weir::cache_options options = {.ttl = 1min}) {
        if constexpr (std::is_constructible_v<Cache, late, std::string_view, weir::cache_options>) {
            return Cache{late_one, "texts", options};
        } else if constexpr (std::is_constructible_v<Cache, memory_backend, std::string_view,
                                                     weir::cache_options>) {
            return Cache{memory, "texts", options};
        } else {
            return Cache{plain, "texts", options};
        }
    }

    /// What get_async of `key` is told, after everything was delivered.
    template<class C, class K>
    cached<std::string> told(const C& cache, const K& key) {
        std::vector<cached<std::string>> answers;
        cache.get_async(key, [&](cached<std::string> answer) { answers.push_back(answer); });
        late_one.answers().deliver();
        EXPECT_EQ(answers.size(), 1U);
        answers.resize(1);
        return answers[0];
    }
};

using caches = testing::Types<weir::cache<std::string>, weir::basic_cache<std::string, late>,
                              weir::basic_cache<std::string, memory_backend>,
                              weir::basic_cache<std::string, map_backend<weir::manual_clock>>>;
TYPED_TEST_SUITE(each_async_cache, caches);

TYPED_TEST(each_async_cache, answers_as_get_does) {
    const auto cache = this->make({.ttl = 1min, .grace = 1min, .negative_ttl = 1min});
    cache.put("value", "v", 30s);
    cache.put("stale", "s", 1s);
    static_cast<void>(cache.get_or_compute("none", [] { return std::optional<std::string>{}; }));
    this->clock.advance(1s);
    for (const char* key : {"value", "stale", "none", "absent"}) {
        const cached<std::string> sync = cache.get(key);
        const cached<std::string> async = this->told(cache, key);
        EXPECT_EQ(async.status(), sync.status()) << key;
        EXPECT_EQ(async.get(), sync.get()) << key;
        EXPECT_EQ(async.expires_in(), sync.expires_in()) << key;
        EXPECT_EQ(async.from_store(), sync.from_store()) << key;
        EXPECT_FALSE(async.error()) << key;
    }
}

TYPED_TEST(each_async_cache, counts_as_get_does) {
    const auto cache = this->make();
    cache.put("k", "v");
    static_cast<void>(this->told(cache, "k"));
    static_cast<void>(this->told(cache, "absent"));
    static_cast<void>(this->told(cache, "k"));
    EXPECT_EQ(cache.stats().hits, 2U);
    EXPECT_EQ(cache.stats().misses, 1U);
}

TYPED_TEST(each_async_cache, a_scope_finds_its_own) {
    const auto cache = this->make();
    const auto user = cache.scoped("a user whose name is too long to live inside a string");
    user.put(42, "of the user");
    EXPECT_EQ(*this->told(user, 42), "of the user");
    EXPECT_FALSE(this->told(cache, 42));
}

TYPED_TEST(each_async_cache, a_handler_may_capture_what_is_large_and_what_cannot_be_copied) {
    const auto cache = this->make();
    cache.put("k", "v");
    std::string seen;
    cache.get_async("k", [&seen, large = std::array<char, 100>{'l'},
                          owned = std::make_unique<char>('o')](const cached<std::string>& answer) {
        seen = *answer + large[0] + *owned;
    });
    this->late_one.answers().deliver();
    EXPECT_EQ(seen, "vlo");
}

TYPED_TEST(each_async_cache, a_handler_may_use_the_cache) {
    const auto cache = this->make();
    cache.put("k", "v");
    cache.get_async("k", [&](const cached<std::string>& answer) {
        cache.put("k", *answer + "w");
        cache.get_async("k",
                        [&](const cached<std::string>& again) { cache.put("l", *again + "x"); });
    });
    this->late_one.answers().deliver();
    EXPECT_EQ(*cache.get("l"), "vwx");
}

template<class Done>
concept takes_handler = requires(const weir::cache<int>& cache, Done done) {
    cache.get_async("k", done);
};
static_assert(takes_handler<void (*)(cached<int>)>);
static_assert(takes_handler<int (*)(const cached<int>&)>);
static_assert(!takes_handler<void (*)()>);
static_assert(!takes_handler<void (*)(cached<std::string>)>);

// ---- answers that come later -------------------------------------------------------------------

class cache_with_late_answers : public testing::Test {
protected:
    weir::manual_clock clock;
    failing inside{memory_backend{clock}};
    late backend{inside};
    std::optional<weir::cache<std::string>> texts{
        weir::cache<std::string>{backend, "texts", {.ttl = 1min, .grace = 1min}}};
    std::vector<cached<std::string>> answers;

    void ask() {
        texts->get_async(
            "k", [this](cached<std::string> answer) { answers.push_back(std::move(answer)); });
    }
    cached<std::string> compute(const std::string& text) const {
        return texts->get_or_compute("k", [&] { return text; });
    }
};

TEST_F(cache_with_late_answers, the_call_returns_before_the_answer_comes) {
    texts->put("k", "v");
    ask();
    EXPECT_TRUE(answers.empty());
    EXPECT_EQ(texts->stats().hits, 0U);
    backend.answers().deliver();
    ASSERT_EQ(answers.size(), 1U);
    EXPECT_EQ(*answers[0], "v");
    EXPECT_EQ(texts->stats().hits, 1U);
}

TEST_F(cache_with_late_answers, a_failure_is_an_answer) {
    inside.fail_with(weir::errc::timeout);
    ask();
    backend.answers().deliver();
    ASSERT_EQ(answers.size(), 1U);
    EXPECT_EQ(answers[0].status(), cache_status::unavailable);
    EXPECT_EQ(answers[0].error(), weir::errc::timeout);
    EXPECT_EQ(texts->stats().misses, 1U);
    EXPECT_EQ(texts->stats().backend_errors, 1U);
}

TEST_F(cache_with_late_answers, the_cache_may_be_gone_when_the_answer_comes) {
    texts->put("k", "v");
    ask();
    texts.reset();
    backend.answers().deliver();
    ASSERT_EQ(answers.size(), 1U);
    EXPECT_EQ(*answers[0], "v");
}

TEST_F(cache_with_late_answers, a_backend_that_goes_answers_what_is_on_its_way) {
    {
        const weir::cache<std::string> brief{late{inside}, "texts", {.ttl = 1min}};
        brief.get_async(
            "k", [this](cached<std::string> answer) { answers.push_back(std::move(answer)); });
        EXPECT_EQ(*brief.get_or_compute("k", [] { return std::string{"v"}; }), "v");
        EXPECT_TRUE(answers.empty());
    }
    ASSERT_EQ(answers.size(), 1U) << "an answer on its way keeps its backend";
    EXPECT_EQ(answers[0].error(), weir::errc::closed);
}

// ---- the end of a computation ------------------------------------------------------------------

TEST_F(cache_with_late_answers, a_computed_value_is_there_before_the_store_has_answered) {
    const cached<std::string> answer = compute("v");
    EXPECT_EQ(answer.status(), cache_status::computed);
    EXPECT_EQ(answer.expires_in(), 1min);
    EXPECT_EQ(backend.answers().count(), 1U);
    EXPECT_EQ(*texts->get("k"), "v");
    backend.answers().deliver();
    EXPECT_EQ(texts->stats().not_stored, 0U);
    EXPECT_EQ(texts->stats().backend_errors, 0U);
}

TEST_F(cache_with_late_answers, what_was_not_stored_is_counted_when_the_store_answers) {
    static_cast<void>(texts->get_or_compute("k", [&] {
        texts->invalidate("k");
        return std::string{"old"};
    }));
    EXPECT_FALSE(texts->get("k"));
    EXPECT_EQ(texts->stats().not_stored, 0U);
    backend.answers().deliver();
    EXPECT_EQ(texts->stats().not_stored, 1U);
    EXPECT_EQ(texts->stats().backend_errors, 0U);
}

TEST_F(cache_with_late_answers, a_result_that_must_not_be_stored_is_counted_and_not_stored) {
    const auto unkept = [] { return weir::expiring<std::string>{"v", 0s}; };
    const cached<std::string> answer = texts->get_or_compute("k", unkept);
    EXPECT_EQ(*answer, "v");
    EXPECT_EQ(answer.expires_in(), 0s);
    backend.answers().deliver();
    EXPECT_FALSE(texts->get("k"));
    EXPECT_EQ(texts->stats().not_stored, 1U);
}

TEST_F(cache_with_late_answers, a_store_that_fails_is_counted_when_it_answers) {
    const cached<std::string> answer = texts->get_or_compute("k", [&] {
        inside.fail_with(weir::errc::connection_lost);
        return std::string{"v"};
    });
    EXPECT_EQ(*answer, "v");
    EXPECT_FALSE(answer.error()) << "not known yet";
    EXPECT_EQ(texts->stats().backend_errors, 0U);
    backend.answers().deliver();
    EXPECT_EQ(texts->stats().backend_errors, 1U);
    EXPECT_EQ(texts->stats().not_stored, 0U);
}

TEST_F(cache_with_late_answers, the_cache_may_be_gone_when_the_store_answers) {
    static_cast<void>(compute("v"));
    texts.reset();
    backend.answers().deliver();
}

TEST_F(cache_with_late_answers, a_failed_computation_lets_the_next_one_store) {
    const auto failed = []() -> std::string { throw std::runtime_error{"down"}; };
    EXPECT_THROW(static_cast<void>(texts->get_or_compute("k", failed)), std::runtime_error);
    static_cast<void>(compute("v"));
    EXPECT_EQ(*texts->get("k"), "v");
    clock.advance(1min);
    EXPECT_EQ(texts->get_or_compute("k", failed).status(), cache_status::stale);
    static_cast<void>(compute("w"));
    EXPECT_EQ(*texts->get("k"), "w");
}

// ---- a lease that another process holds --------------------------------------------------------

TEST(cache_beside_another_process, computes_at_once_and_does_not_store_what_another_is_computing) {
    const weir::manual_clock clock;
    const memory_backend memory{clock};
    const weir::cache<std::string> texts{memory, "texts", {.ttl = 1min, .capacity = 100}};
    // The other process, as far as the store can tell.
    auto elsewhere = memory.values<std::string>("texts", {.capacity = 100});
    std::error_code ec;
    const weir::lease_token theirs = elsewhere.get_or_lease("k", clock.now(), ec).lease;
    ASSERT_NE(theirs, weir::lease_token::none);
    const cached<std::string> answer =
        texts.get_or_compute("k", [] { return std::string{"mine"}; });
    EXPECT_EQ(*answer, "mine");
    EXPECT_EQ(answer.status(), cache_status::computed);
    EXPECT_EQ(answer.expires_in(), 0s);
    EXPECT_FALSE(answer.error());
    EXPECT_FALSE(texts.get("k"));
    EXPECT_EQ(texts.stats().not_stored, 1U);
    EXPECT_TRUE(elsewhere.put_if_leased("k", weir::make_value<std::string>("theirs"), {1min},
                                        theirs, clock.now(), ec));
    EXPECT_EQ(*texts.get("k"), "theirs");
}

// ---- a store that does not tell how long -------------------------------------------------------

/// Tells until when an entry is fresh only if it has a grace, as a plain GET of Redis does.
template<class Store, class V>
class untelling_store : public Store {
public:
    explicit untelling_store(Store inside) : Store{std::move(inside)} {}

    weir::found<V> get(std::string_view key, weir::time_point now, std::error_code& ec) {
        weir::found<V> answer = Store::get(key, now, ec);
        answer.fresh_until = weir::time_point::max();
        return answer;
    }
};

class untelling_backend : public map_backend<weir::manual_clock> {
public:
    using map_backend::map_backend;

    template<class V>
    untelling_store<map_store<V>, V> values(std::string_view name,
                                            const weir::store_options& options) {
        return untelling_store<map_store<V>, V>{map_backend::values<V>(name, options)};
    }
};

TEST(cache_on_a_store_that_does_not_tell_how_long, hits_and_says_zero) {
    const weir::manual_clock clock;
    const weir::cache<std::string> texts{untelling_backend{clock}, "texts", {.ttl = 1min}};
    texts.put("k", "v");
    const cached<std::string> answer = texts.get("k");
    EXPECT_EQ(answer.status(), cache_status::hit);
    EXPECT_EQ(answer.expires_in(), 0s);
    EXPECT_EQ(texts.get_or_compute("k", [] { return std::string{"w"}; }).status(),
              cache_status::hit);
    clock.advance(1min);
    EXPECT_FALSE(texts.get("k"));
}

// ---- what a store is told when it is opened ----------------------------------------------------

/// Remembers the options that its last store was opened with.
class asking_backend : public map_backend<weir::manual_clock> {
public:
    using map_backend::map_backend;

    template<class V>
    map_store<V> values(std::string_view name, const weir::store_options& options) {
        *seen = options;
        return map_backend::values<V>(name, options);
    }

    std::shared_ptr<weir::store_options> seen = std::make_shared<weir::store_options>();
};

TEST(cache_options_test, reach_the_store) {
    const asking_backend backend{weir::manual_clock{}};
    const weir::cache<std::string> texts{
        backend, "texts", {.ttl = 1min, .grace = 2min, .lease = 3s, .capacity = 4, .max_bytes = 5}};
    EXPECT_EQ(backend.seen->usual.ttl, 1min);
    EXPECT_EQ(backend.seen->usual.grace, 2min);
    EXPECT_EQ(backend.seen->lease, 3s);
    EXPECT_EQ(backend.seen->capacity, 4U);
    EXPECT_EQ(backend.seen->max_bytes, 5U);
    const weir::cache<std::string> usual{backend, "usual", {.ttl = 1min}};
    EXPECT_EQ(backend.seen->lease, 10s);
}

} // namespace
