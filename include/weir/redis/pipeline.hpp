#ifndef WEIR_REDIS_PIPELINE_HPP
#define WEIR_REDIS_PIPELINE_HPP

/// What one connection has to write, and whose the replies are that it reads: the protocol without
/// the socket.
///
/// Replies come in the order of the commands, so each request that was put in has a slot in a queue,
/// and the next reply belongs to the first slot. A slot whose request is gone, because nobody waits
/// for it any more, stays in its place until its replies have come and been dropped: no reply ever
/// reaches a request that did not ask for it.

#include <weir/error.hpp>
#include <weir/redis/reply_reader.hpp>
#include <weir/redis/request.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <new>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace weir::detail::redis {

/// Not for use by two threads at once.
class pipeline {
public:
    explicit pipeline(const reply_limits& limits = {}) : reader_{limits} {}

    // ---- writing -------------------------------------------------------------------------------

    /// Puts a request at the end. The caller has asked it to `begin`.
    ///
    /// The first call of a script on a connection is spelt out, because a server that does not know
    /// the digest says so only when the commands behind are on their way, too.
    void push(request* r, steady_time now) {
        if (const script* const s = r->what().called_by_digest(); s != nullptr && is_new(s)) {
            scripts_.push_back(s);
            r->spell_out_script();
        }
        slots_.push_back({r, r->what().count(), written_ + (out_.size() - out_at_), r->what().order,
                          now, r->deadline()});
        try {
            out_ += r->what().bytes();
        } catch (...) {
            slots_.pop_back();
            throw;
        }
    }

    /// What is to be written next.
    [[nodiscard]] std::string_view unwritten() const noexcept {
        return std::string_view{out_}.substr(out_at_);
    }

    /// The first `count` bytes of it are written.
    void wrote(std::size_t count) noexcept {
        out_at_ += count;
        written_ += count;
        if (out_at_ == out_.size()) {
            out_at_ = 0;
            // One large value must not occupy memory for ever.
            if (out_.capacity() > most_kept) {
                std::string{}.swap(out_);
            } else {
                out_.clear();
            }
        } else if (out_at_ >= most_kept && out_at_ >= out_.size() - out_at_) {
            // Where there is always more to write, what is written must go, too. No byte is moved more
            // than once for each that was written.
            out_.erase(0, out_at_);
            out_at_ = 0;
        }
    }

    // ---- reading -------------------------------------------------------------------------------

    /// Takes what was read. Completes the requests whose replies are complete with it, and calls
    /// `settled(order)` for each of their slots and of those without a request. After an error the
    /// connection is of no more use: what comes would be of nobody knows which command.
    template<class Settled>
    [[nodiscard]] std::error_code read(std::string_view bytes, Settled&& settled) {
        return read(bytes, settled, [](request* r) { r->complete({}); });
    }

    /// The same, but `answered(request)` gets them, after `settled`, and has to see to it that they are
    /// completed without an error.
    template<class Settled, class Answered>
    [[nodiscard]] std::error_code read(std::string_view bytes, Settled&& settled,
                                       Answered&& answered) {
        std::error_code unasked;
        const std::error_code broken = reader_.feed(bytes, [&](reply&& r) {
            if (slots_.empty()) {
                unasked = note_unasked(std::move(r));
            } else {
                deliver(std::move(r), settled, answered);
            }
        });
        return broken ? broken : unasked;
    }

    /// Of the reply that came without a request, if that was an error: why the server hangs up.
    [[nodiscard]] const std::string& farewell() const noexcept { return farewell_; }

    /// Whether a reply has said that this server takes no writes.
    [[nodiscard]] bool met_replica() const noexcept { return met_replica_; }

    // ---- what is on its way --------------------------------------------------------------------

    [[nodiscard]] bool idle() const noexcept { return slots_.empty() && unwritten().empty(); }
    [[nodiscard]] std::size_t size() const noexcept { return slots_.size(); }

    /// When the first of those that have no reply yet was put in. Requires that there is one.
    [[nodiscard]] steady_time oldest() const noexcept { return slots_.front().since; }

    /// The request that was put in last is given up by its owner, who keeps it. True if it was taken
    /// out without a trace, because none of it is written; else its replies will be dropped.
    bool retract_last() noexcept {
        slot& last = slots_.back();
        if (last.begins < written_) {
            last.owner = nullptr;
            return false;
        }
        out_.resize(out_at_ + static_cast<std::size_t>(last.begins - written_));
        slots_.pop_back();
        return true;
    }

