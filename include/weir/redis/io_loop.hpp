#ifndef WEIR_REDIS_IO_LOOP_HPP
#define WEIR_REDIS_IO_LOOP_HPP

/// The I/O thread of a client: sends what callers leave to it, reads the replies, watches over the
/// connections, and keeps time. It is one idea, the turn; what it remembers is elsewhere.
///
/// One turn: take what callers left; read where something came; give up what is too late; connect
/// where a connection is missing; put requests on links and write; tell callers of their replies, or
/// some of them (completions.hpp); when all are told, sleep until something happens, or gather
/// (gathering.hpp). Only links that the I/O thread holds (exchange.hpp) are touched.

#include <weir/error.hpp>
#include <weir/redis/completions.hpp>
#include <weir/redis/connector.hpp>
#include <weir/redis/core.hpp>
#include <weir/redis/dispatcher.hpp>
#include <weir/redis/exchange.hpp>
#include <weir/redis/gathering.hpp>
#include <weir/redis/heartbeat.hpp>
#include <weir/redis/link.hpp>
#include <weir/redis/link_watch.hpp>
#include <weir/redis/pipeline.hpp>
#include <weir/redis/request.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <new>
#include <sys/epoll.h>
#include <system_error>
#include <utility>

namespace weir::detail::redis {

class io_loop {
public:
    explicit io_loop(client_core& core)
        : core_{core}, connector_{core}, dispatcher_{core}, watch_{core}, heartbeats_{core} {
        core_.events.add(core_.bell->descriptor(), EPOLLIN | EPOLLET, client_core::bell_tag);
    }

    void run() {
        while (take_over()) {
            handle_events();
            keep_time();
            keep_connected();
            place_requests();
            if (completions_.complete_share()) {
                // The others come after what callers have left meanwhile.
            } else if (will_gather()) {
                wait_for_replies();
            } else {
                wait_for_events();
            }
        }
        shut_down();
    }

private:
    using nanoseconds = std::chrono::nanoseconds;

    // ---- taking over -----------------------------------------------------------------------

    /// False if it is time to end.
    bool take_over() {
        exchange::collected got = core_.meeting.collect();
        now_ = std::chrono::steady_clock::now();
        dispatcher_.enter(std::move(got.requests));
        got.taken.each([&](std::size_t i) {
            dispatcher_.let_go(i);
            watch_.note_unattended(i);
        });
        got.returned.each([&](std::size_t i) {
            dispatcher_.take_back(i);
            read(i); // it may have hung up while the caller had it
            look_after(i);
        });
        if (got.more_wanted) {
            wanted_ = std::min(core_.settings.connections, open_ + 1);
        }
        return !got.closing;
    }

    /// Whenever something was done with a link that the loop holds.
    void look_after(std::size_t i) {
        link& l = core_.links[i];
        core_.counters.add(client_core::system_calls, l.take_calls());
        heartbeats_.take_answer(i);
        if (l.broken) {
            lose(i, l.broken);
        } else if (l.pipe->idle() && i != dispatcher_.main_link()) {
            watch_.watch(i, client_core::unattended);
            dispatcher_.let_go(i);
            core_.meeting.put_back(i);
        } else {
            watch_.watch(i, link_watch::attended | (l.pipe->unwritten().empty() ? 0U : EPOLLOUT));
        }
    }

    // ---- events ----------------------------------------------------------------------------

    void wait_for_events() {
        const int most = patience(); // before anything is lent: it looks at links
        // What was on a link that was lost a moment ago may go to another one.
        const bool asleep =
            !std::exchange(has_lost_, false) && core_.meeting.sleep(dispatcher_.lendable());
        if (!asleep && turns_without_events_ < most_turns_without_events) {
            ++turns_without_events_; // callers have left something meanwhile: that first
            return;
        }
        turns_without_events_ = 0;
        asked_for_events_ = now_;
        const int n =
            core_.events.wait(ready_.data(), static_cast<int>(ready_.size()), asleep ? most : 0);
        core_.counters.add(client_core::system_calls);
        ready_count_ = n < 0 ? 0 : static_cast<std::size_t>(n);
    }

    /// How long to sleep, in milliseconds.
    [[nodiscard]] int patience() const noexcept {
        steady_time until = next_beat_;
        if (dispatcher_.has_waiting() || connector_.at_work() || dispatcher_.anything_in_flight()) {
            until = std::min(until, now_ + tick);
        } else if (open_ < wanted_) {
            until = std::min(until, connector_.retry_at());
        }
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - now_).count();
        return static_cast<int>(std::clamp<std::int64_t>(left, 0, 1000));
    }

