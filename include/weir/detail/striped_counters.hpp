#ifndef WEIR_DETAIL_STRIPED_COUNTERS_HPP
#define WEIR_DETAIL_STRIPED_COUNTERS_HPP

/// Counters that threads increment without meeting.

#include <weir/detail/thread_index.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace weir::detail {

/// `Count` counters, each the sum over one cache line per thread. Adding costs a plain load and
/// store; threads beyond `max_threads` share a line and pay for an atomic addition.
template<std::size_t Count>
class striped_counters {
    static_assert(Count <= 8, "a stripe is one cache line");

public:
    void add(std::size_t which, std::uint64_t amount = 1) noexcept {
        const std::size_t index = thread_index::get();
        std::atomic<std::uint64_t>& counter = stripes_[index].counters[which];
        if (index < max_threads) [[likely]] {
            // Relaxed, and no read-modify-write: only this thread writes here, and readers want a
            // recent sum, not an order.
            counter.store(counter.load(std::memory_order_relaxed) + amount,
                          std::memory_order_relaxed);
        } else {
            counter.fetch_add(amount, std::memory_order_relaxed);
        }
    }

    [[nodiscard]] std::uint64_t sum(std::size_t which) const noexcept {
        std::uint64_t total = 0;
        for (std::size_t i = 0; i <= max_threads; ++i) {
            total += stripes_[i].counters[which].load(std::memory_order_relaxed);
        }
        return total;
    }

private:
    struct alignas(64) stripe {
        std::atomic<std::uint64_t> counters[8] = {};
    };

    std::unique_ptr<stripe[]> stripes_ = std::make_unique<stripe[]>(max_threads + 1);
};

} // namespace weir::detail

#endif
