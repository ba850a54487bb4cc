#include <weir/cache.hpp>
#include <weir/cached.hpp>
#include <weir/decision.hpp>
#include <weir/error.hpp>
#include <weir/handler.hpp>
#include <weir/rate_limiter.hpp>
#include <weir/redis.hpp>
#include <weir/redis/fork.hpp>
#include <weir/storage.hpp>

#include "support/redis_server.hpp"

#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace {

using weir::cached;
using weir::decision;
using weir::errc;
using weir::redis_backend;
using weir::detail::redis::fork_generation;
using weir::tests::fresh_database;
using namespace std::chrono_literals;

/// What `question()` answers, from 0 to 255, in a process forked from this one. A child that hangs is
/// ended, and fails the test.
template<class Question>
int in_a_child(const Question& question) {
    const pid_t child = ::fork();
    if (child == 0) {
        ::alarm(60);
        ::_exit(static_cast<int>(question()));
    }
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status)) << "ended by signal " << WTERMSIG(status);
    return WEXITSTATUS(status);
}

/// Checks in a process forked from this one what `checks()` expects.
template<class Checks>
void expect_in_a_child(const Checks& checks) {
    EXPECT_EQ(in_a_child([&] {
                  checks();
                  static_cast<void>(std::fflush(stdout));
                  return ::testing::Test::HasFailure();
              }),
              0)
        << "see above, what the child process says";
}

TEST(fork_generation, stays_as_it_is_in_a_process_that_does_not_fork) {
    const std::uint32_t mine = fork_generation::current();
    EXPECT_EQ(fork_generation::current(), mine);
    std::uint32_t of_another_thread = mine + 1;
    std::thread{[&] { of_another_thread = fork_generation::current(); }}.join();
    EXPECT_EQ(of_another_thread, mine);
}

TEST(fork_generation, is_another_in_a_child_and_the_same_in_its_parent) {
    const std::uint32_t mine = fork_generation::current();
    EXPECT_EQ(in_a_child([&] { return fork_generation::current() - mine; }), 1);
    EXPECT_EQ(in_a_child([&] { return fork_generation::current() - mine; }), 1);
    EXPECT_EQ(fork_generation::current(), mine);
}

TEST(fork_generation, counts_on_in_the_children_of_children) {
    const std::uint32_t mine = fork_generation::current();
    EXPECT_EQ(in_a_child([&] {
                  return in_a_child([&] {
                      return in_a_child([&] { return fork_generation::current() - mine; });
                  });
              }),
              3);
}

// ---- what the parent was at ------------------------------------------------------------------------

/// Connected, so that its thread is at rest when the test forks: the allocator of AddressSanitizer has
/// locks that a fork does not know of (clang 14), and what another thread holds then is locked for ever
/// in the child.
redis_backend backend_for(const std::string& uri, weir::executor executor = {}) {
    redis_backend backend{{.uri = uri, .timeout = 10s, .executor = std::move(executor)}};
    EXPECT_TRUE(backend.wait_until_connected(60s));
    return backend;
}

class a_forked_child : public ::testing::Test {
protected:
    weir::tests::database database = fresh_database();
    redis_backend backend = backend_for(database.uri());
};

TEST_F(a_forked_child, computes_what_a_thread_of_its_parent_was_computing) {
    const weir::cache<std::string> pages{backend, "page", {.ttl = 1h}};
    std::promise<void> begun;
    std::promise<void> goes_on;
    std::thread other{[&] {
        static_cast<void>(pages.get_or_compute("k", [&] {
            begun.set_value();
            goes_on.get_future().wait();
            return std::string{"the parent's"};
        }));
    }};
    begun.get_future().wait();
    expect_in_a_child([&] {
        const weir::cache<std::string> anew{backend, "page", {.ttl = 1h}};
        EXPECT_EQ(*anew.get_or_compute("k", [] { return std::string{"the child's"}; }),
                  "the child's");
    });
    goes_on.set_value();
    other.join();
}

struct opening {
    std::promise<void> begun;
    std::promise<void> goes_on;
};
opening* opened_slowly = nullptr;

