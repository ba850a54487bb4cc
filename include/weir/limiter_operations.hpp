#ifndef WEIR_LIMITER_OPERATIONS_HPP
#define WEIR_LIMITER_OPERATIONS_HPP

/// What every limiter offers: the functions that `rate_limiter` and `basic_rate_limiter` share.

#include <weir/clock.hpp>
#include <weir/decision.hpp>
#include <weir/error.hpp>
#include <weir/handler.hpp>
#include <weir/key.hpp>
#include <weir/quota/step.hpp>

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>

namespace weir {

namespace detail {

/// The answer to arguments that make no sense.
[[nodiscard]] constexpr decision invalid_decision(std::int64_t limit) noexcept {
    decision answer;
    answer.reason = reason::invalid;
    answer.decided_by = decider::local;
    answer.limit = limit;
    answer.retry_after = never;
    return answer;
}

/// What `allow_async` calls.
template<class F>
concept takes_decision = std::invocable<std::add_lvalue_reference_t<std::decay_t<F>>, decision>;

} // namespace detail

/// The operations of a limiter on one key, as documented here, over a few primitives of `Derived`.
///
/// A key is any bytes, or an integer by its text. None of these throws, except `give_back` and
/// `forget`, which change something without an answer to look at and have overloads that report
/// instead (and `allow_async` where there is no memory for its handler). A limiter is a handle: its
/// functions are const, and a copy is the same limiter.
///
/// Concurrency: everything may be called from many threads at once. In memory, a key that is known
/// takes no lock; a key that is new takes a short lock on two cache lines. On other backends a call
/// blocks as long as the backend does.
template<class Derived>
class limiter_operations {
public:
    /// Takes `cost` permits of `key` if all are there; otherwise takes nothing.
    ///
    /// @param cost  permits, cost >= 0; 0 looks and takes nothing; a negative cost is
    ///              `reason::invalid`; one above the limit is `reason::impossible`
    [[nodiscard]] decision allow(key_view key, std::int64_t cost = 1) const {
        return self().take(key.bytes(), cost);
    }

    /// The same at `now`, the caller's own reading of the backend's clock, so that several checks
    /// can share one reading. Readings before 1970 count as 1970, after 2116 as 2116.
    [[nodiscard]] decision allow(key_view key, std::int64_t cost, time_point now) const {
        constexpr time_point first{};
        constexpr time_point last{std::chrono::nanoseconds{std::int64_t{1} << 62}};
        return self().take(key.bytes(), cost, std::clamp(now, first, last));
    }

    /// The same under a quota of this call's own, of the limiter's algorithm: per-customer limits
    /// that live in a database. Calls with different limits spend from one count; calls with
    /// different windows from separate ones, which `peek`, `give_back` and `forget` reach by the same
    /// quota. A quota out of range, or one that the backend cannot count, is `reason::invalid`.
    template<quota Quota>
    [[nodiscard]] decision allow(key_view key, const Quota& quota, std::int64_t cost = 1) const {
        return self().take(key.bytes(), quota, cost);
    }

    /// A fraction is no cost: it would be cut to an integer, and 0.5 be free.
    template<std::floating_point F>
    decision allow(key_view key, F cost) const = delete;
    template<std::floating_point F>
    decision allow(key_view key, F cost, time_point now) const = delete;

    /// What `allow` does, without waiting for the backend: calls `done(decision)` exactly once.
    ///
    /// @param done  takes a decision; moved from; must not throw (std::terminate)
    ///
    /// `done` is called on a thread of the backend's choice, later; or here, before this returns,
    /// if this process decides alone (invalid arguments, a denial that it remembers), if the
    /// backend answers at once, as memory does, or if it is no `async_backend`: then this waits as
    /// `allow` does. It is called also when the backend fails (`on_failure` decides) and when it is
    /// destroyed.
    /// Throws nothing but std::bad_alloc, where `done` is larger than 48 bytes and there is no
    /// memory for it: then nothing was asked.
    template<detail::takes_decision F>
    void allow_async(key_view key, std::int64_t cost, F&& done) const {
        self().take_async(key.bytes(), cost, handler<decision>{std::forward<F>(done)});
    }

