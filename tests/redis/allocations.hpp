#ifndef WEIR_TESTS_REDIS_ALLOCATIONS_HPP
#define WEIR_TESTS_REDIS_ALLOCATIONS_HPP

/// What the tests of this folder allocate with `new`: counted, and refused where a test wants to see
/// what then happens.
///
///     const allocations seen;
///     ...
///     EXPECT_LT(seen.largest(), 1000U);
///
///     every_lack_of_memory([] { return try_it(); });

#include <cstddef>
#include <functional>
#include <new>

namespace weir::tests {

/// What this thread has allocated since the object was made. One at a time in a thread.
class allocations {
public:
    allocations() noexcept;
    allocations(const allocations&) = delete;
    allocations& operator=(const allocations&) = delete;

    [[nodiscard]] std::size_t count() const noexcept;
    /// Bytes, in all.
    [[nodiscard]] std::size_t bytes() const noexcept;
    /// Bytes, of the largest.
    [[nodiscard]] std::size_t largest() const noexcept;
};

/// While it lives, allocations of this thread throw std::bad_alloc, but for the first `granted`.
class scarce_memory {
public:
    explicit scarce_memory(std::size_t granted) noexcept;
    scarce_memory(const scarce_memory&) = delete;
    scarce_memory& operator=(const scarce_memory&) = delete;
    ~scarce_memory();

    /// Whether one was refused.
    [[nodiscard]] bool refused() const noexcept;
};

/// Calls `attempt(granted)` with memory for 0, 1, 2... allocations, until it needs no more. What it
/// checks it should check after the scarcity, which `attempt` itself has to bring about:
///
///     every_lack_of_memory([](std::size_t granted) {
///         thing t;
///         bool refused = false;
///         {
///             const scarce_memory scarce{granted};
///             t.work();
///             refused = scarce.refused();
///         }
///         EXPECT_TRUE(t.is_well());
///         return refused;
///     });
///
/// @param attempt  returns whether memory was refused
/// @returns        how many attempts were refused memory
std::size_t every_lack_of_memory(const std::function<bool(std::size_t granted)>& attempt);

} // namespace weir::tests

#endif
