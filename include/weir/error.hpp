#ifndef WEIR_ERROR_HPP
#define WEIR_ERROR_HPP

/// What can go wrong, as `std::error_code` values.
///
/// Nothing on the request path (`allow`, `peek`, `get`, `get_or_compute`) throws these; they arrive
/// as `decision::error()` and `cached<Value>::error()`. Operations that change things (`put`,
/// `invalidate`, `give_back`, ...) throw `std::system_error` with one of them, or report it through
/// their `std::error_code&` overload.

#include <string>
#include <system_error>
#include <type_traits>

namespace weir {

enum class errc {
    /// The backend cannot be reached, or refuses to serve. The operation was not applied.
    /// Advice: let `on_failure` decide for a limiter, compute the value for a cache; retry later.
    unavailable = 1,

    /// The backend did not answer within its deadline. The operation may have been applied.
    /// Advice: safe to repeat a read or an invalidation; repeat a spend only if counting it twice
    /// is acceptable.
    timeout,

    /// A computation asked, directly or through computations of other threads, for the value that
    /// it was computing, and would have waited for itself for ever.
    /// Advice: break the cycle in the functions given to `get_or_compute`.
    recursive_computation,
};

namespace detail {

class weir_category final : public std::error_category {
public:
    [[nodiscard]] const char* name() const noexcept override { return "weir"; }

    [[nodiscard]] std::string message(int code) const override {
        switch (static_cast<errc>(code)) {
        case errc::unavailable:
            return "the storage backend is unavailable; nothing was applied";
        case errc::timeout:
            return "the storage backend did not answer in time; the operation may have been "
                   "applied";
        case errc::recursive_computation:
            return "the computation waits for itself: it asked for the key that it is computing";
        }
        return "unknown weir error " + std::to_string(code);
    }
};

} // namespace detail

/// The category of every `weir::errc`. One object per process.
[[nodiscard]] inline const std::error_category& error_category() noexcept {
    static const detail::weir_category category;
    return category;
}

[[nodiscard]] inline std::error_code make_error_code(errc code) noexcept {
    return {static_cast<int>(code), error_category()};
}

} // namespace weir

template<>
struct std::is_error_code_enum<weir::errc> : std::true_type {};

#endif
