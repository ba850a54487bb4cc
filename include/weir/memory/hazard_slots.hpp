#ifndef WEIR_MEMORY_HAZARD_SLOTS_HPP
#define WEIR_MEMORY_HAZARD_SLOTS_HPP

/// Protects what a thread looks at without counting it as a holder.
///
/// A reader writes the address of what it is about to look at into a slot of its own thread, then
/// checks that the address can still be reached; from then on nobody destroys what is there. One
/// who wants to destroy something that can no longer be reached asks every slot first. If a slot
/// names it, the duty to destroy is handed to that slot's reader, who finds it when it clears the
/// slot, and asks the remaining slots in turn: destruction is late by at most the time of the
/// readers who are there, and nothing waits in a list.
///
/// Source: hazard pointers (Michael, "Hazard Pointers", IEEE TPDS 2004); the handing over is ours.
///
/// Order: a reader stores its slot, then loads the way to the object; a destroyer stores the way to
/// the object as gone, then loads the slots. All four are sequentially consistent, so at least one
/// of the two sees the other. Clearing a slot releases what the reader did to the destroyer, whose
/// load of the slot acquires it.
///
/// Limits: `slots_per_thread` objects at a time per thread, `max_threads` threads; beyond that
/// `protect` answers that there is no slot, and the reader counts itself as a holder instead.

#include <weir/detail/thread_index.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace weir::detail {

class hazard_slots {
public:
    static constexpr std::size_t slots_per_thread = 8;
    using slot = std::atomic<std::uintptr_t>;

    /// A free slot of the calling thread that now names `object`; null if there is none. The slot is
    /// taken by an exchange, so that even two threads at one index (which happens while thread_local
    /// objects are destroyed) cannot disturb each other.
    [[nodiscard]] static slot* protect(const void* object) noexcept {
        const std::size_t index = thread_index::get();
        if (index >= max_threads) {
            return nullptr;
        }
        record& mine = records_[index];
        if (index >= used_.load(std::memory_order_acquire)) {
            announce(index);
        }
        for (slot& candidate : mine.slots) {
            std::uintptr_t empty = 0;
            if (candidate.compare_exchange_strong(empty, address(object),
                                                  std::memory_order_seq_cst)) {
                return &candidate;
            }
        }
        return nullptr;
    }

    /// Clears a slot. True if the duty to destroy the object was handed to the caller meanwhile.
    [[nodiscard]] static bool clear(slot& mine) noexcept {
        return (mine.exchange(0, std::memory_order_acq_rel) & handed_over) != 0;
    }

    /// Hands the duty to destroy `object`, which can no longer be reached, to a reader who looks at
    /// it. False if there is none, and none can come.
    [[nodiscard]] static bool hand_over(const void* object) noexcept {
        const std::size_t used = used_.load(std::memory_order_seq_cst);
        for (std::size_t i = 0; i < used; ++i) {
            for (slot& candidate : records_[i].slots) {
                std::uintptr_t seen = candidate.load(std::memory_order_seq_cst);
                if (seen == address(object) &&
                    candidate.compare_exchange_strong(seen, seen | handed_over,
                                                      std::memory_order_seq_cst)) {
                    return true;
                }
            }
        }
        return false;
    }

private:
    /// Objects are aligned to 8 bytes, so that the lowest bit of their address is free.
    static constexpr std::uintptr_t handed_over = 1;

    struct alignas(64) record {
        slot slots[slots_per_thread];
    };

    [[nodiscard]] static std::uintptr_t address(const void* object) noexcept {
        return reinterpret_cast<std::uintptr_t>(object);
    }

    static void announce(std::size_t index) noexcept {
        std::size_t used = used_.load(std::memory_order_relaxed);
        while (used <= index &&
               !used_.compare_exchange_weak(used, index + 1, std::memory_order_seq_cst)) {
        }
    }

    static inline record records_[max_threads];
    static inline std::atomic<std::size_t> used_{0};
};

} // namespace weir::detail

#endif
