#include <weir/memory/value_store.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;

using weir::lease_token;
using weir::time_point;
using store = weir::detail::memory_store<std::string>;

static_assert(weir::value_store<store, std::string>);
static_assert(weir::leasing_store<store, std::string>);
static_assert(weir::matching_store<store>);
static_assert(weir::visiting_store<store, std::string>);
static_assert(weir::hosting_store<store>);

constexpr time_point start{1h};

/// Counts the living, and throws when told to.
struct counted {
    static inline int alive = 0;
    static inline bool move_throws = false;

    int number = 0;

    explicit counted(int n) : number{n} { ++alive; }
    counted(counted&& other) : number{other.number} {
        if (move_throws) {
            throw std::runtime_error{"move"};
        }
        ++alive;
    }
    counted(const counted&) = delete;
    counted& operator=(counted&&) = delete;
    ~counted() { --alive; }
};

/// The same, and moves without throwing.
struct movable : counted {
    using counted::counted;
    movable(movable&& other) noexcept : counted{other.number} {}
};

struct immovable {
    explicit immovable(int n) : number{n} {}
    immovable(immovable&&) = delete;
    int number;
};

struct same_hash {
    [[nodiscard]] std::uint64_t operator()(std::string_view) const noexcept { return 42; }
};

template<class V, class Hash = weir::detail::keyed_hash>
struct fixture {
    explicit fixture(const weir::store_options& options) : store{options} {}

    template<class... Args>
    void put(std::string_view key, std::chrono::nanoseconds ttl, Args&&... args) {
        store.put(key, weir::make_value<V>(std::forward<Args>(args)...), {ttl, 0ns}, now, ec);
    }
    [[nodiscard]] weir::found<V> get(std::string_view key) { return store.get(key, now, ec); }
    [[nodiscard]] bool has(std::string_view key) { return get(key).present; }

    weir::detail::memory_store<V, Hash> store;
    time_point now = start;
    std::error_code ec;
};

std::string key_of(int i) {
    return "key " + std::to_string(i);
}

class value_store : public ::testing::Test, public fixture<std::string> {
public:
    value_store() : fixture{{1000, 0}} {}
};

// ---- values and time ---------------------------------------------------------------------------

TEST_F(value_store, gives_back_what_was_put) {
    put("a", 10s, "1");
    put("b", 10s, "2");
    EXPECT_EQ(*get("a").value, "1");
    EXPECT_EQ(*get("b").value, "2");
    EXPECT_FALSE(has("c"));
}

TEST_F(value_store, keeps_an_entry_until_the_last_nanosecond_of_its_ttl_and_no_longer) {
    put("a", 10s, "1");
    now = start + 10s - 1ns;
    EXPECT_TRUE(has("a"));
    EXPECT_EQ(get("a").fresh_until, start + 10s);
    now = start + 10s;
    EXPECT_FALSE(has("a"));
}

TEST_F(value_store, keeps_an_entry_stale_until_the_last_nanosecond_of_its_grace) {
    store.put("a", weir::make_value<std::string>("1"), {10s, 5s}, now, ec);
    now = start + 10s;
    EXPECT_EQ(get("a").fresh_until, start + 10s);
    now = start + 15s - 1ns;
    EXPECT_TRUE(has("a"));
    now = start + 15s;
    EXPECT_FALSE(has("a"));
}

TEST_F(value_store, honours_a_grace_of_one_nanosecond) {
    store.put("a", weir::make_value<std::string>("1"), {10s, 1ns}, now, ec);
    now = start + 10s;
    EXPECT_TRUE(has("a"));
    now = start + 10s + 1ns;
    EXPECT_FALSE(has("a"));
}

TEST_F(value_store, keeps_an_entry_whose_end_is_beyond_all_time) {
    store.put("a", weir::make_value<std::string>("1"), {std::chrono::nanoseconds::max(), 1h}, now,
              ec);
    now = time_point::max() - 1ns;
    EXPECT_TRUE(has("a"));
}

TEST_F(value_store, remembers_that_there_is_nothing) {
    store.put("a", nullptr, {10s, 0ns}, now, ec);
    EXPECT_TRUE(has("a"));
    EXPECT_EQ(get("a").value, nullptr);
    now = start + 10s;
    EXPECT_FALSE(has("a"));
}

