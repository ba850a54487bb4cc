// Many callers, one computation. Threads wait for what they can see (statistics, latches), never for
// time to pass.

#include <weir/cache.hpp>
#include <weir/memory.hpp>
#include <weir/testing.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

using namespace std::chrono_literals;

namespace {

using weir::cache_status;
using weir::cached;

class single_flight : public testing::Test {
protected:
    weir::manual_clock clock;
    weir::basic_memory_backend<weir::manual_clock> memory{clock};
    weir::cache<std::string> texts{memory, "texts", {.ttl = 1min, .grace = 1min}};

    /// Returns when `callers` callers wait for a computation.
    void until_waiting(std::uint64_t callers) const {
        while (texts.stats().waits < callers) {
            std::this_thread::yield();
        }
    }

    template<class F>
    static std::vector<std::jthread> threads(int count, const F& body) {
        std::vector<std::jthread> running;
        for (int i = 0; i < count; ++i) {
            running.emplace_back([&body, i] { body(i); });
        }
        return running;
    }
};

TEST_F(single_flight, sixty_four_callers_of_one_missing_key_run_its_function_once) {
    std::atomic<int> calls{0};
    std::atomic<int> right{0};
    const auto ask = [&](int) {
        const cached<std::string> answer = texts.get_or_compute("k", [&] {
            ++calls;
            until_waiting(63);
            return std::string{"v"};
        });
        right += answer.status() == cache_status::computed && *answer == "v" ? 1 : 0;
    };
    threads(64, ask).clear();
    EXPECT_EQ(calls, 1);
    EXPECT_EQ(right, 64);
    EXPECT_EQ(texts.stats().computations, 1U);
    EXPECT_EQ(texts.stats().waits, 63U);
}

TEST_F(single_flight, all_who_waited_share_one_value_and_copy_nothing) {
    std::vector<const std::string*> seen(8);
    const auto ask = [&](int i) {
        seen[static_cast<std::size_t>(i)] = texts
                                                .get_or_compute("k",
                                                                [&] {
                                                                    until_waiting(7);
                                                                    return std::string{"v"};
                                                                })
                                                .get();
    };
    threads(8, ask).clear();
    for (const std::string* one : seen) {
        EXPECT_EQ(one, texts.get("k").get());
    }
}

TEST_F(single_flight, all_who_waited_get_the_exception_and_the_next_call_runs_again) {
    std::atomic<int> calls{0};
    std::atomic<int> thrown{0};
    const auto ask = [&](int) {
        try {
            static_cast<void>(texts.get_or_compute("k", [&]() -> std::string {
                ++calls;
                until_waiting(15);
                throw std::runtime_error{"down"};
            }));
        } catch (const std::runtime_error&) {
            ++thrown;
        }
    };
    threads(16, ask).clear();
    EXPECT_EQ(calls, 1);
    EXPECT_EQ(thrown, 16);
    EXPECT_EQ(*texts.get_or_compute("k", [] { return std::string{"v"}; }), "v");
}

TEST_F(single_flight, all_who_waited_get_the_stale_value_of_a_failed_computation) {
    texts.put("k", "old");
    clock.advance(1min);
    std::atomic<int> stale{0};
    const auto ask = [&](int) {
        const auto answer = texts.get_or_compute("k", [&]() -> std::string {
            until_waiting(7);
            throw std::runtime_error{"down"};
        });
        stale += answer.status() == cache_status::stale && *answer == "old" ? 1 : 0;
    };
    threads(8, ask).clear();
    EXPECT_EQ(stale, 8);
}

TEST_F(single_flight, another_key_is_computed_while_one_computation_hangs) {
    std::latch hanging{1};
    std::latch released{1};
    const std::jthread slow{[&] {
        static_cast<void>(texts.get_or_compute("slow", [&] {
            hanging.count_down();
            released.wait();
            return std::string{"s"};
        }));
    }};
    hanging.wait();
    EXPECT_EQ(*texts.get_or_compute("other", [] { return std::string{"v"}; }), "v");
    texts.put("third", "v");
    EXPECT_TRUE(texts.invalidate("third"));
    EXPECT_TRUE(texts.get("other"));
    released.count_down();
}

TEST_F(single_flight, an_invalidation_detaches_the_flight_but_answers_those_who_wait) {
    std::latch running{1};
    std::latch released{1};
    cached<std::string> first;
    cached<std::string> waited;
    {
        const std::jthread owner{[&] {
            first = texts.get_or_compute("k", [&] {
                running.count_down();
                released.wait();
                return std::string{"old"};
            });
        }};
        running.wait();
        const std::jthread waiter{
            [&] { waited = texts.get_or_compute("k", [] { return std::string{"not run"}; }); }};
        until_waiting(1);
        texts.invalidate("k");
        const auto later = texts.get_or_compute("k", [] { return std::string{"new"}; });
        EXPECT_EQ(*later, "new");
        EXPECT_EQ(later.status(), cache_status::computed);
        released.count_down();
    }
    EXPECT_EQ(*first, "old");
    EXPECT_EQ(*waited, "old");
    EXPECT_EQ(*texts.get("k"), "new");
}

TEST_F(single_flight, whatever_changes_a_key_detaches_its_flight) {
    // Afterwards nothing is in the store, so a caller who joined would be answered by the old flight,
    // which waits for that caller.
    const auto later_caller_after = [&](auto change) {
        std::latch running{1};
        std::latch answered{1};
        const std::jthread owner{[&] {
            static_cast<void>(texts.get_or_compute("k", [&] {
                running.count_down();
                while (!answered.try_wait() && texts.stats().waits == 0) {
                    std::this_thread::yield();
                }
                return std::string{"old"};
            }));
        }};
        running.wait();
        change();
        const std::string later = *texts.get_or_compute("k", [] {
            return weir::expiring<std::string>{"new", 0s};
        });
        answered.count_down();
        return later;
    };
    const auto brief = [&] { clock.advance(1h); };
    EXPECT_EQ(later_caller_after([&] { texts.invalidate("k"); }), "new");
    EXPECT_EQ(later_caller_after([&] { texts.invalidate_matching("k*"); }), "new");
    EXPECT_EQ(later_caller_after([&] { texts.clear(); }), "new");
    EXPECT_EQ(later_caller_after([&] { texts.put("k", "v", 1ms), brief(); }), "new");
    EXPECT_EQ(later_caller_after([&] { texts.add("k", "v", 1ms), brief(); }), "new");
}

TEST_F(single_flight, caches_opened_apart_under_one_name_compute_once) {
    const weir::cache<std::string> same{memory, "texts", {.ttl = 1min}};
    std::atomic<int> calls{0};
    const auto ask = [&](int i) {
        const auto& mine = i % 2 == 0 ? texts : same;
        static_cast<void>(mine.get_or_compute("k", [&] {
            ++calls;
            until_waiting(7);
            return std::string{"v"};
        }));
    };
    threads(8, ask).clear();
    EXPECT_EQ(calls, 1);
}

TEST_F(single_flight, a_circle_of_computations_across_threads_is_reported_and_ends) {
    // a asks for b while b asks for a: one of them must be told.
    std::latch both{2};
    std::atomic<int> reported{0};
    const auto ask = [&](const char* mine, const char* other) {
        try {
            static_cast<void>(texts.get_or_compute(mine, [&] {
                both.arrive_and_wait();
                return *texts.get_or_compute(other, [] { return std::string{"v"}; });
            }));
        } catch (const std::system_error& error) {
            reported += error.code() == weir::errc::recursive_computation ? 1 : 0;
        }
    };
    {
        const std::jthread one{[&] { ask("a", "b"); }};
        const std::jthread two{[&] { ask("b", "a"); }};
    }
    // The error of the one that was told is what its computation threw, so both callers see it.
    EXPECT_EQ(reported, 2);
    EXPECT_EQ(*texts.get_or_compute("a", [] { return std::string{"v"}; }), "v");
}

TEST_F(single_flight, a_chain_of_waits_is_no_circle) {
    // c waits for b, which waits for a, which is free to finish.
    std::latch a_runs{1};
    std::latch b_runs{1};
    std::latch released{1};
    const auto compute = [&](const char* key, std::latch& running, auto body) {
        return *texts.get_or_compute(key, [&] {
            running.count_down();
            return body();
        });
    };
    std::string last;
    {
        const std::jthread a{[&] {
            static_cast<void>(compute("a", a_runs, [&] {
                released.wait();
                return std::string{"a"};
            }));
        }};
        a_runs.wait();
        const std::jthread b{[&] {
            static_cast<void>(compute("b", b_runs, [&] {
                return *texts.get_or_compute("a", [] { return std::string{"not run"}; }) + "b";
            }));
        }};
        b_runs.wait();
        const std::jthread c{
            [&] { last = *texts.get_or_compute("b", [] { return std::string{"not run"}; }); }};
        until_waiting(2);
        released.count_down();
    }
    EXPECT_EQ(last, "ab");
}

} // namespace
