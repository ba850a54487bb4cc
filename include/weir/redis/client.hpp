#ifndef WEIR_REDIS_CLIENT_HPP
#define WEIR_REDIS_CLIENT_HPP

/// The client: commands go in, replies come out, over a few connections to one server that all
/// callers share. It knows neither limiters nor caches.
///
/// A caller who finds a connection idle borrows it, and sends and receives on it himself; nobody else
/// is involved. A caller who finds none, or whose fellows are many, leaves his request to the I/O
/// thread and sleeps until the reply is there; so do callers who want to be called back. What many
/// leave at one time travels in one write; and where they are so many, and replies so quick, that the
/// processors are the bottleneck, requests gather until the next replies are there (gathering.hpp).
///
/// Completion is a callback; a waiting call is one whose callback wakes the caller.

#include <weir/error.hpp>
#include <weir/redis/awaited_request.hpp>
#include <weir/redis/core.hpp>
#include <weir/redis/io_loop.hpp>
#include <weir/redis/request.hpp>
#include <weir/redis/signals.hpp>
#include <weir/redis_options.hpp>

#include <atomic>
#include <chrono>
#include <concepts>
#include <cstdint>
#include <memory>
#include <new>
#include <system_error>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

namespace weir::detail::redis {

/// A request with a callback.
template<class F>
class callback_request final : public request {
public:
    callback_request(commands what, steady_time deadline, F& call)
        : request{std::move(what), deadline}, call_{std::move(call)} {}

    [[nodiscard]] bool expires() const noexcept override { return true; }

    void complete(std::error_code error) noexcept override {
        call_(result{error, std::move(replies())});
        delete this;
    }

private:
    ~callback_request() = default;

    F call_;
};

/// Everything may be called by many threads at once. Destroyed, it completes with errc::closed what
/// is on its way, before the destructor returns, or soon after if that runs on the I/O thread.
class client {
public:
    /// Does not wait for the server. Throws std::system_error if there is no thread or no descriptor
    /// to be had.
    explicit client(client_settings settings)
        : core_{std::make_shared<client_core>(std::move(settings))}, thread_{serve, core_} {}

    client(const client&) = delete;
    client& operator=(const client&) = delete;

    ~client() {
        if (core_->meeting.close()) {
            core_->ring();
        }
        if (on_io_thread()) {
            thread_.detach(); // it ends soon, and takes the core with it
        } else {
            thread_.join();
        }
    }

    /// Sends commands and waits for their replies, at most for the timeout. Throws std::bad_alloc only
    /// if nothing was sent.
    [[nodiscard]] result call(commands what) {
        if (on_io_thread()) {
            return {make_error_code(errc::would_deadlock), {}};
        }
        const in_call here{core_->callers};
        const steady_time now = std::chrono::steady_clock::now();
        const steady_time deadline = now + core_->settings.timeout;
        if (here.count <= core_->settings.connections) {
            own_request mine{std::move(what), deadline}; // before a link is held, as it may throw
            const exchange::borrowed b = core_->meeting.borrow(mine.what().order);
            if (b.refused) {
                return {b.refused, {}};
            }
            if (b.link != no_link && call_on(b, mine, now, here.count == 1)) {
                return {mine.error(), std::move(mine.replies())};
            }
            what = mine.take_commands();
        }
        return call_through_io_thread(std::move(what), deadline);
    }

    /// Sends commands and calls `done` with their result, or with an error when the timeout is over:
    /// exactly once, on the I/O thread; on the calling thread only while the client is destroyed.
    /// `done` must not throw. It is moved from, unless this throws std::bad_alloc.
    template<std::invocable<result> F>
    void call_later(commands what, F& done) {
        // `done` may be called, and the client end with it, before there is a return from here.
        const std::shared_ptr<client_core> core = core_;
        send_later(*core, std::move(what), done);
    }

    /// Sends commands whose replies nobody waits for. Where there is no memory for that, nothing.
    void call_and_forget(commands what) noexcept { forget(*core_, std::move(what)); }

    /// The same for what a callback finds to do: over the client that runs it, if that still works.
    static void follow_up(commands what) noexcept {
        if (serving() != nullptr) {
            forget(*serving(), std::move(what));
        }
    }

    /// Waits until there is a connection, at most for `most`. Not on the I/O thread.
    [[nodiscard]] bool wait_until_connected(std::chrono::nanoseconds most) {
        const steady_time now = std::chrono::steady_clock::now();
        const steady_time end = most < steady_time::max() - now ? now + most : steady_time::max();
        return !on_io_thread() && core_->connections.wait_for_one(end);
    }

