#ifndef WEIR_CLOCK_HPP
#define WEIR_CLOCK_HPP

/// Time as weir counts it, and the clocks that a backend can run on.
///
/// Time belongs to the backend. It is counted in nanoseconds since the Unix epoch, so that windows
/// can be aligned to the wall clock, but on a monotone axis: a step of the system clock moves
/// neither limits nor deadlines. Tests use `manual_clock` from <weir/testing.hpp>.

#include <chrono>
#include <concepts>

#if defined(__linux__)
#include <time.h>
#endif

namespace weir {

/// A reading of a backend's clock. `std::chrono::system_clock::now()` converts to it.
using time_point = std::chrono::sys_time<std::chrono::nanoseconds>;

/// A clock that a backend can run on: a cheap handle whose copies show the same time.
///
/// `c.now()` returns a `time_point`, never goes backwards as seen from one thread, does not throw,
/// and may be called from many threads at once.
template<class C>
concept clock_source = std::copyable<C> && requires(const C& c) {
    { c.now() }
    noexcept->std::same_as<time_point>;
};

/// The default clock: the steady clock, moved once, when the object is made, onto the Unix epoch.
/// Costs one `steady_clock::now()` per reading.
class real_clock {
public:
    real_clock() noexcept
        : offset_{std::chrono::time_point_cast<std::chrono::nanoseconds>(
                      std::chrono::system_clock::now())
                      .time_since_epoch() -
                  steady()} {}

    [[nodiscard]] time_point now() const noexcept { return time_point{steady() + offset_}; }

private:
    [[nodiscard]] static std::chrono::nanoseconds steady() noexcept {
        return std::chrono::steady_clock::now().time_since_epoch();
    }

    std::chrono::nanoseconds offset_;
};

#if defined(__linux__) && defined(CLOCK_MONOTONIC_COARSE)
/// A clock several times cheaper to read than `real_clock` that moves in ticks of the kernel
/// (1 to 10 ms; commonly 4 ms). Limits and deadlines are late by at most one tick. Linux only.
class coarse_clock {
public:
    coarse_clock() noexcept
        : offset_{std::chrono::time_point_cast<std::chrono::nanoseconds>(
                      std::chrono::system_clock::now())
                      .time_since_epoch() -
                  coarse()} {}

    [[nodiscard]] time_point now() const noexcept { return time_point{coarse() + offset_}; }

private:
    [[nodiscard]] static std::chrono::nanoseconds coarse() noexcept {
        timespec t{};
        ::clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
        return std::chrono::seconds{t.tv_sec} + std::chrono::nanoseconds{t.tv_nsec};
    }

    std::chrono::nanoseconds offset_;
};
#endif

} // namespace weir

#endif
