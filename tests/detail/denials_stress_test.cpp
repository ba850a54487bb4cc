// Threads that are denied and threads that pardon, on few keys: what a pardon must not leave
// behind.

#include <weir/detail/denials.hpp>

#include <weir/clock.hpp>
#include <weir/decision.hpp>

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

namespace {

using weir::decision;
using weir::detail::denials;
using namespace std::chrono_literals;

constexpr weir::time_point now{std::chrono::sys_days{std::chrono::year{2026} / 1 / 1}};
constexpr std::size_t keys = 4;

/// A backend that denies everything. Its denials bear, as `remaining`, how often their key was
/// pardoned before.
struct denying_backend {
    std::array<std::atomic<std::int64_t>, keys> pardons{};

    decision take(std::size_t key) const {
        decision answer;
        answer.reason = weir::reason::over_limit;
        answer.remaining = pardons[key].load();
        answer.retry_after = 1h;
        return answer;
    }
};

TEST(denials_stress, after_a_pardon_no_thread_is_told_of_a_denial_from_before_it) {
    denying_backend backend;
    denials remembered{1h};
    std::array<std::string, keys> names;
    for (std::size_t key = 0; key < keys; ++key) {
        names[key] = "client " + std::to_string(key);
    }
    const auto look = [&](std::size_t key) {
        return remembered.look(names[key], "quota", 3, 1, 0s, now);
    };
    std::atomic<bool> done{false};
    std::atomic<int> stale{0};
    std::atomic<std::int64_t> known{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 3; ++i) {
        threads.emplace_back([&, i] {
            for (std::size_t n = static_cast<std::size_t>(i); !done; ++n) {
                const std::size_t key = n % keys;
                const std::int64_t pardons = backend.pardons[key].load();
                const denials::looked seen = look(key);
                if (seen.known) {
                    ++known;
                    // What was pardoned twice since: the second pardon began after the first
                    // returned.
                    stale += seen.known->remaining + 1 < pardons ? 1 : 0;
                    continue;
                }
                const decision answer = backend.take(key);
                std::this_thread::yield(); // the answer takes its time
                remembered.note(seen.asked, now, answer);
            }
        });
    }
    for (int i = 0; i < 10'000 && stale == 0; ++i) {
        const std::size_t key = static_cast<std::size_t>(i) % keys;
        const std::int64_t pardons = ++backend.pardons[key];
        remembered.drop(names[key]);
        for (int again = 0; again < 2; ++again) {
            const denials::looked seen = look(key);
            stale += seen.known && seen.known->remaining < pardons ? 1 : 0;
            std::this_thread::yield();
        }
    }
    done = true;
    for (std::thread& t : threads) {
        t.join();
    }
    EXPECT_EQ(stale, 0);
    EXPECT_GT(known, 0) << "nobody was ever told of a denial: this tested nothing";
}

} // namespace
