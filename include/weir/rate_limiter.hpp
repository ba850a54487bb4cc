#ifndef WEIR_RATE_LIMITER_HPP
#define WEIR_RATE_LIMITER_HPP

/// Limiters: `rate_limiter`, and `basic_rate_limiter<Quota, Backend>` for those who count
/// nanoseconds.
///
///     weir::memory_backend memory;
///     weir::rate_limiter limiter{memory, weir::per_minute(20)};
///     if (const weir::decision d = limiter.allow("203.0.113.7"); !d) {
///         reply(weir::http_status(d), d.retry_after);
///     }
///
/// Thread safety: every function may be called from many threads at once. A copy is the same
/// limiter.

#include <weir/basic_rate_limiter.hpp>

#include <concepts>
#include <cstdint>
#include <memory>
#include <string_view>
#include <system_error>
#include <utility>

namespace weir {

/// A limiter with any quota on any backend, chosen where it is made: what to hold as a member. Costs
/// one virtual call more than the `basic_rate_limiter` inside.
class rate_limiter : public limiter_operations<rate_limiter> {
public:
    /// Makes a limiter on a backend that cannot fail.
    ///
    /// Throws std::invalid_argument, naming the value and the range, for a quota or options out of
    /// range, and for a name in use with another algorithm or window.
    template<class Backend, quota Quota>
    rate_limiter(Backend backend, Quota quota, limiter_options options = {})
        : rate_limiter{basic_rate_limiter<Quota, Backend>{std::move(backend), std::move(quota),
                                                          std::move(options)}} {}

    /// Makes a limiter on a backend that can fail, and says what then happens.
    template<class Backend, quota Quota, std::same_as<on_failure> Then>
    rate_limiter(Backend backend, Quota quota, Then then, limiter_options options = {})
        : rate_limiter{basic_rate_limiter<Quota, Backend>{std::move(backend), std::move(quota),
                                                          then, std::move(options)}} {}

    /// The same limiter as `limiter`, with its types forgotten.
    template<quota Quota, class Backend>
    rate_limiter(basic_rate_limiter<Quota, Backend> limiter)
        : limiter_{std::make_shared<holder<Quota, Backend>>(std::move(limiter))} {}

private:
    friend class limiter_operations<rate_limiter>;

    /// Its address tells quota types apart.
    template<class Quota>
    static inline char quota_type = 0;

    /// A quota of the call's own, or none.
    struct any_quota {
        const void* value = nullptr;
        const void* type = nullptr;
    };

    struct interface {
        interface() = default;
        interface(const interface&) = delete;
        interface& operator=(const interface&) = delete;
        virtual ~interface() = default;

        virtual decision take(std::string_view key, std::int64_t cost) const = 0;
        virtual decision take(std::string_view key, std::int64_t cost, time_point now) const = 0;
        virtual decision take(std::string_view key, any_quota quota, std::int64_t cost) const = 0;
        virtual void take_async(std::string_view key, any_quota quota, std::int64_t cost,
                                handler<decision> done) const noexcept = 0;
        virtual decision look(std::string_view key, any_quota quota, std::int64_t cost) const = 0;
        virtual void return_permits(std::string_view key, any_quota quota, std::int64_t cost,
                                    std::error_code& ec) const = 0;
        virtual void forget_key(std::string_view key, any_quota quota,
                                std::error_code& ec) const = 0;
    };

    template<class Quota, class Backend>
    struct holder final : interface {
        explicit holder(basic_rate_limiter<Quota, Backend> l) : limiter{std::move(l)} {}

        decision take(std::string_view key, std::int64_t cost) const override {
            return limiter.take(key, cost);
        }
        decision take(std::string_view key, std::int64_t cost, time_point now) const override {
            return limiter.take(key, cost, now);
        }
        decision take(std::string_view key, any_quota quota, std::int64_t cost) const override {
            const Quota* const q = known(quota);
            return q != nullptr ? limiter.take(key, *q, cost) : detail::invalid_decision(0);
        }
        void take_async(std::string_view key, any_quota quota, std::int64_t cost,
                        handler<decision> done) const noexcept override {
            if (const Quota* const q = known(quota)) {
                limiter.take_async(key, *q, cost, std::move(done));
            } else {
                done(detail::invalid_decision(0));
            }
        }
        decision look(std::string_view key, any_quota quota, std::int64_t cost) const override {
            const Quota* const q = known(quota);
            return q != nullptr ? limiter.look(key, *q, cost) : detail::invalid_decision(0);
        }
        void return_permits(std::string_view key, any_quota quota, std::int64_t cost,
                            std::error_code& ec) const override {
            if (const Quota* const q = known(quota)) {
                limiter.return_permits(key, *q, cost, ec);
            } else {
                ec = std::make_error_code(std::errc::invalid_argument);
            }
        }
        void forget_key(std::string_view key, any_quota quota, std::error_code& ec) const override {
            if (const Quota* const q = known(quota)) {
                limiter.forget_key(key, *q, ec);
            } else {
                ec = std::make_error_code(std::errc::invalid_argument);
            }
        }

        /// The quota of the call, or the limiter's own if it has none; null if it is of another
        /// algorithm.
        [[nodiscard]] const Quota* known(any_quota quota) const noexcept {
            if (quota.value == nullptr) {
                return &limiter.quota_;
            }
            return quota.type == &quota_type<Quota> ? static_cast<const Quota*>(quota.value)
                                                    : nullptr;
        }

        basic_rate_limiter<Quota, Backend> limiter;
    };

    template<quota Quota>
    [[nodiscard]] static any_quota erased(const Quota& quota) noexcept {
        return {&quota, &quota_type<Quota>};
    }

    decision take(std::string_view key, std::int64_t cost) const {
        return limiter_->take(key, cost);
    }
    decision take(std::string_view key, std::int64_t cost, time_point now) const {
        return limiter_->take(key, cost, now);
    }
    template<quota Quota>
    decision take(std::string_view key, const Quota& quota, std::int64_t cost) const {
        return limiter_->take(key, erased(quota), cost);
    }
    void take_async(std::string_view key, std::int64_t cost,
                    handler<decision> done) const noexcept {
        limiter_->take_async(key, any_quota{}, cost, std::move(done));
    }
    template<quota Quota>
    void take_async(std::string_view key, const Quota& quota, std::int64_t cost,
                    handler<decision> done) const noexcept {
        limiter_->take_async(key, erased(quota), cost, std::move(done));
    }
    decision look(std::string_view key, std::int64_t cost) const {
        return limiter_->look(key, any_quota{}, cost);
    }
    template<quota Quota>
    decision look(std::string_view key, const Quota& quota, std::int64_t cost) const {
        return limiter_->look(key, erased(quota), cost);
    }
    void return_permits(std::string_view key, std::int64_t cost, std::error_code& ec) const {
        limiter_->return_permits(key, any_quota{}, cost, ec);
    }
    template<quota Quota>
    void return_permits(std::string_view key, const Quota& quota, std::int64_t cost,
                        std::error_code& ec) const {
        limiter_->return_permits(key, erased(quota), cost, ec);
    }
    void forget_key(std::string_view key, std::error_code& ec) const {
        limiter_->forget_key(key, any_quota{}, ec);
    }
    template<quota Quota>
    void forget_key(std::string_view key, const Quota& quota, std::error_code& ec) const {
        limiter_->forget_key(key, erased(quota), ec);
    }

    std::shared_ptr<const interface> limiter_;
};

} // namespace weir

#endif
