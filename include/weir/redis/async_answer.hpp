#ifndef WEIR_REDIS_ASYNC_ANSWER_HPP
#define WEIR_REDIS_ASYNC_ANSWER_HPP

#include <weir/clock.hpp>
#include <weir/error.hpp>
#include <weir/handler.hpp>
#include <weir/redis/backend_state.hpp>
#include <weir/redis/client.hpp>
#include <weir/redis/commands.hpp>
#include <weir/redis/reply.hpp>
#include <weir/redis/store_identity.hpp>
#include <weir/redis/value_transfer.hpp>
#include <weir/value_storage.hpp>

#include <memory>
#include <new>
#include <optional>
#include <span>
#include <system_error>
#include <utility>

namespace weir::detail::redis {

/// What becomes of the replies to a get that nobody waits for.
template<class V>
struct async_answer {
    std::shared_ptr<store_identity> store;
    std::shared_ptr<handler_context> handlers;
    time_point now;
    handler<found<V>, std::error_code> done;
    /// To be sent if the value has no TTL.
    std::optional<commands> expiry;

    void operator()(result r) noexcept {
        if (expiry && !r.error && r.replies[0].is(reply::kind::integer) &&
            r.replies[0].integer == -1) {
            client::follow_up(*std::move(expiry));
        }
        // Decoding takes its time, so it is not done on the thread that serves all.
        handlers->run([store = std::move(store), handlers = handlers, now = now,
                       done = std::move(done), r = std::move(r)]() mutable {
            std::error_code ec = r.error;
            found<V> entry;
            if (!ec) {
                entry = read(r.replies, *store, *handlers, now, ec);
            }
            done(std::move(entry), ec);
        });
    }

    [[nodiscard]] static found<V> read(std::span<const reply> replies, store_identity& store,
                                       const handler_context& handlers, time_point now,
                                       std::error_code& ec) {
        const reply* wrong = nullptr;
        try {
            auto read = value_transfer<V>::read(replies, store, now, wrong);
            if (wrong != nullptr) {
                ec = handlers.error_of(*wrong);
            }
            return std::move(read.entry);
        } catch (const std::bad_alloc&) {
            ec = std::make_error_code(std::errc::not_enough_memory);
        } catch (...) {
            ec = make_error_code(errc::unavailable); // the value's own refusal to be moved
        }
        return {};
    }
};

} // namespace weir::detail::redis

#endif
