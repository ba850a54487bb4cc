#ifndef WEIR_TESTS_SUPPORT_BUSY_MACHINE_HPP
#define WEIR_TESTS_SUPPORT_BUSY_MACHINE_HPP

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <stop_token>
#include <thread>

namespace weir::tests {

/// How late the machine lets a thread run that wants to: calls cannot do better.
class busy_machine {
public:
    [[nodiscard]] std::chrono::nanoseconds worst() const noexcept {
        return std::chrono::nanoseconds{worst_.load(std::memory_order_relaxed)};
    }

private:
    void watch(const std::stop_token& stop) {
        constexpr std::chrono::milliseconds nap{5};
        std::mutex mutex;
        std::condition_variable_any never; // but for the stop
        std::unique_lock lock{mutex};
        while (!stop.stop_requested()) {
            const auto due = std::chrono::steady_clock::now() + nap;
            if (never.wait_until(lock, stop, due, [] { return false; }) || stop.stop_requested()) {
                return;
            }
            const std::chrono::nanoseconds late = std::chrono::steady_clock::now() - due;
            worst_.store(std::max(worst_.load(std::memory_order_relaxed), late.count()),
                         std::memory_order_relaxed);
        }
    }

    std::atomic<std::chrono::nanoseconds::rep> worst_{0};
    std::jthread watcher_{[this](const std::stop_token& stop) { watch(stop); }};
};

} // namespace weir::tests

#endif
