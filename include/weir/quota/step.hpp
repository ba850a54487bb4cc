#ifndef WEIR_QUOTA_STEP_HPP
#define WEIR_QUOTA_STEP_HPP

/// The contract between quotas, limiters and the stores that count.
///
/// A quota is an algorithm: a plain value with pure, constexpr functions over a small state. It
/// knows no storage. A step is one thing that a limiter wants done to the state of one key; a
/// backend applies it atomically (`update` in <weir/storage.hpp>) and needs to know nothing else.

#include <weir/clock.hpp>
#include <weir/decision.hpp>

#include <chrono>
#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

namespace weir {

/// What a step makes of a state.
template<class State, class Result>
struct stepped {
    /// For the caller of the limiter.
    Result result;
    /// What the store must keep if `write` is set.
    State next;
    /// False: the state stays as it was, and a key that was absent stays absent.
    bool write;
};

/// How a key stands with its quota, for a bounded store that must choose whom to forget.
struct standing {
    /// Back at the full quota: indistinguishable from a key never seen.
    bool fresh = true;
    /// Nothing left: forgetting this key would admit a client that has to wait.
    bool exhausted = false;
    /// Permits in use.
    std::uint32_t used = 0;
};

/// An algorithm of rate limiting, as a plain value.
///
/// With `q` a const Q, `s` a `Q::state_type`, `n` a cost, `now` a `time_point` and `shift` an
/// offset on the time axis, 0 <= shift < `q.period()` (see `limiter_options::spread_resets`):
///
/// | expression                          | result                      | guarantee                |
/// |-------------------------------------|-----------------------------|--------------------------|
/// | Q::algorithm                        | std::string_view            | 1..32 of [a-z_]          |
/// | q.validate()                        | throws std::invalid_argument| names field, value, range|
/// | q.valid()                           | bool                        | validate() would not throw|
/// | q.limit                             | std::int64_t                | permits, 0..2^32 - 1     |
/// | q.period()                          | nanoseconds                 | the length of a window   |
/// | q.take(s, n, now, shift)            | stepped<state, decision>    | all or nothing; n >= 0   |
/// | q.give_back(s, n, now, shift)       | state_type                  | never above the limit    |
/// | Q::stands(s, period, now)           | standing                    | never too good for any shift|
/// | Q::having_used(n, period, now, shift)| state_type                 | a key that has used n    |
///
/// Semantics the compiler cannot check:
///  1. `state_type{}` is a key never seen. Every function is pure, constexpr and noexcept.
///  2. The limit is not part of the state: one state serves calls with different limits.
///  3. No function ever returns the state whose bytes are all 0xff: stores may use it as a mark.
///  4. `now` may be earlier than in a previous call; then nothing is earned.
template<class Q>
concept quota = std::copyable<Q> && std::is_trivially_copyable_v<typename Q::state_type> &&
    std::default_initializable<typename Q::state_type> &&
    requires(const Q& q, typename Q::state_type s, std::int64_t n, time_point now,
             std::chrono::nanoseconds length, std::uint32_t used) {
    { Q::algorithm } -> std::convertible_to<std::string_view>;
    q.validate();
    { q.valid() }
    noexcept->std::same_as<bool>;
    { q.limit } -> std::convertible_to<std::int64_t>;
    { q.period() }
    noexcept->std::same_as<std::chrono::nanoseconds>;
    { q.take(s, n, now, length) }
    noexcept->std::same_as<stepped<typename Q::state_type, decision>>;
    { q.give_back(s, n, now, length) }
    noexcept->std::same_as<typename Q::state_type>;
    { Q::stands(s, length, now) }
    noexcept->std::same_as<standing>;
    { Q::having_used(used, length, now, length) }
    noexcept->std::same_as<typename Q::state_type>;
    { to_string(q) } -> std::same_as<std::string>;
};

/// Something to do to the state of one key. `s(state, now)` is pure; a store may call it any number
/// of times before one of its results counts.
template<class S>
concept counter_step = quota<typename S::quota_type> &&
    requires(const S& step, typename S::quota_type::state_type state, time_point now) {
    typename S::result_type;
    { step.quota } -> std::convertible_to<const typename S::quota_type&>;
    { step.shift } -> std::convertible_to<std::chrono::nanoseconds>;
    { step(state, now) }
    noexcept->std::same_as<stepped<typename S::quota_type::state_type, typename S::result_type>>;
};

/// Takes `cost` permits if they are there.
template<quota Q>
struct take_step {
    using quota_type = Q;
    using result_type = decision;

    Q quota;
    std::int64_t cost = 1;
    std::chrono::nanoseconds shift{0};

    [[nodiscard]] constexpr stepped<typename Q::state_type, decision>
    operator()(typename Q::state_type state, time_point now) const noexcept {
        return quota.take(state, cost, now, shift);
    }
};

/// Answers whether `cost` permits are there, and takes nothing.
template<quota Q>
struct peek_step {
    using quota_type = Q;
    using result_type = decision;

    Q quota;
    std::int64_t cost = 1;
    std::chrono::nanoseconds shift{0};

    [[nodiscard]] constexpr stepped<typename Q::state_type, decision>
    operator()(typename Q::state_type state, time_point now) const noexcept {
        decision answer = quota.take(state, cost, now, shift).result;
        const decision untouched = quota.take(state, 0, now, shift).result;
        answer.remaining = untouched.remaining;
        answer.reset_after = untouched.reset_after;
        return {answer, state, false};
    }
};

/// Returns `cost` permits that were taken and not needed. Answers whether anything was in use.
template<quota Q>
struct give_back_step {
    using quota_type = Q;
    using result_type = bool;

    Q quota;
    std::int64_t cost = 1;
    std::chrono::nanoseconds shift{0};

    [[nodiscard]] constexpr stepped<typename Q::state_type, bool>
    operator()(typename Q::state_type state, time_point now) const noexcept {
        const typename Q::state_type next = quota.give_back(state, cost, now, shift);
        const bool changed = !(next == state);
        return {changed, next, changed};
    }
};

/// Makes the key as one never seen. Answers whether anything was known of it.
template<quota Q>
struct forget_step {
    using quota_type = Q;
    using result_type = bool;

    Q quota;
    std::chrono::nanoseconds shift{0};

    [[nodiscard]] constexpr stepped<typename Q::state_type, bool>
    operator()(typename Q::state_type state, time_point) const noexcept {
        const typename Q::state_type fresh{};
        const bool known = !(state == fresh);
        return {known, fresh, known};
    }
};

} // namespace weir

#endif
