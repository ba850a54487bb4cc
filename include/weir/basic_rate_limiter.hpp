#ifndef WEIR_BASIC_RATE_LIMITER_HPP
#define WEIR_BASIC_RATE_LIMITER_HPP

/// `basic_rate_limiter<Quota, Backend>`: a limiter whose types are known. One idea: how each
/// operation of a limiter becomes a step on its backend; each is short, and there are many.

#include <weir/detail/hash.hpp>
#include <weir/detail/limiter_core.hpp>
#include <weir/handler.hpp>
#include <weir/limiter_operations.hpp>
#include <weir/limiter_options.hpp>
#include <weir/on_failure.hpp>
#include <weir/storage.hpp>

#include <chrono>
#include <concepts>
#include <cstdint>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace weir {

/// A limiter of quota `Quota` on `Backend`, without the erasure of `rate_limiter`.
template<quota Quota, class Backend>
class basic_rate_limiter : public limiter_operations<basic_rate_limiter<Quota, Backend>> {
    static_assert(explain_counters<Backend>());

public:
    /// Makes a limiter on a backend that cannot fail.
    ///
    /// Throws std::invalid_argument, naming the value and the range, for a quota or options out of
    /// range, for a quota that the backend cannot count, and for a name in use with another
    /// algorithm or window.
    basic_rate_limiter(Backend backend, Quota quota, limiter_options options = {})
        : basic_rate_limiter{std::move(backend), std::move(quota), on_failure::deny,
                             std::move(options)} {
        static_assert(in_process_backend<Backend>,
                      "weir: this backend can fail; say what then happens: pass "
                      "weir::on_failure::allow, deny or local after the quota");
    }

    /// Makes a limiter on a backend that can fail, and says what then happens.
    template<std::same_as<on_failure> Then> // not from `{}`: the choice must be written down
    basic_rate_limiter(Backend backend, Quota quota, Then then, limiter_options options = {})
        : backend_{std::move(backend)}, quota_{std::move(quota)}, spread_{options.spread_resets} {
        quota_.validate();
        detail::validate(options);
        if constexpr (quota_checking_backend<Backend>) {
            backend_.validate_quota(quota_);
        }
        if constexpr (registering_backend<Backend>) {
            if (!options.name.empty()) {
                backend_.register_limiter(options.name, detail::shape_of(quota_));
            }
        }
        core_ = make_core(then, options);
    }

private:
    friend class limiter_operations<basic_rate_limiter>;
    friend class rate_limiter;

    [[nodiscard]] std::string name_or_default(const std::string& name) const {
        if (!name.empty()) {
            return name;
        }
        return in_process_backend<Backend> ? detail::private_limiter_name() : to_string(quota_);
    }

    [[nodiscard]] std::shared_ptr<detail::limiter_core>
    make_core(on_failure then, const limiter_options& options) const {
        auto core = std::make_shared<detail::limiter_core>();
        core->space = detail::make_space(name_or_default(options.name), quota_);
        core->then = then;
        if (then == on_failure::local) {
            core->local =
                std::make_unique<detail::counter_table>(options.local_counters, when_full::forgive);
        }
        if (!in_process_backend<Backend> && options.remember_denials.count() > 0) {
            core->remembered = std::make_unique<detail::denials>(options.remember_denials);
        }
        return core;
    }

    /// Whether a call may bring `quota` along.
    [[nodiscard]] bool counts(const Quota& quota) const noexcept {
        if constexpr (quota_checking_backend<Backend>) {
            return quota.valid() && backend_.counts(quota);
        } else {
            return quota.valid();
        }
    }

    // Each primitive twice: under the limiter's own quota, and under one of the call's own.

