// Globs race with computations that store under leases, on a real server with thousands of keys. SCAN
// promises to find what is there from its beginning to its end and nothing more, so the order of its
// searches decides whether a value that was computed before stays behind.

#include "support/raw_redis.hpp"
#include "support/redis_server.hpp"
#include "support/sanitized.hpp"

#include <weir/codec.hpp>
#include <weir/detail/hash.hpp>
#include <weir/redis.hpp>
#include <weir/storage.hpp>
#include <weir/value_ref.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace weir::tests;

constexpr std::size_t key_count = 3000;
constexpr std::size_t computing_threads = 4;
/// What a thread computes at one time, so that many leases are there when a search begins.
constexpr std::size_t batch = 32;

constexpr int rounds = weir::tests::sanitized ? 10 : 200;

weir::redis_options options_for(const redis_server& server) {
    weir::redis_options o;
    o.uri = server.uri();
    o.timeout = 10s;
    return o;
}

/// Stores of one cache in as many processes as there are backends; a database whose rows all have one
/// version; and threads that compute.
class race {
public:
    race() = default;

    /// @param forget  makes the caches forget everything; called after each change of the database
    /// @returns       how many values that were too old were there after it had returned
    std::size_t run(const std::function<void(race&)>& forget, int most_rounds, bool until_found) {
        std::size_t stale = 0;
        std::vector<std::jthread> threads;
        for (std::size_t t = 0; t != computing_threads; ++t) {
            threads.emplace_back([this, t](const std::stop_token& stop) { compute(stop, t); });
        }
        for (int round = 0; round != most_rounds && !(until_found && stale != 0); ++round) {
            stale += older_than(version.load()); // since the last round
            while (stored.load() < key_count / 8) {
                std::this_thread::yield(); // until there is something to be forgotten
            }
            stored = 0;
            ++version;
            forget(*this);
            stale += older_than(version.load());
        }
        return stale;
    }

    redis_server server;
    weir::redis_backend here{options_for(server)};
    weir::redis_backend elsewhere{options_for(server)};
    std::atomic<std::uint64_t> version{1};
    std::atomic<std::size_t> stored{0};
    raw_redis redis{server.uri()};

private:
    [[nodiscard]] static std::string key(std::size_t n) { return "key" + std::to_string(n); }

    void compute(const std::stop_token& stop, std::size_t thread) {
        const auto values =
            (thread % 2 == 0 ? here : elsewhere).values<std::uint64_t>("race", {.lease = 10s});
        std::uint64_t luck = thread;
        while (!stop.stop_requested()) {
            struct computation {
                std::string key;
                weir::lease_token lease;
                std::uint64_t value;
            };
            std::vector<computation> all;
            for (std::size_t n = 0; n != batch; ++n) {
                luck = weir::detail::mix(luck);
                std::string k = key(luck % key_count);
                std::error_code ec;
                const auto found = values.get_or_lease(k, here.now(), ec);
                if (!ec && found.lease != weir::lease_token::none) {
                    all.push_back({std::move(k), found.lease, version.load()});
                }
            }
            for (const computation& c : all) {
                std::error_code ec;
                const bool kept =
                    values.put_if_leased(c.key, weir::make_value<std::uint64_t>(c.value), {1h, 0s},
                                         c.lease, here.now(), ec);
                stored += kept ? 1 : 0;
            }
            stored += all.empty() ? 1 : 0; // nothing is left to be computed
        }
    }

    [[nodiscard]] std::size_t older_than(std::uint64_t least) {
        std::vector<std::string> names{"MGET"};
        for (std::size_t n = 0; n != key_count; ++n) {
            names.push_back("weir:race:" + key(n));
        }
        const raw_reply values = redis.command(names);
        return static_cast<std::size_t>(
            std::count_if(values.elements.begin(), values.elements.end(), [&](const raw_reply& v) {
                return !v.is_nil() && std::stoull(v.text) < least;
            }));
    }
};

void erase_matching(race& r) {
    std::error_code ec;
    static_cast<void>(
        r.here.values<std::uint64_t>("race", {}).erase_matching("*", r.here.now(), ec));
    EXPECT_FALSE(ec) << ec.message();
}

void clear(race& r) {
    std::error_code ec;
    r.here.values<std::uint64_t>("race", {}).clear(r.here.now(), ec);
    EXPECT_FALSE(ec) << ec.message();
}

/// Deletes what one complete SCAN finds that is of one of the kinds.
void delete_found(raw_redis& redis, bool leases, bool values) {
    std::string cursor = "0";
    do {
        const raw_reply reply =
            redis.command("SCAN", cursor, "MATCH", "*weir:race:*", "COUNT", 1000);
        cursor = reply.elements[0].text;
        std::vector<std::string> names{"DEL"};
        for (const raw_reply& name : reply.elements[1].elements) {
            if (name.text.ends_with(":lease") ? leases : values) {
                names.push_back(name.text);
            }
        }
        if (names.size() > 1) {
            redis.command(names);
        }
    } while (cursor != "0");
}

TEST(value_scan_race, a_glob_leaves_nothing_that_was_computed_before) {
    EXPECT_EQ(race{}.run(erase_matching, rounds, false), 0U);
}

TEST(value_scan_race, a_clear_leaves_nothing_that_was_computed_before) {
    EXPECT_EQ(race{}.run(clear, rounds, false), 0U);
}

TEST(value_scan_race, the_same_race_catches_one_scan_for_leases_and_values) {
    const auto one_scan = [](race& r) { delete_found(r.redis, true, true); };
    EXPECT_GT(race{}.run(one_scan, 50 * rounds, true), 0U);
}

TEST(value_scan_race, the_same_race_catches_a_scan_for_values_before_that_for_leases) {
    const auto values_first = [](race& r) {
        delete_found(r.redis, false, true);
        delete_found(r.redis, true, false);
    };
    EXPECT_GT(race{}.run(values_first, 50 * rounds, true), 0U);
}

} // namespace