    /// `r` is given up by its owner, who keeps it: its replies will be dropped.
    void give_up(const request* r) noexcept {
        for (slot& s : slots_) {
            if (s.owner == r) {
                s.owner = nullptr;
            }
        }
    }

    /// Completes, with errc::timeout, the requests that expire and whose deadline is over, and returns
    /// how many that are. Their replies will be dropped.
    std::size_t expire(steady_time now) noexcept {
        std::size_t late = 0;
        for (slot& s : slots_) {
            if (s.owner != nullptr && s.deadline <= now && s.owner->expires()) {
                std::exchange(s.owner, nullptr)->complete(make_error_code(errc::timeout));
                ++late;
            }
        }
        return late;
    }

    template<class Visit>
    void each_order(const Visit& visit) const {
        for (const slot& s : slots_) {
            visit(s.order);
        }
    }

    /// The connection is gone. Puts into `again` the requests that can be sent on another one, as
    /// nothing of them was written or they do no harm when they are applied twice; completes the
    /// others with `lost`. Calls `settled(order)` for every slot but those of `again`, which are
    /// still on their way.
    ///
    /// If a reply that could not be taken ended the connection, it was that to the first of them. Sent
    /// again, that request would end one connection after the other.
    template<class Settled>
    void abandon(std::error_code lost, request_list& again, Settled&& settled) noexcept {
        bool is_culprit = lost == errc::reply_too_large || lost == errc::protocol_error;
        while (!slots_.empty()) {
            const slot s = slots_.front();
            slots_.pop_front();
            const bool written = s.begins < written_;
            const bool harmless =
                !std::exchange(is_culprit, false) && s.owner != nullptr && s.owner->what().harmless;
            if (s.owner != nullptr && (!written || harmless)) {
                s.owner->forget_replies();
                again.push_back(s.owner);
                continue;
            }
            settled(s.order);
            if (s.owner != nullptr) {
                s.owner->complete(lost);
            }
        }
    }

private:
    struct slot {
        /// Null: nobody waits for the replies.
        request* owner;
        /// Replies to come.
        std::size_t left;
        /// Where its first byte is in the stream of all that was ever written.
        std::uint64_t begins;
        std::uint64_t order;
        steady_time since;
        steady_time deadline;
    };

    static constexpr std::size_t most_kept = std::size_t{1} << 20;

    template<class Settled, class Answered>
    void deliver(reply&& r, Settled& settled, Answered& answered) noexcept {
        slot& first = slots_.front();
        met_replica_ = met_replica_ || (r.is_error() && r.code() == "READONLY");
        if (first.owner != nullptr) {
            first.owner->take(std::move(r));
        }
        if (--first.left != 0) {
            return;
        }
        const slot done = first;
        slots_.pop_front();
        if (done.owner != nullptr && send_again_spelt_out(done)) {
            return;
        }
        settled(done.order);
        if (done.owner != nullptr) {
            answered(done.owner);
        }
    }

    [[nodiscard]] bool is_new(const script* s) const noexcept {
        return std::find(scripts_.begin(), scripts_.end(), s) == scripts_.end();
    }

    /// True if the server has forgotten the script of a request, which is at the end again now, spelt
    /// out: behind commands that it was before.
    bool send_again_spelt_out(const slot& s) noexcept {
        if (!s.owner->met_unknown_script()) {
            return false;
        }
        try {
            s.owner->spell_out_script();
            push(s.owner, s.since);
            s.owner->forget_replies();
            return true;
        } catch (const std::bad_alloc&) {
            return false; // then the server's answer is the answer
        }
    }

    [[nodiscard]] std::error_code note_unasked(reply&& r) noexcept {
        if (r.is_error()) {
            farewell_ = std::move(r.text);
        }
        return make_error_code(errc::protocol_error);
    }

    reply_reader reader_;
    std::string out_;
    /// Where in `out_` what is not written begins.
    std::size_t out_at_ = 0;
    /// Bytes written since the connection was made.
    std::uint64_t written_ = 0;
    std::deque<slot> slots_;
    /// Scripts that were called on this connection, and so are known to the server, unless it forgot.
    std::vector<const script*> scripts_;
    bool met_replica_ = false;
    std::string farewell_;
};

} // namespace weir::detail::redis

#endif
