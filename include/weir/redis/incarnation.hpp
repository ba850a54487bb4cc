#ifndef WEIR_REDIS_INCARNATION_HPP
#define WEIR_REDIS_INCARNATION_HPP

#include <weir/clock.hpp>
#include <weir/detail/hash.hpp>
#include <weir/detail/name_registry.hpp>
#include <weir/error.hpp>
#include <weir/handler.hpp>
#include <weir/redis/client.hpp>
#include <weir/redis/core.hpp>
#include <weir/redis/fork.hpp>
#include <weir/redis/handler_context.hpp>
#include <weir/redis/request.hpp>
#include <weir/redis_options.hpp>

#include <atomic>
#include <chrono>
#include <concepts>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::detail::redis {

/// Numbers that nobody else draws: counted on from one that is drawn by chance, in an order that has
/// no neighbours.
class number_draws {
public:
    [[nodiscard]] std::uint64_t next() noexcept {
        return mix(first_ + count_.fetch_add(1, std::memory_order_relaxed));
    }

private:
    const std::uint64_t first_ = random_seed();
    std::atomic<std::uint64_t> count_{0};
};

/// The objects that caches of one name share.
class guest_list {
public:
    /// The object that caches called `name`, with values of the type that `type` stands for, share.
    [[nodiscard]] std::shared_ptr<void> get(std::string_view name, const void* type,
                                            std::shared_ptr<void> (*make)()) {
        const std::lock_guard lock{mutex_};
        for (const guest& g : guests_) {
            if (g.type == type && g.name == name) {
                return g.object;
            }
        }
        guests_.push_back({std::string{name}, type, make()});
        return guests_.back().object;
    }

private:
    struct guest {
        std::string name;
        const void* type;
        std::shared_ptr<void> object;
    };

    std::mutex mutex_;
    std::vector<guest> guests_;
};

/// A backend in one process: all of it that a child process must have anew, because it has threads,
/// locks and descriptors, or numbers that siblings draw as well.
class incarnation {
public:
    /// Throws std::system_error if there is no thread or no descriptor to be had.
    incarnation(const client_settings& settings, const executor& e)
        : handlers{std::make_shared<handler_context>(e, settings.errors)},
          client_{std::in_place, settings} {}

    /// One without a client: its calls fail with errc::unavailable, and handlers run at once where
    /// the user does not want them elsewhere.
    explicit incarnation(const executor& e)
        : handlers{std::make_shared<handler_context>(e ? e : executor{run_inline},
                                                     std::make_shared<error_log>())} {}

    const std::uint32_t process = fork_generation::current();
    const std::shared_ptr<handler_context> handlers;
    /// For leases.
    number_draws draws;
    limiter_names limiters;
    guest_list guests;

    [[nodiscard]] bool works() const noexcept { return client_.has_value(); }

    // As the client's.

    [[nodiscard]] result call(commands what) {
        return client_ ? client_->call(std::move(what)) : no_client();
    }

    template<std::invocable<result> F>
    void call_later(commands what, F& done) {
        if (client_) {
            client_->call_later(std::move(what), done);
        } else {
            done(no_client());
        }
    }

    void call_and_forget(commands what) noexcept {
        if (client_) {
            client_->call_and_forget(std::move(what));
        }
    }

    [[nodiscard]] bool wait_until_connected(std::chrono::nanoseconds most) {
        return client_ && client_->wait_until_connected(most);
    }

    [[nodiscard]] redis_stats stats() const { return client_ ? client_->stats() : redis_stats{}; }

    /// Only if it works, be it in another process.
    [[nodiscard]] time_point now() const noexcept { return client_->core().clock.now(); }

    /// In a child process, whose parent goes on using it: closes the child's copies of the
    /// descriptors, once.
    void abandon() noexcept {
        // Relaxed: what is closed is used by nobody here.
        if (!abandoned_.exchange(true, std::memory_order_relaxed)) {
            client_->close_descriptors();
        }
    }

private:
    [[nodiscard]] static result no_client() noexcept {
        return {make_error_code(errc::unavailable), {}};
    }

    std::optional<client> client_;
    std::atomic<bool> abandoned_{false};
};

} // namespace weir::detail::redis

#endif
