#ifndef WEIR_TESTS_SUPPORT_QUEUED_BACKEND_HPP
#define WEIR_TESTS_SUPPORT_QUEUED_BACKEND_HPP

/// A backend in memory whose stores defer: what nobody waits for is queued, and applied by a thread of
/// the store's or by whoever asks next. For many threads.

#include <weir/handler.hpp>
#include <weir/memory.hpp>
#include <weir/storage.hpp>

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>

namespace weir_tests {

template<class Store, class V>
class queued_store {
public:
    explicit queued_store(Store inside) : inside_{std::move(inside)} {}

    weir::found<V> get(std::string_view key, weir::time_point now, std::error_code& ec) {
        queue_->apply();
        return inside_.get(key, now, ec);
    }
    void put(std::string_view key, weir::value_ref<V> value, const weir::lifetime& keep,
             weir::time_point now, std::error_code& ec) {
        queue_->apply();
        inside_.put(key, std::move(value), keep, now, ec);
    }
    bool add(std::string_view key, weir::value_ref<V> value, const weir::lifetime& keep,
             weir::time_point now, std::error_code& ec) {
        queue_->apply();
        return inside_.add(key, std::move(value), keep, now, ec);
    }
    bool erase(std::string_view key, weir::time_point now, std::error_code& ec) {
        queue_->apply();
        return inside_.erase(key, now, ec);
    }
    weir::leased<V> get_or_lease(std::string_view key, weir::time_point now, std::error_code& ec) {
        queue_->apply();
        return inside_.get_or_lease(key, now, ec);
    }
    bool put_if_leased(std::string_view key, weir::value_ref<V> value, const weir::lifetime& keep,
                       weir::lease_token lease, weir::time_point now, std::error_code& ec) {
        queue_->apply();
        return inside_.put_if_leased(key, std::move(value), keep, lease, now, ec);
    }
    void release(std::string_view key, weir::lease_token lease, std::error_code& ec) {
        queue_->apply();
        inside_.release(key, lease, ec);
    }

    void put_if_leased_later(std::string_view key, weir::value_ref<V> value,
                             const weir::lifetime& keep, weir::lease_token lease,
                             weir::time_point now,
                             weir::handler<bool, std::error_code> done) noexcept {
        queue_->push([inside = inside_, kept = std::string{key}, value = std::move(value), keep,
                      lease, now, done = std::move(done)]() mutable {
            std::error_code ec;
            const bool stored = inside.put_if_leased(kept, std::move(value), keep, lease, now, ec);
            done(stored, ec);
        });
    }
    void release_later(std::string_view key, weir::lease_token lease) noexcept {
        queue_->push([inside = inside_, kept = std::string{key}, lease] {
            std::error_code ec;
            inside.release(kept, lease, ec);
        });
    }

private:
    /// In one order, applied by a thread of its own, or by whoever comes first: nobody who calls
    /// `apply` goes on before what was pushed earlier is done.
    class queue {
    public:
        queue() = default;
        queue(const queue&) = delete;
        queue& operator=(const queue&) = delete;
        ~queue() {
            {
                const std::lock_guard lock{mutex_};
                over_ = true;
            }
            changed_.notify_one();
            worker_.join();
        }

        void push(weir::handler<> task) {
            {
                const std::lock_guard lock{mutex_};
                tasks_.push_back(std::move(task));
            }
            changed_.notify_one();
        }
        void apply() {
            const std::lock_guard lock{mutex_};
            apply_locked();
        }

    private:
        void apply_locked() {
            while (!tasks_.empty()) {
                weir::handler<> next = std::move(tasks_.front());
                tasks_.pop_front();
                next();
            }
        }
        void work() {
            std::unique_lock lock{mutex_};
            do {
                changed_.wait(lock, [this] { return over_ || !tasks_.empty(); });
                apply_locked();
            } while (!over_);
        }

        std::mutex mutex_;
        std::condition_variable changed_;
        std::deque<weir::handler<>> tasks_;
        bool over_ = false;
        std::thread worker_{[this] { work(); }};
    };

    Store inside_;
    std::shared_ptr<queue> queue_ = std::make_shared<queue>();
};

/// Each opening of a name has a queue of its own: for one cache per name, and its copies.
template<weir::clock_source Clock = weir::real_clock>
class queued_backend {
public:
    explicit queued_backend(Clock clock = {}) : inside_{std::move(clock)} {}

    [[nodiscard]] weir::time_point now() const noexcept { return inside_.now(); }

    template<class V>
    auto values(std::string_view name, const weir::store_options& options) {
        using store = weir::store_of<weir::basic_memory_backend<Clock>, V>;
        return queued_store<store, V>{inside_.template values<V>(name, options)};
    }

private:
    weir::basic_memory_backend<Clock> inside_;
};

} // namespace weir_tests

#endif