    [[nodiscard]] redis_stats stats() const {
        const auto count = [&](auto which) { return core_->counters.sum(which); };
        redis_stats s;
        s.own_calls = count(client_core::own_calls);
        s.shared_calls = count(client_core::shared_calls);
        s.timeouts = count(client_core::timeouts);
        s.connections = core_->connections.now();
        s.connections_made = count(client_core::connections_made);
        s.connections_lost = count(client_core::connections_lost);
        s.system_calls = count(client_core::system_calls);
        s.clock_error = core_->clock.error();
        s.last_error = core_->settings.errors->last();
        return s;
    }

    /// In a child process, whose parent goes on using this client: closes the child's copies of the
    /// descriptors and leaves everything else as it is.
    void close_descriptors() noexcept {
        for (link& l : core_->links) {
            l.transport.close();
        }
        core_->events.close();
        core_->bell->close();
    }

    [[nodiscard]] const client_core& core() const noexcept { return *core_; }
    [[nodiscard]] client_core& core() noexcept { return *core_; }

private:
    /// A caller in a call.
    struct in_call {
        explicit in_call(std::atomic<std::uint32_t>& all)
            // Relaxed: a number to guess by, how many share the server at this moment.
            : callers{all}, count{all.fetch_add(1, std::memory_order_relaxed) + 1} {}
        in_call(const in_call&) = delete;
        in_call& operator=(const in_call&) = delete;
        ~in_call() { callers.fetch_sub(1, std::memory_order_relaxed); }

        std::atomic<std::uint32_t>& callers;
        const std::uint32_t count;
    };

    /// How long a caller who is alone looks for his reply before he goes to sleep: about what it
    /// takes to be put to sleep and woken, which is most of a round trip to a server nearby.
    static constexpr std::chrono::nanoseconds spin = std::chrono::microseconds{50};

    /// Which client's I/O thread this is.
    [[nodiscard]] static client_core*& serving() noexcept {
        thread_local client_core* mine = nullptr;
        return mine;
    }

    [[nodiscard]] bool on_io_thread() const noexcept { return serving() == core_.get(); }

    static void serve(const std::shared_ptr<client_core>& core) {
        block_asynchronous_signals();
        serving() = core.get();
        io_loop{*core}.run();
    }

    template<class F>
    static void send_later(client_core& core, commands what, F& done) {
        static_assert(std::is_nothrow_move_constructible_v<F>);
        const steady_time deadline = std::chrono::steady_clock::now() + core.settings.timeout;
        request* const r = new callback_request<F>{std::move(what), deadline, done};
        core.counters.add(client_core::shared_calls);
        exchange::posted p = core.meeting.post(r);
        if (p.refused) {
            r->refused = p.refused;
            const exchange::passed passed = core.meeting.pass_on(r);
            if (!passed.taken) {
                return r->complete(p.refused);
            }
            p.wake = passed.wake;
        }
        if (p.wake) {
            core.ring();
        }
    }

    static void forget(client_core& core, commands what) noexcept {
        auto nobody = [](const result&) {};
        try {
            send_later(core, std::move(what), nobody);
        } catch (const std::bad_alloc&) {
            // It would have been nice to have.
        }
    }

    /// True if the request is completed; false if it has to be sent on another link.
    bool call_on(const exchange::borrowed& b, own_request& mine, steady_time now, bool alone) {
        link& l = core_->links[b.link];
        if (b.was_lent) {
            core_->events.change(l.transport.poll_descriptor(), client_core::unattended, l.tag);
        }
        link::outcome outcome{};
        try {
            outcome = l.run(mine, now, core_->settings.longest_wait(),
                            alone ? spin : std::chrono::nanoseconds{0});
        } catch (const std::bad_alloc&) {
            // There was no room for the commands, and the link is as it was.
            if (core_->meeting.give_back(b.link, false, 0)) {
                core_->ring();
            }
            throw;
        }
        const bool late = outcome == link::outcome::too_late;
        core_->counters.add(client_core::own_calls);
        core_->counters.add(client_core::system_calls, l.take_calls());
        const bool left = late || l.broken;
        if (core_->meeting.give_back(b.link, left, late ? mine.what().order : 0)) {
            core_->ring();
        }
        if (late || outcome == link::outcome::not_sent) {
            core_->counters.add(client_core::timeouts);
            mine.complete(make_error_code(late ? errc::timeout : errc::not_sent));
        }
        return mine.done();
    }

    [[nodiscard]] result call_through_io_thread(commands what, steady_time deadline) {
        core_->counters.add(client_core::shared_calls);
        auto* const r = new awaited_request{std::move(what), deadline};
        const exchange::posted p = core_->meeting.post(r);
        if (p.refused) {
            r->complete(p.refused);
        } else if (p.wake) {
            core_->ring();
        }
        result answer = r->wait();
        if (answer.error == errc::timeout || answer.error == errc::not_sent) {
            core_->counters.add(client_core::timeouts);
        }
        return answer;
    }

    std::shared_ptr<client_core> core_;
    std::thread thread_;
};

} // namespace weir::detail::redis

#endif
