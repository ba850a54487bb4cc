// get_many: many keys in one go, for any range of what converts to a key.

#include "../examples/custom_backend.hpp"

#include <weir/cache.hpp>
#include <weir/memory.hpp>
#include <weir/testing.hpp>

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <deque>
#include <iterator>
#include <list>
#include <optional>
#include <set>
#include <span>
#include <sstream>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

using namespace std::chrono_literals;

namespace {

using weir::cache_status;
using weir::cached;

using memory_backend = weir::basic_memory_backend<weir::manual_clock>;
using plain_backend = map_backend<weir::manual_clock>;
static_assert(weir::batch_store<weir::store_of<memory_backend, std::string>, std::string>);
static_assert(!weir::batch_store<weir::store_of<plain_backend, std::string>, std::string>);

/// On a store that finds many keys in one go, and on one that is asked in a loop.
template<class Cache>
class cache_of_many : public testing::Test {
protected:
    weir::manual_clock clock;
    memory_backend memory{clock};
    plain_backend plain{clock};

    Cache make(weir::cache_options options = {.ttl = 1min}) {
        if constexpr (std::is_constructible_v<Cache, memory_backend, std::string_view,
                                              weir::cache_options>) {
            return Cache{memory, "texts", options};
        } else {
            return Cache{plain, "texts", options};
        }
    }
};

using caches =
    testing::Types<weir::cache<std::string>, weir::basic_cache<std::string, memory_backend>,
                   weir::basic_cache<std::string, plain_backend>>;
TYPED_TEST_SUITE(cache_of_many, caches);

std::vector<std::string> texts(const std::vector<cached<std::string>>& answers) {
    std::vector<std::string> all;
    for (const cached<std::string>& answer : answers) {
        all.push_back(answer ? *answer : std::string{to_string(answer.status())});
    }
    return all;
}

using strings = std::vector<std::string>;

TYPED_TEST(cache_of_many, answers_each_key_as_get_does_in_the_order_of_the_question) {
    const auto cache = this->make({.ttl = 1min, .grace = 1min, .negative_ttl = 1min});
    cache.put("stale", "s", 1s);
    cache.put("brief", "b", 30s);
    static_cast<void>(cache.get_or_compute("none", [] { return std::optional<std::string>{}; }));
    this->clock.advance(1s);
    const strings keys{"brief", "absent", "none", "stale", "brief"};
    const std::vector<cached<std::string>> answers = cache.get_many(keys);
    EXPECT_EQ(texts(answers), (strings{"b", "miss", "negative", "miss", "b"}));
    for (std::size_t i = 0; i < keys.size(); ++i) {
        const cached<std::string> alone = cache.get(keys[i]);
        EXPECT_EQ(answers[i].status(), alone.status()) << keys[i];
        EXPECT_EQ(answers[i].expires_in(), alone.expires_in()) << keys[i];
        EXPECT_EQ(answers[i].from_store(), alone.from_store()) << keys[i];
    }
}

TYPED_TEST(cache_of_many, counts_each_key) {
    const auto cache = this->make();
    cache.put("a", "1");
    static_cast<void>(cache.get_many({"a", "b", "a", "c"}));
    EXPECT_EQ(cache.stats().hits, 2U);
    EXPECT_EQ(cache.stats().misses, 2U);
    EXPECT_TRUE(cache.get_many(strings{}).empty());
    EXPECT_EQ(cache.stats().misses, 2U);
}

TYPED_TEST(cache_of_many, takes_any_range_of_keys) {
    const auto cache = this->make();
    for (const char* key : {"1", "2", "3"}) {
        cache.put(key, std::string{"value "} + key);
    }
    const strings expected{"value 1", "value 2", "miss"};
    const strings lvalue{"1", "2", "9"};
    EXPECT_EQ(texts(cache.get_many(lvalue)), expected);
    EXPECT_EQ(texts(cache.get_many(strings{"1", "2", "9"})), expected);
    EXPECT_EQ(texts(cache.get_many(std::span<const std::string>{lvalue})), expected);
    EXPECT_EQ(texts(cache.get_many(std::vector<int>{1, 2, 9})), expected);
    EXPECT_EQ(texts(cache.get_many(std::vector<std::string_view>{"1", "2", "9"})), expected);
    EXPECT_EQ(texts(cache.get_many(std::list<std::string>{"1", "2", "9"})), expected);
    EXPECT_EQ(texts(cache.get_many(std::set<unsigned>{1, 2, 9})), expected);
    EXPECT_EQ(texts(cache.get_many(std::array<const char*, 3>{"1", "2", "9"})), expected);
    EXPECT_EQ(texts(cache.get_many({"1", "2", "9"})), expected);
    EXPECT_EQ(texts(cache.get_many({weir::key_view{1}, weir::key_view{"2"}, weir::key_view{9}})),
              expected);
    const char* in_place[] = {"1", "2", "9"};
    EXPECT_EQ(texts(cache.get_many(in_place)), expected);
}

TYPED_TEST(cache_of_many, scopes_do_not_meet) {
    const auto cache = this->make();
    const auto user = cache.scoped("user");
    user.put("a", "of the user");
    cache.put("a", "of all");
    EXPECT_EQ(texts(user.get_many({"a", "b"})), (strings{"of the user", "miss"}));
    EXPECT_EQ(texts(cache.get_many({"a", "user:a"})), (strings{"of all", "of the user"}));
    EXPECT_EQ(texts(user.scoped(7).get_many({1, 2})), (strings{"miss", "miss"}));
}

/// Makes a string of its own whenever it is looked at, as a view that transforms does.
class labels {
public:
    class iterator {
    public:
        using value_type = std::string;
        using difference_type = std::ptrdiff_t;
        std::string operator*() const {
            return "a label that is too long to live inside a string " + std::to_string(at_);
        }
        iterator& operator++() {
            ++at_;
            return *this;
        }
        iterator operator++(int) {
            iterator before = *this;
            ++*this;
            return before;
        }
        friend bool operator==(const iterator&, const iterator&) = default;

