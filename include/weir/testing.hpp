#ifndef WEIR_TESTING_HPP
#define WEIR_TESTING_HPP

/// For the tests of programs that use weir: a clock that only the test moves, and a backend that
/// fails when the test says so.
///
///     weir::manual_clock clock;
///     weir::failing_backend backend{weir::basic_memory_backend{clock}};
///     weir::rate_limiter limiter{backend, weir::per_minute(20), weir::on_failure::deny};
///     clock.advance(1min);                           // a new window, without sleeping
///     backend.fail_with(weir::errc::unavailable);    // the limiter holds a copy: same state
///     EXPECT_EQ(weir::http_status(limiter.allow("a client")), 503);

#include <weir/clock.hpp>
#include <weir/detail/failing_store.hpp>
#include <weir/error.hpp>
#include <weir/handler.hpp>
#include <weir/storage.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <limits>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace weir {

/// A clock that stands still until it is told to move: a handle whose copies, such as the one that a
/// backend keeps, show the same time. Starts on 2026-01-01 at 00:00 UTC, an edge of every window
/// that divides a day.
///
/// Everything may be called from many threads at once; what a thread did before it moved the clock
/// happens before what another does after it read the new time.
class manual_clock {
public:
    /// 2026-01-01T00:00:00Z
    static constexpr time_point default_start{
        std::chrono::sys_days{std::chrono::year{2026} / std::chrono::January / 1}};

    manual_clock() : manual_clock{default_start} {}

    explicit manual_clock(time_point start)
        : since_epoch_{
              std::make_shared<std::atomic<std::int64_t>>(start.time_since_epoch().count())} {}

    [[nodiscard]] time_point now() const noexcept {
        // Acquire: pairs with the release in advance() and set().
        return time_point{std::chrono::nanoseconds{since_epoch_->load(std::memory_order_acquire)}};
    }

    /// Throws std::invalid_argument if `by` is negative: a clock that is set back is a test of its
    /// own, see `set`.
    void advance(std::chrono::nanoseconds by) const {
        if (by.count() < 0) {
            throw std::invalid_argument{"weir::manual_clock: advance by " +
                                        std::to_string(by.count()) +
                                        "ns; it must be 0 or more, set() goes back"};
        }
        since_epoch_->fetch_add(by.count(), std::memory_order_acq_rel);
    }

    /// Moves the clock to `to`, back too.
    void set(time_point to) const noexcept {
        since_epoch_->store(to.time_since_epoch().count(), std::memory_order_release);
    }

private:
    std::shared_ptr<std::atomic<std::int64_t>> since_epoch_;
};

/// A backend that does what the one inside does until it is told to fail. It is not `in_process`,
/// whatever is inside: limiters on it need an `on_failure`. A handle, like every backend: what a
/// test tells one copy, all copies do.
///
/// Calls of `update` and of the operations of its stores fail, those that do not wait for an answer
/// like those that do; opening a store, checking a quota and reading the clock do not. What cannot
/// report a failure, locating and visiting, is not offered. A lease whose grant got lost stays held
/// until the key is written or erased, unless the store inside ends it. Everything may be called
/// from many threads at once.
template<clocked_backend B>
class failing_backend {
public:
    explicit failing_backend(B inside)
        : inside_{std::move(inside)}, plan_{std::make_shared<detail::failure_plan>()} {}

    /// Every call fails with `error` and is not applied, until `recover()`.
    void fail_with(std::error_code error) const {
        plan_->fail(std::numeric_limits<std::int64_t>::max(), error, false);
    }

    /// The next `calls` calls fail so, then all is well.
    void fail_next(std::int64_t calls, std::error_code error) const {
        plan_->fail(calls, error, false);
    }

    /// Every call is applied and then reported as `errc::timeout`, as by a server whose answer got
    /// lost, until `recover()`.
    void lose_answers() const {
        plan_->fail(std::numeric_limits<std::int64_t>::max(), errc::timeout, true);
    }

    /// All is well again. What was applied before stays.
    void recover() const { plan_->fail(0, {}, false); }

    /// How many calls there were so far, failed ones included.
    [[nodiscard]] std::int64_t calls() const { return plan_->calls(); }

    // The storage concept.

    [[nodiscard]] time_point now() const noexcept { return inside_.now(); }

    template<counter_step Step>
    typename Step::result_type update(const counter_space& space, std::string_view key,
                                      const Step& step, time_point now,
                                      std::error_code& ec) requires counter_backend<B> {
        return plan_->run(ec, [&] { return inside_.update(space, key, step, now, ec); });
    }

    template<counter_step Step>
        requires async_backend<B>
    void update_async(const counter_space& space, std::string_view key, const Step& step,
                      time_point now,
                      handler<typename Step::result_type, std::error_code> done) noexcept {
        using result = typename Step::result_type;
        plan_->run_async(std::move(done), [&](handler<result, std::error_code> next) {
            inside_.update_async(space, key, step, now, std::move(next));
        });
    }

    template<quota Q>
        requires quota_checking_backend<B>
    void validate_quota(const Q& quota) const { inside_.validate_quota(quota); }
    template<quota Q>
        requires quota_checking_backend<B>
    [[nodiscard]] bool counts(const Q& quota) const noexcept { return inside_.counts(quota); }

    void register_limiter(std::string_view name,
                          std::string_view shape) requires registering_backend<B> {
        inside_.register_limiter(name, shape);
    }

    template<class V>
        requires opening_backend<B, V>
    [[nodiscard]] auto values(std::string_view name, const store_options& options) {
        return detail::failing_store<store_of<B, V>, V>{inside_.template values<V>(name, options),
                                                        plan_};
    }

private:
    B inside_;
    std::shared_ptr<detail::failure_plan> plan_;
};

} // namespace weir

#endif
