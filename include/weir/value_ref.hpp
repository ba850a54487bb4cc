#ifndef WEIR_VALUE_REF_HPP
#define WEIR_VALUE_REF_HPP

/// `value_ref<Value>`: how stores, caches and callers hold one cached value together.

#include <atomic>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <utility>

namespace weir {

template<class V>
class value_ref;

namespace detail {

template<class V>
struct value_node;

/// Who takes a node back when its last holder lets go.
template<class V>
class value_owner {
public:
    virtual void reclaim(value_node<V>* node) noexcept = 0;

protected:
    ~value_owner() = default;
};

/// A value and the number of its holders. A node made by `make_value` stands alone; a table's node
/// is part of a slab, whose memory stays with the table as long as a reader may look at `holders`.
template<class V>
struct value_node {
    std::atomic<std::uint32_t> holders{1};
    /// How far in front of this node its owner stands, in steps of `owner_step`; 0: no owner.
    std::uint16_t owner_distance = 0;
    /// These two belong to the owner.
    std::uint8_t shape = 0;
    std::atomic<std::uint8_t> marks{0};
    union {
        V value;
        /// In a table: the node that has the value, if it is not this one.
        value_node* link;
    };

    static constexpr std::size_t owner_step = 8;

    value_node() noexcept : link{nullptr} {}
    ~value_node() {}
    value_node(const value_node&) = delete;
    value_node& operator=(const value_node&) = delete;

    [[nodiscard]] value_owner<V>* owner() noexcept {
        auto* here = reinterpret_cast<std::byte*>(this);
        return std::launder(reinterpret_cast<value_owner<V>*>(here - owner_distance * owner_step));
    }
};

template<class V>
void drop(value_node<V>* node) noexcept {
    // Release: what this holder read or wrote happens before the destruction. Acquire: the one who
    // destroys sees all of it.
    if (node->holders.fetch_sub(1, std::memory_order_acq_rel) != 1) {
        return;
    }
    if (node->owner_distance != 0) {
        node->owner()->reclaim(node);
        return;
    }
    std::destroy_at(std::addressof(node->value));
    delete node;
}

} // namespace detail

/// A shared handle to one constant value, null or not: what `std::shared_ptr<const V>` is, in one
/// word and one atomic count. The value stays alive and in place while any handle to it exists,
/// whatever the cache that it came from does, and is destroyed when the last one goes.
///
/// Thread safety: distinct handles, also to one value: safe. One handle: like a pointer.
template<class V>
class value_ref {
public:
    using element_type = const V;

    value_ref() noexcept = default;
    value_ref(std::nullptr_t) noexcept {}
    value_ref(const value_ref& other) noexcept : node_{other.node_} {
        if (node_ != nullptr) {
            node_->holders.fetch_add(1, std::memory_order_relaxed);
        }
    }
    value_ref(value_ref&& other) noexcept : node_{std::exchange(other.node_, nullptr)} {}
    value_ref& operator=(value_ref other) noexcept {
        std::swap(node_, other.node_);
        return *this;
    }
    ~value_ref() {
        if (node_ != nullptr) {
            detail::drop(node_);
        }
    }

    [[nodiscard]] const V* get() const noexcept {
        return node_ == nullptr ? nullptr : std::addressof(node_->value);
    }
    [[nodiscard]] const V& operator*() const noexcept { return node_->value; }
    [[nodiscard]] const V* operator->() const noexcept { return std::addressof(node_->value); }
    [[nodiscard]] explicit operator bool() const noexcept { return node_ != nullptr; }

    /// The same value under a std::shared_ptr (one allocation).
    operator std::shared_ptr<const V>() const {
        if (node_ == nullptr) {
            return {};
        }
        const V* value = get();
        return std::shared_ptr<const V>{value, [keep = *this](const V*) noexcept {}};
    }

    friend bool operator==(const value_ref& a, const value_ref& b) noexcept {
        return a.node_ == b.node_;
    }
    friend bool operator==(const value_ref& a, std::nullptr_t) noexcept {
        return a.node_ == nullptr;
    }

    /// For stores: takes over one holder of `node`.
    [[nodiscard]] static value_ref adopt(detail::value_node<V>* node) noexcept {
        value_ref ref;
        ref.node_ = node;
        return ref;
    }
    /// For stores: the node, with this handle's holder; the handle is null afterwards.
    [[nodiscard]] detail::value_node<V>* release() noexcept {
        return std::exchange(node_, nullptr);
    }
    /// For stores: the node, still held by this handle.
    [[nodiscard]] detail::value_node<V>* node() const noexcept { return node_; }

private:
    detail::value_node<V>* node_ = nullptr;
};

/// Makes a value from `args` and the first handle to it.
template<class V, class... Args>
    requires std::constructible_from<V, Args...>
[[nodiscard]] value_ref<V> make_value(Args&&... args) {
    auto node = std::make_unique<detail::value_node<V>>();
    std::construct_at(std::addressof(node->value), std::forward<Args>(args)...);
    return value_ref<V>::adopt(node.release());
}

} // namespace weir

#endif