    decision take(std::string_view key, std::int64_t cost) const {
        return run(core_->space, key, take_step<Quota>{quota_, cost, shift_of(key, quota_)});
    }
    decision take(std::string_view key, std::int64_t cost, time_point now) const {
        return run(core_->space, key, take_step<Quota>{quota_, cost, shift_of(key, quota_)}, &now);
    }
    decision take(std::string_view key, const Quota& quota, std::int64_t cost) const {
        if (!counts(quota)) {
            return detail::invalid_decision(quota.limit);
        }
        return run_under(key, take_step<Quota>{quota, cost, shift_of(key, quota)});
    }

    void take_async(std::string_view key, std::int64_t cost,
                    handler<decision> done) const noexcept {
        run_async(core_->space, key, take_step<Quota>{quota_, cost, shift_of(key, quota_)},
                  std::move(done));
    }
    void take_async(std::string_view key, const Quota& quota, std::int64_t cost,
                    handler<decision> done) const noexcept {
        if (!counts(quota)) {
            done(detail::invalid_decision(quota.limit));
            return;
        }
        run_async_under(key, take_step<Quota>{quota, cost, shift_of(key, quota)}, std::move(done));
    }

    decision look(std::string_view key, std::int64_t cost) const {
        return run(core_->space, key, peek_step<Quota>{quota_, cost, shift_of(key, quota_)});
    }
    decision look(std::string_view key, const Quota& quota, std::int64_t cost) const {
        if (!counts(quota)) {
            return detail::invalid_decision(quota.limit);
        }
        return run_under(key, peek_step<Quota>{quota, cost, shift_of(key, quota)});
    }

    void return_permits(std::string_view key, std::int64_t cost, std::error_code& ec) const {
        return_permits(key, quota_, cost, ec);
    }
    void return_permits(std::string_view key, const Quota& quota, std::int64_t cost,
                        std::error_code& ec) const {
        if (cost < 0 || !counts(quota)) {
            ec = std::make_error_code(std::errc::invalid_argument);
            return;
        }
        const give_back_step<Quota> step{quota, cost, shift_of(key, quota)};
        in_space_of(quota, [&](const counter_space& space) { change(space, key, step, ec); });
    }

    void forget_key(std::string_view key, std::error_code& ec) const {
        forget_key(key, quota_, ec);
    }
    void forget_key(std::string_view key, const Quota& quota, std::error_code& ec) const {
        if (!counts(quota)) {
            ec = std::make_error_code(std::errc::invalid_argument);
            return;
        }
        const forget_step<Quota> step{quota, shift_of(key, quota)};
        in_space_of(quota, [&](const counter_space& space) { change(space, key, step, ec); });
    }

    /// Applies a step that gives something back, here too: where this process counts in an outage,
    /// and to the denials that it remembers.
    template<class Step>
    void change(const counter_space& space, std::string_view key, const Step& step,
                std::error_code& ec) const {
        const time_point now = backend_.now();
        if (core_->local != nullptr) {
            core_->local->update(core_->local->locate(space.id, key), step, now);
        }
        backend_.update(space, key, step, now, ec);
        if (core_->remembered != nullptr) {
            core_->remembered->drop(key); // after the backend: see detail/denials.hpp
        }
    }

    /// Calls `f` with the counters that `quota` spends from: the limiter's, unless the window is
    /// another.
    template<class F>
    decltype(auto) in_space_of(const Quota& quota, F&& f) const {
        if (quota.period() == quota_.period()) {
            return f(core_->space);
        }
        return f(detail::make_space(core_->space.limiter, quota));
    }

    /// Decides by a step under a quota of the call's own.
    template<class Step>
    decision run_under(std::string_view key, const Step& step) const {
        try {
            return in_space_of(step.quota,
                               [&](const counter_space& space) { return run(space, key, step); });
        } catch (const std::bad_alloc&) {
            return without_memory(key, step);
        }
    }

    template<class Step>
    void run_async_under(std::string_view key, const Step& step,
                         handler<decision> done) const noexcept {
        try {
            in_space_of(step.quota, [&](const counter_space& space) {
                run_async(space, key, step, std::move(done));
            });
        } catch (const std::bad_alloc&) {
            done(without_memory(key, step));
        }
    }

