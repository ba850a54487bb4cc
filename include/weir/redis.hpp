#ifndef WEIR_REDIS_HPP
#define WEIR_REDIS_HPP

/// `redis_backend`: limits and cached values in a Redis or Valkey server, which all processes that
/// use it share. Needs hiredis (target weir::redis), of which it uses the parser.
///
///     weir::redis_backend redis{"redis://127.0.0.1:6379/0"};
///     weir::rate_limiter limiter{redis, weir::per_minute(20), weir::on_failure::allow};
///     weir::cache<std::string> pages{redis, "page", {.ttl = 5min}};

#include <weir/clock.hpp>
#include <weir/counter_storage.hpp>
#include <weir/decision.hpp>
#include <weir/error.hpp>
#include <weir/handler.hpp>
#include <weir/quota/step.hpp>
#include <weir/redis/backend_state.hpp>
#include <weir/redis/counter_calls.hpp>
#include <weir/redis/counters.hpp>
#include <weir/redis/values.hpp>
#include <weir/redis_options.hpp>
#include <weir/storage.hpp>

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace weir {

/// A backend on a Redis or Valkey server, 7.0 or later: a handle whose copies refer to one client, with
/// a few connections and one thread.
///
/// **Time** is the server's, sampled when a connection is made and with every heartbeat; windows are
/// named by it, so that processes agree. Until the first connection it is this host's.
///
/// **Failures.** A call takes at most `redis_options::timeout` and reports an error then; nothing on
/// the request path throws. While the server cannot be reached calls fail at once, and a connection
/// is tried again after up to half a second. A command that may have been applied is not sent again,
/// unless it only reads. `may_have_been_applied(error)` tells the two kinds of errors apart.
///
/// **Keys.** A value is a plain string under `<prefix><cache>:<key>`, with the bytes of its codec and
/// a TTL: other programs can GET it, and SET one with a TTL. They invalidate by `DEL
/// {<prefix><cache>:<key>}:lease <prefix><cache>:<key>`. See <weir/redis/key_names.hpp> for the
/// spelling of keys and <weir/redis/value_format.hpp> for what begins with a byte below 0x09.
/// `erase_matching` and `clear` search the whole database.
///
/// **Limits.** Windows from 1 s. `cache_options::capacity` and `max_bytes` mean nothing here: bound
/// the server (maxmemory). Values of different types under one name are not noticed.
///
/// Thread safety: everything may be called from many threads at once.
///
/// **Fork.** The child may use the backend, over connections and a thread of its own, which its first
/// call makes; the parent's are left alone. While they cannot be made, for want of descriptors or
/// threads, calls fail with errc::unavailable, and making a cache, or a limiter with a name, throws
/// std::system_error. Limiters and caches that were made before the fork may be used in the child if
/// at the fork no other thread was in a call on them and no asynchronous call was under way, whose
/// handler is called in the parent only. Else make them anew there, on the same backend, and leave
/// the old ones alone.
class redis_backend {
public:
    /// Throws std::invalid_argument, naming the part or option and its range; std::system_error if
    /// there is no thread or descriptor to be had. Does not wait for the server.
    explicit redis_backend(const redis_options& options)
        : state_{std::make_shared<detail::redis::backend_state>(options)} {}

    explicit redis_backend(std::string_view uri) : redis_backend{with(uri)} {}

    /// The server's time since the Unix epoch; this host's before the first connection. Asks nobody,
    /// never blocks. Off by at most `stats().clock_error` and what two clocks drift apart in the time
    /// since; when that is corrected, a reading may be earlier than one before.
    [[nodiscard]] time_point now() const noexcept { return state_->now(); }

    /// Waits until there is a connection, and answers whether there is one: for the start of a service
    /// that wants to begin with the server's time and a working limit.
    ///
    /// @param most  how long; zero or less: only looks
    /// @returns     false if there is none by then (`stats().last_error` says why); at once on the
    ///              thread that reads the replies, which would have to make it, and in a child process
    ///              that cannot have connections
    ///
    /// Any number of threads may wait.
    bool wait_until_connected(std::chrono::nanoseconds most = std::chrono::seconds{1}) const {
        return state_->here().wait_until_connected(most);
    }

    /// What the backend did so far in this process: totals since it was made or, in a child, since its
    /// first call there. All copies have the same. Never waits for the server; the numbers are
    /// collected while calls go on, so that they may not fit each other by the calls of a moment.
    /// Throws std::bad_alloc.
    [[nodiscard]] redis_stats stats() const { return state_->here().stats(); }

    // The counter half of the storage concept.

    template<counter_step Step>
    typename Step::result_type update(const counter_space& space, std::string_view key,
                                      const Step& step, time_point now, std::error_code& ec) const {
        explain_quota<typename Step::quota_type>();
        return detail::redis::update_counter(*state_, space, key, step, now, ec);
    }

    template<counter_step Step>
    void update_async(const counter_space& space, std::string_view key, const Step& step,
                      time_point now,
                      handler<typename Step::result_type, std::error_code> done) const noexcept {
        explain_quota<typename Step::quota_type>();
        detail::redis::update_counter_later(*state_, space, key, step, now, std::move(done));
    }

    /// Called by limiters with a name when they are made: `shape` is the algorithm and the length of
    /// the window. A name has one shape in each process, and keeps it as long as the backend; other
    /// processes are not asked.
    ///
    /// Throws std::invalid_argument if `name` has another shape, and std::system_error
    /// (errc::unavailable) in a child process that cannot have a thread or descriptor.
    void register_limiter(std::string_view name, std::string_view shape) const {
        state_->working().limiters.claim(name, shape);
    }

    /// Throws std::invalid_argument for windows shorter than 1 s.
    template<quota Quota>
    void validate_quota(const Quota& q) const {
        explain_quota<Quota>();
        detail::redis::counter_form<Quota>::validate(q);
    }

    template<quota Quota>
    [[nodiscard]] bool counts(const Quota& q) const noexcept {
        explain_quota<Quota>();
        return detail::redis::counter_form<Quota>::accepts(q);
    }

    // The value half.

    template<class Value>
    [[nodiscard]] detail::redis::redis_store<Value> values(std::string_view name,
                                                           const store_options& options) const {
        return {state_, name, options};
    }

private:
    [[nodiscard]] static redis_options with(std::string_view uri) {
        redis_options o;
        o.uri = uri;
        return o;
    }

    template<class Quota>
    static consteval void explain_quota() {
        static_assert(detail::redis::countable<Quota>,
                      "weir: a redis_backend does not know how to count this quota");
    }

    std::shared_ptr<detail::redis::backend_state> state_;
};

} // namespace weir

#endif
