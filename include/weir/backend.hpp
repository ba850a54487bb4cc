#ifndef WEIR_BACKEND_HPP
#define WEIR_BACKEND_HPP

/// What every storage backend is, whichever of its halves it has: see <weir/storage.hpp>.

#include <weir/clock.hpp>

#include <concepts>

namespace weir {

namespace detail {

template<class B>
concept tells_time = requires(const B& b) {
    { b.now() }
    noexcept->std::same_as<time_point>;
};

} // namespace detail

template<class B>
concept clocked_backend = std::copyable<B> && detail::tells_time<B>;

/// Refinement: calls cannot fail, and no other process sees the counters.
template<class B>
concept in_process_backend = clocked_backend<B> && requires {
    requires B::in_process;
};

} // namespace weir

#endif
