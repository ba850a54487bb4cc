// G1 over processes: 4 processes of 16 threads each, all asking for one key, are allowed exactly the
// limit of each window.

#include <weir/rate_limiter.hpp>
#include <weir/redis.hpp>

#include "support/redis_server.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace {

using namespace std::chrono_literals;

constexpr int processes = 4;
constexpr int threads = 16;
constexpr std::int64_t limit = 1'000;
constexpr int windows = 3;

/// What this process is allowed in each window, one after the other.
std::vector<std::int64_t> ask(const std::string& uri, weir::time_point start) {
    const weir::redis_backend redis{{.uri = uri, .timeout = 10s}};
    const weir::rate_limiter limiter{redis,
                                     weir::per_minute(limit),
                                     weir::on_failure::deny,
                                     {.name = "exact", .remember_denials = 0s}};
    std::vector<std::int64_t> allowed;
    for (int w = 0; w < windows; ++w) {
        std::atomic<std::int64_t> mine{0};
        std::vector<std::thread> all;
        for (int t = 0; t < threads; ++t) {
            all.emplace_back([&] {
                // More than its part, so that what is left over is asked for by everybody.
                for (int i = 0; i < 2 * limit / (processes * threads); ++i) {
                    const weir::decision d = limiter.allow("k", 1, start + w * 1min);
                    if (d.error()) {
                        std::abort();
                    }
                    mine += d.allowed ? 1 : 0;
                }
            });
        }
        for (std::thread& t : all) {
            t.join();
        }
        allowed.push_back(mine);
    }
    return allowed;
}

struct ends {
    int read = -1;
    int write = -1;
};

ends pipe_of_two() {
    int made[2];
    EXPECT_EQ(::pipe(made), 0);
    return {made[0], made[1]};
}

/// What a child does: asks where it is told to, and answers what it was allowed.
[[noreturn]] void ask_in_child(int told, int answer, weir::time_point start) {
    char uri[256];
    const ssize_t length = read(told, uri, sizeof uri); // short enough to come in one piece
    if (length <= 0) {
        _exit(2);
    }
    const std::vector<std::int64_t> allowed =
        ask(std::string(uri, static_cast<std::size_t>(length)), start);
    const auto size = static_cast<ssize_t>(sizeof(allowed[0]) * allowed.size());
    _exit(write(answer, allowed.data(), static_cast<std::size_t>(size)) == size ? 0 : 1);
}

TEST(exactness, four_processes_of_sixteen_threads_admit_exactly_the_limit_of_each_window) {
    const weir::time_point start{std::chrono::hours{500'000}};
    std::vector<std::int64_t> total(windows, 0);
    std::vector<int> told;
    std::vector<int> results;
    std::vector<pid_t> children;
    // Before there is a server: a child of a process with threads may have none of its own under
    // ThreadSanitizer.
    for (int p = 0; p < processes; ++p) {
        const ends to_child = pipe_of_two();
        const ends from_child = pipe_of_two();
        const pid_t child = fork();
        if (child == 0) {
            ask_in_child(to_child.read, from_child.write, start);
        }
        close(to_child.read);
        close(from_child.write);
        told.push_back(to_child.write);
        results.push_back(from_child.read);
        children.push_back(child);
    }
    const std::string uri = weir::tests::fresh_database().uri();
    for (const int child : told) {
        ASSERT_EQ(write(child, uri.data(), uri.size()), static_cast<ssize_t>(uri.size()));
        close(child);
    }
    for (int p = 0; p < processes; ++p) {
        std::vector<std::int64_t> allowed(windows, 0);
        EXPECT_EQ(read(results[std::size_t(p)], allowed.data(), sizeof(allowed[0]) * windows),
                  static_cast<ssize_t>(sizeof(allowed[0]) * windows));
        close(results[std::size_t(p)]);
        int status = 0;
        EXPECT_EQ(waitpid(children[std::size_t(p)], &status, 0), children[std::size_t(p)]);
        EXPECT_EQ(status, 0);
        for (int w = 0; w < windows; ++w) {
            total[std::size_t(w)] += allowed[std::size_t(w)];
        }
    }
    EXPECT_EQ(total, std::vector<std::int64_t>(windows, limit));
}

} // namespace
