#ifndef WEIR_COUNTER_STORAGE_HPP
#define WEIR_COUNTER_STORAGE_HPP

/// The counter half of the storage-backend concept: see <weir/storage.hpp>, which has its duties.

#include <weir/backend.hpp>
#include <weir/clock.hpp>
#include <weir/decision.hpp>
#include <weir/handler.hpp>
#include <weir/quota/step.hpp>

#include <chrono>
#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace weir {

/// Which counters a key belongs to: one limiter with one algorithm and one window length. The limit
/// is no part of it.
struct counter_space {
    /// The limiter's name, [A-Za-z0-9._-]{1,64}, or `#` and a number for a private one.
    std::string limiter;
    /// `limiter`, algorithm and period in nanoseconds, joined by `:`. Unique for the space.
    std::string name;
    /// A 64-bit hash of `name`, for stores that do not need the text.
    std::uint64_t id = 0;
};

namespace detail {

/// A quota with the least that the concept asks for, to ask backends about.
struct probe_quota {
    using state_type = std::uint64_t;
    static constexpr std::string_view algorithm = "probe";
    std::int64_t limit = 1;

    void validate() const;
    [[nodiscard]] bool valid() const noexcept;
    [[nodiscard]] std::chrono::nanoseconds period() const noexcept;
    [[nodiscard]] stepped<state_type, decision> take(state_type, std::int64_t, time_point,
                                                     std::chrono::nanoseconds) const noexcept;
    [[nodiscard]] state_type give_back(state_type, std::int64_t, time_point,
                                       std::chrono::nanoseconds) const noexcept;
    [[nodiscard]] static standing stands(state_type, std::chrono::nanoseconds, time_point) noexcept;
    [[nodiscard]] static state_type having_used(std::uint32_t, std::chrono::nanoseconds, time_point,
                                                std::chrono::nanoseconds) noexcept;
    friend std::string to_string(const probe_quota&);
};

} // namespace detail

template<class B>
concept updating_backend = requires(B& b, const counter_space& space, std::string_view key,
                                    const take_step<detail::probe_quota>& take,
                                    const forget_step<detail::probe_quota>& forget, time_point now,
                                    std::error_code& ec) {
    { b.update(space, key, take, now, ec) } -> std::same_as<decision>;
    { b.update(space, key, forget, now, ec) } -> std::same_as<bool>;
};

/// The counter half of a backend.
template<class B>
concept counter_backend = clocked_backend<B> && updating_backend<B>;

/// Refinement: names of limiters are checked.
template<class B>
concept registering_backend = counter_backend<B> &&
    requires(B& b, std::string_view name, std::string_view shape) {
    b.register_limiter(name, shape);
};

/// Refinement: a counter is located before the clock is read. In process only.
template<class B>
concept locating_backend = counter_backend<B> && in_process_backend<B> &&
    requires(B& b, const counter_space& space, std::string_view key,
             const take_step<detail::probe_quota>& take, time_point now) {
    { b.update_at(b.locate(space, key), take, now) }
    noexcept->std::same_as<decision>;
};

/// Refinement: some quotas cannot be counted here. Without it every quota can.
///
/// | expression           | result | guarantee                                                     |
/// |----------------------|--------|---------------------------------------------------------------|
/// | b.validate_quota(q)  |        | throws std::invalid_argument, naming the value and the range, for a quota that is valid and cannot be counted by this backend |
/// | b.counts(q)          | bool   | that `validate_quota(q)` would not throw; noexcept            |
///
/// With `b` a const B and `q` a const quota of any type. A limiter asks `validate_quota` about its
/// own quota when it is made, and `counts` about every quota of a call's own, which is
/// `reason::invalid` if it answers false; `update` then sees no quota that does not count.
template<class B>
concept quota_checking_backend = counter_backend<B> &&
    requires(const B& b, const detail::probe_quota& quota) {
    b.validate_quota(quota);
    { b.counts(quota) }
    noexcept->std::same_as<bool>;
};

/// Refinement: an update that does not make the caller wait.
///
/// | expression                                | result | guarantee                                |
/// |-------------------------------------------|--------|------------------------------------------|
/// | b.update_async(space, key, step, now, done) | void | as `update`; calls `done(result, ec)` exactly once; noexcept |
///
/// `done` is a handler<S::result_type, std::error_code>. It is called before this returns or later,
/// on this thread or another (where: the backend says), also when the deadline passes and when the
/// backend is destroyed. Nothing is thrown: whatever goes wrong, lack of memory included, is told
/// to `done`. `space`, `key` and `step` need not outlive the call.
template<class B>
concept async_backend = counter_backend<B> &&
    requires(B& b, const counter_space& space, std::string_view key,
             const take_step<detail::probe_quota>& take,
             const forget_step<detail::probe_quota>& forget, time_point now,
             handler<decision, std::error_code> decided, handler<bool, std::error_code> changed) {
    { b.update_async(space, key, take, now, std::move(decided)) }
    noexcept->std::same_as<void>;
    { b.update_async(space, key, forget, now, std::move(changed)) }
    noexcept->std::same_as<void>;
};

} // namespace weir

#endif
