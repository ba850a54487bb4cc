#ifndef WEIR_DETAIL_FUTEX_HPP
#define WEIR_DETAIL_FUTEX_HPP

/// Waiting for a word to change, with a deadline: what std::atomic::wait does not have. Linux only.

#include <atomic>
#include <cerrno>
#include <chrono>
#include <climits>
#include <cstdint>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

namespace weir::detail {

/// Sleeps while `word` holds `value`, until it is woken or `deadline` is over. False if it is over;
/// true means that it is worth to look at the word again, not that it has changed.
inline bool futex_wait(const std::atomic<std::uint32_t>& word, std::uint32_t value,
                       std::chrono::steady_clock::time_point deadline) noexcept {
    static_assert(sizeof word == sizeof value);
    const auto since = deadline.time_since_epoch();
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(since);
    // The steady clock of libstdc++ and libc++ is CLOCK_MONOTONIC, which a futex counts by.
    const ::timespec at{seconds.count(), std::chrono::nanoseconds{since - seconds}.count()};
    const long result = ::syscall(SYS_futex, &word, FUTEX_WAIT_BITSET_PRIVATE, value, &at, nullptr,
                                  FUTEX_BITSET_MATCH_ANY);
    // Else it is over: ETIMEDOUT, or EINVAL for one from before the clock began.
    return result == 0 || errno == EAGAIN || errno == EINTR;
}

/// Wakes one who sleeps on `word`. Only its address is used: the object may be gone already.
inline void futex_wake(const std::atomic<std::uint32_t>* word) noexcept {
    ::syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
}

/// The same for all of them.
inline void futex_wake_all(const std::atomic<std::uint32_t>* word) noexcept {
    ::syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, nullptr, nullptr, 0);
}

} // namespace weir::detail

#endif
