#ifndef WEIR_REDIS_LINK_HPP
#define WEIR_REDIS_LINK_HPP

#include <weir/error.hpp>
#include <weir/redis/pipeline.hpp>
#include <weir/redis/reply_reader.hpp>
#include <weir/redis/request.hpp>
#include <weir/redis/socket.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <sched.h>
#include <string_view>
#include <system_error>
#include <utility>

namespace weir::detail::redis {

/// A place for a connection, and the connection in it. Only who holds the link (exchange.hpp)
/// touches it.
template<class Transport>
class basic_link {
public:
    Transport transport;
    std::unique_ptr<pipeline> pipe;
    /// The connection is of no more use, for this reason.
    std::error_code broken;
    /// What the I/O thread knows it by when there are events.
    std::uint64_t tag = 0;

    /// Puts a connection here that is ready for requests.
    void install(Transport made, std::unique_ptr<pipeline> p, std::uint64_t its_tag) noexcept {
        tag = its_tag;
        transport = std::move(made);
        pipe = std::move(p);
        broken = {};
    }

    /// Writes what can be written without waiting. Not without end, however fast the peer reads:
    /// deadlines, and other links, get their turn.
    void flush() noexcept {
        for (int round = 0; round != 16 && !broken && !pipe->unwritten().empty(); ++round) {
            const transfer t = transport.send(pipe->unwritten().substr(0, most_sent));
            ++calls_;
            if (t.closed()) {
                broken = make_error_code(errc::connection_lost);
            }
            if (!t.done()) {
                return;
            }
            pipe->wrote(t.bytes);
        }
    }

    /// Reads once, and returns how much came. Completes what is complete with it; calls
    /// `settled(order)` for that.
    template<class Settled>
    std::size_t read(char* buffer, std::size_t size, bool may_wait, Settled&& settled) noexcept {
        return read(buffer, size, may_wait, settled, [](request* r) { r->complete({}); });
    }

    /// The same, but `answered(request)` gets what is to be completed (pipeline::read).
    template<class Settled, class Answered>
    std::size_t read(char* buffer, std::size_t size, bool may_wait, Settled&& settled,
                     Answered&& answered) noexcept {
        const transfer t = transport.receive(buffer, size, may_wait);
        ++calls_;
        if (t.closed()) {
            broken = make_error_code(errc::connection_lost);
        }
        if (t.done()) {
            broken = pipe->read({buffer, t.bytes}, settled, answered);
            flush(); // what has to be sent again
        }
        return t.bytes;
    }

    enum class outcome : std::uint8_t {
        /// The request is completed, with or without an error.
        completed,
        /// Nothing of it was sent, or it does no harm to send it again. The link is broken.
        to_be_sent_again,
        /// The deadline is over, and nothing of it was sent.
        not_sent,
        /// The deadline is over. The replies have yet to come and will be dropped.
        too_late,
    };

    /// Sends the request of the caller, who holds the link, and receives its replies.
    ///
    /// @param wait  how long a `receive` that may wait waits at most (see socket_settings)
    /// @param spin  how long to look for the replies again and again before going to sleep
    [[nodiscard]] outcome run(own_request& r, steady_time now, std::chrono::nanoseconds wait,
                              std::chrono::nanoseconds spin) {
        if (now - used_ > rested && transport.is_stale()) {
            broken = make_error_code(errc::connection_lost);
            return outcome::to_be_sent_again;
        }
        used_ = now;
        pipe->push(&r, now);
        flush();
        if (!broken && !serve(r, now, wait, spin)) {
            return pipe->retract_last() ? outcome::not_sent : outcome::too_late;
        }
        if (r.done()) {
            if (!pipe->unwritten().empty()) {
                broken = make_error_code(errc::connection_lost); // an answer to half a question
            }
            return outcome::completed;
        }
        request_list again;
        pipe->abandon(broken, again, [](std::uint64_t) {});
        return again.empty() ? outcome::completed : outcome::to_be_sent_again;
    }

    /// System calls on the transport since the last question.
    [[nodiscard]] std::uint64_t take_calls() noexcept { return std::exchange(calls_, 0); }

private:
    /// Reads until the replies are there, and writes what is left to write: whoever only writes may
    /// wait for a peer who waits until he reads. False if the deadline is over.
    bool serve(own_request& r, steady_time now, std::chrono::nanoseconds wait,
               std::chrono::nanoseconds spin) noexcept {
        std::array<char, std::size_t{16} << 10> buffer; // NOLINT: written before it is read
        const auto nothing_settled = [](std::uint64_t) {};
        const bool all_written = pipe->unwritten().empty();
        if (all_written && spin.count() > 0 && worth_spinning()) {
            const steady_time end = now + spin;
            bool came = false;
            do {
                ::sched_yield();
                came = read(buffer.data(), buffer.size(), false, nothing_settled) != 0;
            } while (!came && !broken && std::chrono::steady_clock::now() < end);
            missed_spins_ = came ? 0 : missed_spins_ + 1;
        }
        // Only if the deadline is not earlier than the end of the longest wait, and if no script is to
        // be written again since its reply was looked for.
        bool may_wait = all_written && pipe->unwritten().empty() && r.deadline() - now >= wait;
        while (!r.done() && !broken) {
            const std::size_t came = read(buffer.data(), buffer.size(), may_wait, nothing_settled);
            may_wait = false;
            if (broken) {
                break;
            }
            if (came == 0) {
                // There may be something to write again: a script that had to be spelt out.
                const int events = pipe->unwritten().empty() ? POLLIN : POLLIN | POLLOUT;
                if (!transport.wait_for(static_cast<short>(events), r.deadline())) {
                    return false;
                }
                flush();
            } else if (!r.done() && std::chrono::steady_clock::now() >= r.deadline()) {
                return false; // it keeps coming
            }
        }
        return true;
    }

    /// Where replies do not come soon enough, try again only now and then.
    [[nodiscard]] bool worth_spinning() noexcept {
        return missed_spins_ < 8 || ++calls_without_spin_ % 64 == 0;
    }

    /// In one call of the system.
    static constexpr std::size_t most_sent = std::size_t{256} << 10;
    /// After so long without a call it is worth a look whether the peer is still there.
    static constexpr std::chrono::nanoseconds rested = std::chrono::milliseconds{10};

    steady_time used_{};
    unsigned missed_spins_ = 0;
    unsigned calls_without_spin_ = 0;
    std::uint64_t calls_ = 0;
};

using link = basic_link<socket>;

} // namespace weir::detail::redis

#endif
