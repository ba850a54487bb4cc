#include <weir/cached.hpp>
#include <weir/detail/flight.hpp>

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <thread>

namespace {

using weir::detail::flight;

// The flights of all caches have one lock in common, which a thread that a child does not have may
// hold at the fork.
TEST(flight, can_be_waited_for_in_a_child_of_a_process_whose_threads_wait_for_others) {
    flight<int> landed{"k", 0};
    landed.finish({});
    std::atomic<bool> ends{false};
    std::thread other{[&] {
        while (!ends) {
            landed.wait();
        }
    }};
    for (int i = 0; i != 50 && !HasFailure(); ++i) {
        const pid_t child = ::fork();
        if (child == 0) {
            ::alarm(60);
            flight<int> own{"k", 0};
            own.finish({});
            own.wait();
            ::_exit(0);
        }
        int status = -1;
        EXPECT_EQ(::waitpid(child, &status, 0), child);
        EXPECT_EQ(status, 0) << "after " << i << " others";
    }
    ends = true;
    other.join();
}

} // namespace
