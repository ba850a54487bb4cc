#ifndef WEIR_MEMORY_NODE_MAKER_HPP
#define WEIR_MEMORY_NODE_MAKER_HPP

#include <weir/memory/value_entry.hpp>
#include <weir/memory/value_guards.hpp>
#include <weir/memory/value_pool.hpp>
#include <weir/storage.hpp>
#include <weir/value_weight.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <string_view>
#include <type_traits>
#include <utility>

namespace weir::detail {

/// Makes private nodes (see value_table.hpp) of one shard, without its lock.
template<class V>
class node_maker {
    using pool = value_pool<V>;
    using entry = value_entry<V>;

public:
    /// What an entry takes beside its key, its value and what the value owns.
    static constexpr std::size_t overhead = sizeof(entry) - sizeof(V) - entry::most_inline + 24;

    node_maker(pool& nodes, std::size_t most_weight) noexcept
        : pool_{nodes}, most_weight_{most_weight} {}

    /// Makes a value in a node of this shard, so that storing it moves nothing.
    template<class... Args>
    [[nodiscard]] value_ref<V> make(Args&&... args) {
        entry* node = pool_.take();
        if (node == nullptr) {
            return make_value<V>(std::forward<Args>(args)...);
        }
        returning<V> guard{pool_, node};
        std::construct_at(std::addressof(node->value), std::forward<Args>(args)...);
        guard.node = nullptr;
        node->set_kind(entry_shape::own);
        node->where.store(place::unclaimed, std::memory_order_relaxed);
        first_hold(*node);
        return value_ref<V>::adopt(node);
    }

    /// A private node with key, value and times, and the caller as its holder. Null if there is no
    /// free node or the entry is too heavy to be kept.
    [[nodiscard]] entry* prepare(std::string_view key, std::uint64_t hash, value_ref<V>& value,
                                 const lifetime& keep, time_point now) {
        const std::size_t weight = weight_of(key, value);
        if (weight > most_weight_ || weight > std::numeric_limits<std::uint32_t>::max()) {
            return nullptr;
        }
        entry* node = claim(value);
        if (node != nullptr) {
            node->set_key(key, static_cast<std::uint32_t>(hash));
            static_cast<void>(value.release());
        } else {
            node = pool_.take();
            if (node == nullptr) {
                return nullptr;
            }
            returning<V> guard{pool_, node};
            fill(*node, value);
            node->set_key(key, static_cast<std::uint32_t>(hash));
            guard.node = nullptr;
            node->where.store(place::claimed, std::memory_order_relaxed);
            first_hold(*node);
        }
        node->fresh_until = later(now, keep.ttl);
        node->grace = short_duration{keep.grace};
        node->weight = static_cast<std::uint32_t>(weight);
        node->marks.fetch_and(static_cast<std::uint8_t>(~entry::visited),
                              std::memory_order_relaxed);
        return node;
    }

private:
    static void first_hold(entry& node) noexcept {
        // Release: see "Memory order" in value_table.hpp. Nobody else changes a count that is 0.
        node.holders.store(1, std::memory_order_release);
    }

    /// The node of a value that was made in this shard and has no key yet; else null.
    [[nodiscard]] entry* claim(value_ref<V>& value) noexcept {
        if (value == nullptr || !pool_.owns(value.node())) {
            return nullptr;
        }
        entry* node = pool_.at(pool_.number_of(value.node()));
        std::uint32_t unclaimed = place::unclaimed;
        return node->where.compare_exchange_strong(unclaimed, place::claimed,
                                                   std::memory_order_relaxed)
                   ? node
                   : nullptr;
    }

    /// Moves the value into `node` if nobody else has it, else links to it.
    static void fill(entry& node, value_ref<V>& value) noexcept {
        if (value == nullptr) {
            node.set_kind(entry_shape::nothing);
            return;
        }
        if constexpr (std::is_nothrow_move_constructible_v<V>) {
            // Acquire: pairs with the release of the holders that there were.
            if (value.node()->owner_distance == 0 &&
                value.node()->holders.load(std::memory_order_acquire) == 1) {
                std::construct_at(std::addressof(node.value), std::move(value.node()->value));
                node.set_kind(entry_shape::own);
                return;
            }
        }
        node.link = value.release();
        node.set_kind(entry_shape::linked);
    }

    [[nodiscard]] static std::size_t weight_of(std::string_view key, const value_ref<V>& value) {
        const std::size_t bytes =
            overhead + key.size() + (value != nullptr ? value_weight<V>::of(*value) : sizeof(V));
        return (bytes + entry::weight_step - 1) / entry::weight_step;
    }

    pool& pool_;
    std::size_t most_weight_;
};

} // namespace weir::detail

#endif
