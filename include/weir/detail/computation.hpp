#ifndef WEIR_DETAIL_COMPUTATION_HPP
#define WEIR_DETAIL_COMPUTATION_HPP

#include <weir/cached.hpp>
#include <weir/detail/function_ref.hpp>
#include <weir/value_ref.hpp>

#include <chrono>
#include <functional>
#include <optional>
#include <type_traits>
#include <utility>

namespace weir::detail {

template<class R, class Value>
inline constexpr bool is_computed = std::is_convertible_v<R, Value>;
template<class V, class Value>
inline constexpr bool is_computed<expiring<V>, Value> = std::is_convertible_v<V, Value>;
template<class V, class Value>
inline constexpr bool is_computed<std::optional<V>, Value> =
    std::is_convertible_v<std::optional<V>, Value> || is_computed<V, Value>;

/// F may be given to the `get_or_compute` of a cache of Value.
template<class F, class Value>
concept computes = std::invocable<F&> && is_computed<std::invoke_result_t<F&>, Value>;

/// Makes a value where its store will keep it.
template<class Value>
using value_maker = function_ref<value_ref<Value>(Value&&)>;

/// What a computation came to, whichever way it said so.
template<class Value>
struct computation {
    /// Null: there is nothing.
    value_ref<Value> value;
    /// The time to live that the computation chose, if it did.
    std::optional<std::chrono::nanoseconds> ttl;

    template<class R>
        requires std::is_convertible_v<R, Value>
    [[nodiscard]] static computation from(R&& result, const value_maker<Value>& make) {
        return {make(std::forward<R>(result)), {}};
    }

    template<class V>
        requires(!std::is_convertible_v<std::optional<V>, Value>)
    [[nodiscard]] static computation from(std::optional<V>&& result,
                                          const value_maker<Value>& make) {
        if (!result) {
            return {};
        }
        return from(*std::move(result), make);
    }

    template<class V>
        requires(!std::is_convertible_v<expiring<V>, Value>)
    [[nodiscard]] static computation from(expiring<V>&& result, const value_maker<Value>& make) {
        return {make(std::move(result.value)), result.ttl};
    }
};

/// A computation of the caller's, in one form.
template<class Value>
using value_computer = function_ref<computation<Value>(const value_maker<Value>&)>;

} // namespace weir::detail

#endif