TEST_F(a_forked_child, opens_a_cache_while_a_thread_of_its_parent_was_opening_one) {
    opening slow;
    opened_slowly = &slow;
    const auto store = backend.values<std::string>("page", {});
    std::thread other{[&] {
        static_cast<void>(store.hosted(+[]() -> std::shared_ptr<void> {
            opened_slowly->begun.set_value();
            opened_slowly->goes_on.get_future().wait();
            return std::make_shared<int>(0);
        }));
    }};
    slow.begun.get_future().wait();
    expect_in_a_child([&] {
        ASSERT_TRUE(backend.wait_until_connected(60s));
        const weir::cache<std::string> anew{backend, "page", {.ttl = 1h}};
        std::error_code ec;
        anew.put("k", "v", ec);
        EXPECT_FALSE(ec) << ec.message();
        EXPECT_EQ(*anew.get("k"), "v");
    });
    slow.goes_on.set_value();
    other.join();
}

/// An executor that is told when it is copied, as a backend does that begins anew in a child.
struct watched_executor {
    explicit watched_executor(std::function<void()>& copied) : copied_{&copied} {}
    watched_executor(const watched_executor& other) : copied_{other.copied_} {
        if (*copied_) {
            std::exchange(*copied_, nullptr)();
        }
    }
    watched_executor(watched_executor&&) = default;
    watched_executor& operator=(const watched_executor&) = delete;
    ~watched_executor() = default;

    void operator()(weir::handler<> task) const { task(); }

private:
    std::function<void()>* copied_;
};

TEST_F(a_forked_child, begins_anew_while_a_thread_of_its_parent_was_beginning_anew) {
    std::function<void()> copied;
    const redis_backend watched = backend_for(database.uri(), watched_executor{copied});
    const auto allows = [&] {
        const weir::rate_limiter limiter{watched, weir::per_minute(1), weir::on_failure::deny};
        EXPECT_TRUE(watched.wait_until_connected(60s));
        const std::string key = "of process " + std::to_string(::getpid());
        EXPECT_TRUE(limiter.allow(key)) << limiter.allow(key);
    };
    expect_in_a_child([&] {
        bool forked = false;
        copied = [&] {
            forked = true;
            expect_in_a_child(allows);
        };
        allows();
        EXPECT_TRUE(forked);
    });
}

// ---- a child that can have no connection -----------------------------------------------------------

enum class lack { of_descriptors, of_threads };

/// While it lives, this process can open nothing, or start no thread.
class starvation {
public:
    explicit starvation(lack what) {
        if (what == lack::of_descriptors) {
            descriptors_.emplace();
            EXPECT_EQ(::getrlimit(RLIMIT_NOFILE, &*descriptors_), 0);
            ::rlimit none = *descriptors_;
            none.rlim_cur = 0;
            EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
        } else {
            set_stacks_of_threads(more_than_there_is);
        }
    }
    starvation(const starvation&) = delete;
    starvation& operator=(const starvation&) = delete;
    ~starvation() {
        if (descriptors_) {
            EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &*descriptors_), 0);
        } else {
            set_stacks_of_threads(std::size_t{8} << 20);
        }
    }

private:
    static constexpr std::size_t more_than_there_is = std::size_t{1} << 47;

    static void set_stacks_of_threads(std::size_t bytes) {
        ::pthread_attr_t attributes;
        EXPECT_EQ(::pthread_attr_init(&attributes), 0);
        EXPECT_EQ(::pthread_attr_setstacksize(&attributes, bytes), 0);
        EXPECT_EQ(::pthread_setattr_default_np(&attributes), 0);
        ::pthread_attr_destroy(&attributes);
    }

    std::optional<::rlimit> descriptors_;
};

class a_starved_child : public a_forked_child, public ::testing::WithParamInterface<lack> {
protected:
    weir::rate_limiter limiter{backend, weir::per_minute(1), weir::on_failure::deny};
    weir::cache<std::string> pages{backend, "page", {.ttl = 1h}};
};