    template<detail::takes_decision F>
    void allow_async(key_view key, F&& done) const {
        allow_async(key, 1, std::forward<F>(done));
    }

    /// The same under a quota of this call's own, as for `allow`.
    template<quota Quota, detail::takes_decision F>
    void allow_async(key_view key, const Quota& quota, std::int64_t cost, F&& done) const {
        self().take_async(key.bytes(), quota, cost, handler<decision>{std::forward<F>(done)});
    }

    template<quota Quota, detail::takes_decision F>
    void allow_async(key_view key, const Quota& quota, F&& done) const {
        allow_async(key, quota, 1, std::forward<F>(done));
    }

    template<std::floating_point C, class F>
    void allow_async(key_view key, C cost, F&& done) const = delete;

    /// What `allow(key, cost)` would answer now, but takes nothing and creates nothing; `remaining`
    /// and `reset_after` are those of the key as it is.
    [[nodiscard]] decision peek(key_view key, std::int64_t cost = 1) const {
        return self().look(key.bytes(), cost);
    }

    /// The same for a quota of the call's own.
    template<quota Quota>
    [[nodiscard]] decision peek(key_view key, const Quota& quota, std::int64_t cost = 1) const {
        return self().look(key.bytes(), quota, cost);
    }

    /// Returns permits that were taken and turned out not to be needed: at most what is in use,
    /// never above the limit, never creating a key. It counts in the window that the clock is in: what
    /// is returned after the window in which it was taken frees permits of the next one, as far as
    /// those are in use, so return promptly or not at all.
    ///
    /// @param cost  cost >= 0; otherwise std::errc::invalid_argument, as for a quota out of range
    void give_back(key_view key, std::int64_t cost, std::error_code& ec) const {
        self().return_permits(key.bytes(), cost, ec);
    }

    /// The same for permits that were taken under a quota of the call's own.
    template<quota Quota>
    void give_back(key_view key, const Quota& quota, std::int64_t cost, std::error_code& ec) const {
        self().return_permits(key.bytes(), quota, cost, ec);
    }

    /// The same; throws std::system_error where the others report.
    void give_back(key_view key, std::int64_t cost = 1) const {
        std::error_code ec;
        give_back(key, cost, ec);
        throw_if(ec, "weir: give_back");
    }

    template<quota Quota>
    void give_back(key_view key, const Quota& quota, std::int64_t cost = 1) const {
        std::error_code ec;
        give_back(key, quota, cost, ec);
        throw_if(ec, "weir: give_back");
    }

    /// Starts `key` afresh, as one never seen: a pardon. What this limiter, or a copy, remembers of
    /// its denials (`limiter_options::remember_denials`) is over when this returns, as after
    /// `give_back`.
    void forget(key_view key, std::error_code& ec) const { self().forget_key(key.bytes(), ec); }

    /// The same for what was taken under quotas of the calls' own whose window is that of `quota`.
    template<quota Quota>
    void forget(key_view key, const Quota& quota, std::error_code& ec) const {
        self().forget_key(key.bytes(), quota, ec);
    }

    /// The same; throws std::system_error where the others report.
    void forget(key_view key) const {
        std::error_code ec;
        forget(key, ec);
        throw_if(ec, "weir: forget");
    }

    template<quota Quota>
    void forget(key_view key, const Quota& quota) const {
        std::error_code ec;
        forget(key, quota, ec);
        throw_if(ec, "weir: forget");
    }

protected:
    limiter_operations() = default;

private:
    [[nodiscard]] const Derived& self() const noexcept {
        return static_cast<const Derived&>(*this);
    }

    static void throw_if(std::error_code ec, const char* what) {
        if (ec) {
            throw std::system_error{ec, what};
        }
    }
};

} // namespace weir

#endif
