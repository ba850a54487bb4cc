// No stale store, between processes: a value whose computation began before an invalidation was called
// is not served to a reader who begins after that call returned, wherever both are. Two backends in
// one program know nothing of each other, as if they were in two processes. Threads race, record what
// they saw, and a checker reads the history afterwards.

#include "support/invalidation_history.hpp"
#include "support/redis_server.hpp"
#include "support/sanitized.hpp"

#include <weir/cache.hpp>
#include <weir/codec.hpp>
#include <weir/detail/hash.hpp>
#include <weir/redis.hpp>

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <future>
#include <mutex>
#include <ostream>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;
using weir::tests::event;
using weir::tests::redis_server;

constexpr int operations_per_thread = weir::tests::sanitized ? 2'000 : 10'000;

constexpr std::uint32_t key_count = 3;
constexpr std::size_t readers = 6;
constexpr std::size_t writers = 2;

enum class way { invalidate, matching, clear, put, mixed };

const char* name_of(way w) {
    static constexpr std::array names{"invalidate", "matching", "clear", "put", "mixed"};
    return names[static_cast<std::size_t>(w)];
}

std::ostream& operator<<(std::ostream& out, way w) {
    return out << name_of(w);
}

class dice {
public:
    explicit dice(std::uint64_t seed) : state_{seed * 2 + 1} {}
    std::uint64_t roll() noexcept { return weir::detail::mix(state_ += 0x9e3779b97f4a7c15ULL); }

private:
    std::uint64_t state_;
};

/// The database: a version per key, and who may write it.
struct truth {
    struct row {
        std::mutex writing;
        std::atomic<std::uint64_t> version{0};
    };
    std::array<row, key_count> rows;
};

using versions = weir::cache<std::uint64_t>;

/// A cache in a process of its own.
struct process {
    explicit process(const redis_server& server) : backend{with_patience(server)} {}

    static weir::redis_options with_patience(const redis_server& server) {
        weir::redis_options o;
        o.uri = server.uri();
        o.timeout = 20s; // a busy machine is no fault
        return o;
    }

    weir::redis_backend backend;
    versions cache{backend, "versions", {.ttl = 1h}};
};

event change(const versions& cache, truth& db, weir::tests::stamps& stamps, way how,
             std::uint32_t key, dice& luck) {
    if (how == way::mixed) {
        how = static_cast<way>(luck.roll() % 4);
    }
    truth::row& row = db.rows[key];
    event record{event::invalidation, key, 0, 0, 0};
    // A put must not overtake the put of a newer version: that is the writers' business.
    std::unique_lock writing{row.writing};
    record.version = ++row.version;
    record.called = stamps.next();
    switch (how) {
    case way::put:
        cache.put(key, record.version);
        break;
    case way::matching:
        writing.unlock();
        cache.invalidate_matching("[" + std::to_string(key) + "]*");
        break;
    case way::clear:
        writing.unlock();
        cache.clear();
        break;
    default:
        writing.unlock();
        cache.invalidate(key);
    }
    record.returned = stamps.next();
    return record;
}

/// Changes come from the second process, so that those in the first cannot know of them.
std::vector<event> race(way how) {
    const redis_server server;
    const std::array<process, 2> both{process{server}, process{server}};
    truth db;
    weir::tests::stamps stamps;
    std::vector<std::vector<event>> logs(readers + writers);
    {
        std::vector<std::jthread> threads;
        for (std::size_t t = 0; t != logs.size(); ++t) {
            threads.emplace_back([&, t] {
                dice luck{t};
                std::vector<event>& log = logs[t];
                const int operations =
                    t < readers ? operations_per_thread : operations_per_thread / 4;
                for (int i = 0; i != operations; ++i) {
                    const auto key = static_cast<std::uint32_t>(luck.roll() % key_count);
                    if (t >= readers) {
                        log.push_back(change(both[1].cache, db, stamps, how, key, luck));
                        continue;
                    }
                    const std::uint64_t called = stamps.next();
                    const auto answer = both[t % 2].cache.get_or_compute(key, [&] {
                        const std::uint64_t version = db.rows[key].version.load();
                        for (int turns = 0; turns != 64; ++turns) {
                            if (db.rows[key].version.load() != version) {
                                break; // overtaken, or about to be
                            }
                            std::this_thread::yield();
                        }
                        return version;
                    });
                    log.push_back({event::read, key, called, stamps.next(), *answer});
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

TEST_P(no_stale_store, no_read_sees_a_value_older_than_the_last_change_in_another_process) {
    const auto stale = first_stale_read(race(GetParam()));
    EXPECT_FALSE(stale) << "key " << stale->key << ", version " << stale->version << " at stamp "
                        << stale->called;
}

INSTANTIATE_TEST_SUITE_P(between_processes, no_stale_store,
                         testing::Values(way::invalidate, way::matching, way::clear, way::put,
                                         way::mixed),
                         [](const auto& suite) { return name_of(suite.param); });

TEST(no_stale_store, a_flight_is_not_shared_with_who_comes_after_a_change_in_another_process) {
    const redis_server server;
    const process here{server};
    const process elsewhere{server};
    std::atomic<std::uint64_t> truth{1};
    std::promise<void> has_read;
    std::promise<void> may_end;
    const std::shared_future<void> end = may_end.get_future().share();
    const std::jthread first{[&] {
        const auto answer = here.cache.get_or_compute("k", [&] {
            const std::uint64_t seen = truth.load();
            has_read.set_value();
            end.wait();
            return seen;
        });
        EXPECT_EQ(*answer, 1U); // he came before the change
    }};
    has_read.get_future().wait();
    truth = 2;
    elsewhere.cache.invalidate("k");
    auto second = std::async(std::launch::async, [&] {
        return *here.cache.get_or_compute("k", [&] { return truth.load(); });
    });
    while (here.cache.stats().waits == 0) {
        std::this_thread::yield();
    }
    may_end.set_value();
    EXPECT_EQ(second.get(), 2U);
}

} // namespace
