#ifndef WEIR_DETAIL_THREAD_INDEX_HPP
#define WEIR_DETAIL_THREAD_INDEX_HPP

/// A small number of its own for each running thread, for data that each thread keeps apart.

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace weir::detail {

/// Threads beyond this many, running at one time, share the index `max_threads`.
inline constexpr std::size_t max_threads = 256;

/// The index of the calling thread, 0 <= index <= max_threads; below max_threads no other running
/// thread has it. A thread that ends passes its index on to one that starts later.
class thread_index {
public:
    [[nodiscard]] static std::size_t get() noexcept {
        thread_local const thread_index mine;
        return mine.index_;
    }

    thread_index(const thread_index&) = delete;
    thread_index& operator=(const thread_index&) = delete;

private:
    thread_index() noexcept : index_{claim()} {}

    ~thread_index() {
        if (index_ < max_threads) {
            // Release: pairs with the acquire in claim(), so that the next owner of this index sees
            // what this thread wrote to its data as past.
            used_[index_ / 64].fetch_and(~(std::uint64_t{1} << (index_ % 64)),
                                         std::memory_order_release);
        }
    }

    [[nodiscard]] static std::size_t claim() noexcept {
        for (std::size_t word = 0; word < max_threads / 64; ++word) {
            std::uint64_t used = used_[word].load(std::memory_order_relaxed);
            while (used != ~std::uint64_t{0}) {
                const auto free = static_cast<std::size_t>(std::countr_one(used));
                if (used_[word].compare_exchange_weak(used, used | std::uint64_t{1} << free,
                                                      std::memory_order_acquire,
                                                      std::memory_order_relaxed)) {
                    return word * 64 + free;
                }
            }
        }
        return max_threads;
    }

    static inline std::atomic<std::uint64_t> used_[max_threads / 64] = {};

    std::size_t index_;
};

} // namespace weir::detail

#endif