    /// By how much the windows of `key` start earlier than the clock's.
    [[nodiscard]] std::chrono::nanoseconds shift_of(std::string_view key,
                                                    const Quota& quota) const noexcept {
        if (!spread_) [[likely]] {
            return std::chrono::nanoseconds{0};
        }
        const auto period = static_cast<std::uint64_t>(quota.period().count());
        return std::chrono::nanoseconds{
            static_cast<std::int64_t>(detail::stable_hash(key) % period)};
    }

    /// Decides by `step`, at the backend's time or, if given, at `*at`. Never throws.
    template<class Step>
    decision run(const counter_space& space, std::string_view key, const Step& step,
                 const time_point* at = nullptr) const {
        if (step.cost < 0) [[unlikely]] {
            return detail::invalid_decision(step.quota.limit);
        }
        if constexpr (locating_backend<Backend>) {
            const auto place = backend_.locate(space, key);
            return backend_.update_at(place, step, at != nullptr ? *at : backend_.now());
        } else {
            detail::inquiry<Step> asked{step, at != nullptr ? *at : backend_.now()};
            if (const auto known = detail::prepare(*core_, space, key, asked)) {
                return *known;
            }
            decision answer;
            std::error_code ec;
            try {
                answer = backend_.update(space, key, step, asked.now, ec);
            } catch (const std::bad_alloc&) {
                ec = std::make_error_code(std::errc::not_enough_memory);
            }
            return detail::settle(*core_, asked, answer, ec);
        }
    }

    /// The same, and tells `done` when it is decided: at once where the backend answers at once or
    /// can only be waited for.
    template<class Step>
    void run_async(const counter_space& space, std::string_view key, const Step& step,
                   handler<decision> done) const noexcept {
        if constexpr (locating_backend<Backend> || !async_backend<Backend>) {
            done(run(space, key, step));
        } else if (step.cost < 0) {
            done(detail::invalid_decision(step.quota.limit));
        } else {
            detail::inquiry<Step> asked{step, backend_.now()};
            if (const auto known = detail::prepare(*core_, space, key, asked)) {
                done(*known);
                return;
            }
            auto settle = [core = core_, asked, done = std::move(done)](
                              const decision& answer, std::error_code ec) mutable noexcept {
                done(detail::settle(*core, asked, answer, ec));
            };
            handler<decision, std::error_code> settled;
            try {
                settled = std::move(settle);
            } catch (const std::bad_alloc&) { // and `settle` is as it was
                settle({}, std::make_error_code(std::errc::not_enough_memory));
                return;
            }
            backend_.update_async(space, key, step, asked.now, std::move(settled));
        }
    }

    template<class Step>
    decision without_memory(std::string_view key, const Step& step) const noexcept {
        detail::inquiry<Step> asked{step, backend_.now()};
        detail::locate_locally(*core_, core_->space, key, asked);
        return detail::decide_locally(*core_, asked,
                                      std::make_error_code(std::errc::not_enough_memory));
    }

    mutable Backend backend_;
    Quota quota_;
    bool spread_;
    std::shared_ptr<detail::limiter_core> core_;
};

template<class Backend, class Quota>
basic_rate_limiter(Backend, Quota) -> basic_rate_limiter<Quota, Backend>;
template<class Backend, class Quota>
basic_rate_limiter(Backend, Quota, limiter_options) -> basic_rate_limiter<Quota, Backend>;
template<class Backend, class Quota>
basic_rate_limiter(Backend, Quota, on_failure) -> basic_rate_limiter<Quota, Backend>;
template<class Backend, class Quota>
basic_rate_limiter(Backend, Quota, on_failure, limiter_options)
    -> basic_rate_limiter<Quota, Backend>;

} // namespace weir

#endif
