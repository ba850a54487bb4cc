#ifndef WEIR_REDIS_HEARTBEAT_HPP
#define WEIR_REDIS_HEARTBEAT_HPP

#include <weir/clock.hpp>
#include <weir/detail/hash.hpp>
#include <weir/error.hpp>
#include <weir/redis/commands.hpp>
#include <weir/redis/core.hpp>
#include <weir/redis/exchange.hpp>
#include <weir/redis/handshake.hpp>
#include <weir/redis/reply.hpp>
#include <weir/redis/request.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <new>
#include <optional>
#include <string>

namespace weir::detail::redis {

/// Asks the server for a number that it is told, and the time. The number must come back, or
/// replies have got out of step with their commands.
class heartbeat {
public:
    heartbeat(std::uint64_t number, steady_time now)
        : number_{std::to_string(number)}, sent_{now}, asked_{said(number_), now} {}

    /// For the connection that is asked about.
    [[nodiscard]] own_request& question() noexcept { return asked_; }
    [[nodiscard]] steady_time sent() const noexcept { return sent_; }

    // When the question is done:

    /// Whether the reply belongs to another command. A server that has not got round to serving
    /// answers with an error, and is alive.
    [[nodiscard]] bool out_of_step() {
        return !asked_.error() && !pong().is_error() && pong().text != number_;
    }
    /// What the server's clock showed, if it told.
    [[nodiscard]] std::optional<time_point> time() {
        return asked_.error() ? std::nullopt : read_time(asked_.replies()[1]);
    }

private:
    [[nodiscard]] static commands said(const std::string& number) {
        commands c;
        c.add("PING", number);
        c.add("TIME");
        return c;
    }

    [[nodiscard]] const reply& pong() { return asked_.replies()[0]; }

    std::string number_;
    steady_time sent_;
    own_request asked_;
};

/// One heartbeat at a time for each link, while the I/O thread holds that. Only for the I/O thread.
class heartbeats {
public:
    explicit heartbeats(client_core& core) noexcept : core_{core} {}

    /// Asks, unless the last question has no answer yet. Without memory it asks the next time.
    void ask(std::size_t i, steady_time now) noexcept {
        if (beats_[i]) {
            return;
        }
        try {
            beats_[i].emplace(mix(nonces_++), now);
            core_.links[i].pipe->push(&beats_[i]->question(), now);
            core_.links[i].flush();
        } catch (const std::bad_alloc&) {
            beats_[i].reset();
        }
    }

    /// Whether `r` is the question that is on its way on link `i`.
    [[nodiscard]] bool is_question(const request* r, std::size_t i) noexcept {
        return beats_[i] && &beats_[i]->question() == r;
    }

    /// Takes the answer, if it is there. The link may be broken then.
    void take_answer(std::size_t i) noexcept {
        if (!beats_[i] || !beats_[i]->question().done()) {
            return;
        }
        heartbeat& b = *beats_[i];
        if (b.out_of_step()) {
            core_.settings.errors->note("a reply does not belong to its command");
            core_.links[i].broken = make_error_code(errc::protocol_error);
        } else if (const auto time = b.time()) {
            core_.clock.sample(b.sent(), std::chrono::steady_clock::now(), *time);
        }
        beats_[i].reset();
    }

    /// The connection is gone, and its heartbeat ends with it.
    void give_up(std::size_t i) noexcept {
        if (beats_[i]) {
            core_.links[i].pipe->give_up(&beats_[i]->question());
            beats_[i].reset();
        }
    }

private:
    client_core& core_;
    std::array<std::optional<heartbeat>, most_links> beats_;
    std::uint64_t nonces_ = random_seed();
};

} // namespace weir::detail::redis

#endif