TEST_P(a_starved_child, is_told_that_the_backend_is_unavailable_by_every_call) {
    expect_in_a_child([&] {
        const starvation hunger{GetParam()};
        EXPECT_GT(backend.now().time_since_epoch(), 0ns);
        EXPECT_FALSE(backend.wait_until_connected(60s));
        EXPECT_LT(backend.stats().clock_error, 0ns);
        EXPECT_EQ(limiter.allow("k").error(), errc::unavailable);
        EXPECT_EQ(limiter.peek("k").error(), errc::unavailable);
        EXPECT_EQ(pages.get("k").error(), errc::unavailable);
        EXPECT_EQ(pages.get_or_compute("k", [] { return std::string{"v"}; }).error(),
                  errc::unavailable);
        std::error_code ec;
        pages.put("k", "v", ec);
        EXPECT_EQ(ec, errc::unavailable);
        pages.invalidate("k", ec);
        EXPECT_EQ(ec, errc::unavailable);
        pages.invalidate_matching("*", ec);
        EXPECT_EQ(ec, errc::unavailable);
    });
}

TEST_P(a_starved_child, is_told_the_same_by_every_handler_at_once) {
    expect_in_a_child([&] {
        const starvation hunger{GetParam()};
        std::vector<std::error_code> told;
        limiter.allow_async("k", [&](const decision& d) { told.push_back(d.error()); });
        pages.get_async("k", [&](const cached<std::string>& p) { told.push_back(p.error()); });
        const auto store = backend.values<std::string>("page", {});
        store.put_if_leased_later("k", weir::make_value<std::string>("v"), {.ttl = 1h},
                                  weir::lease_token{1}, backend.now(),
                                  [&](bool stored, std::error_code ec) {
                                      EXPECT_FALSE(stored);
                                      told.push_back(ec);
                                  });
        store.release_later("k", weir::lease_token{1});
        EXPECT_EQ(told, std::vector<std::error_code>(3, errc::unavailable));
    });
}

TEST_P(a_starved_child, runs_handlers_where_the_user_wants_them) {
    std::vector<weir::handler<>> tasks;
    const redis_backend own = backend_for(
        database.uri(), [&](weir::handler<> task) { tasks.push_back(std::move(task)); });
    const weir::rate_limiter limited{own, weir::per_minute(1), weir::on_failure::deny};
    expect_in_a_child([&] {
        const starvation hunger{GetParam()};
        std::optional<decision> told;
        limited.allow_async("k", [&](const decision& d) { told = d; });
        EXPECT_FALSE(told);
        ASSERT_EQ(tasks.size(), 1U);
        tasks.front()();
        EXPECT_EQ(told.value().error(), errc::unavailable);
    });
}

TEST_P(a_starved_child, cannot_make_limiters_with_a_name_and_caches) {
    expect_in_a_child([&] {
        const starvation hunger{GetParam()};
        EXPECT_THROW((weir::rate_limiter{
                         backend, weir::per_minute(1), weir::on_failure::deny, {.name = "named"}}),
                     std::system_error);
        EXPECT_THROW((weir::cache<std::string>{backend, "other", {.ttl = 1h}}), std::system_error);
    });
}

TEST_P(a_starved_child, uses_the_backend_as_soon_as_it_has_some) {
    expect_in_a_child([&] {
        {
            const starvation hunger{GetParam()};
            EXPECT_EQ(limiter.allow("k").error(), errc::unavailable);
        }
        ASSERT_TRUE(backend.wait_until_connected(60s));
        EXPECT_TRUE(limiter.allow("k")) << limiter.allow("k");
        std::promise<std::thread::id> where;
        limiter.allow_async("k", [&](const decision& d) {
            EXPECT_FALSE(d.error()) << d;
            where.set_value(std::this_thread::get_id());
        });
        EXPECT_NE(where.get_future().get(), std::this_thread::get_id());
    });
}

// UndefinedBehaviorSanitizer opens a pipe to look at an object with virtual functions.
#if defined __has_feature
#if __has_feature(undefined_behavior_sanitizer)
#define WEIR_TESTS_NEED_DESCRIPTORS
#endif
#endif

#ifndef WEIR_TESTS_NEED_DESCRIPTORS
INSTANTIATE_TEST_SUITE_P(without_descriptors, a_starved_child,
                         ::testing::Values(lack::of_descriptors));
#endif
INSTANTIATE_TEST_SUITE_P(without_threads, a_starved_child, ::testing::Values(lack::of_threads));

} // namespace
