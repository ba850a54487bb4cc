#ifndef WEIR_REDIS_COUNTER_CALLS_HPP
#define WEIR_REDIS_COUNTER_CALLS_HPP

#include <weir/clock.hpp>
#include <weir/counter_storage.hpp>
#include <weir/handler.hpp>
#include <weir/quota/step.hpp>
#include <weir/redis/backend_state.hpp>
#include <weir/redis/client.hpp>
#include <weir/redis/commands.hpp>
#include <weir/redis/counters.hpp>
#include <weir/redis/handler_context.hpp>
#include <weir/redis/incarnation.hpp>
#include <weir/redis/reply.hpp>

#include <memory>
#include <new>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>

namespace weir::detail::redis {

template<counter_step Step>
[[nodiscard]] typename Step::result_type answer_of(counter_question<Step>& question,
                                                   const result& r, const handler_context& handlers,
                                                   std::error_code& ec) {
    ec = r.error;
    if (ec) {
        return {};
    }
    const reply* wrong = nullptr;
    const auto answer = question.read(r.replies, wrong);
    if (wrong != nullptr) {
        ec = handlers.error_of(*wrong);
    }
    return answer;
}

/// Hands `send` what has to follow the answer. Where there is no memory for that, nothing: the server
/// has counted, so the answer is told all the same. If the key then really has no TTL, having been
/// evicted in the middle of its first take, nobody gives it one later, as when the connection ends just
/// here; it counts for its own window and for no other.
template<counter_step Step, class Send>
void follow(const counter_question<Step>& question, const Send& send) noexcept {
    try {
        if (std::optional<commands> more = question.afterwards()) {
            send(*std::move(more));
        }
    } catch (const std::bad_alloc&) {
    }
}

/// Applies `step` to a counter, and waits for the result.
template<counter_step Step>
[[nodiscard]] typename Step::result_type
update_counter(backend_state& backend, const counter_space& space, std::string_view key,
               const Step& step, time_point now, std::error_code& ec) {
    counter_question question{backend.prefix, space, key, step, now};
    incarnation& here = backend.here();
    const auto answer = answer_of(question, here.call(question.ask()), *here.handlers, ec);
    follow(question, [&](commands more) noexcept { here.call_and_forget(std::move(more)); });
    return answer;
}

/// What a counter's user is told, on whose executor.
template<counter_step Step>
struct counter_answer {
    using done_handler = handler<typename Step::result_type, std::error_code>;

    std::shared_ptr<handler_context> handlers;
    done_handler done;
    std::optional<counter_question<Step>> question{};

    void operator()(const result& r) noexcept {
        std::error_code ec;
        typename Step::result_type answer{};
        if (r.error) {
            ec = r.error;
        } else {
            answer = answer_of(*question, r, *handlers, ec);
            follow(*question, [](commands more) noexcept { client::follow_up(std::move(more)); });
        }
        handlers->run([done = std::move(done), answer, ec]() mutable { done(answer, ec); });
    }
};

/// The same without waiting: calls `done` exactly once.
template<counter_step Step>
void update_counter_later(backend_state& backend, const counter_space& space, std::string_view key,
                          const Step& step, time_point now,
                          typename counter_answer<Step>::done_handler done) noexcept {
    incarnation& here = backend.here();
    counter_answer<Step> finish{here.handlers, std::move(done)};
    try {
        finish.question.emplace(backend.prefix, space, key, step, now);
        commands what = finish.question->ask();
        here.call_later(std::move(what), finish);
    } catch (const std::bad_alloc&) {
        finish({std::make_error_code(std::errc::not_enough_memory), {}});
    }
}

} // namespace weir::detail::redis

#endif
