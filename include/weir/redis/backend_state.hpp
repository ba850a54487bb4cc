#ifndef WEIR_REDIS_BACKEND_STATE_HPP
#define WEIR_REDIS_BACKEND_STATE_HPP

/// What the copies of a `redis_backend`, and the stores that it opened, share.

#include <weir/clock.hpp>
#include <weir/error.hpp>
#include <weir/handler.hpp>
#include <weir/redis/client.hpp>
#include <weir/redis/core.hpp>
#include <weir/redis/fork.hpp>
#include <weir/redis/incarnation.hpp>
#include <weir/redis/key_names.hpp>
#include <weir/redis/reply.hpp>
#include <weir/redis/request.hpp>
#include <weir/redis/uri.hpp>
#include <weir/redis_options.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace weir::detail::redis {

/// Throws std::invalid_argument, naming the option, its value and the range, unless all are in it.
inline void validate(const redis_options& o) {
    const auto within = [](std::string_view name, auto value, auto least, auto most,
                           std::string_view unit, std::string_view range) {
        if (value < least || value > most) {
            throw std::invalid_argument{"weir::redis_options: " + std::string{name} + " is " +
                                        std::to_string(value) + std::string{unit} +
                                        "; it must be from " + std::string{range}};
        }
    };
    using namespace std::chrono_literals;
    const auto duration = [&](std::string_view name, std::chrono::nanoseconds value,
                              std::chrono::nanoseconds least, std::chrono::nanoseconds most,
                              std::string_view range) {
        within(name, value.count(), least.count(), most.count(), "ns", range);
    };
    duration("timeout", o.timeout, 1ms, 1min, "1ms to 1 minute");
    duration("connect_timeout", o.connect_timeout, 1ms, 1min, "1ms to 1 minute");
    duration("heartbeat", o.heartbeat, 10ms, 1h, "10ms to 1 hour");
    within("connections", o.connections, std::size_t{1}, most_links, "", "1 to 16");
    within("max_value_bytes", o.max_value_bytes, std::size_t{1}, std::size_t{512} << 20, "",
           "1 to 536870912");
    within("max_reply_bytes", o.max_reply_bytes, std::size_t{1} << 10, std::size_t{1} << 30, "",
           "1024 to 1073741824");
    if (o.max_value_bytes > o.max_reply_bytes) {
        throw std::invalid_argument{
            "weir::redis_options: max_value_bytes is " + std::to_string(o.max_value_bytes) +
            "; it must not exceed max_reply_bytes, which is " + std::to_string(o.max_reply_bytes) +
            ": what is stored must be readable"};
    }
    within("max_queued", o.max_queued, std::size_t{1}, std::size_t{1'000'000}, "", "1 to 1000000");
    validate_key_prefix("weir::redis_options: prefix", o.prefix);
    const bool nameable = std::all_of(o.client_name.begin(), o.client_name.end(),
                                      [](char c) { return c > ' ' && c < '\x7f'; });
    if (!nameable || o.client_name.size() > 64) {
        throw std::invalid_argument{"weir::redis_options: client_name is \"" + o.client_name +
                                    "\"; it must be at most 64 bytes of printable ASCII without "
                                    "spaces"};
    }
}

[[nodiscard]] inline client_settings settings_of(const redis_options& o) {
    validate(o);
    client_settings s;
    s.to = parse_redis_uri(o.uri);
    if (o.credentials) {
        s.logins = [source = o.credentials] {
            redis_credentials c = source();
            return login{std::move(c.user), std::move(c.password)};
        };
    }
    s.name = o.client_name;
    s.timeout = o.timeout;
    s.connect_timeout = o.connect_timeout;
    s.heartbeat = o.heartbeat;
    s.connections = o.connections;
    s.max_queued = o.max_queued;
    s.replies.bytes = o.max_reply_bytes;
    return s;
}

class backend_state {
public:
    explicit backend_state(const redis_options& options)
        : prefix{options.prefix},
          max_value_bytes{options.max_value_bytes},
          settings_{settings_of(options)},
          executor_{options.executor},
          current_{new incarnation{settings_, executor_}} {}

    backend_state(const backend_state&) = delete;
    backend_state& operator=(const backend_state&) = delete;

    ~backend_state() {
        incarnation* const mine = current_.load(std::memory_order_acquire);
        if (mine->process == fork_generation::current()) {
            delete mine;
        }
    }

    const std::string prefix;
    const std::size_t max_value_bytes;

    /// That of this process; one without a client, whose calls fail, while there are no descriptors or
    /// no threads for another. What a child process has of its parent's, threads that are not here and
    /// locks that may be held for ever, is left alone.
    [[nodiscard]] incarnation& here() noexcept {
        // Acquire: pairs with the release in renew().
        incarnation* const mine = current_.load(std::memory_order_acquire);
        if (mine->process != fork_generation::current()) [[unlikely]] {
            return renew(mine);
        }
        return *mine;
    }

    /// For what makes limiters and caches. Throws std::system_error if this process has no client.
    [[nodiscard]] incarnation& working() {
        incarnation& mine = here();
        if (!mine.works()) {
            throw std::system_error{make_error_code(errc::unavailable),
                                    "weir::redis_backend: no thread or descriptor after a fork"};
        }
        return mine;
    }

    [[nodiscard]] result call(commands c) { return here().call(std::move(c)); }

    [[nodiscard]] std::error_code error_of(const reply& r) { return here().handlers->error_of(r); }

    /// The server's time. A child's clock is its parent's until it has one of its own: all that is
    /// read of it is one atomic number.
    [[nodiscard]] time_point now() const noexcept {
        return current_.load(std::memory_order_acquire)->now();
    }

private:
    /// Takes the place of `known`, the parent's. Without a lock, which a fork could leave locked for
    /// ever in a child of this process; of threads that come here together one wins.
    [[nodiscard]] incarnation& renew(incarnation* known) noexcept {
        known->abandon(); // before: its descriptors may be those that are missing
        try {
            client_settings fresh = settings_;
            fresh.errors = std::make_shared<error_log>();
            auto mine = std::make_unique<incarnation>(fresh, executor_);
            // Release: pairs with the acquire in here().
            if (current_.compare_exchange_strong(known, mine.get(), std::memory_order_acq_rel)) {
                return *mine.release();
            }
            return *known;
        } catch (...) { // no memory, no descriptor, no thread
            return stranded_;
        }
    }

    const client_settings settings_;
    const executor executor_;
    /// In place of one that cannot be made.
    incarnation stranded_{executor_};
    std::atomic<incarnation*> current_; // the last: what is made after it could throw, and leak it
};

} // namespace weir::detail::redis

#endif
