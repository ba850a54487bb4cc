/// The table of counters under many threads and under floods of keys.

#include "../support/sanitized.hpp"

#include <weir/memory/counter_table.hpp>
#include <weir/quota/fixed_window.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <barrier>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <string_view>
#include <thread>
#include <vector>

#if defined(__linux__)
#include <unistd.h>
#endif

namespace {

using namespace std::chrono_literals;
using weir::fixed_window;
using weir::when_full;
using weir::detail::counter_table;
using weir::tests::sanitized;

// With sanitizers the flood is a tenth, which still passes through the table ten times, storms are
// shorter, and memory is not measured.
constexpr std::uint64_t flood_keys = sanitized ? 1'000'000 : 10'000'000;
constexpr int storms = sanitized ? 2 : 20;
constexpr int threads = 8;
/// The start of a minute.
constexpr weir::time_point start{1'700'000'040s};

bool take(counter_table& table, std::uint64_t key, std::int64_t limit, weir::time_point now) {
    const std::string_view bytes{reinterpret_cast<const char*>(&key), sizeof key};
    const weir::take_step<fixed_window> step{weir::per_minute(limit)};
    return table.update(table.locate(1, bytes), step, now).allowed;
}

/// Runs `work(thread)` on all threads, begun together.
void on_all_threads(const std::function<void(int)>& work) {
    std::barrier together{threads};
    std::vector<std::thread> all;
    for (int t = 0; t != threads; ++t) {
        all.emplace_back([&, t] {
            together.arrive_and_wait();
            work(t);
        });
    }
    for (std::thread& t : all) {
        t.join();
    }
}

std::uint64_t scattered(std::uint64_t x) {
    return weir::detail::mix(x);
}

// ---- many threads, no more keys than promised ---------------------------------------------------

TEST(counter_table_stress, eight_threads_on_one_hot_key_are_admitted_exactly_the_limit_per_window) {
    constexpr std::int64_t limit = 12'345;
    constexpr int windows = 10;
    counter_table table{1000, when_full::forgive};
    std::atomic<std::int64_t> admitted[windows] = {};
    std::barrier window_over{threads};
    on_all_threads([&](int) {
        for (int w = 0; w != windows; ++w) {
            std::int64_t mine = 0;
            for (int i = 0; i != 1'000'000 / windows; ++i) {
                mine += take(table, 7, limit, start + w * 1min);
            }
            admitted[w] += mine;
            window_over.arrive_and_wait();
        }
    });
    for (const auto& count : admitted) {
        EXPECT_EQ(count, limit);
    }
}

TEST(counter_table_stress, windows_that_threads_enter_at_their_own_pace_stay_within_the_limit) {
    constexpr std::int64_t limit = 100;
    constexpr int windows = 100;
    counter_table table{1000, when_full::forgive};
    std::atomic<int> window{0};
    std::array<std::atomic<int>, threads> seen = {};
    std::vector<std::atomic<std::int64_t>> admitted(windows);
    on_all_threads([&](int t) {
        for (int w = 0; w < windows; w = window.load()) {
            seen[static_cast<std::size_t>(t)] = w;
            for (int i = 0; i != 50; ++i) {
                admitted[static_cast<std::size_t>(w)] += take(table, 7, limit, start + w * 1min);
            }
            // A window ends when all threads have seen it: nobody is late by more than one.
            if (std::all_of(seen.begin(), seen.end(), [w](const auto& s) { return s >= w; })) {
                window.compare_exchange_strong(w, w + 1);
            } else {
                std::this_thread::yield();
            }
        }
    });
    // Who is late is counted in the next window.
    std::int64_t sum = 0;
    for (std::size_t w = 0; w != admitted.size(); ++w) {
        sum += admitted[w];
        EXPECT_LE(sum, static_cast<std::int64_t>(w + 2) * limit);
    }
    EXPECT_LE(sum, windows * limit);
    EXPECT_GT(sum, windows * limit / 2);
}

TEST(counter_table_stress, eight_threads_on_100000_keys_are_admitted_exactly_the_limits) {
    constexpr std::uint64_t keys = 100'000;
    constexpr std::int64_t limit = 10;
    counter_table table{keys, when_full::forgive};
    for (int window = 0; window != 5; ++window) {
        std::vector<std::atomic<std::int32_t>> admitted(keys);
        on_all_threads([&](int t) {
            // 200,000 calls in this window: two for each key, in an order of the thread's own.
            for (std::uint64_t i = 0; i != 2 * keys; ++i) {
                const std::uint64_t key =
                    (i * 48'271 + static_cast<std::uint64_t>(t) * 12'345) % keys;
                if (take(table, key, limit, start + window * 1min)) {
                    admitted[key].fetch_add(1, std::memory_order_relaxed);
                }
            }
        });
        for (const auto& count : admitted) {
            ASSERT_EQ(count, limit);
        }
    }
    EXPECT_EQ(table.stats().displaced, 0U);
}

// ---- many threads, more keys than fit -----------------------------------------------------------

TEST(counter_table_stress, exhausted_keys_stay_exhausted_in_a_storm_of_displacements) {
    constexpr std::uint64_t residents = 8;
    counter_table table{1, when_full::forgive};
    for (int window = 0; window != storms; ++window) {
        const weir::time_point now = start + window * 1min;
        std::uint64_t exhausted = 0;
        for (std::uint64_t key = 0; key != residents; ++key) {
            exhausted += take(table, key, 1, now) && !take(table, key, 1, now);
        }
        ASSERT_EQ(exhausted, residents);
        std::atomic<std::int64_t> admitted{0};
        on_all_threads([&](int t) {
            for (std::uint64_t i = 0; i != 50'000; ++i) {
                admitted += take(table, i % residents, 1, now);
                take(table, 1000 + scattered(i ^ static_cast<std::uint64_t>(t) << 32) % 200, 50,
                     now);
            }
        });
        EXPECT_EQ(admitted, 0);
    }
    EXPECT_GT(table.stats().displaced, 0U);
}

TEST(counter_table_stress, keys_that_share_a_crowded_table_are_never_admitted_too_much) {
    constexpr std::uint64_t keys = 200;
    constexpr std::int64_t limit = 1000;
    counter_table table{1, when_full::share};
    for (int window = 0; window != storms; ++window) {
        std::vector<std::atomic<std::int64_t>> admitted(keys);
        on_all_threads([&](int t) {
            for (std::uint64_t i = 0; i != 50'000; ++i) {
                const std::uint64_t key = scattered(i ^ static_cast<std::uint64_t>(t) << 32) % keys;
                if (take(table, key, limit, start + window * 1min)) {
                    admitted[key].fetch_add(1, std::memory_order_relaxed);
                }
            }
        });
        for (const auto& count : admitted) {
            ASSERT_LE(count, limit);
        }
    }
    EXPECT_GT(table.stats().displaced, 0U);
}

TEST(counter_table_stress, what_is_given_back_during_displacements_is_never_given_to_another_key) {
    constexpr std::int64_t limit = 1'000'000;
    counter_table table{1, when_full::forgive};
    std::atomic<std::int64_t> balance{0};
    // One key in use so much that it is never the least used, among many that come and go.
    for (int i = 0; i != 10'000; ++i) {
        balance += take(table, 0, limit, start);
    }
    on_all_threads([&](int t) {
        for (std::uint64_t i = 0; i != 100'000; ++i) {
            const std::uint64_t key = scattered(i ^ static_cast<std::uint64_t>(t) << 32) % 200 + 1;
            const std::string_view bytes{reinterpret_cast<const char*>(&key), sizeof key};
            const weir::give_back_step<fixed_window> step{weir::per_minute(limit)};
            balance += take(table, 0, limit, start);
            take(table, key, limit, start);
            table.update(table.locate(1, bytes), step, start);
        }
    });
    const std::uint64_t key = 0;
    const std::string_view bytes{reinterpret_cast<const char*>(&key), sizeof key};
    const weir::peek_step<fixed_window> look{weir::per_minute(limit)};
    EXPECT_LE(table.update(table.locate(1, bytes), look, start).remaining, limit - balance);
}

// ---- a flood of unique keys ---------------------------------------------------------------------

#if defined(__linux__)
std::int64_t resident_bytes() {
    long pages = 0;
    if (std::FILE* const file = std::fopen("/proc/self/statm", "r")) {
        if (std::fscanf(file, "%*s %ld", &pages) != 1) {
            pages = 0;
        }
        std::fclose(file);
    }
    return std::int64_t{pages} * ::sysconf(_SC_PAGESIZE);
}
#else
std::int64_t resident_bytes() {
    return 0;
}
#endif

/// A table for 100,000 keys: 10,000 exhausted keys, 40,000 active ones that are asked for once in
/// each tenth of the flood, and the flood.
struct flood {
    static constexpr std::uint64_t exhausted = 10'000;
    static constexpr std::uint64_t active = 40'000;
    static constexpr std::int64_t limit = 20;
    static constexpr int rounds = 10;

    explicit flood(when_full policy) : table{100'000, policy} {
        for (std::uint64_t k = 0; k != exhausted; ++k) {
            for (int i = 0; i != limit; ++i) {
                take(table, k, limit, start);
            }
        }
        const std::int64_t before = resident_bytes();
        for (int round = 0; round != rounds; ++round) {
            // Active keys ask five times in a round: fifty times in all, for 20 permits.
            for (std::uint64_t i = 0; i != 5 * active; ++i) {
                admitted[i % active] += take(table, 1'000'000 + i % active, limit, start);
            }
            for (std::uint64_t i = 0; i != flood_keys / rounds; ++i) {
                const std::uint64_t key =
                    10'000'000 + i + flood_keys * static_cast<unsigned>(round);
                newcomers_denied += !take(table, key, limit, start);
            }
            if (round == 0) {
                grown = resident_bytes() - before;
                after_first = resident_bytes();
            }
        }
        grown_later = resident_bytes() - after_first;
        for (std::uint64_t k = 0; k != exhausted; ++k) {
            revived += take(table, k, limit, start);
        }
        for (const std::int64_t a : admitted) {
            over_admitted_keys += a > limit;
            over_admitted += a > limit ? a - limit : 0;
        }
    }

    void print(const char* name) const {
        const weir::counter_stats s = table.stats();
        std::printf(
            "%s: %llu unique keys; displaced %llu, displaced_used %llu, unplaced %llu; "
            "newcomers denied %llu; active keys over their limit %lld of %llu by %lld in all; "
            "resident memory grew by %lld KiB in the first tenth, %lld KiB after it\n",
            name, static_cast<unsigned long long>(flood_keys),
            static_cast<unsigned long long>(s.displaced),
            static_cast<unsigned long long>(s.displaced_used),
            static_cast<unsigned long long>(s.unplaced),
            static_cast<unsigned long long>(newcomers_denied),
            static_cast<long long>(over_admitted_keys), static_cast<unsigned long long>(active),
            static_cast<long long>(over_admitted), static_cast<long long>(grown / 1024),
            static_cast<long long>(grown_later / 1024));
    }

    counter_table table;
    std::vector<std::int64_t> admitted = std::vector<std::int64_t>(active);
    std::uint64_t newcomers_denied = 0;
    std::uint64_t revived = 0;
    std::int64_t over_admitted_keys = 0;
    std::int64_t over_admitted = 0;
    std::int64_t grown = 0;
    std::int64_t after_first = 0;
    std::int64_t grown_later = 0;
};

TEST(counter_table_stress, a_flood_neither_revives_exhausted_keys_nor_denies_newcomers) {
    const flood f{when_full::forgive};
    f.print("forgive");
    EXPECT_EQ(f.revived, 0U);
    EXPECT_EQ(f.newcomers_denied, 0U);
    EXPECT_GT(f.table.stats().displaced, flood_keys / 2);
    EXPECT_GE(f.table.stats().displaced_used, f.table.stats().displaced);
    // The table itself may be paged in during the first tenth; nothing grows after that.
    if (!sanitized) {
        EXPECT_LE(f.grown, 6 << 20);
        EXPECT_LE(f.grown_later, 1 << 20);
    }
}

TEST(counter_table_stress, a_flood_of_keys_that_share_admits_no_key_too_much) {
    const flood f{when_full::share};
    f.print("share");
    EXPECT_EQ(f.revived, 0U);
    EXPECT_EQ(f.over_admitted_keys, 0);
    EXPECT_GT(f.newcomers_denied, 0U);
    if (!sanitized) {
        EXPECT_LE(f.grown_later, 1 << 20);
    }
}

} // namespace
