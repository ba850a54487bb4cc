#ifndef WEIR_DETAIL_FAILING_STORE_HPP
#define WEIR_DETAIL_FAILING_STORE_HPP

/// What a failing_backend of <weir/testing.hpp> is made of: a plan of failures, and the stores that
/// follow it.

#include <weir/clock.hpp>
#include <weir/handler.hpp>
#include <weir/storage.hpp>

#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace weir::detail {

/// When the calls to a backend fail, and how many there were.
class failure_plan {
public:
    void fail(std::int64_t calls, std::error_code with, bool applied) {
        const std::lock_guard lock{mutex_};
        left_ = calls;
        error_ = with;
        applied_ = applied;
    }

    [[nodiscard]] std::int64_t calls() const {
        const std::lock_guard lock{mutex_};
        return calls_;
    }

    /// Runs one call to the backend, or not, as the plan has it.
    template<class Call>
    auto run(std::error_code& ec, const Call& call) {
        const step now = next();
        using result = decltype(call());
        if (!now.error) {
            return call();
        }
        if (now.applied) {
            static_cast<void>(call());
        }
        ec = now.error;
        return result();
    }

    /// The same for a call that answers through `done`: `call` passes on the handler it is given.
    template<class Result, class Call>
    void run_async(handler<Result, std::error_code> done, const Call& call) {
        const step now = next();
        if (!now.error) {
            call(std::move(done));
        } else if (now.applied) {
            call([done = std::move(done), error = now.error](
                     const Result&, std::error_code) mutable { done(Result(), error); });
        } else {
            done(Result(), now.error);
        }
    }

private:
    struct step {
        std::error_code error;
        bool applied;
    };

    [[nodiscard]] step next() {
        const std::lock_guard lock{mutex_};
        ++calls_;
        if (left_ == 0) {
            return {};
        }
        --left_;
        return {error_, applied_};
    }

    mutable std::mutex mutex_;
    std::int64_t calls_ = 0;
    std::int64_t left_ = 0;
    std::error_code error_;
    bool applied_ = false;
};

/// The store of a failing_backend.
template<class Store, class V>
class failing_store {
public:
    using entry_handler = handler<found<V>, std::error_code>;
    using stored_handler = handler<bool, std::error_code>;

    failing_store(Store inside, std::shared_ptr<failure_plan> plan)
        : inside_{std::move(inside)}, plan_{std::move(plan)} {}

    found<V> get(std::string_view key, time_point now, std::error_code& ec) {
        return plan_->run(ec, [&] { return inside_.get(key, now, ec); });
    }
    void put(std::string_view key, value_ref<V> value, const lifetime& keep, time_point now,
             std::error_code& ec) {
        plan_->run(ec, [&] { inside_.put(key, value, keep, now, ec); });
    }
    bool add(std::string_view key, value_ref<V> value, const lifetime& keep, time_point now,
             std::error_code& ec) {
        return plan_->run(ec, [&] { return inside_.add(key, value, keep, now, ec); });
    }
    bool erase(std::string_view key, time_point now, std::error_code& ec) {
        return plan_->run(ec, [&] { return inside_.erase(key, now, ec); });
    }

    std::vector<found<V>> get_many(std::span<const std::string_view> keys, time_point now,
                                   std::error_code& ec) requires batch_store<Store, V> {
        return plan_->run(ec, [&] { return inside_.get_many(keys, now, ec); });
    }
    void get_async(std::string_view key, time_point now,
                   entry_handler done) noexcept requires async_store<Store, V> {
        plan_->run_async(std::move(done),
                         [&](entry_handler next) { inside_.get_async(key, now, std::move(next)); });
    }

    leased<V> get_or_lease(std::string_view key, time_point now,
                           std::error_code& ec) requires leasing_store<Store, V> {
        return plan_->run(ec, [&] { return inside_.get_or_lease(key, now, ec); });
    }
    bool put_if_leased(std::string_view key, value_ref<V> value, const lifetime& keep,
                       lease_token lease, time_point now,
                       std::error_code& ec) requires leasing_store<Store, V> {
        return plan_->run(ec,
                          [&] { return inside_.put_if_leased(key, value, keep, lease, now, ec); });
    }
    void release(std::string_view key, lease_token lease,
                 std::error_code& ec) requires leasing_store<Store, V> {
        plan_->run(ec, [&] { inside_.release(key, lease, ec); });
    }
    void put_if_leased_later(std::string_view key, value_ref<V> value, const lifetime& keep,
                             lease_token lease, time_point now,
                             stored_handler done) noexcept requires deferring_store<Store, V> {
        plan_->run_async(std::move(done), [&](stored_handler next) {
            inside_.put_if_leased_later(key, value, keep, lease, now, std::move(next));
        });
    }
    void release_later(std::string_view key,
                       lease_token lease) noexcept requires deferring_store<Store, V> {
        std::error_code unseen;
        plan_->run(unseen, [&] { inside_.release_later(key, lease); });
    }

    std::int64_t erase_matching(std::string_view glob, time_point now,
                                std::error_code& ec) requires matching_store<Store> {
        return plan_->run(ec, [&] { return inside_.erase_matching(glob, now, ec); });
    }
    void clear(time_point now, std::error_code& ec) requires matching_store<Store> {
        plan_->run(ec, [&] { inside_.clear(now, ec); });
    }

    std::shared_ptr<void> hosted(std::shared_ptr<void> (*make)()) requires hosting_store<Store> {
        return inside_.hosted(make);
    }

private:
    Store inside_;
    std::shared_ptr<failure_plan> plan_;
};

} // namespace weir::detail

#endif