        int at_ = 0;
    };
    iterator begin() { return {0}; }
    iterator end() { return {3}; }
};

TEST(cache_of_made_keys, keeps_strings_that_the_range_makes_or_reuses) {
    const weir::manual_clock clock;
    const weir::cache<std::string> cache{memory_backend{clock}, "texts", {.ttl = 1min}};
    labels made;
    for (const std::string& label : made) {
        cache.put(label, label.substr(label.size() - 1));
    }
    EXPECT_EQ(texts(cache.get_many(made)), (strings{"0", "1", "2"}));
    EXPECT_EQ(texts(cache.get_many(labels{})), (strings{"0", "1", "2"}));

    cache.put("one-key-that-is-long-enough-to-be-elsewhere", "1");
    cache.put("two-keys-that-are-long-enough-to-be-elsewhere", "2");
    struct words {
        std::istringstream text{"one-key-that-is-long-enough-to-be-elsewhere "
                                "two-keys-that-are-long-enough-to-be-elsewhere"};
        std::istream_iterator<std::string> begin() {
            return std::istream_iterator<std::string>{text};
        }
        static std::istream_iterator<std::string> end() { return {}; }
    };
    EXPECT_EQ(texts(cache.get_many(words{})), (strings{"1", "2"}));
}

template<class Keys>
concept many_keys = requires(const weir::cache<int>& cache, Keys keys) {
    cache.get_many(keys);
};
static_assert(many_keys<std::deque<long>>);
static_assert(!many_keys<std::string>); // one key, not a range of keys
static_assert(!many_keys<const char*>);
static_assert(!many_keys<std::vector<double>>);
static_assert(!many_keys<int>);

TEST(many_keys_of_a_failing_backend, are_all_unavailable_if_the_store_fails) {
    const weir::manual_clock clock;
    const weir::failing_backend backend{memory_backend{clock}};
    const weir::cache<std::string> cache{backend, "texts", {.ttl = 1min}};
    cache.put("a", "1");
    backend.fail_with(weir::errc::reply_too_large);
    const auto answers = cache.get_many({"a", "b", "c"});
    ASSERT_EQ(answers.size(), 3U);
    for (const cached<std::string>& answer : answers) {
        EXPECT_FALSE(answer);
        EXPECT_EQ(answer.status(), cache_status::unavailable);
        EXPECT_EQ(answer.error(), weir::errc::reply_too_large);
    }
    EXPECT_EQ(cache.stats().misses, 3U);
    EXPECT_EQ(cache.stats().backend_errors, 3U);
    backend.recover();
    const std::int64_t before = backend.calls();
    EXPECT_EQ(texts(cache.get_many({"a", "b", "c"})), (strings{"1", "miss", "miss"}));
    EXPECT_EQ(backend.calls() - before, 1) << "the keys were asked for one by one";
}

} // namespace
