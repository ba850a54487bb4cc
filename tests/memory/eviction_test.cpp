#include <weir/memory/eviction.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <set>
#include <utility>
#include <vector>

namespace {

using weir::detail::eviction;
using weir::detail::window_tuner;
namespace place = weir::detail::place;

/// Entries whose key is known by a number, and the policy over them.
class cache {
public:
    explicit cache(std::size_t capacity)
        : capacity_{capacity}, policy_{capacity}, entries_(capacity + 2) {
        for (std::size_t n = entries_.size(); n-- > 1;) {
            entries_[n] = std::make_unique<entry>();
            free_.push_back(static_cast<std::uint32_t>(n));
        }
    }

    /// True if `key` is in; otherwise it comes in.
    bool ask(std::uint32_t key) {
        for (std::uint32_t n = 1; n < entries_.size(); ++n) {
            entry& e = *entries_[n];
            if (e.in && e.key == key) {
                if (!e.marked) {
                    e.marked = true;
                    policy_.asked_for(key);
                }
                return true;
            }
        }
        const std::uint32_t n = free_.back();
        free_.pop_back();
        entry& e = *entries_[n];
        e.in = true;
        e.key = key;
        e.marked = e.expired = false;
        policy_.add(slots{*this}, n, key);
        while (policy_.size() > capacity_) {
            leave(policy_.choose(slots{*this}));
        }
        return false;
    }

    void erase(std::uint32_t key) {
        const std::uint32_t n = number_of(key);
        policy_.remove(slots{*this}, n);
        leave(n);
    }
    void expire(std::uint32_t key) { entries_[number_of(key)]->expired = true; }

    [[nodiscard]] std::set<std::uint32_t> keys() const {
        std::set<std::uint32_t> all;
        for (std::size_t n = 1; n < entries_.size(); ++n) {
            if (entries_[n]->in) {
                all.insert(entries_[n]->key);
            }
        }
        return all;
    }
    [[nodiscard]] const eviction& policy() const { return policy_; }

private:
    struct entry {
        bool in = false;
        bool marked = false;
        bool expired = false;
        std::uint32_t key = 0;
        std::atomic<std::uint32_t> where{place::claimed};
    };

    struct slots {
        cache& c;
        [[nodiscard]] std::atomic<std::uint32_t>& where(std::uint32_t n) const {
            return c.entries_[n]->where;
        }
        [[nodiscard]] bool unmark(std::uint32_t n) const {
            return std::exchange(c.entries_[n]->marked, false);
        }
        [[nodiscard]] std::uint32_t hash(std::uint32_t n) const { return c.entries_[n]->key; }
        [[nodiscard]] bool expired(std::uint32_t n) const { return c.entries_[n]->expired; }
        [[nodiscard]] std::uint32_t numbers_end() const {
            return static_cast<std::uint32_t>(c.entries_.size());
        }
    };

    [[nodiscard]] std::uint32_t number_of(std::uint32_t key) const {
        for (std::uint32_t n = 1; n < entries_.size(); ++n) {
            if (entries_[n]->in && entries_[n]->key == key) {
                return n;
            }
        }
        return 0;
    }
    void leave(std::uint32_t n) {
        entries_[n]->in = false;
        entries_[n]->where = place::claimed;
        free_.push_back(n);
    }

    std::size_t capacity_;
    eviction policy_;
    std::vector<std::unique_ptr<entry>> entries_;
    std::vector<std::uint32_t> free_;
};

TEST(eviction, keeps_what_is_asked_for_again_and_again_through_a_scan) {
    cache c{100};
    for (int round = 0; round < 4; ++round) {
        for (std::uint32_t key = 0; key < 50; ++key) {
            c.ask(key);
        }
    }
    for (std::uint32_t key = 1000; key < 3000; ++key) {
        c.ask(key);
        if (key % 40 == 0) {
            for (std::uint32_t popular = 0; popular < 50; ++popular) {
                c.ask(popular);
            }
        }
    }
    std::size_t kept = 0;
    for (const std::uint32_t key : c.keys()) {
        kept += key < 50 ? 1 : 0;
    }
    EXPECT_GE(kept, 49U);
}

TEST(eviction, keeps_nearly_its_capacity_of_a_loop_that_is_larger) {
    cache c{100};
    int hits = 0;
    for (int round = 0; round < 100; ++round) {
        for (std::uint32_t key = 0; key < 200; ++key) {
            hits += c.ask(key) ? 1 : 0;
        }
    }
    // LRU has none; all that could be had are 50 of 100.
    EXPECT_GT(hits, 100 * 200 * 40 / 100);
}

TEST(eviction, lets_newcomers_in_for_the_expired_however_popular_those_were) {
    cache c{100};
    for (int round = 0; round < 10; ++round) {
        for (std::uint32_t key = 0; key < 100; ++key) {
            c.ask(key);
        }
    }
    for (const std::uint32_t key : c.keys()) {
        c.expire(key);
    }
    std::set<std::uint32_t> newcomers;
    for (std::uint32_t key = 1000; key < 1100; ++key) {
        c.ask(key);
        newcomers.insert(key);
    }
    EXPECT_EQ(c.keys(), newcomers);
}

TEST(eviction, an_erased_entry_makes_room_without_a_contest) {
    cache c{100};
    for (std::uint32_t key = 0; key < 100; ++key) {
        c.ask(key);
    }
    for (std::uint32_t key = 0; key < 100; key += 3) {
        c.erase(key);
    }
    for (std::uint32_t key = 1000; key < 1034; ++key) {
        c.ask(key);
    }
    EXPECT_EQ(c.keys().size(), 100U);
    EXPECT_EQ(c.policy().size(), 100U);
    for (std::uint32_t key = 1; key < 100; key += 3) {
        EXPECT_TRUE(c.keys().contains(key));
    }
}

TEST(eviction, works_for_one_entry) {
    cache c{1};
    for (std::uint32_t key = 0; key < 100; ++key) {
        EXPECT_FALSE(c.ask(key));
        EXPECT_TRUE(c.ask(key));
        EXPECT_EQ(c.keys(), std::set<std::uint32_t>{key});
    }
}

TEST(window_tuner, gives_the_window_more_when_what_it_rejects_comes_back_soon) {
    window_tuner tuner{1000};
    for (std::uint32_t i = 0; i < 5000; ++i) {
        tuner.rejected(i * 2'654'435'761U);
        tuner.missed((i - 40) * 2'654'435'761U);
    }
    EXPECT_EQ(tuner.share(), window_tuner::most_share);
}

TEST(window_tuner, gives_the_main_part_more_when_what_was_lost_comes_back_late_and_often) {
    window_tuner tuner{1000};
    for (std::uint32_t i = 0; i < 5000; ++i) {
        tuner.missed(i % 500 * 2'654'435'761U);
        tuner.rejected(i % 500 * 2'654'435'761U);
    }
    EXPECT_EQ(tuner.share(), window_tuner::least_share);
}

TEST(window_tuner, stays_when_nothing_comes_back) {
    window_tuner tuner{1000};
    for (std::uint32_t i = 0; i < 5000; ++i) {
        tuner.missed(i * 2'654'435'761U);
        tuner.rejected(i * 2'654'435'761U);
    }
    EXPECT_EQ(tuner.share(), window_tuner::first_share);
}

} // namespace
