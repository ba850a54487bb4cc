#ifndef WEIR_REDIS_CONNECTOR_HPP
#define WEIR_REDIS_CONNECTOR_HPP

/// How a connection comes about: addresses and credentials, every address in turn, the handshake; and
/// after a failure, when to try again.

#include <weir/detail/hash.hpp>
#include <weir/error.hpp>
#include <weir/redis/core.hpp>
#include <weir/redis/handshake.hpp>
#include <weir/redis/pipeline.hpp>
#include <weir/redis/preparation.hpp>
#include <weir/redis/request.hpp>
#include <weir/redis/socket.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

namespace weir::detail::redis {

/// Makes one connection at a time. Only for the I/O thread.
class connector {
public:
    using nanoseconds = std::chrono::nanoseconds;

    explicit connector(client_core& core)
        : core_{core}, preparation_{core.settings.to, core.settings.logins, core.bell} {}

    struct connection {
        socket transport;
        std::unique_ptr<pipeline> pipe;
    };

    struct failure {
        std::error_code error;
        std::string text;
    };

    /// Begins, unless a connection is being made or it is too early.
    void want(steady_time now) {
        if (at_ == phase::resting && now >= retry_at_) {
            at_ = phase::preparing;
            since_ = now;
            preparation_.begin();
        }
    }

    [[nodiscard]] bool at_work() const noexcept { return at_ != phase::resting; }
    [[nodiscard]] steady_time retry_at() const noexcept { return retry_at_; }

    /// Goes on as far as it can, and looks at the time.
    void proceed(steady_time now) {
        now_ = now;
        if (at_ == phase::preparing) {
            if (std::optional<prepared> p = preparation_.take()) {
                begin_with(std::move(*p));
            } else if (is_late()) {
                go_on_unprepared();
            }
        } else if (at_work() && is_late()) {
            next_address("no answer within the connect_timeout");
        }
    }

    /// Something happened to its descriptor.
    void handle(std::uint32_t events, steady_time now) {
        now_ = now;
        if (at_ == phase::connecting) {
            if (const std::error_code error = transport_.connected()) {
                return next_address("cannot connect: " + error.message());
            }
            greet();
        } else if (at_ == phase::greeting) {
            if ((events & ~std::uint32_t{EPOLLOUT}) != 0) {
                read_greeting();
            } else {
                write_greeting();
            }
        }
    }

    /// Tells events of its descriptor from others.
    [[nodiscard]] std::uint64_t tag() const noexcept { return first_tag + attempts_; }
    static constexpr std::uint64_t first_tag = std::uint64_t{1} << 63;

    /// What has become of it, once.
    [[nodiscard]] std::optional<connection> take_connection() {
        return std::exchange(made_, std::nullopt);
    }
    [[nodiscard]] std::optional<failure> take_failure() {
        return std::exchange(failed_, std::nullopt);
    }

    /// The connections that it makes last: after a failure there is no need to be careful.
    void trust() noexcept { failures_ = 0; }

    /// Gives the attempt up, without a word about it: there was no memory.
    void give_up(steady_time now) noexcept {
        hang_up();
        at_ = phase::resting;
        hold_back(now);
        failed_ = failure{make_error_code(errc::unavailable), {}};
    }

    /// A connection was lost soon after it was made.
    void hold_back(steady_time now) noexcept {
        // Full jitter, so that not all who lost the server come back at one moment. Source: Marc
        // Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog 2015.
        constexpr nanoseconds first = std::chrono::milliseconds{20};
        constexpr nanoseconds most = std::chrono::milliseconds{500};
        const nanoseconds span = std::min(most, first * (1 << std::min(failures_, 10U)));
        ++failures_;
        draws_ = mix(draws_);
        retry_at_ = now + nanoseconds{static_cast<std::int64_t>(
                              draws_ % static_cast<std::uint64_t>(span.count()))};
    }

private:
    enum class phase : std::uint8_t { resting, preparing, connecting, greeting };

    [[nodiscard]] bool is_late() const noexcept {
        return now_ - since_ > core_.settings.connect_timeout;
    }

