#ifndef WEIR_TESTS_FAULT_TIMED_CALLS_HPP
#define WEIR_TESTS_FAULT_TIMED_CALLS_HPP

/// A watch over calls that must end in time, whatever happens to the server.
///
///     timed_calls calls{options.timeout};
///     const weir::decision d = calls([&] { return limiter.allow("k"); });
///     ...
///     calls.expect_in_time();

#include "support/busy_machine.hpp"
#include "support/sanitized.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <fstream>
#include <mutex>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace weir::tests {

/// May be used from many threads at once.
class timed_calls {
public:
    /// @param deadline  after which every call has returned
    explicit timed_calls(std::chrono::nanoseconds deadline) : deadline_{deadline} {}
    timed_calls(const timed_calls&) = delete;
    timed_calls& operator=(const timed_calls&) = delete;

    /// What WEIR_TEST_FIGURES names gets a line about the calls of each test.
    ~timed_calls() {
        if (const char* const file = std::getenv("WEIR_TEST_FIGURES"); file != nullptr) {
            std::ofstream{file, std::ios::app} << figures();
        }
    }

    /// What `call()` returns; it is one that takes at most so many deadlines.
    template<class Call>
    decltype(auto) operator()(Call&& call, int deadlines = 1) {
        const stopwatch running{*this, deadlines};
        return call();
    }

    /// No call was later than it may be: 250 ms, and what a busy machine makes of that.
    void expect_in_time() const {
        const std::chrono::nanoseconds allowed =
            std::chrono::milliseconds{250} + 2 * machine_.worst();
        const std::lock_guard lock{mutex_};
        for (const taken& t : times_) {
            late_ += t.beyond > allowed ? 1 : 0;
        }
        if (!sanitized) {
            EXPECT_EQ(late_, 0U) << "of " << times_.size() << " calls came late";
        }
    }

    /// What was away has come back, and works again after this time: a second at most, and what a busy
    /// machine makes of that.
    void expect_return_in_time(std::chrono::nanoseconds after) {
        {
            const std::lock_guard lock{mutex_};
            slowest_return_ = std::max(slowest_return_, after);
        }
        if (!sanitized) {
            EXPECT_LT(after / std::chrono::milliseconds{1},
                      (std::chrono::seconds{1} + 2 * machine_.worst()) /
                          std::chrono::milliseconds{1});
        }
    }

private:
    using clock = std::chrono::steady_clock;

    struct taken {
        std::chrono::nanoseconds time;
        /// Its deadline; negative: it returned before.
        std::chrono::nanoseconds beyond;
    };

    struct stopwatch {
        stopwatch(timed_calls& all, int deadlines) : calls{all}, limit{deadlines * all.deadline_} {}
        stopwatch(const stopwatch&) = delete;
        stopwatch& operator=(const stopwatch&) = delete;
        ~stopwatch() {
            const std::chrono::nanoseconds time = clock::now() - begin;
            const std::lock_guard lock{calls.mutex_};
            calls.times_.push_back({time, time - limit});
        }

        timed_calls& calls;
        const std::chrono::nanoseconds limit;
        const clock::time_point begin = clock::now();
    };

    [[nodiscard]] std::string figures() const {
        const std::lock_guard lock{mutex_};
        if (times_.empty()) {
            return {};
        }
        std::vector<std::chrono::nanoseconds> times;
        std::vector<std::chrono::nanoseconds> beyond;
        for (const taken& t : times_) {
            times.push_back(t.time);
            beyond.push_back(t.beyond);
        }
        std::sort(times.begin(), times.end());
        std::sort(beyond.begin(), beyond.end());
        const auto at = [](const auto& sorted, double part) {
            const auto index = static_cast<std::size_t>(part * static_cast<double>(sorted.size()));
            const auto ns = sorted[std::min(index, sorted.size() - 1)];
            return std::to_string(ns / std::chrono::microseconds{1});
        };
        const testing::TestInfo* const test = testing::UnitTest::GetInstance()->current_test_info();
        return (test == nullptr ? std::string{"?"}
                                : std::string{test->test_suite_name()} + '.' + test->name()) +
               ": calls " + std::to_string(times.size()) + ", late " + std::to_string(late_) +
               ", us p50 " + at(times, 0.5) + " p99 " + at(times, 0.99) + " max " + at(times, 1) +
               "; beyond the deadline p50 " + at(beyond, 0.5) + " p99 " + at(beyond, 0.99) +
               " max " + at(beyond, 1) + "; slowest return " +
               std::to_string(slowest_return_ / std::chrono::microseconds{1}) + "; machine " +
               std::to_string(machine_.worst() / std::chrono::microseconds{1}) + '\n';
    }

    const std::chrono::nanoseconds deadline_;
    mutable std::mutex mutex_; // of what follows
    std::vector<taken> times_;
    mutable std::size_t late_ = 0;
    std::chrono::nanoseconds slowest_return_{0};

    busy_machine machine_;
};

} // namespace weir::tests

#endif
