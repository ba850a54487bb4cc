#ifndef WEIR_MEMORY_VALUE_POOL_HPP
#define WEIR_MEMORY_VALUE_POOL_HPP

/// Type-stable memory for the nodes of one shard.
///
/// A node's memory is a node for as long as the pool lives: a reader who holds an outdated number
/// may look at the count of holders of whatever is there now. Nodes come in slabs and are known by
/// number, from 1; free ones form a stack.
///
/// The pool outlives its table until the last node that a user holds comes back: `close` counts the
/// free nodes, and whoever brings back the last of the others deletes the pool. Nothing is counted
/// before that.
///
/// Concurrency: all but `close` from any thread. The stack is Treiber's, its head is a number and a
/// counter that changes with every step, against ABA; the link to the next free node is read from a
/// node that may be taken at the same time, which the counter then tells.

#include <weir/memory/hazard_slots.hpp>
#include <weir/memory/value_entry.hpp>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <new>
#include <vector>

namespace weir::detail {

template<class V>
class value_pool {
public:
    using entry = value_entry<V>;

    /// A pool for about `expected` nodes in use, which gives out at most 4 times that many (and at
    /// least 1024 more): the difference is for values that users hold after their eviction.
    [[nodiscard]] static value_pool* make(std::size_t expected) { return new value_pool{expected}; }

    [[nodiscard]] entry* at(std::uint32_t number) const noexcept {
        return std::launder(reinterpret_cast<entry*>(slabs_[number >> shift_] + nodes_at_ +
                                                     (number & mask_) * sizeof(entry)));
    }

    /// The word of node `number` that its table keeps close to those of its neighbours. The table
    /// guards it with its lock; it starts as `initial_word`.
    [[nodiscard]] std::uint32_t& word(std::uint32_t number) const noexcept {
        auto* words = reinterpret_cast<std::uint32_t*>(slabs_[number >> shift_] + words_at);
        return words[number & mask_];
    }
    static constexpr std::uint32_t initial_word = 0x7fff'ffff;

    [[nodiscard]] std::uint32_t number_of(value_node<V>* node) const noexcept {
        const auto* owner = static_cast<const slab*>(node->owner());
        const auto* first = reinterpret_cast<const std::byte*>(owner) + nodes_at_;
        // `node` is a part of its entry, so this rounds down.
        const auto offset = static_cast<std::size_t>(reinterpret_cast<std::byte*>(node) - first);
        return owner->first + static_cast<std::uint32_t>(offset / sizeof(entry));
    }

    /// Whether `node` is one of this pool.
    [[nodiscard]] bool owns(value_node<V>* node) const noexcept {
        return node->owner_distance != 0 && static_cast<slab*>(node->owner())->pool == this;
    }

    /// A free node: no holders, no key, no value. Null if all numbers are in use. Throws
    /// std::bad_alloc if there is no memory for a new slab.
    [[nodiscard]] entry* take() {
        while (true) {
            std::uint64_t head = free_.load(std::memory_order_acquire);
            while (number(head) != 0) {
                entry* node = at(number(head));
                const std::uint32_t next = node->where.load(std::memory_order_relaxed);
                if (free_.compare_exchange_weak(head, stepped(head, next),
                                                std::memory_order_acquire)) {
                    return node;
                }
            }
            if (!grow()) {
                return nullptr;
            }
        }
    }

    /// Destroys key and value of a node whose last holder is gone, and takes it back; or leaves that
    /// to a reader who looks at it through a hazard slot, and calls this then.
    void reclaim(entry* node) noexcept {
        // A node that nobody ever watched through a hazard slot is in none. The mark was made before
        // the reader looked at the index for the last time, and found the node there.
        if ((node->marks.load(std::memory_order_seq_cst) & entry::watched) != 0 &&
            hazard_slots::hand_over(node)) {
            return;
        }
        node->release_contents();
        give_back(node);
    }

    /// Takes back a node that nobody holds, with key and value released.
    void give_back(entry* node) noexcept { give_back_chain(number_of(node), node); }

    /// Nodes with numbers below this exist. Acquire: pairs with the release in grow().
    [[nodiscard]] std::uint32_t numbers_end() const noexcept {
        return end_.load(std::memory_order_acquire);
    }
    /// The largest number that there can ever be.
    [[nodiscard]] std::uint32_t largest_number() const noexcept {
        return static_cast<std::uint32_t>((slabs_size_ << shift_) - 1);
    }

    /// To be called once, when no table uses the pool any more. The pool deletes itself with the last
    /// node that comes back.
    void close() noexcept {
        const std::uint64_t head = free_.exchange(closed, std::memory_order_acq_rel);
        std::int64_t free = 0;
        for (std::uint32_t i = number(head); i != 0;
             i = at(i)->where.load(std::memory_order_relaxed)) {
            ++free;
        }
        settle(made_ - free);
    }

    value_pool(const value_pool&) = delete;
    value_pool& operator=(const value_pool&) = delete;

private:
    // NOLINTNEXTLINE(cppcoreguidelines-virtual-class-destructor): never deleted through its base
    struct slab final : value_owner<V> {
        value_pool* pool;
        std::uint32_t first;

