#ifndef WEIR_REDIS_AWAITED_REQUEST_HPP
#define WEIR_REDIS_AWAITED_REQUEST_HPP

#include <weir/detail/futex.hpp>
#include <weir/error.hpp>
#include <weir/redis/reply.hpp>
#include <weir/redis/request.hpp>

#include <atomic>
#include <cstdint>
#include <system_error>
#include <utility>

namespace weir::detail::redis {

/// A request whose caller sleeps until it is completed, or its deadline is over.
///
///     queued --(begin)--> sent --(complete)--> done
///        \------------(complete)---------------^
///     queued, sent --(deadline)--> abandoned
///
/// Who comes second, `complete` or the deadline, disposes of the request. The exchange of the state is
/// acquire and release for both: what one did to the request is past for the other.
///
/// @tparam Word  std::atomic<std::uint32_t>, or what a model has in its place
template<class Word>
class basic_awaited_request final : public request {
public:
    using request::request;

    [[nodiscard]] bool begin() noexcept override {
        std::uint32_t was = queued;
        return state_.compare_exchange_strong(was, sent, std::memory_order_acq_rel) || was == sent;
    }

    void complete(std::error_code error) noexcept override {
        error_ = error;
        // Once the state is done the waiter may destroy the request; its address is all that is used.
        const Word* const state = &state_;
        if (state_.exchange(done, std::memory_order_acq_rel) == abandoned) {
            delete this;
        } else {
            futex_wake(state);
        }
    }

    /// Sleeps until it is completed or too late, and is gone then.
    [[nodiscard]] result wait() noexcept {
        std::uint32_t state = state_.load(std::memory_order_acquire);
        while (state != done) {
            if (!futex_wait(state_, state, deadline())) {
                state = state_.exchange(abandoned, std::memory_order_acq_rel);
                if (state != done) {
                    return {make_error_code(state == sent ? errc::timeout : errc::not_sent), {}};
                }
                break;
            }
            state = state_.load(std::memory_order_acquire);
        }
        result r{error_, std::move(replies())};
        delete this;
        return r;
    }

private:
    ~basic_awaited_request() = default;

    static constexpr std::uint32_t queued = 0;
    static constexpr std::uint32_t sent = 1;
    static constexpr std::uint32_t done = 2;
    static constexpr std::uint32_t abandoned = 3;

    Word state_{queued};
    std::error_code error_;
};

using awaited_request = basic_awaited_request<std::atomic<std::uint32_t>>;

} // namespace weir::detail::redis

#endif