    /// Whoever answers takes his time. Nobody can stop him, so it goes on waiting where it must; but it
    /// says so, each time that it waited so long, because meanwhile there are no prospects.
    void go_on_unprepared() {
        if (std::optional<prepared> p = preparation_.take_last()) {
            return begin_with(std::move(*p));
        }
        since_ = now_;
        failed_ = failure{make_error_code(errc::unavailable),
                          "no address or no credentials within the connect_timeout"};
    }

    void begin_with(prepared&& p) {
        with_ = std::move(p);
        next_endpoint_ = 0;
        if (!with_.who) {
            return fail(make_error_code(errc::unavailable), with_.failure);
        }
        next_address(with_.where.failure);
    }

    /// Not by closing alone: where a process forked from this one keeps a copy of the descriptor, its
    /// events would go on.
    void hang_up() noexcept {
        if (transport_.is_open()) {
            core_.events.remove(transport_.poll_descriptor());
            transport_.close();
        }
    }

    /// Tries the next address; there is none if it failed for `why` the last time.
    void next_address(const std::string& why) {
        hang_up();
        if (next_endpoint_ == with_.where.endpoints.size()) {
            return fail(make_error_code(errc::unavailable), why);
        }
        const endpoint& to = with_.where.endpoints[next_endpoint_++];
        if (const std::error_code error = transport_.connect(to, core_.settings.sockets())) {
            return next_address("cannot connect: " + error.message());
        }
        ++attempts_;
        at_ = phase::connecting;
        since_ = now_;
        core_.events.add(transport_.poll_descriptor(), EPOLLOUT, tag());
    }

    void greet() {
        at_ = phase::greeting;
        handshake_.emplace(introduction{with_.who->user, with_.who->password, core_.settings.to.db,
                                        core_.settings.name});
        greeting_ = std::make_unique<own_request>(handshake_->said(), now_);
        pipe_ = std::make_unique<pipeline>(core_.settings.replies);
        pipe_->push(greeting_.get(), now_);
        greeted_at_ = now_;
        write_greeting();
    }

    void write_greeting() {
        const transfer t = transport_.send(pipe_->unwritten());
        if (t.closed()) {
            return next_address("the server hung up");
        }
        pipe_->wrote(t.bytes);
        core_.events.change(transport_.poll_descriptor(),
                            pipe_->unwritten().empty() ? EPOLLIN : EPOLLIN | EPOLLOUT, tag());
    }

    void read_greeting() {
        std::array<char, 4096> buffer; // NOLINT: written before it is read
        const transfer t = transport_.receive(buffer.data(), buffer.size(), false);
        std::error_code broken;
        if (t.done()) {
            broken = pipe_->read({buffer.data(), t.bytes}, [](std::uint64_t) {});
        }
        if (broken) {
            judge("what answers there is no Redis server");
        } else if (t.closed()) {
            judge("the server hung up");
        } else if (greeting_->done()) {
            judge({});
        }
    }

    /// @param end  why the connection has ended; empty if it has not
    void judge(const std::string& end) {
        const handshake::verdict v = handshake_->judge(greeting_->replies());
        if (v.error && v.error != make_error_code(errc::unavailable)) {
            return fail(v.error, v.text);
        }
        if (v.error || !end.empty()) {
            return next_address(end);
        }
        if (v.time) {
            core_.clock.sample(greeted_at_, std::chrono::steady_clock::now(), *v.time);
        }
        made_ = connection{std::move(transport_), std::move(pipe_)};
        at_ = phase::resting;
    }

    void fail(std::error_code error, const std::string& text) {
        hang_up();
        at_ = phase::resting;
        hold_back(now_);
        failed_ = failure{error, text};
    }

    client_core& core_;
    preparation preparation_;
    phase at_ = phase::resting;
    prepared with_;
    std::size_t next_endpoint_ = 0;
    socket transport_;
    std::unique_ptr<pipeline> pipe_;
    std::optional<handshake> handshake_;
    std::unique_ptr<own_request> greeting_;
    steady_time greeted_at_{};
    std::uint64_t attempts_ = 0;
    steady_time now_{};
    /// When the phase began; of the wait for addresses and credentials, its latest stretch.
    steady_time since_{};
    unsigned failures_ = 0;
    steady_time retry_at_{};
    std::uint64_t draws_ = random_seed();
    std::optional<connection> made_;
    std::optional<failure> failed_;
};

} // namespace weir::detail::redis

#endif
