// No stale store: a value whose computation began before an invalidation was called is not served to
// a reader who begins after that call returned. Threads race, record what they saw, and a checker
// reads the history afterwards.

#include "../examples/custom_backend.hpp"
#include "support/invalidation_history.hpp"
#include "support/queued_backend.hpp"

#include <weir/cache.hpp>
#include <weir/memory.hpp>
#include <weir/testing.hpp>

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

using namespace std::chrono_literals;

namespace {

using weir::tests::event;

constexpr std::uint32_t key_count = 4;
constexpr int readers = 4;
constexpr int invalidators = 4;
constexpr int operations_per_thread = 125'000; // 1,000,000 in all

/// How an invalidator makes the cache forget a key: `put` half the time by a new value, otherwise by
/// `invalidate`; `mixed` by all.
enum class way { invalidate, matching, clear, put, mixed };

const char* name_of(way w) {
    static constexpr std::array names{"invalidate", "matching", "clear", "put", "mixed"};
    return names[static_cast<std::size_t>(w)];
}

/// The database: a version per key, and who may write it.
struct truth {
    struct row {
        std::mutex writing;
        std::atomic<std::uint64_t> version{0};
    };
    std::array<row, key_count> rows;
};

/// A small generator per thread; only variety matters.
class dice {
public:
    explicit dice(std::uint64_t seed) : state_{seed * 2 + 1} {}
    std::uint64_t roll() noexcept { return weir::detail::mix(state_ += 0x9e3779b97f4a7c15ULL); }

private:
    std::uint64_t state_;
};

/// Changes the row of `key` and makes the cache forget what it was.
template<class Cache>
event change(const Cache& versions, truth& db, weir::tests::stamps& stamps, way how,
             std::uint32_t key, dice& luck) {
    if (how == way::mixed) {
        how = static_cast<way>(luck.roll() % 4);
    }
    truth::row& row = db.rows[key];
    event record{event::invalidation, key, 0, 0, 0};
    // A put must not overtake the put of a newer version: that is the writers' business, as in any
    // store. So the row stays locked until its new version is in the cache.
    std::unique_lock writing{row.writing};
    record.version = ++row.version;
    record.called = stamps.next();
    if (how == way::put && luck.roll() % 2 == 0) {
        versions.put(key, record.version);
    } else {
        writing.unlock();
        switch (how) {
        case way::matching:
            versions.invalidate_matching(std::string{"["} + std::to_string(key) + "]*");
            break;
        case way::clear:
            versions.clear();
            break;
        default:
            versions.invalidate(key);
        }
    }
    record.returned = stamps.next();
    return record;
}

template<class Cache>
std::vector<event> race(const Cache& versions, way how) {
    truth db;
    weir::tests::stamps stamps;
    std::vector<std::vector<event>> logs(readers + invalidators);
    {
        std::vector<std::jthread> threads;
        for (std::size_t t = 0; t < logs.size(); ++t) {
            threads.emplace_back([&, t] {
                dice luck{t};
                std::vector<event>& log = logs[t];
                log.reserve(operations_per_thread);
                for (int i = 0; i < operations_per_thread; ++i) {
                    const auto key = static_cast<std::uint32_t>(luck.roll() % key_count);
                    if (t < readers) {
                        const std::uint64_t called = stamps.next();
                        const auto answer = versions.get_or_compute(key, [&] {
                            const std::uint64_t version = db.rows[key].version.load();
                            const bool slow = luck.roll() % 4 == 0;
                            for (int turns = 0; slow && turns < 64; ++turns) {
                                if (db.rows[key].version.load() != version) {
                                    break; // overtaken, or about to be
                                }
                                std::this_thread::yield();
                            }
                            return version;
                        });
                        log.push_back({event::read, key, called, stamps.next(), *answer});
                    } else {
                        log.push_back(change(versions, db, stamps, how, key, luck));
                        if (luck.roll() % 8 == 0) {
                            std::this_thread::yield(); // let a value be stored and hit
                        }
                    }
                }
            });
        }
    }
    std::vector<event> history;
    for (const auto& log : logs) {
        history.insert(history.end(), log.begin(), log.end());
    }
    return history;
}

class no_stale_store : public testing::TestWithParam<way> {};

TEST_P(no_stale_store, in_memory_no_read_sees_a_value_older_than_the_last_invalidation) {
    const weir::memory_backend memory;
    // Small, because clear() and globs look at the whole table.
    const weir::cache<std::uint64_t> versions{memory, "versions", {.ttl = 1h, .capacity = 64}};
    const auto stale = first_stale_read(race(versions, GetParam()));
    EXPECT_FALSE(stale) << "key " << stale->key << ", version " << stale->version << " at stamp "
                        << stale->called;
    const weir::cache_stats stats = versions.stats();
    EXPECT_GT(stats.hits, 0U);
    EXPECT_GT(stats.not_stored, 0U) << "no invalidation overtook a computation";
}

class no_stale_store_without_leases : public testing::TestWithParam<way> {};

TEST_P(no_stale_store_without_leases, no_read_sees_a_value_older_than_the_last_invalidation) {
    const map_backend<> backend;
    const weir::cache<std::uint64_t> versions{backend, "versions", {.ttl = 1h}};
    EXPECT_FALSE(first_stale_read(race(versions, GetParam())));
    EXPECT_GT(versions.stats().not_stored, 0U) << "no invalidation overtook a computation";
}

INSTANTIATE_TEST_SUITE_P(every_way, no_stale_store_without_leases,
                         testing::Values(way::invalidate, way::put),
                         [](const auto& suite) { return name_of(suite.param); });

/// On a store that nobody waits for: the flight is over before the value is stored.
class no_stale_store_deferred : public testing::TestWithParam<way> {};

TEST_P(no_stale_store_deferred, no_read_sees_a_value_older_than_the_last_invalidation) {
    weir_tests::queued_backend<> backend;
    static_assert(weir::deferring_store<weir::store_of<weir_tests::queued_backend<>, std::uint64_t>,
                                        std::uint64_t>);
    const weir::cache<std::uint64_t> versions{backend, "versions", {.ttl = 1h}};
    EXPECT_FALSE(first_stale_read(race(versions, GetParam())));
    EXPECT_GT(versions.stats().hits, 0U);
    EXPECT_GT(versions.stats().not_stored, 0U) << "no invalidation overtook a computation";
}

INSTANTIATE_TEST_SUITE_P(every_way, no_stale_store_deferred,
                         testing::Values(way::invalidate, way::put),
                         [](const auto& suite) { return name_of(suite.param); });

INSTANTIATE_TEST_SUITE_P(every_way, no_stale_store,
                         testing::Values(way::invalidate, way::matching, way::clear, way::put,
                                         way::mixed),
                         [](const auto& suite) { return name_of(suite.param); });

/// What users write by hand, and what many libraries do: look, compute, store.
class naive_cache {
public:
    template<class F>
    std::unique_ptr<std::uint64_t> get_or_compute(std::uint32_t key, F&& fn) const {
        {
            const std::lock_guard lock{*mutex_};
            if (const auto entry = entries_->find(key); entry != entries_->end()) {
                return std::make_unique<std::uint64_t>(entry->second);
            }
        }
        const std::uint64_t value = fn();
        const std::lock_guard lock{*mutex_};
        (*entries_)[key] = value;
        return std::make_unique<std::uint64_t>(value);
    }
    void invalidate(std::uint32_t key) const {
        const std::lock_guard lock{*mutex_};
        entries_->erase(key);
    }
    void invalidate_matching(const std::string&) const {}
    void clear() const {}
    void put(std::uint32_t, std::uint64_t) const {}

private:
    std::shared_ptr<std::mutex> mutex_ = std::make_shared<std::mutex>();
    std::shared_ptr<std::map<std::uint32_t, std::uint64_t>> entries_ =
        std::make_shared<std::map<std::uint32_t, std::uint64_t>>();
};

TEST(no_stale_store, the_same_race_catches_a_cache_that_looks_computes_and_stores) {
    EXPECT_TRUE(first_stale_read(race(naive_cache{}, way::invalidate)));
}

} // namespace