    void handle_events() {
        if (waited_on_ != no_link) {
            look_after(std::exchange(waited_on_, no_link)); // it was read from
        }
        for (std::size_t e = 0; e != ready_count_; ++e) {
            handle(ready_[e].data.u64, ready_[e].events);
        }
        ready_count_ = 0;
    }

    void handle(std::uint64_t whose, std::uint32_t events) {
        if (whose == connector_.tag()) {
            return connect([&] { connector_.handle(events, now_); });
        }
        const std::size_t i = watch_.link_of(whose);
        if (i == no_link || !open_links_.has(i)) {
            return; // the bell, or a connection that is gone
        }
        if (!dispatcher_.holds(i) && !take_if_hung_up(i, events)) {
            return;
        }
        if ((events & EPOLLOUT) != 0) {
            core_.links[i].flush();
        }
        if ((events & ~std::uint32_t{EPOLLOUT}) != 0) {
            read(i);
        }
        look_after(i);
    }

    /// An event of a link that the loop does not hold: its peer has hung up, or it is the last of the
    /// loop's own watching.
    bool take_if_hung_up(std::size_t i, std::uint32_t events) {
        if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) == 0) {
            return false;
        }
        if (core_.meeting.hung_up(i)) {
            dispatcher_.adopt(i);
            return true;
        }
        // The caller who has it will notice. Until then it would be reported again and again.
        watch_.stop(i);
        return false;
    }

    void read(std::size_t i) {
        const link& l = core_.links[i];
        int round = 0; // not without end, so that others get their turn
        while (round != 16 && !l.broken && read_once(i, false) == buffer_.size()) {
            ++round;
        }
    }

    std::size_t read_once(std::size_t i, bool may_wait) {
        link& l = core_.links[i];
        const steady_time asked = l.pipe->size() == 0 ? now_ : l.pipe->oldest();
        const std::size_t came = l.read(
            buffer_.data(), buffer_.size(), may_wait,
            [&](std::uint64_t order) { dispatcher_.settle(order, i); },
            [&](request* r) {
                if (heartbeats_.is_question(r, i)) {
                    r->complete({}); // now, as it ends with its link
                } else {
                    completions_.add(r);
                }
            });
        if (came != 0 && i == dispatcher_.main_link()) {
            gathering_.replied(std::chrono::steady_clock::now() - asked);
        }
        return came;
    }

    // ---- replies that will soon be there ---------------------------------------------------

    /// Whether to let requests gather until they are there. Everything else gets its turn once a tick.
    [[nodiscard]] bool will_gather() const noexcept {
        const std::size_t i = dispatcher_.main_link();
        return i != no_link && !has_lost_ && now_ - asked_for_events_ < tick &&
               gathering_.pays(core_.callers.load(std::memory_order_relaxed), *core_.links[i].pipe);
    }

    /// Sleeps unannounced: replies come soon, or the wait ends (longest_wait).
    void wait_for_replies() {
        waited_on_ = dispatcher_.main_link();
        core_.counters.add(client_core::gatherings);
        if (read_once(waited_on_, true) == 0) {
            gathering_.missed();
        }
        completions_.make_one_share(); // so that what callers bring meanwhile gathers, too
    }

    // ---- sending ---------------------------------------------------------------------------

    void place_requests() {
        dispatcher_.place(now_).each([&](std::size_t i) {
            core_.links[i].flush();
            look_after(i);
        });
    }

    // ---- time ------------------------------------------------------------------------------

    void keep_time() {
        if (now_ >= next_tick_ && completions_.empty()) { // else replies may wait to be read
            next_tick_ = now_ + tick;
            core_.counters.add(client_core::timeouts, dispatcher_.expire(now_));
            dispatcher_.held().each([&](std::size_t i) { check_progress(i); });
        }
        if (now_ >= next_beat_) {
            next_beat_ = now_ + core_.settings.heartbeat;
            open_links_.each([&](std::size_t i) { beat(i); });
        }
    }

    void check_progress(std::size_t i) {
        pipeline& p = *core_.links[i].pipe;
        core_.counters.add(client_core::timeouts, p.expire(now_));
        if (p.size() != 0 && now_ - p.oldest() > core_.settings.stall_timeout()) {
            core_.settings.errors->note("the server does not answer");
            lose(i, make_error_code(errc::timeout));
        }
    }

    void beat(std::size_t i) {
        if (!dispatcher_.holds(i)) {
            if (!core_.meeting.claim(i)) {
                return; // with a caller: he will see for himself
            }
            dispatcher_.adopt(i);
        }
        if (core_.links[i].pipe->met_replica()) {
            // The name may mean another server by now. Not sooner, as it may mean this one for good.
            return lose(i, make_error_code(errc::connection_lost));
        }
        heartbeats_.ask(i, now_);
        look_after(i);
    }

    // ---- connections -----------------------------------------------------------------------

    /// Lets the connector work. Without memory for that, the attempt to connect is given up.
    template<class Work>
    void connect(const Work& work) noexcept {
        try {
            work();
        } catch (const std::bad_alloc&) {
            connector_.give_up(now_);
        }
    }

    void keep_connected() {
        connect([&] { connector_.proceed(now_); });
        if (auto made = connector_.take_connection()) {
            install(std::move(*made));
        }
        if (open_ < wanted_) {
            connect([&] {
                connector_.want(now_);
                connector_.proceed(now_); // at once, where there is nothing to wait for
            });
        }
        if (const auto failed = connector_.take_failure()) {
            if (!failed->text.empty()) {
                core_.settings.errors->note(failed->text);
            }
            if (open_ == 0) {
                // Without prospects, nobody is kept waiting until the next attempt.
                no_service_ = failed->error;
                core_.meeting.refuse(no_service_);
            } else {
                wanted_ = open_; // what there is has to do
            }
        }
        if (no_service_) {
            dispatcher_.drop_waiting(no_service_); // also what came before callers were refused
        }
    }

    void install(connector::connection made) {
        std::size_t i = 0;
        while (open_links_.has(i)) {
            ++i;
        }
        open_links_.add(i);
        ++open_;
        opened_at_[i] = now_;
        const std::uint64_t tag = watch_.begin(i, made.transport.poll_descriptor());
        core_.links[i].install(std::move(made.transport), std::move(made.pipe), tag);
        core_.counters.add(client_core::connections_made);
        core_.meeting.opened(i);
        no_service_ = {};
        core_.meeting.refuse({});
        core_.connections.set(open_);
        dispatcher_.adopt(i);
        look_after(i);
    }

    void lose(std::size_t i, std::error_code why) {
        link& l = core_.links[i];
        if (!l.pipe->farewell().empty()) {
            core_.settings.errors->note(l.pipe->farewell());
        }
        watch_.stop(i);
        l.transport.close();
        heartbeats_.give_up(i);
        dispatcher_.abandon(i, why);
        open_links_.remove(i);
        --open_;
        has_lost_ = true;
        core_.meeting.removed(i);
        core_.connections.set(open_);
        core_.counters.add(client_core::connections_lost);
        if (now_ - opened_at_[i] < settled_after) {
            connector_.hold_back(now_);
        } else {
            connector_.trust();
        }
    }

    void shut_down() {
        completions_.complete_all();
        const std::error_code closed = make_error_code(errc::closed);
        open_links_.each([&](std::size_t i) {
            heartbeats_.give_up(i);
            dispatcher_.abandon(i, closed);
            core_.links[i].transport.close();
        });
        dispatcher_.drop_waiting(closed);
    }

    /// How often deadlines are looked at.
    static constexpr nanoseconds tick = std::chrono::milliseconds{10};
    /// For how many turns events need not be asked for while there is something to send.
    static constexpr int most_turns_without_events = 2;
    /// A connection that lasted so long was a good one.
    static constexpr nanoseconds settled_after = std::chrono::seconds{1};

    client_core& core_;
    connector connector_;
    dispatcher dispatcher_;
    link_watch watch_;
    heartbeats heartbeats_;
    steady_time now_{};
    steady_time next_tick_{};
    steady_time next_beat_{};
    /// Links in place.
    link_set open_links_;
    std::size_t open_ = 0;
    std::size_t wanted_ = 1;
    /// Why callers are refused, until there is a connection.
    std::error_code no_service_;
    /// A link was lost since the last sleep.
    bool has_lost_ = false;
    std::array<steady_time, most_links> opened_at_{};
    std::array<::epoll_event, 64> ready_{};
    std::size_t ready_count_ = 0;
    int turns_without_events_ = 0;
    steady_time asked_for_events_{};
    gathering gathering_{core_.settings.gathering};
    /// The link whose replies were waited for in the last turn.
    std::size_t waited_on_ = no_link;
    completions completions_;
    std::array<char, std::size_t{64} << 10> buffer_{};
};

} // namespace weir::detail::redis

#endif
