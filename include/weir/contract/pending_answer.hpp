#ifndef WEIR_CONTRACT_PENDING_ANSWER_HPP
#define WEIR_CONTRACT_PENDING_ANSWER_HPP

/// How the checks wait for the handler of an asynchronous call.

#include <weir/handler.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <system_error>
#include <utility>

namespace weir::contract {

/// The answer to one asynchronous call, whichever thread it comes on. That it comes at most once a
/// handler sees to itself; that it comes, `wait` does.
template<class Result>
class pending_answer {
public:
    /// A handler that gives this answer. To be taken once.
    [[nodiscard]] handler<Result, std::error_code> as_handler() {
        return [giver = std::make_unique<giver>(state_)](Result result, std::error_code ec) {
            giver->give(std::move(result), ec);
        };
    }

    /// The answer, once it is there; a failure of the test if it does not come.
    Result wait(const char* call) {
        std::unique_lock lock{state_->mutex};
        const bool over = state_->changed.wait_for(
            lock, patience, [&] { return state_->given || state_->dropped; });
        EXPECT_TRUE(over) << call << " did not call its handler";
        EXPECT_FALSE(state_->dropped) << call << " dropped its handler without calling it";
        return std::move(state_->result);
    }

    /// The answer to a call that must succeed.
    Result wait_for_success(const char* call) {
        Result result = wait(call);
        EXPECT_FALSE(state_->error) << call << " failed: " << state_->error.message();
        return result;
    }

private:
    /// For a machine that is busy with other things.
    static constexpr std::chrono::seconds patience{30};

    struct state {
        std::mutex mutex;
        std::condition_variable changed;
        bool given = false;
        bool dropped = false;
        Result result{};
        std::error_code error;
    };

    /// What a handler captures: tells if it goes without having been called.
    class giver {
    public:
        explicit giver(std::shared_ptr<state> s) : state_{std::move(s)} {}
        giver(const giver&) = delete;
        giver& operator=(const giver&) = delete;
        ~giver() {
            const std::lock_guard lock{state_->mutex};
            state_->dropped = !state_->given;
            state_->changed.notify_all();
        }

        void give(Result result, std::error_code ec) {
            const std::lock_guard lock{state_->mutex};
            state_->given = true;
            state_->result = std::move(result);
            state_->error = ec;
            state_->changed.notify_all();
        }

    private:
        std::shared_ptr<state> state_;
    };

    std::shared_ptr<state> state_ = std::make_shared<state>();
};

} // namespace weir::contract

#endif
