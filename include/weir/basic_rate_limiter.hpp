#ifndef WEIR_BASIC_RATE_LIMITER_HPP
#define WEIR_BASIC_RATE_LIMITER_HPP

/// `basic_rate_limiter<Quota, Backend>`: a limiter whose types are known.

#include <weir/detail/hash.hpp>
#include <weir/limiter_operations.hpp>
#include <weir/limiter_options.hpp>
#include <weir/memory/counter_table.hpp>
#include <weir/on_failure.hpp>
#include <weir/storage.hpp>

#include <atomic>
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

namespace detail {

/// What sets counters apart beside the limiter's name: the algorithm and the length of a window.
template<quota Quota>
[[nodiscard]] std::string shape_of(const Quota& quota) {
    return std::string{Quota::algorithm} + ':' + std::to_string(quota.period().count());
}

template<quota Quota>
[[nodiscard]] counter_space make_space(std::string limiter, const Quota& quota) {
    std::string name = limiter + ':' + shape_of(quota);
    const std::uint64_t id = stable_hash(name);
    return {std::move(limiter), std::move(name), id};
}

/// A name that no other limiter of this process has, nor can be given.
[[nodiscard]] inline std::string private_limiter_name() {
    static std::atomic<std::uint64_t> last{0};
    return '#' + std::to_string(last.fetch_add(1, std::memory_order_relaxed) + 1);
}

} // namespace detail

/// A limiter of quota `Quota` on `Backend`, without the erasure of `rate_limiter`.
template<quota Quota, class Backend>
class basic_rate_limiter : public limiter_operations<basic_rate_limiter<Quota, Backend>> {
    static_assert(explain_counters<Backend>());

public:
    /// Makes a limiter on a backend that cannot fail.
    ///
    /// Throws std::invalid_argument, naming the value and the range, for a quota or options out of
    /// range, and for a name in use with another algorithm or window.
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
        : backend_{std::move(backend)},
          quota_{std::move(quota)},
          then_{then},
          spread_{options.spread_resets} {
        quota_.validate();
        detail::validate(options);
        if constexpr (registering_backend<Backend>) {
            if (!options.name.empty()) {
                backend_.register_limiter(options.name, detail::shape_of(quota_));
            }
        }
        space_ = std::make_shared<const counter_space>(
            detail::make_space(name_or_default(options.name), quota_));
        if (then == on_failure::local) {
            local_ =
                std::make_shared<detail::counter_table>(options.local_counters, when_full::forgive);
        }
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

    // Each primitive twice: under the limiter's own quota, and under one of the call's own.

    decision take(std::string_view key, std::int64_t cost) const {
        return run(*space_, key, take_step<Quota>{quota_, cost, shift_of(key, quota_)});
    }
    decision take(std::string_view key, std::int64_t cost, time_point now) const {
        return run(*space_, key, take_step<Quota>{quota_, cost, shift_of(key, quota_)}, &now);
    }
    decision take(std::string_view key, const Quota& quota, std::int64_t cost) const {
        if (!quota.valid()) {
            return detail::invalid_decision(quota.limit);
        }
        return run_under(key, take_step<Quota>{quota, cost, shift_of(key, quota)});
    }

    decision look(std::string_view key, std::int64_t cost) const {
        return run(*space_, key, peek_step<Quota>{quota_, cost, shift_of(key, quota_)});
    }
    decision look(std::string_view key, const Quota& quota, std::int64_t cost) const {
        if (!quota.valid()) {
            return detail::invalid_decision(quota.limit);
        }
        return run_under(key, peek_step<Quota>{quota, cost, shift_of(key, quota)});
    }

    void return_permits(std::string_view key, std::int64_t cost, std::error_code& ec) const {
        return_permits(key, quota_, cost, ec);
    }
    void return_permits(std::string_view key, const Quota& quota, std::int64_t cost,
                        std::error_code& ec) const {
        if (cost < 0 || !quota.valid()) {
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
        if (!quota.valid()) {
            ec = std::make_error_code(std::errc::invalid_argument);
            return;
        }
        const forget_step<Quota> step{quota, shift_of(key, quota)};
        in_space_of(quota, [&](const counter_space& space) { change(space, key, step, ec); });
    }

    /// Applies a step that gives something back, here too if this process counts in an outage.
    template<class Step>
    void change(const counter_space& space, std::string_view key, const Step& step,
                std::error_code& ec) const {
        const time_point now = backend_.now();
        if (local_ != nullptr) {
            local_->update(local_->locate(space.id, key), step, now);
        }
        backend_.update(space, key, step, now, ec);
    }

    /// Calls `f` with the counters that `quota` spends from: the limiter's, unless the window is
    /// another.
    template<class F>
    decltype(auto) in_space_of(const Quota& quota, F&& f) const {
        if (quota.period() == quota_.period()) {
            return f(*space_);
        }
        return f(detail::make_space(space_->limiter, quota));
    }

    /// Decides by a step under a quota of the call's own.
    template<class Step>
    decision run_under(std::string_view key, const Step& step) const {
        try {
            return in_space_of(step.quota,
                               [&](const counter_space& space) { return run(space, key, step); });
        } catch (const std::bad_alloc&) {
            return decide_without_backend(*space_, key, step, nullptr,
                                          std::make_error_code(std::errc::not_enough_memory));
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
            std::error_code ec;
            try {
                const time_point now = at != nullptr ? *at : backend_.now();
                const decision answer = backend_.update(space, key, step, now, ec);
                if (!ec) {
                    return answer;
                }
            } catch (const std::bad_alloc&) {
                ec = std::make_error_code(std::errc::not_enough_memory);
            }
            return decide_without_backend(space, key, step, at, ec);
        }
    }

    template<class Step>
    decision decide_without_backend(const counter_space& space, std::string_view key,
                                    const Step& step, const time_point* at,
                                    std::error_code error) const {
        decision answer;
        if (local_ != nullptr) {
            const time_point now = at != nullptr ? *at : backend_.now();
            answer = local_->update(local_->locate(space.id, key), step, now);
        } else {
            answer.allowed = then_ == on_failure::allow;
            answer.reason = reason::backend_failed;
            answer.limit = step.quota.limit;
        }
        answer.decided_by = decider::local;
        answer.set_error(error);
        return answer;
    }

    mutable Backend backend_;
    Quota quota_;
    on_failure then_;
    bool spread_;
    std::shared_ptr<const counter_space> space_;
    /// Counts while the backend fails; null unless `on_failure::local`.
    std::shared_ptr<detail::counter_table> local_;
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
