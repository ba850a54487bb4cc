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
    /// The backend cannot be reached, or does not serve at all now. The operation was not applied.
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

    /// The deadline passed before the operation could be sent: the backend is being connected to,
    /// or more is asked of it than it answers. The operation was not applied.
    /// Advice: as for `unavailable`; if it comes often, a longer deadline or more connections.
    not_sent,

    /// The connection ended after the operation was sent. The operation may have been applied.
    /// Advice: as for `timeout`.
    connection_lost,

    /// The server answered that it does not work now: it is loading, out of memory, a replica, too
    /// busy, or at its limit of clients. The operation was not applied.
    /// Advice: as for `unavailable`; the server's own log says what is wrong.
    rejected,

    /// The credentials were refused or are missing, or their user may not do this. The operation
    /// was not applied.
    /// Advice: mend the credentials, or what the server permits their user; a retry does not help.
    not_permitted,

    /// The key holds something that weir did not put there and cannot use. The operation was not
    /// applied.
    /// Advice: find out who else writes under this key or prefix; `invalidate` or `forget` removes
    /// what is there.
    wrong_type,

    /// What came back is no reply, or not one to this operation: the other end is no such server,
    /// or something between changed the bytes. The connection was given up. The operation may have
    /// been applied.
    /// Advice: check the address, and what is between here and there.
    protocol_error,

    /// The value is larger than the backend takes. The operation was not applied.
    /// Advice: raise the backend's bound, or cache something smaller.
    value_too_large,

    /// The reply is larger than the backend takes. The connection was given up. The operation may
    /// have been applied.
    /// Advice: raise the backend's bound, or ask for less at once.
    reply_too_large,

    /// As much as the backend lets wait is waiting already. The operation was not applied.
    /// Advice: as for `unavailable`; the backend is slower than what is asked of it.
    overloaded,

    /// The backend was destroyed while the operation was on its way. The operation may have been
    /// applied.
    /// Advice: none; the program is about to end, or to replace the backend.
    closed,

    /// A call that waits, on the thread that would have to serve it: in a handler of an
    /// asynchronous operation. The operation was not applied.
    /// Advice: use the asynchronous form there, or give the backend an executor that runs handlers
    /// elsewhere.
    would_deadlock,
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
        case errc::not_sent:
            return "the deadline passed before the operation was sent; nothing was applied";
        case errc::connection_lost:
            return "the connection to the storage backend ended before the answer; the operation "
                   "may have been applied";
        case errc::rejected:
            return "the storage backend refuses to work now; nothing was applied";
        case errc::not_permitted:
            return "the storage backend does not permit this; nothing was applied";
        case errc::wrong_type:
            return "the key holds something that weir did not put there; nothing was applied";
        case errc::protocol_error:
            return "what the storage backend sent is not a reply to this; the operation may have "
                   "been applied";
        case errc::value_too_large:
            return "the value is larger than the storage backend takes; nothing was applied";
        case errc::reply_too_large:
            return "the reply of the storage backend is too large; the operation may have been "
                   "applied";
        case errc::overloaded:
            return "too much waits for the storage backend already; nothing was applied";
        case errc::closed:
            return "the storage backend was destroyed meanwhile; the operation may have been "
                   "applied";
        case errc::would_deadlock:
            return "a call that waits was made on the thread that has to serve it; nothing was "
                   "applied";
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

/// True if the operation that failed with `error` may have been applied all the same: its answer
/// was lost, and not the operation. Whoever repeats it then may have it applied twice.
[[nodiscard]] inline bool may_have_been_applied(const std::error_code& error) noexcept {
    return error == make_error_code(errc::timeout) ||
           error == make_error_code(errc::connection_lost) ||
           error == make_error_code(errc::protocol_error) ||
           error == make_error_code(errc::reply_too_large) ||
           error == make_error_code(errc::closed);
}

} // namespace weir

template<>
struct std::is_error_code_enum<weir::errc> : std::true_type {};

#endif