TEST_F(value_store, replaces_value_and_deadline) {
    put("a", 10s, "1");
    now = start + 5s;
    put("a", 10s, "2");
    now = start + 15s - 1ns;
    EXPECT_EQ(*get("a").value, "2");
    now = start + 15s;
    EXPECT_FALSE(has("a"));
    EXPECT_EQ(store.stats().evictions, 0U);
}

TEST_F(value_store, adds_only_what_is_absent_or_expired) {
    EXPECT_TRUE(store.add("a", weir::make_value<std::string>("1"), {10s, 0ns}, now, ec));
    EXPECT_FALSE(store.add("a", weir::make_value<std::string>("2"), {10s, 0ns}, now, ec));
    EXPECT_EQ(*get("a").value, "1");
    now = start + 10s;
    EXPECT_TRUE(store.add("a", weir::make_value<std::string>("3"), {10s, 0ns}, now, ec));
    EXPECT_EQ(*get("a").value, "3");
}

TEST_F(value_store, erases_a_live_entry_once) {
    put("a", 10s, "1");
    EXPECT_TRUE(store.erase("a", now, ec));
    EXPECT_FALSE(has("a"));
    EXPECT_FALSE(store.erase("a", now, ec));
    put("a", 10s, "1");
    now = start + 10s;
    EXPECT_FALSE(store.erase("a", now, ec));
}

TEST_F(value_store, erases_what_a_glob_matches_and_counts_the_live) {
    put("user:1", 10s, "1");
    put("user:2", 20s, "2");
    put("item:1", 20s, "3");
    now = start + 10s;
    EXPECT_EQ(store.erase_matching("user:*", now, ec), 1);
    EXPECT_FALSE(has("user:2"));
    EXPECT_TRUE(has("item:1"));
    store.clear(now, ec);
    EXPECT_FALSE(has("item:1"));
    EXPECT_EQ(store.stats().entries, 0U);
}

TEST_F(value_store, takes_keys_of_any_bytes_and_length) {
    const std::string with_nul{"a\0b", 3};
    const std::string megabyte(1 << 20, 'x');
    const std::string other_megabyte = megabyte.substr(1) + "y";
    const std::vector<std::string> keys = {
        "", "a", with_nul, std::string(20, 'k'), std::string(21, 'k'), megabyte, other_megabyte};
    for (const std::string& key : keys) {
        put(key, 10s, "value of " + key);
    }
    for (const std::string& key : keys) {
        EXPECT_EQ(*get(key).value, "value of " + key);
        EXPECT_TRUE(store.erase(key, now, ec));
    }
    EXPECT_EQ(store.stats().entries, 0U);
}

TEST(value_store_hash, keys_of_equal_hashes_do_not_mix) {
    fixture<std::string, same_hash> f{{20, 0}};
    for (int i = 0; i < 20; ++i) {
        f.put(key_of(i), 10s, key_of(i));
    }
    for (int i = 0; i < 20; ++i) {
        if (const auto entry = f.get(key_of(i)); entry.present) {
            EXPECT_EQ(*entry.value, key_of(i));
        }
    }
    EXPECT_FALSE(f.has("another"));
    EXPECT_GT(f.store.stats().entries, 10U);
    EXPECT_TRUE(f.store.erase(key_of(19), f.now, f.ec));
    EXPECT_FALSE(f.has(key_of(19)));
}

TEST(value_store_hash, more_keys_of_one_hash_than_the_index_has_places_for_are_bounded) {
    fixture<std::string, same_hash> f{{1000, 0}};
    for (int i = 0; i < 200; ++i) {
        f.put(key_of(i), 10s, key_of(i));
        EXPECT_TRUE(f.has(key_of(i)));
    }
    EXPECT_EQ(f.store.stats().entries, 64U);
    EXPECT_EQ(f.store.stats().evictions, 200U - 64U);
}

TEST_F(value_store, hosts_one_object_made_once) {
    int made = 0;
    const auto make = [&]() -> std::shared_ptr<void> { return std::make_shared<int>(++made); };
    const auto first = store.hosted(make);
    const auto copy = store;
    EXPECT_EQ(copy.hosted(make), first);
    EXPECT_EQ(made, 1);
}

