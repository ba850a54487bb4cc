#include <weir/handler.hpp>
#include <weir/redis/handler_thread.hpp>

#include "allocations.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <filesystem>
#include <future>
#include <iterator>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <set>
#include <thread>
#include <utility>
#include <vector>

namespace {

using ::testing::SizeIs;
using weir::handler;
using weir::detail::redis::handler_thread;
using weir::tests::every_lack_of_memory;
using weir::tests::scarce_memory;

std::size_t threads_of_this_process() {
    const std::filesystem::directory_iterator all{"/proc/self/task"};
    return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

TEST(handler_thread, runs_tasks_one_after_the_other_on_one_thread_of_its_own) {
    std::vector<int> order;
    std::set<std::thread::id> where;
    {
        handler_thread t;
        for (int i = 0; i != 1000; ++i) {
            t.run([&, i] { // without a lock: a sanitizer would see two at a time
                order.push_back(i);
                where.insert(std::this_thread::get_id());
            });
        }
    }
    ASSERT_THAT(order, SizeIs(1000));
    for (int i = 0; i != 1000; ++i) {
        EXPECT_EQ(order[static_cast<std::size_t>(i)], i);
    }
    EXPECT_THAT(where, SizeIs(1));
    EXPECT_FALSE(where.contains(std::this_thread::get_id()));
}

TEST(handler_thread, has_no_thread_before_the_first_task) {
    std::thread{[] {}}.join(); // with the first thread ThreadSanitizer begins one of its own
    const std::size_t before = threads_of_this_process();
    handler_thread t;
    EXPECT_EQ(threads_of_this_process(), before);
    t.run([] {});
    EXPECT_EQ(threads_of_this_process(), before + 1);
    t.run([] {});
    EXPECT_EQ(threads_of_this_process(), before + 1);
}

TEST(handler_thread, runs_what_is_left_before_it_is_gone) {
    std::promise<void> goes_on;
    std::atomic<int> ran{0};
    std::thread later;
    {
        handler_thread t;
        t.run([waits = goes_on.get_future()] { waits.wait(); });
        for (int i = 0; i != 10; ++i) {
            t.run([&] { ++ran; });
        }
        EXPECT_EQ(ran, 0);
        later = std::thread{[&] { goes_on.set_value(); }};
    }
    EXPECT_EQ(ran, 10);
    later.join();
}

TEST(handler_thread, takes_tasks_of_its_own_tasks) {
    int ran = 0;
    {
        handler_thread t;
        std::promise<void> done;
        t.run([&] {
            ++ran;
            t.run([&] {
                ++ran;
                t.run([&] {
                    ++ran;
                    done.set_value();
                });
            });
        });
        done.get_future().wait();
    }
    EXPECT_EQ(ran, 3);
}

TEST(handler_thread, destroys_what_a_task_captures_before_the_next_task_runs) {
    bool alive_meanwhile = true;
    {
        handler_thread t;
        auto captured = std::make_shared<int>(1);
        const std::weak_ptr<int> watched = captured;
        t.run([captured = std::move(captured)] {});
        t.run([&, watched] { alive_meanwhile = !watched.expired(); });
    }
    EXPECT_FALSE(alive_meanwhile);
}

TEST(handler_thread, may_be_destroyed_by_its_own_task_and_runs_what_is_left_all_the_same) {
    std::promise<void> last_ran;
    {
        auto t = std::make_unique<handler_thread>();
        handler_thread& thread = *t;
        std::promise<void> all_there;
        thread.run([t = std::move(t), ready = all_there.get_future()]() mutable {
            ready.wait();
            t.reset();
        });
        thread.run([] {});
        thread.run([&] { last_ran.set_value(); });
        all_there.set_value();
        last_ran.get_future().wait();
    }
}

TEST(handler_thread, leaves_a_task_as_it_was_if_it_has_no_room_for_it) {
    // Often enough to need another block of its queue.
    every_lack_of_memory([](std::size_t granted) {
        std::atomic<int> ran{0};
        std::promise<void> goes_on;
        int handed_over = 0;
        bool refused = false;
        {
            handler_thread t;
            t.run([waits = goes_on.get_future()] { waits.wait(); });
            std::array<handler<>, 40> tasks;
            for (handler<>& task : tasks) {
                task = [&] { ++ran; };
            }
            {
                const scarce_memory scarce{granted};
                for (handler<>& task : tasks) {
                    try {
                        t.run(std::move(task));
                        ++handed_over;
                    } catch (const std::bad_alloc&) {
                        EXPECT_TRUE(task); // NOLINT(bugprone-use-after-move)
                        break;
                    }
                }
                refused = scarce.refused();
            }
            EXPECT_EQ(handed_over < 40, refused);
            goes_on.set_value();
        }
        EXPECT_EQ(ran, handed_over);
        return refused;
    });
}

} // namespace
