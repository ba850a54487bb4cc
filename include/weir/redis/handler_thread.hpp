#ifndef WEIR_REDIS_HANDLER_THREAD_HPP
#define WEIR_REDIS_HANDLER_THREAD_HPP

#include <weir/handler.hpp>
#include <weir/redis/signals.hpp>

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

namespace weir::detail::redis {

/// A thread that runs handlers one after the other, for users who name no executor: a handler that
/// takes its time then delays other handlers, and never a reply. Started by the first task.
///
/// It blocks the signals that are sent to the process; so does what a handler starts there.
///
/// Destroyed, it runs what is left before the destructor returns; or soon after, if that runs on the
/// thread itself.
class handler_thread {
public:
    handler_thread() = default;
    handler_thread(const handler_thread&) = delete;
    handler_thread& operator=(const handler_thread&) = delete;

    ~handler_thread() {
        {
            const std::lock_guard lock{state_->mutex};
            state_->ending = true;
        }
        state_->changed.notify_one();
        if (thread_.get_id() == std::this_thread::get_id()) {
            thread_.detach();
        } else if (thread_.joinable()) {
            thread_.join();
        }
    }

    /// Throws std::bad_alloc, and std::system_error if there is no thread to be had, and then leaves
    /// `task` as it was.
    void run(handler<>&& task) {
        {
            const std::lock_guard lock{state_->mutex};
            if (!thread_.joinable()) {
                thread_ = std::thread{serve, state_};
            }
            state_->tasks.emplace_back();
            state_->tasks.back() = std::move(task);
        }
        state_->changed.notify_one();
    }

private:
    struct state {
        std::mutex mutex;
        std::condition_variable changed;
        std::deque<handler<>> tasks;
        bool ending = false;
    };

    static void serve(const std::shared_ptr<state>& s) {
        block_asynchronous_signals();
        std::unique_lock lock{s->mutex};
        while (true) {
            s->changed.wait(lock, [&] { return s->ending || !s->tasks.empty(); });
            if (s->tasks.empty()) {
                return;
            }
            std::deque<handler<>> tasks = std::exchange(s->tasks, {});
            lock.unlock();
            for (handler<>& task : tasks) {
                task();
            }
            tasks.clear();
            lock.lock();
        }
    }

    const std::shared_ptr<state> state_ = std::make_shared<state>();
    std::thread thread_;
};

} // namespace weir::detail::redis

#endif
