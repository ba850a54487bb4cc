#ifndef WEIR_MEMORY_VALUE_GUARDS_HPP
#define WEIR_MEMORY_VALUE_GUARDS_HPP

/// What a shard has in its hands for the length of one call.

#include <weir/memory/hazard_slots.hpp>
#include <weir/memory/value_entry.hpp>
#include <weir/memory/value_pool.hpp>

#include <atomic>
#include <cstdint>
#include <utility>

namespace weir::detail {

/// A hazard slot in use, if any; clears it, and destroys what was left to this reader.
template<class V>
class watcher {
public:
    explicit watcher(value_pool<V>& nodes) noexcept : pool_{nodes} {}
    ~watcher() { clear(); }
    watcher(const watcher&) = delete;
    watcher& operator=(const watcher&) = delete;

    [[nodiscard]] bool watch(value_entry<V>* node) noexcept {
        slot_ = hazard_slots::protect(node);
        node_ = node;
        return slot_ != nullptr;
    }
    void clear() noexcept {
        if (slot_ != nullptr && hazard_slots::clear(*std::exchange(slot_, nullptr))) {
            pool_.reclaim(node_);
        }
    }
    [[nodiscard]] value_entry<V>* node() const noexcept { return node_; }

private:
    value_pool<V>& pool_;
    hazard_slots::slot* slot_ = nullptr;
    value_entry<V>* node_ = nullptr;
};

/// Nodes that the table gives up. Dropped when this goes, after the lock.
template<class V>
class leavers {
public:
    explicit leavers(value_pool<V>& nodes) noexcept : pool_{nodes} {}
    ~leavers() {
        while (first_ != 0) {
            value_entry<V>* node = pool_.at(first_);
            first_ = node->where.load(std::memory_order_relaxed);
            node->where.store(place::claimed, std::memory_order_relaxed);
            drop<V>(node);
        }
    }
    leavers(const leavers&) = delete;
    leavers& operator=(const leavers&) = delete;

    /// `node` is in no index and unknown to the policy; or null.
    void add(value_entry<V>* node) noexcept {
        if (node != nullptr) {
            node->where.store(first_, std::memory_order_relaxed);
            first_ = pool_.number_of(node);
        }
    }

private:
    value_pool<V>& pool_;
    std::uint32_t first_ = 0;
};

/// Gives a node back if its making fails.
template<class V>
struct returning {
    value_pool<V>& nodes;
    value_entry<V>* node;

    ~returning() {
        if (node != nullptr) {
            node->release_contents();
            nodes.give_back(node);
        }
    }
};

} // namespace weir::detail

#endif
