#include <weir/decision.hpp>
#include <weir/handler.hpp>
#include <weir/rate_limiter.hpp>
#include <weir/redis.hpp>
#include <weir/redis/handler_thread.hpp>

#include "support/redis_server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <future>
#include <set>
#include <utility>

namespace {

using ::testing::IsSupersetOf;
using weir::detail::redis::handler_thread;
using weir::tests::fresh_database;
using namespace std::chrono_literals;

/// What the calling thread has blocked.
std::set<int> blocked_signals() {
    ::sigset_t mask;
    ::pthread_sigmask(SIG_BLOCK, nullptr, &mask);
    std::set<int> blocked;
    for (int signal = 1; signal != NSIG; ++signal) {
        if (::sigismember(&mask, signal) == 1) {
            blocked.insert(signal);
        }
    }
    return blocked;
}

void expect_only_asynchronous(const std::set<int>& blocked) {
    EXPECT_THAT(blocked, IsSupersetOf({SIGTERM, SIGINT, SIGHUP, SIGCHLD, SIGALRM, SIGUSR1}));
    for (const int own : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS, SIGPROF}) {
        EXPECT_FALSE(blocked.contains(own)) << "signal " << own;
    }
}

/// What is blocked where a backend runs a handler.
std::set<int> blocked_in_a_handler(weir::executor executor) {
    const auto database = fresh_database();
    const weir::redis_backend backend{
        {.uri = database.uri(), .timeout = 10s, .executor = std::move(executor)}};
    const weir::rate_limiter limiter{backend, weir::per_minute(1), weir::on_failure::deny};
    std::promise<std::set<int>> seen;
    limiter.allow_async("k", [&](const weir::decision&) { seen.set_value(blocked_signals()); });
    return seen.get_future().get();
}

TEST(signals, of_the_process_are_not_taken_by_the_thread_that_reads_replies_and_faults_are) {
    expect_only_asynchronous(blocked_in_a_handler(weir::run_inline));
}

TEST(signals, of_the_process_are_not_taken_by_the_thread_for_handlers_and_faults_are) {
    expect_only_asynchronous(blocked_in_a_handler({}));
}

TEST(signals, are_blocked_for_handlers_whoever_hands_over_the_first) {
    std::set<int> blocked;
    {
        handler_thread t;
        t.run([&] { blocked = blocked_signals(); });
    }
    expect_only_asynchronous(blocked);
}

} // namespace
