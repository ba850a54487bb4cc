#ifndef WEIR_MEMORY_SPIN_HPP
#define WEIR_MEMORY_SPIN_HPP

/// Waiting for another thread that will be done in some ten nanoseconds.

#include <thread>

namespace weir::detail {

/// One turn of a loop that waits; `turn` counts them from 0. After 64 turns the other thread has
/// most likely lost its core, and this one offers its own.
inline void spin(int turn) noexcept {
    if (turn >= 64) {
        std::this_thread::yield();
        return;
    }
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
}

} // namespace weir::detail

#endif
