#ifndef WEIR_VALUE_WEIGHT_HPP
#define WEIR_VALUE_WEIGHT_HPP

/// `value_weight<Value>`: how many bytes a cached value counts as, for caches with `max_bytes`.

#include <concepts>
#include <cstddef>
#include <functional>
#include <memory>
#include <type_traits>

namespace weir {

/// The weight of a value in bytes, what it owns on the heap included.
///
/// Strings, vectors and other containers with contiguous elements count with their elements; any
/// other type counts as its own size. Specialise it for a type that owns more:
///
///     template<>
///     struct weir::value_weight<Picture> {
///         static std::size_t of(const Picture& p) noexcept { return sizeof p + p.pixel_bytes(); }
///     };
///
/// `of` is asked once, when the value is stored.
template<class Value>
struct value_weight {
    [[nodiscard]] static std::size_t of(const Value&) noexcept { return sizeof(Value); }
};

template<class Value>
    requires requires(const Value& value) {
        { value.size() } -> std::convertible_to<std::size_t>;
        {*value.data()};
    }
struct value_weight<Value> {
    using element = std::remove_cvref_t<decltype(*std::declval<const Value&>().data())>;

    [[nodiscard]] static std::size_t of(const Value& value) noexcept {
        std::size_t owned = 0;
        if constexpr (std::is_trivially_copyable_v<element>) {
            owned = value.size() * sizeof(element);
        } else {
            for (std::size_t i = 0; i < value.size(); ++i) {
                owned += value_weight<element>::of(value.data()[i]);
            }
        }
        return sizeof(Value) + (inside(value) ? owned - own_part(value) : owned);
    }

private:
    /// The elements are part of the object, as in std::array or a short string.
    [[nodiscard]] static bool inside(const Value& value) noexcept {
        const void* first = value.data();
        const void* begin = std::addressof(value);
        const void* end = std::addressof(value) + 1;
        const std::less<const void*> before;
        return !before(first, begin) && before(first, end);
    }

    [[nodiscard]] static std::size_t own_part(const Value& value) noexcept {
        return value.size() * sizeof(element);
    }
};

} // namespace weir

#endif
