#ifndef WEIR_TESTS_SUPPORT_LATE_BACKEND_HPP
#define WEIR_TESTS_SUPPORT_LATE_BACKEND_HPP

/// A backend on the other side of something: what it is asked is applied at once, but the answers
/// to what does not wait stay on their way until a test delivers them.

#include <weir/error.hpp>
#include <weir/handler.hpp>
#include <weir/storage.hpp>

#include <cstddef>
#include <deque>
#include <memory>
#include <string_view>
#include <system_error>
#include <utility>

namespace weir_tests {

/// Answers on their way. Not for several threads.
class late_answers {
public:
    late_answers() = default;
    late_answers(const late_answers&) = delete;
    late_answers& operator=(const late_answers&) = delete;
    ~late_answers() { deliver(weir::errc::closed); }

    /// Keeps the answer `result` for `done`.
    template<class Result>
    void keep(weir::handler<Result, std::error_code> done, Result result, std::error_code ec) {
        waiting_.emplace_back([done = std::move(done), result = std::move(result),
                               ec](std::error_code instead) mutable {
            if (instead) {
                done({}, instead);
            } else {
                done(std::move(result), ec);
            }
        });
    }

    [[nodiscard]] std::size_t count() const { return waiting_.size(); }

    /// Delivers all answers, or `instead` in place of each.
    void deliver(std::error_code instead = {}) {
        while (!waiting_.empty()) {
            weir::handler<std::error_code> next = std::move(waiting_.front());
            waiting_.pop_front();
            next(instead);
        }
    }

private:
    std::deque<weir::handler<std::error_code>> waiting_;
};

template<class Store, class V>
class late_store : public Store {
public:
    late_store(Store inside, std::shared_ptr<late_answers> answers)
        : Store{std::move(inside)}, answers_{std::move(answers)} {}

    void get_async(std::string_view key, weir::time_point now,
                   weir::handler<weir::found<V>, std::error_code> done) noexcept {
        std::error_code ec;
        weir::found<V> entry = Store::get(key, now, ec);
        answers_->keep(std::move(done), std::move(entry), ec);
    }

    void put_if_leased_later(std::string_view key, weir::value_ref<V> value,
                             const weir::lifetime& keep, weir::lease_token lease,
                             weir::time_point now,
                             weir::handler<bool, std::error_code> done) noexcept {
        std::error_code ec;
        const bool stored = Store::put_if_leased(key, std::move(value), keep, lease, now, ec);
        answers_->keep(std::move(done), stored, ec);
    }

    void release_later(std::string_view key, weir::lease_token lease) noexcept {
        std::error_code ec;
        Store::release(key, lease, ec);
    }

private:
    std::shared_ptr<late_answers> answers_;
};

/// Over a failing_backend, so that what it is asked can be made to fail, too.
template<class B>
class late_backend {
public:
    explicit late_backend(B inside) : inside_{std::move(inside)} {}

    [[nodiscard]] late_answers& answers() const { return *answers_; }

    [[nodiscard]] weir::time_point now() const noexcept { return inside_.now(); }

    template<weir::counter_step Step>
    typename Step::result_type update(const weir::counter_space& space, std::string_view key,
                                      const Step& step, weir::time_point now, std::error_code& ec) {
        return inside_.update(space, key, step, now, ec);
    }

    template<weir::counter_step Step>
    void update_async(const weir::counter_space& space, std::string_view key, const Step& step,
                      weir::time_point now,
                      weir::handler<typename Step::result_type, std::error_code> done) noexcept {
        std::error_code ec;
        const auto result = inside_.update(space, key, step, now, ec);
        answers_->keep(std::move(done), result, ec);
    }

    template<class V>
    [[nodiscard]] late_store<weir::store_of<B, V>, V> values(std::string_view name,
                                                             const weir::store_options& options) {
        return {inside_.template values<V>(name, options), answers_};
    }

private:
    B inside_;
    std::shared_ptr<late_answers> answers_ = std::make_shared<late_answers>();
};

} // namespace weir_tests

#endif
