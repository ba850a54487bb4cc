#ifndef WEIR_REDIS_HANDLER_CONTEXT_HPP
#define WEIR_REDIS_HANDLER_CONTEXT_HPP

#include <weir/error.hpp>
#include <weir/handler.hpp>
#include <weir/redis/core.hpp>
#include <weir/redis/errors.hpp>
#include <weir/redis/handler_thread.hpp>
#include <weir/redis/reply.hpp>

#include <cstdint>
#include <exception>
#include <memory>
#include <new>
#include <system_error>
#include <utility>

namespace weir::detail::redis {

/// Where handlers run, and what they need there. They keep it alive, and not the backend, so that
/// the end of the last handle is the end of the client.
class handler_context {
public:
    handler_context(executor e, std::shared_ptr<error_log> errors)
        : errors_{std::move(errors)}, executor_{std::move(e)} {}

    /// Runs `task`, which must not throw, where the user wants handlers to run; here, where there is no
    /// memory or no thread for that, before it would not run at all.
    template<class F>
    void run(F task) noexcept {
        handler<> boxed;
        try {
            boxed = handler<>{std::move(task)};
        } catch (const std::bad_alloc&) {
            return task();
        }
        if (executor_) {
            return executor_(std::move(boxed)); // the user's: what it throws ends the program
        }
        try {
            own_thread_.run(std::move(boxed));
        } catch (const std::exception&) {
            boxed();
        }
    }

    /// The error that a reply stands for; keeps what the server said.
    [[nodiscard]] std::error_code error_of(const reply& r) const {
        if (!r.is_error()) {
            return make_error_code(errc::protocol_error); // a reply of another shape
        }
        errors_->note(r.text);
        return make_error_code(meaning_of(r));
    }

    /// The integer that a reply is; or what its error stands for.
    [[nodiscard]] std::int64_t integer(const reply& r, std::error_code& ec) const {
        if (!r.is(reply::kind::integer)) {
            ec = error_of(r);
            return 0;
        }
        return r.integer;
    }

private:
    const std::shared_ptr<error_log> errors_;
    const executor executor_;
    handler_thread own_thread_;
};

} // namespace weir::detail::redis

#endif