// ---- bounds ------------------------------------------------------------------------------------

TEST(value_store_bounds, ten_times_the_capacity_leaves_no_more_than_the_capacity) {
    for (const std::size_t capacity : {1U, 2U, 7U, 100U, 20'000U}) {
        fixture<std::string> f{{capacity, 0}};
        for (int i = 0; i < static_cast<int>(10 * capacity); ++i) {
            f.put(key_of(i), 10s, "v");
            if (i % 97 == 0 || capacity < 100) {
                ASSERT_LE(f.store.stats().entries, capacity);
            }
        }
        EXPECT_LE(f.store.stats().entries, capacity);
        EXPECT_GE(f.store.stats().entries, capacity - capacity / 50);
        EXPECT_EQ(f.store.stats().entries + f.store.stats().evictions, 10 * capacity);
    }
}

TEST(value_store_bounds, a_cache_for_one_entry_keeps_the_last) {
    fixture<std::string> f{{1, 0}};
    f.put("a", 10s, "1");
    f.put("b", 10s, "2");
    EXPECT_FALSE(f.has("a"));
    EXPECT_TRUE(f.has("b"));
}

TEST(value_store_bounds, bytes_are_bounded_and_counted_with_keys_and_owned_memory) {
    constexpr std::size_t most = 1 << 20;
    fixture<std::string> f{{0, most}};
    for (int i = 0; i < 1000; ++i) {
        f.put(key_of(i), 10s, std::string(10'000, 'v'));
        ASSERT_LE(f.store.stats().bytes, most);
    }
    EXPECT_GE(f.store.stats().entries, 80U);
    EXPECT_LE(f.store.stats().entries, 104U);
    EXPECT_GE(f.store.stats().bytes, 80U * 10'000U);
}

TEST(value_store_bounds, an_entry_heavier_than_the_bound_is_not_kept_and_replaces_what_was_there) {
    fixture<std::string> f{{0, 100'000}};
    f.put("a", 10s, "small");
    f.put("b", 10s, "small");
    f.put("a", 10s, std::string(200'000, 'v'));
    EXPECT_FALSE(f.has("a"));
    EXPECT_TRUE(f.has("b"));
    EXPECT_EQ(f.store.stats().evictions, 1U);
}

TEST(value_store_bounds, a_heavier_replacement_makes_others_leave) {
    fixture<std::string> f{{0, 100'000}};
    for (int i = 0; i < 9; ++i) {
        f.put(key_of(i), 10s, std::string(10'000, 'v'));
    }
    f.put(key_of(0), 10s, std::string(80'000, 'v'));
    EXPECT_LE(f.store.stats().bytes, 100'000U);
}

TEST(value_store_bounds, erased_entries_make_room_for_as_many) {
    fixture<std::string> f{{1000, 0}};
    for (int round = 0; round < 20; ++round) {
        for (int i = 0; i < 1000; ++i) {
            f.put(key_of(i), 10s, "v");
        }
        ASSERT_EQ(f.store.stats().entries, 1000U);
        for (int i = round % 2; i < 1000; i += 2) {
            ASSERT_TRUE(f.store.erase(key_of(i), f.now, f.ec));
        }
        ASSERT_EQ(f.store.stats().entries, 500U);
    }
    EXPECT_EQ(f.store.stats().evictions, 0U);
}

TEST(value_store_bounds, a_key_that_is_asked_for_survives_a_flood_of_others) {
    fixture<std::string> f{{1000, 0}};
    f.put("popular", 1h, "v");
    for (int i = 0; i < 20'000; ++i) {
        f.put(key_of(i), 1h, "v");
        ASSERT_TRUE(f.has("popular")) << i;
    }
}

TEST(value_store_expiry, what_has_expired_is_gone_after_one_sixteenth_as_many_insertions) {
    constexpr int entries = 16'000;
    fixture<std::string> f{{64'000, 0}};
    for (int i = 0; i < entries; ++i) {
        f.put(key_of(i), 10s, "v");
    }
    f.now += 11s;
    const std::uint64_t before = f.store.stats().entries;
    ASSERT_EQ(before, static_cast<std::uint64_t>(entries));
    // Nodes come in slabs of up to 64 KiB for each shard: some more than entries, and for each of
    // the shards the insertions that fall on it differ.
    constexpr int insertions = entries / 16 * 2;
    for (int i = 0; i < insertions; ++i) {
        f.put("new " + std::to_string(i), 10s, "v");
    }
    EXPECT_LE(f.store.stats().entries, static_cast<std::uint64_t>(insertions) + entries / 100);
    EXPECT_EQ(f.store.stats().evictions, 0U);
}

TEST(value_store_expiry, at_a_steady_rate_the_expired_are_at_most_a_sixteenth_of_the_nodes) {
    constexpr std::size_t capacity = 3000;
    fixture<std::string> f{{capacity, 0}};
    for (int i = 0; i < 30'000; ++i) {
        f.put(key_of(i), 1s, "v");
        f.now += 1ms;
        // A thousand are live at a time.
        if (i > 3000) {
            ASSERT_LE(f.store.stats().entries, 1000U + capacity / 16 + 16) << i;
        }
    }
    EXPECT_EQ(f.store.stats().evictions, 0U);
}

TEST(value_store_expiry, an_expired_entry_leaves_before_a_live_one) {
    fixture<std::string> f{{100, 0}};
    for (int i = 0; i < 50; ++i) {
        f.put("short " + std::to_string(i), 1s, "v");
    }
    for (int i = 0; i < 50; ++i) {
        f.put(key_of(i), 1h, "v");
    }
    f.now += 2s;
    for (int i = 50; i < 100; ++i) {
        f.put(key_of(i), 1h, "v");
    }
    EXPECT_EQ(f.store.stats().evictions, 0U);
    EXPECT_EQ(f.store.stats().expirations, 50U);
}

// ---- lives of values -----------------------------------------------------------------------------

TEST(value_store_lives, values_are_destroyed_at_once_when_replaced_erased_evicted_or_cleared) {
    {
        fixture<movable> f{{10, 0}};
        f.put("a", 10s, 1);
        EXPECT_EQ(counted::alive, 1);
        f.put("a", 10s, 2);
        EXPECT_EQ(counted::alive, 1);
        f.store.erase("a", f.now, f.ec);
        EXPECT_EQ(counted::alive, 0);
        for (int i = 0; i < 100; ++i) {
            f.put(key_of(i), 10s, i);
        }
        EXPECT_EQ(counted::alive, 10);
        f.store.clear(f.now, f.ec);
        EXPECT_EQ(counted::alive, 0);
        f.put("a", 10s, 1);
    }
    EXPECT_EQ(counted::alive, 0);
}

TEST(value_store_lives, a_held_value_outlives_its_eviction_and_the_store) {
    std::vector<weir::value_ref<movable>> held;
    {
        fixture<movable> f{{10, 0}};
        for (int i = 0; i < 100; ++i) {
            f.put(key_of(i), 10s, i);
            held.push_back(f.get(key_of(i)).value);
        }
        for (int i = 0; i < 100; ++i) {
            ASSERT_EQ(held[static_cast<std::size_t>(i)]->number, i);
        }
    }
    EXPECT_EQ(held[0]->number, 0);
    EXPECT_EQ(held[99]->number, 99);
    EXPECT_EQ(counted::alive, 100);
    held.clear();
    EXPECT_EQ(counted::alive, 0);
}

TEST(value_store_lives, a_value_made_in_the_store_is_stored_in_place) {
    fixture<immovable> f{{10, 0}};
    const auto value = f.store.make("a", 7);
    const immovable* address = value.get();
    f.store.put("a", value, {10s, 0ns}, f.now, f.ec);
    EXPECT_EQ(f.get("a").value.get(), address);
}

TEST(value_store_lives, a_value_that_others_hold_is_shared_and_not_moved) {
    fixture<movable> f{{10, 0}};
    const auto value = weir::make_value<movable>(7);
    f.store.put("a", value, {10s, 0ns}, f.now, f.ec);
    f.store.put("b", value, {10s, 0ns}, f.now, f.ec);
    EXPECT_EQ(f.get("a").value, value);
    EXPECT_EQ(f.get("b").value, value);
    EXPECT_EQ(counted::alive, 1);
}

TEST(value_store_lives, a_value_made_in_the_store_can_be_put_twice_and_under_other_keys) {
    fixture<movable> f{{20'000, 0}};
    {
        const auto value = f.store.make("a", 7);
        for (int i = 0; i < 100; ++i) {
            f.store.put(key_of(i), value, {10s, 0ns}, f.now, f.ec);
            f.store.put("a", value, {10s, 0ns}, f.now, f.ec);
        }
        EXPECT_EQ(f.get("a").value, value);
        EXPECT_EQ(f.get(key_of(50)).value, value);
    }
    EXPECT_EQ(counted::alive, 1);
    f.store.clear(f.now, f.ec);
    EXPECT_EQ(counted::alive, 0);
}

TEST(value_store_lives, a_value_that_cannot_be_moved_is_linked) {
    fixture<immovable> f{{10, 0}};
    f.put("a", 10s, 7);
    EXPECT_EQ(f.get("a").value->number, 7);
}

TEST(value_store_lives, a_value_whose_move_may_throw_is_not_moved) {
    fixture<counted> f{{10, 0}};
    counted::move_throws = true;
    f.put("a", 10s, 7);
    counted::move_throws = false;
    EXPECT_EQ(f.get("a").value->number, 7);
    f.store.clear(f.now, f.ec);
    EXPECT_EQ(counted::alive, 0);
}

TEST(value_store_lives, a_constructor_that_throws_leaves_the_store_as_it_was) {
    struct fragile {
        explicit fragile(bool fails) {
            if (fails) {
                throw std::runtime_error{"constructor"};
            }
        }
    };
    fixture<fragile> f{{2, 0}};
    f.put("a", 10s, false);
    for (int i = 0; i < 10'000; ++i) {
        EXPECT_THROW(static_cast<void>(f.store.make("b", true)), std::runtime_error);
    }
    EXPECT_TRUE(f.has("a"));
    f.store.put("b", f.store.make("b", false), {10s, 0ns}, f.now, f.ec);
    EXPECT_TRUE(f.has("b"));
}

TEST(value_store_lives, values_held_in_great_number_only_stop_the_store_from_keeping_more) {
    fixture<movable> f{{10, 0}};
    std::vector<weir::value_ref<movable>> held;
    for (int i = 0; i < 5000; ++i) {
        held.push_back(f.store.make(key_of(i), i));
        f.store.put(key_of(i), held.back(), {10s, 0ns}, f.now, f.ec);
    }
    EXPECT_EQ(held[4999]->number, 4999);
    held.clear();
    EXPECT_LE(counted::alive, 10);
    f.put("a", 10s, 1);
    EXPECT_TRUE(f.has("a"));
}

// ---- visit -------------------------------------------------------------------------------------

TEST_F(value_store, shows_a_fresh_value_in_place) {
    store.put("a", weir::make_value<std::string>("1"), {10s, 5s}, now, ec);
    store.put("none", nullptr, {10s, 5s}, now, ec);
    std::string seen;
    const auto look = [&](const std::string& value) { seen = value; };
    EXPECT_TRUE(store.visit("a", now, look));
    EXPECT_EQ(seen, "1");
    EXPECT_FALSE(store.visit("b", now, look));
    EXPECT_FALSE(store.visit("none", now, look));
    now += 10s;
    EXPECT_FALSE(store.visit("a", now, look));
}

TEST(value_store_visit, a_value_erased_while_looked_at_lives_until_the_look_ends) {
    fixture<movable> f{{10, 0}};
    f.put("a", 10s, 7);
    f.store.visit("a", f.now, [&](const movable& value) {
        f.store.erase("a", f.now, f.ec);
        EXPECT_FALSE(f.has("a"));
        EXPECT_EQ(counted::alive, 1);
        EXPECT_EQ(value.number, 7);
    });
    EXPECT_EQ(counted::alive, 0);
}

TEST(value_store_visit, what_the_look_throws_arrives_and_nothing_is_left_behind) {
    fixture<movable> f{{10, 0}};
    f.put("a", 10s, 7);
    for (int i = 0; i < 100; ++i) {
        EXPECT_THROW(
            f.store.visit("a", f.now, [](const movable&) { throw std::runtime_error{"look"}; }),
            std::runtime_error);
    }
    f.store.erase("a", f.now, f.ec);
    EXPECT_EQ(counted::alive, 0);
}

TEST(value_store_visit, looks_nest_deeper_than_a_thread_has_slots) {
    fixture<movable> f{{10, 0}};
    f.put("a", 10s, 7);
    int depth = 0;
    const auto nest = [&](auto& self) -> void {
        f.store.visit("a", f.now, [&](const movable& value) {
            if (++depth < 30) {
                self(self);
            } else {
                f.store.erase("a", f.now, f.ec);
            }
            EXPECT_EQ(value.number, 7);
        });
    };
    nest(nest);
    EXPECT_EQ(depth, 30);
    EXPECT_EQ(counted::alive, 0);
}

TEST(value_store_visit, the_last_of_two_threads_that_look_destroys_what_was_erased) {
    fixture<movable> f{{10, 0}};
    f.put("a", 10s, 7);
    std::atomic<int> step{0};
    const auto reach = [&](int s) {
        step.store(s);
        step.notify_all();
    };
    const auto wait_for = [&](int s) {
        for (int seen = step.load(); seen < s; seen = step.load()) {
            step.wait(seen);
        }
    };
    std::thread other{[&] {
        f.store.visit("a", f.now, [&](const movable&) {
            reach(1);
            wait_for(2);
        });
        reach(3);
    }};
    wait_for(1);
    f.store.visit("a", f.now, [&](const movable& value) {
        f.store.erase("a", f.now, f.ec);
        reach(2);
        wait_for(3);
        EXPECT_EQ(counted::alive, 1);
        EXPECT_EQ(value.number, 7);
    });
    EXPECT_EQ(counted::alive, 0);
    other.join();
}

// ---- leases ------------------------------------------------------------------------------------

class value_store_leases : public value_store {
protected:
    lease_token lease(std::string_view key) { return store.get_or_lease(key, now, ec).lease; }
    bool put_if(std::string_view key, lease_token token, const char* text) {
        return store.put_if_leased(key, weir::make_value<std::string>(text), {10s, 0ns}, token, now,
                                   ec);
    }
};

TEST_F(value_store_leases, a_fresh_entry_comes_without_a_lease) {
    put("a", 10s, "1");
    const auto answer = store.get_or_lease("a", now, ec);
    EXPECT_EQ(*answer.entry.value, "1");
    EXPECT_EQ(answer.lease, lease_token::none);
}

TEST_F(value_store_leases, a_key_is_leased_to_one_at_a_time) {
    const lease_token first = lease("a");
    EXPECT_NE(first, lease_token::none);
    EXPECT_EQ(lease("a"), lease_token::none);
    EXPECT_NE(lease("b"), lease_token::none);
    store.release("a", first, ec);
    const lease_token second = lease("a");
    EXPECT_NE(second, lease_token::none);
    EXPECT_NE(second, first);
}

TEST_F(value_store_leases, a_stale_entry_is_shown_beside_the_lease) {
    store.put("a", weir::make_value<std::string>("1"), {10s, 5s}, now, ec);
    now += 10s;
    const auto answer = store.get_or_lease("a", now, ec);
    EXPECT_EQ(*answer.entry.value, "1");
    EXPECT_NE(answer.lease, lease_token::none);
    const auto other = store.get_or_lease("a", now, ec);
    EXPECT_EQ(*other.entry.value, "1");
    EXPECT_EQ(other.lease, lease_token::none);
}

TEST_F(value_store_leases, the_holder_stores_and_the_lease_ends_with_it) {
    const lease_token token = lease("a");
    EXPECT_TRUE(put_if("a", token, "1"));
    EXPECT_EQ(*get("a").value, "1");
    EXPECT_FALSE(put_if("a", token, "2"));
    EXPECT_EQ(*get("a").value, "1");
}

TEST_F(value_store_leases, a_token_of_another_key_or_none_stores_nothing) {
    const lease_token token = lease("a");
    EXPECT_FALSE(put_if("b", token, "1"));
    EXPECT_FALSE(put_if("b", lease_token::none, "1"));
    EXPECT_FALSE(has("b"));
    EXPECT_TRUE(put_if("a", token, "1"));
}

TEST_F(value_store_leases, writes_and_erasures_of_a_key_end_its_lease) {
    const auto ends = [&](auto change) {
        store.clear(now, ec);
        const lease_token token = lease("a");
        const lease_token other = lease("b");
        EXPECT_NE(token, lease_token::none);
        change();
        EXPECT_TRUE(put_if("b", other, "1"));
        return !put_if("a", token, "old");
    };
    EXPECT_FALSE(ends(+[] {}));
    static value_store_leases* self = nullptr;
    self = this;
    EXPECT_TRUE(ends(+[] { self->put("a", 10s, "1"); }));
    EXPECT_TRUE(ends(+[] {
        self->store.add("a", weir::make_value<std::string>("1"), {10s, 0ns}, self->now, self->ec);
    }));
    EXPECT_TRUE(ends(+[] { self->store.erase("a", self->now, self->ec); }));
    EXPECT_TRUE(ends(+[] { self->store.erase_matching("a*", self->now, self->ec); }));
}

TEST_F(value_store_leases, clear_ends_all_leases) {
    const lease_token token = lease("a");
    store.clear(now, ec);
    EXPECT_FALSE(put_if("a", token, "1"));
}

TEST_F(value_store_leases, an_add_that_fails_ends_no_lease) {
    store.put("a", weir::make_value<std::string>("1"), {10s, 5s}, now, ec);
    now += 10s;
    const lease_token token = lease("a");
    EXPECT_FALSE(store.add("a", weir::make_value<std::string>("2"), {10s, 0ns}, now, ec));
    EXPECT_TRUE(put_if("a", token, "3"));
}

TEST(value_store_tokens, are_unique_over_all_shards) {
    fixture<std::string> f{{1'000'000, 0}};
    std::vector<lease_token> tokens;
    for (int i = 0; i < 200; ++i) {
        tokens.push_back(f.store.get_or_lease(key_of(i), f.now, f.ec).lease);
    }
    std::sort(tokens.begin(), tokens.end());
    EXPECT_EQ(std::adjacent_find(tokens.begin(), tokens.end()), tokens.end());
    EXPECT_NE(tokens.front(), lease_token::none);
}

// ---- weights and parts ---------------------------------------------------------------------------

TEST(value_weight, counts_what_strings_and_vectors_own) {
    using weir::value_weight;
    EXPECT_EQ(value_weight<int>::of(1), sizeof(int));
    EXPECT_EQ(value_weight<std::string>::of("short"), sizeof(std::string));
    EXPECT_EQ(value_weight<std::string>::of(std::string(100, 'x')), sizeof(std::string) + 100);
    EXPECT_EQ(value_weight<std::vector<int>>::of({1, 2, 3}),
              sizeof(std::vector<int>) + 3 * sizeof(int));
    EXPECT_EQ((value_weight<std::array<int, 4>>::of({1, 2, 3, 4})), 4 * sizeof(int));
    EXPECT_EQ(value_weight<std::vector<std::string>>::of({"a", std::string(100, 'x')}),
              sizeof(std::vector<std::string>) + 2 * sizeof(std::string) + 100);
}

TEST(short_duration, is_exact_for_whole_units_and_never_longer) {
    using weir::detail::short_duration;
    const std::chrono::nanoseconds exact[] = {0ns, 1ns, 999ms, 1500ms, 17min, 24h, 24h * 365 * 10};
    for (const auto d : exact) {
        EXPECT_EQ(short_duration{d}.get(), d);
    }
    const std::chrono::nanoseconds odd[] = {2s + 1ns, 20min + 1ns, 48h * 7 + 1ns, 24h * 365 + 1ns};
    for (const auto d : odd) {
        EXPECT_LE(short_duration{d}.get(), d);
        EXPECT_GT(short_duration{d}.get(), d - d / 1'000'000);
    }
    EXPECT_EQ(short_duration{-1s}.get(), 0ns);
    EXPECT_GT(short_duration{std::chrono::nanoseconds::max()}.get(), 24h * 365 * 34);
}

} // namespace
