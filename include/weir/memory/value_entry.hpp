#ifndef WEIR_MEMORY_VALUE_ENTRY_HPP
#define WEIR_MEMORY_VALUE_ENTRY_HPP

#include <weir/clock.hpp>
#include <weir/detail/hash.hpp>
#include <weir/memory/short_duration.hpp>
#include <weir/value_ref.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <string_view>

namespace weir::detail {

/// What an entry has for a value.
enum class entry_shape : std::uint8_t {
    /// Nothing: the cache knows that there is nothing under this key.
    nothing = 0,
    /// A value of its own, in this node.
    own = 0x40,
    /// A value in another node, of which the entry is one holder.
    linked = 0x80,
};

/// Where an entry stands, for its shard: its position in the window of newcomers, or one of these.
namespace place {
inline constexpr std::uint32_t in_main = 0xffff'ffff;
/// A value without a key so far: whoever changes this to `claimed` may give it one.
inline constexpr std::uint32_t unclaimed = 0xffff'fffe;
inline constexpr std::uint32_t claimed = 0xffff'fffd;
} // namespace place

[[nodiscard]] inline time_point later(time_point t, std::chrono::nanoseconds d) noexcept {
    return d > time_point::max() - t ? time_point::max() : t + d;
}

/// The part of an entry that does not depend on the type of its value. 40 bytes, of which 20 are
/// for the key: a short key lies here, a longer one on the heap.
struct entry_head {
    static constexpr std::size_t most_inline = 20;

    time_point fresh_until{};
    short_duration grace;
    /// Bytes that the entry counts as, in steps of `weight_step`.
    std::uint32_t weight = 0;
    /// See `place`; in a free node the number of the next free one. Changed under the lock of the
    /// shard, or by the owner of a node that is in no table; atomic because a thread that lost a
    /// race for a free node may still read it.
    std::atomic<std::uint32_t> where{0};
    alignas(4) char key[most_inline];

    static constexpr std::size_t weight_step = 16;
};

/// A node of a table: an entry and its value side by side.
///
/// All but `holders`, `marks` and `where` is written before the entry is published and never
/// changed while it can be reached or is held.
template<class V>
struct value_entry : entry_head, value_node<V> {
    /// Marks: asked for since the clock hand last came by; looked at through a hazard slot ever
    /// since this memory exists.
    static constexpr std::uint8_t visited = 1;
    static constexpr std::uint8_t watched = 2;

    [[nodiscard]] static value_entry* of(value_node<V>* node) noexcept {
        return static_cast<value_entry*>(node);
    }

    // ---- key -------------------------------------------------------------------------------

    void set_key(std::string_view text, std::uint32_t hash) {
        if (text.size() <= most_inline) {
            std::copy_n(text.data(), text.size(), this->key);
            this->shape = static_cast<std::uint8_t>((this->shape & shape_mask) | text.size());
            return;
        }
        auto* copy = new char[text.size()];
        std::copy_n(text.data(), text.size(), copy);
        const long_key far{copy, text.size()};
        std::memcpy(this->key, &far, sizeof far);
        std::memcpy(this->key + sizeof far, &hash, sizeof hash);
        this->shape = static_cast<std::uint8_t>((this->shape & shape_mask) | on_heap);
    }

    [[nodiscard]] std::string_view key_text() const noexcept {
        const std::size_t size = this->shape & size_mask;
        if (size != on_heap) [[likely]] {
            return {this->key, size};
        }
        const long_key far = far_key();
        return {far.text, far.size};
    }

    [[nodiscard]] bool has_far_key() const noexcept { return (this->shape & size_mask) == on_heap; }

    /// The hash of a key on the heap, kept so that eviction does not read the key.
    [[nodiscard]] std::uint32_t far_hash() const noexcept {
        std::uint32_t hash = 0;
        std::memcpy(&hash, this->key + sizeof(long_key), sizeof hash);
        return hash;
    }

    // ---- value -----------------------------------------------------------------------------

    [[nodiscard]] entry_shape kind() const noexcept {
        return static_cast<entry_shape>(this->shape & shape_mask);
    }
    void set_kind(entry_shape kind) noexcept { this->shape = static_cast<std::uint8_t>(kind); }

    /// The value, null if the entry says that there is none.
    [[nodiscard]] const V* value_or_null() const noexcept {
        switch (kind()) {
        case entry_shape::own:
            return std::addressof(this->value);
        case entry_shape::linked:
            return std::addressof(this->link->value);
        default:
            return nullptr;
        }
    }

    /// Destroys key and value, once the last holder is gone.
    void release_contents() noexcept {
        if (kind() == entry_shape::own) {
            std::destroy_at(std::addressof(this->value));
        } else if (kind() == entry_shape::linked) {
            drop(this->link);
        }
        if (has_far_key()) {
            delete[] far_key().text;
        }
        this->shape = 0;
    }

    // ---- time ------------------------------------------------------------------------------

    [[nodiscard]] time_point end() const noexcept {
        return later(this->fresh_until, this->grace.get());
    }

    // ---- holders ---------------------------------------------------------------------------

    /// Becomes a holder if there is one. Acquire on success: pairs with the store that gave the node
    /// its first holder, so that a re-read of the index which follows sees what came before that.
    /// Acquire on failure: the index no longer names a node whose count is 0.
    [[nodiscard]] bool hold() noexcept {
        std::uint32_t count = this->holders.load(std::memory_order_acquire);
        while (count != 0) {
            if (this->holders.compare_exchange_weak(count, count + 1, std::memory_order_acquire)) {
                return true;
            }
        }
        return false;
    }

private:
    struct long_key {
        const char* text;
        std::size_t size;
    };
    static constexpr std::uint8_t size_mask = 0x3f;
    static constexpr std::uint8_t on_heap = 0x3f;
    static constexpr std::uint8_t shape_mask = 0xc0;
    static_assert(sizeof(long_key) + sizeof(std::uint32_t) <= entry_head::most_inline);

    [[nodiscard]] long_key far_key() const noexcept {
        long_key far;
        std::memcpy(&far, this->key, sizeof far);
        return far;
    }
};

} // namespace weir::detail

#endif
