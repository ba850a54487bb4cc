#ifndef WEIR_TESTS_SUPPORT_EVENTUALLY_HPP
#define WEIR_TESTS_SUPPORT_EVENTUALLY_HPP

/// Waits for what another thread or process will do, and tells no test when.
///
///     EXPECT_TRUE(eventually([&] { return proxy.connections() == 2; }));

#include <chrono>
#include <thread>

namespace weir::tests {

/// How long tests wait for what must happen: long, because a test that fails may be slow, and one
/// that passes on a busy machine must not fail.
inline constexpr std::chrono::seconds patience{60};

/// Whether `holds()` becomes true before `limit` has passed. Looks once a millisecond.
template<class Predicate>
[[nodiscard]] bool eventually(Predicate holds, std::chrono::nanoseconds limit = patience) {
    const auto deadline = std::chrono::steady_clock::now() + limit;
    while (!holds()) {
        if (std::chrono::steady_clock::now() >= deadline) {
            return false;
        }
        // Not a guess at how long something takes: the loop ends with the condition.
        std::this_thread::sleep_for(std::chrono::milliseconds{1});
    }
    return true;
}

} // namespace weir::tests

#endif
