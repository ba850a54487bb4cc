#ifndef WEIR_CONTRACT_COUNTER_TRIAL_HPP
#define WEIR_CONTRACT_COUNTER_TRIAL_HPP

/// What the checks of counters are written with.

#include <weir/contract/pending_answer.hpp>
#include <weir/contract/suite.hpp>
#include <weir/detail/hash.hpp>
#include <weir/quota/fixed_window.hpp>
#include <weir/storage.hpp>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace weir::contract {

/// A limiter reduced to its steps, on a handle of its own to the backend.
template<class B>
class counter {
public:
    explicit counter(B backend, fixed_window quota = {.limit = 3, .window = 10s},
                     const std::string& limiter = "contract")
        : backend_{std::move(backend)}, quota_{quota} {
        space_.limiter = limiter;
        space_.name = limiter + ":fixed_window:" + std::to_string(quota.window.count());
        space_.id = weir::detail::stable_hash(space_.name);
    }

    decision take(std::string_view key, time_point now, std::int64_t cost = 1) {
        return apply(key, take_step<fixed_window>{quota_, cost, shift}, now);
    }
    decision peek(std::string_view key, time_point now, std::int64_t cost = 1) {
        return apply(key, peek_step<fixed_window>{quota_, cost, shift}, now);
    }
    bool give_back(std::string_view key, time_point now, std::int64_t cost = 1) {
        return apply(key, give_back_step<fixed_window>{quota_, cost, shift}, now);
    }
    bool forget(std::string_view key, time_point now) {
        return apply(key, forget_step<fixed_window>{quota_, shift}, now);
    }

    // The same without waiting.
    pending_answer<decision> take_async(std::string_view key, time_point now,
                                        std::int64_t cost = 1) requires async_backend<B> {
        return async(key, take_step<fixed_window>{quota_, cost, shift}, now);
    }
    pending_answer<decision> peek_async(std::string_view key, time_point now,
                                        std::int64_t cost = 1) requires async_backend<B> {
        return async(key, peek_step<fixed_window>{quota_, cost, shift}, now);
    }
    pending_answer<bool> give_back_async(std::string_view key, time_point now,
                                         std::int64_t cost = 1) requires async_backend<B> {
        return async(key, give_back_step<fixed_window>{quota_, cost, shift}, now);
    }
    pending_answer<bool> forget_async(std::string_view key,
                                      time_point now) requires async_backend<B> {
        return async(key, forget_step<fixed_window>{quota_, shift}, now);
    }

    /// The same counters, asked with another limit.
    [[nodiscard]] counter with_limit(std::int64_t limit) const {
        counter other = *this;
        other.quota_.limit = limit;
        return other;
    }

    [[nodiscard]] const counter_space& space() const noexcept { return space_; }

    nanoseconds shift{0};

private:
    template<class Step>
    pending_answer<typename Step::result_type> async(std::string_view key, const Step& step,
                                                     time_point now) {
        pending_answer<typename Step::result_type> answer;
        backend_.update_async(space_, key, step, now, answer.as_handler());
        return answer;
    }

    template<class Step>
    typename Step::result_type apply(std::string_view key, const Step& step, time_point now) {
        std::error_code ec = detail::left_over_error();
        typename Step::result_type result = backend_.update(space_, key, step, now, ec);
        detail::expect_success(ec, "update");
        return result;
    }

    B backend_;
    fixed_window quota_;
    counter_space space_;
};

/// A backend under test, a limit of 3 permits in 10 s on it, and the start of a window.
template<subject T>
struct counter_trial : trial<T> {
    using backend_type = typename trial<T>::backend_type;

    /// Of a window of one hour, so of shorter ones too.
    const time_point start = std::chrono::ceil<std::chrono::hours>(this->now());

    counter<backend_type> limiter{this->backend};
};

} // namespace weir::contract

#endif