        // By its number, not by a cast: g++ 12 takes a node of `make_value` for one that could come
        // here, and warns that it is smaller than an entry.
        void reclaim(value_node<V>* node) noexcept override {
            pool->reclaim(pool->at(pool->number_of(node)));
        }
    };

    static constexpr std::size_t slab_bytes = 64 * 1024;
    static constexpr std::size_t alignment = std::max<std::size_t>(alignof(entry), 64);
    static constexpr std::size_t words_at = 64;
    static_assert(sizeof(slab) <= words_at);
    static constexpr std::uint64_t closed = ~std::uint64_t{0};

    explicit value_pool(std::size_t expected)
        : shift_{shift_for(expected)},
          mask_{(1U << shift_) - 1},
          nodes_at_{aligned(words_at + (std::size_t{1} << shift_) * sizeof(std::uint32_t))},
          slabs_size_{((4 * expected + 1024) >> shift_) + 2},
          slabs_{std::make_unique<std::byte*[]>(slabs_size_)},
          // Number 0 is nobody's: if it has a slab to itself, that slab is never made.
          slabs_made_{shift_ == 0 ? std::size_t{1} : 0} {}

    [[nodiscard]] static std::uint32_t shift_for(std::size_t expected) noexcept {
        const std::size_t fitting = std::max<std::size_t>(slab_bytes / sizeof(entry), 1);
        const std::size_t wanted = std::min(std::bit_ceil(expected + 8), fitting);
        return static_cast<std::uint32_t>(std::bit_width(wanted) - 1);
    }

    [[nodiscard]] static constexpr std::size_t aligned(std::size_t offset) noexcept {
        return (offset + alignment - 1) / alignment * alignment;
    }

    ~value_pool() {
        for (std::size_t i = 0; i < slabs_size_; ++i) {
            if (slabs_[i] != nullptr) {
                ::operator delete (slabs_[i], std::align_val_t{alignment});
            }
        }
    }

    [[nodiscard]] static std::uint32_t number(std::uint64_t head) noexcept {
        return static_cast<std::uint32_t>(head);
    }
    [[nodiscard]] static std::uint64_t stepped(std::uint64_t head, std::uint32_t number) noexcept {
        // Keeps clear of `closed`: no number is as large as its lower half.
        return ((head >> 32) + 1) << 32 | number;
    }

    void give_back_chain(std::uint32_t first, entry* last) noexcept {
        std::uint64_t head = free_.load(std::memory_order_relaxed);
        do {
            if (head == closed) {
                settle(-1);
                return;
            }
            last->where.store(number(head), std::memory_order_relaxed);
        } while (
            !free_.compare_exchange_weak(head, stepped(head, first), std::memory_order_acq_rel));
    }

    /// Adds one slab of free nodes; true if there are free nodes now.
    [[nodiscard]] bool grow() {
        const std::lock_guard lock{growing_};
        if (number(free_.load(std::memory_order_acquire)) != 0) {
            return true;
        }
        if (slabs_made_ == slabs_size_) {
            return false;
        }
        const std::size_t nodes = std::size_t{1} << shift_;
        auto* memory = static_cast<std::byte*>(
            ::operator new (nodes_at_ + nodes * sizeof(entry), std::align_val_t{alignment}));
        auto* owner = new (memory) slab;
        owner->pool = this;
        owner->first = static_cast<std::uint32_t>(slabs_made_ << shift_);
        slabs_[slabs_made_++] = memory;

        const std::uint32_t first = std::max(owner->first, 1U);
        const auto end = owner->first + static_cast<std::uint32_t>(nodes);
        for (std::uint32_t i = owner->first; i < end; ++i) {
            new (memory + words_at + (i - owner->first) * sizeof(std::uint32_t))
                std::uint32_t{initial_word};
            auto* node = new (memory + nodes_at_ + (i - owner->first) * sizeof(entry)) entry;
            const auto* counted = reinterpret_cast<std::byte*>(static_cast<value_node<V>*>(node));
            node->holders.store(0, std::memory_order_relaxed);
            node->owner_distance = static_cast<std::uint16_t>(
                static_cast<std::size_t>(counted - memory) / value_node<V>::owner_step);
            node->where.store(i + 1, std::memory_order_relaxed);
        }
        made_ += end - first;
        // Release: whoever sees the new end sees the nodes.
        end_.store(end, std::memory_order_release);
        give_back_chain(first, at(end - 1));
        return true;
    }

    /// Counts what is out after `close`; the sum is 0 once close was called and all came back.
    void settle(std::int64_t change) noexcept {
        if (out_.fetch_add(change, std::memory_order_acq_rel) + change == 0) {
            delete this;
        }
    }

    const std::uint32_t shift_;
    const std::uint32_t mask_;
    const std::size_t nodes_at_;
    const std::size_t slabs_size_;
    /// A slab's address is written before any number in it is given out.
    const std::unique_ptr<std::byte*[]> slabs_;
    alignas(64) std::atomic<std::uint64_t> free_{0};
    std::atomic<std::uint32_t> end_{1};
    std::atomic<std::int64_t> out_{0};
    std::mutex growing_;
    std::size_t slabs_made_;
    std::int64_t made_ = 0;
};

} // namespace weir::detail

#endif
