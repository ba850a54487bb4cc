#ifndef WEIR_REDIS_FORK_HPP
#define WEIR_REDIS_FORK_HPP

#include <atomic>
#include <cstdint>
#include <pthread.h>

namespace weir::detail::redis {

/// How many forks lie between the start of the program and this process. Cheaper to ask than
/// getpid(), which is a system call.
class fork_generation {
public:
    [[nodiscard]] static std::uint32_t current() noexcept {
        return generation_.load(std::memory_order_relaxed);
    }

private:
    // Relaxed: there is one thread in a new process.
    static void count() noexcept { generation_.fetch_add(1, std::memory_order_relaxed); }

    static inline std::atomic<std::uint32_t> generation_{0};
    /// At the start of the program: done by the first who asks, it could be half done at a fork, and
    /// whoever asks in the child would wait for ever.
    static inline const int registered_ = ::pthread_atfork(nullptr, nullptr, &count);
};

} // namespace weir::detail::redis

#endif
