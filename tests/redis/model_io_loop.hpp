#ifndef WEIR_TESTS_REDIS_MODEL_IO_LOOP_HPP
#define WEIR_TESTS_REDIS_MODEL_IO_LOOP_HPP

/// The I/O thread of the model in exchange_model.hpp, after io_loop.hpp and dispatcher.hpp: the
/// functions have the names that they have there. Each step ends with a call of the exchange, or with
/// something done on a link.

#include "model_callers.hpp"

#include <weir/error.hpp>
#include <weir/redis/request.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace weir::tests::handing_over {

class model_io_loop : protected model_callers {
protected:
    model_io_loop(const scenario& s, mistake m) : model_callers{s, m} {
        for (std::size_t i = 0; i != s.links; ++i) {
            io_.open.add(i);
            io_.watched[i] = unattended;
        }
        io_.open_count = s.links;
        io_.wanted = std::max<std::size_t>(1, s.links);
    }

    enum class turn : std::uint8_t {
        take_over,
        drop_refused,
        adopt_returned,
        look_after_waited_on,
        handle_events,
        keep_time,
        keep_connected,
        place_requests,
        flush_touched,
        complete_share,
        sleep,
        wait_for_events,
        wait_for_replies,
        shut_down,
        ended,
    };
    /// What of a turn's step is still to be done.
    enum class pending : std::uint8_t {
        nothing,
        put_back,
        read_hung_up,
        lose,
        note_what_goes_again,
        remove,
        serve_again,
        drop_all,
        beat,
    };
    enum connector_state : std::uint8_t {
        connector_resting,
        connector_at_work,
        connector_made,
        connector_failed,
        connector_holding_back,
    };

    /// What is on its way of one order, and where; no_link: in more than one place.
    struct under_way {
        std::uint8_t count = 0;
        std::uint8_t link = no_link;
    };

    struct io_thread {
        turn at = turn::take_over;
        pending then = pending::nothing;
        std::uint8_t link = 0; // of what is pending
        link_set open;
        link_set held;
        std::size_t open_count = 0;
        std::size_t wanted = 1;
        std::size_t main = no_link;
        link_set returned;
        link_set touched;
        link_set to_beat;
        std::array<readiness, max_places> events;
        std::array<watching, max_places> watched{};
        /// The number of the heartbeat that is on its way there, or nobody.
        std::array<std::uint8_t, max_places> beats{nobody, nobody};
        std::array<under_way, max_orders> orders;
        std::array<std::uint8_t, max_places> ordered_on{};
        bool has_claimed = false;
        bool has_lost = false;
        bool sleeps = false;
        /// Callers are many.
        bool gathers = false;
        /// The wait for replies has ended without.
        bool waited_in_vain = false;
        std::size_t waited_on = no_link;
        std::vector<std::uint8_t> answered;
        bool one_share = false;
        connector_state connector = connector_resting;
        bool beat_is_due = false;
        bool tick_is_due = false;
        /// Or else callers are refused until there is a connection.
        bool serves = true;
        bool closing = false;
        /// Not on a link yet; of these, refused already, and to be sent again.
        request_list waiting;
        request_list refused;
        request_list again;
    };

    [[nodiscard]] bool is_woken() const {
        bool events = bell_ || io_.connector == connector_made || io_.connector == connector_failed;
        for (std::size_t i = 0; i != max_places; ++i) {
            events = events || ready(i).any();
        }
        // What the timeout of its sleep is for.
        return events || io_.beat_is_due || io_.tick_is_due ||
               (io_.open_count < io_.wanted && io_.connector == connector_resting);
    }

    [[nodiscard]] bool io_can_go_on() const {
        if (io_.at == turn::wait_for_replies) {
            return links_[io_.main].readable() || io_.waited_in_vain;
        }
        return io_.at != turn::ended &&
               (io_.at != turn::wait_for_events || !io_.sleeps || is_woken());
    }

    /// Nothing is under way, and nobody has anything to do.
    [[nodiscard]] bool is_quiet() const {
        return nobody_calls() && io_.at == turn::wait_for_events && !io_can_go_on() &&
               (io_.connector == connector_resting || io_.connector == connector_holding_back) &&
               io_.waiting.empty() && std::all_of(links_.begin(), links_.end(), [](const link& l) {
                   return l.wire.empty() && l.replies.empty() && l.slots.empty();
               });
    }

    /// Goes on to the next thing that others can notice, and does it.
    void io_step() {
        if (io_.then != pending::nothing) {
            return do_pending();
        }
        while (true) {
            switch (io_.at) {
            case turn::take_over:
                return take_over();
            case turn::drop_refused:
                if (!io_.refused.empty()) {
                    return drop_refused();
                }
                io_.at = io_.closing ? turn::shut_down : turn::adopt_returned;
                break;
            case turn::adopt_returned:
                if (const std::size_t i = take_first(io_.returned); i != no_link) {
                    adopt(i, mistake_ != mistake::forgets_the_orders_on_a_returned_link);
                    io_read(i);
                    return look_after(i);
                }
                io_.at = turn::look_after_waited_on;
                break;
            case turn::look_after_waited_on:
                io_.at = turn::handle_events;
                if (io_.waited_on != no_link) {
                    return look_after(std::exchange(io_.waited_on, no_link));
                }
                break;
            case turn::handle_events:
                if (const std::size_t i = next_event(); i != no_link) {
                    return handle(i);
                }
                io_.at = turn::keep_time;
                break;
            case turn::keep_time:
                if (keep_time()) {
                    return;
                }
                io_.at = turn::keep_connected;
                break;
            case turn::keep_connected:
                if (keep_connected()) {
                    return;
                }
                io_.at = turn::place_requests;
                break;
            case turn::place_requests:
                if (place_request()) {
                    return;
                }
                io_.at = turn::flush_touched;
                break;
            case turn::flush_touched:
                if (const std::size_t i = take_first(io_.touched); i != no_link) {
                    flush(i, io);
                    return look_after(i);
                }
                io_.at = io_.answered.empty() ? turn::sleep : turn::complete_share;
                break;
            case turn::complete_share:
                return complete_share();
            case turn::sleep:
                if (will_gather()) {
                    if (could_send()) {
                        book_.wrong("the I/O thread waits over what it could send");
                    }
                    io_.at = turn::wait_for_replies;
                    return;
                }
                return sleep();
            case turn::wait_for_events:
                return wait_for_events();
            case turn::wait_for_replies:
                return wait_for_replies();
            case turn::shut_down:
                return shut_down();
            default:
                return;
            }
        }
    }

    [[nodiscard]] static std::size_t take_first(link_set& set) {
        for (std::size_t i = 0; i != max_places; ++i) {
            if (set.has(i)) {
                set.remove(i);
                return i;
            }
        }
        return no_link;
    }

    // ---- taking over ---------------------------------------------------------------------------

    void take_over() {
        auto got = exchange_.collect();
        while (!got.requests.empty()) {
            request* const r = got.requests.pop_front();
            (r->refused ? io_.refused : io_.waiting).push_back(r);
        }
        for (std::size_t i = 0; i != max_places; ++i) {
            if (links_[i].holder == lent) {
                hand_over(i, lent, io);
            }
            if (got.taken.has(i)) {
                io_.held.remove(i);
                io_.main = io_.main == i ? no_link : io_.main;
                io_.watched[i] = unattended;
            }
            if (got.returned.has(i)) {
                hand_over(i, on_its_way, io);
            }
        }
        io_.returned = got.returned;
        if (got.more_wanted) {
            io_.wanted = std::min(plan_.most_links, io_.open_count + 1);
        }
        io_.closing = got.closing;
        io_.at = turn::drop_refused;
    }

    void drop_refused() {
        request* const r = io_.refused.pop_front();
        exchange_.sent(1);
        drop(r, r->refused);
    }

    void adopt(std::size_t i, bool with_orders = true) {
        io_.held.add(i);
        for (const slot& s : touch(i, io).slots) {
            if (with_orders) {
                note_order(order_of(s.asked), i);
            }
        }
    }

    void look_after(std::size_t i) {
        link& l = touch(i, io);
        check_beat(i);
        const bool idles =
            l.slots.empty() ||
            (mistake_ == mistake::puts_back_a_link_with_replies_to_come && !l.has_unwritten());
        if (l.broken) {
            io_.then = pending::lose;
        } else if (idles && i != io_.main) {
            watch(i, unattended);
            io_.held.remove(i);
            io_.then = pending::put_back;
        } else {
            return watch(i, l.has_unwritten() ? attended_and_writing : attended);
        }
        io_.link = static_cast<std::uint8_t>(i);
    }

    void do_pending() {
        const std::size_t i = io_.link;
        switch (std::exchange(io_.then, pending::nothing)) {
        case pending::put_back:
            exchange_.put_back(i);
            return hand_over(i, io, idle);
        case pending::read_hung_up:
            io_read(i);
            return look_after(i);
        case pending::lose:
            return lose(i, make_error_code(errc::connection_lost));
        case pending::note_what_goes_again:
            return note_what_goes_again(i);
        case pending::remove:
            links_[i] = link{};
            links_[i].holder = io;
            exchange_.removed(i);
            return hand_over(i, io, absent);
        case pending::serve_again:
            exchange_.refuse({});
            io_.serves = true;
            return look_after(i);
        case pending::drop_all:
            return drop_all();
        default:
            return beat(i);
        }
    }

    // ---- events --------------------------------------------------------------------------------

    void watch(std::size_t i, watching how) {
        const bool was_removed =
            io_.watched[i] == nothing && mistake_ != mistake::does_not_watch_again_what_hung_up;
        if (was_removed) {
            links_[i].registered = how;
        } else if (io_.watched[i] != how) {
            change_watching(i, how);
        }
        io_.watched[i] = how;
    }

    void sleep() {
        io_.at = turn::wait_for_events;
        if (std::exchange(io_.has_lost, false) &&
            mistake_ != mistake::sleeps_over_what_a_lost_link_leaves) {
            return;
        }
        link_set lend;
        for (std::size_t i = 0; i != max_places; ++i) {
            if (io_.held.has(i) && touch(i, io).slots.empty()) {
                lend.add(i);
            }
        }
        io_.sleeps = exchange_.sleep(lend);
        for (std::size_t i = 0; i != max_places; ++i) {
            if (lend.has(i) && exchange_.is_lent(i)) {
                hand_over(i, io, lent);
            }
        }
        io_.sleeps = io_.sleeps || mistake_ == mistake::sleeps_although_there_is_work;
        if (io_.sleeps && !io_.serves && !io_.waiting.empty()) {
            book_.wrong("a request is kept waiting although there is no service");
        }
        if (io_.sleeps && could_send()) {
            book_.wrong("the I/O thread sleeps over what it could send");
        }
    }

    [[nodiscard]] bool could_send() const {
        if (io_.waiting.empty()) {
            return false;
        }
        const behind b = behind_what(io_.waiting.front()->what().order);
        bool a_link_is_free = false;
        for (std::size_t i = 0; i != max_places; ++i) {
            a_link_is_free = a_link_is_free || usable(i) || links_[i].holder == idle;
        }
        return b.any ? b.link != no_link : a_link_is_free;
    }

    void wait_for_events() {
        for (std::size_t i = 0; i != max_places; ++i) {
            io_.events[i] = ready(i);
        }
        bell_ = false;
        io_.sleeps = false;
        io_.at = turn::take_over;
    }

    /// The next link with an event that means something.
    [[nodiscard]] std::size_t next_event() {
        for (std::size_t i = 0; i != max_places; ++i) {
            const readiness e = io_.events[i];
            if (e.any() && io_.open.has(i) && (io_.held.has(i) || e.hup)) {
                return i;
            }
            io_.events[i] = {};
        }
        return no_link;
    }

    void handle(std::size_t i) {
        const readiness e = std::exchange(io_.events[i], {});
        if (!io_.held.has(i)) {
            if (!exchange_.hung_up(i)) {
                links_[i].registered = nothing;
                io_.watched[i] = nothing;
                return;
            }
            hand_over(i, idle, io);
            io_.held.add(i);
            io_.then = pending::read_hung_up;
            io_.link = static_cast<std::uint8_t>(i);
            return;
        }
        if (e.out) {
            flush(i, io);
        }
        if (e.in || e.hup) {
            io_read(i);
        }
        look_after(i);
    }

    void io_read(std::size_t i) {
        read(
            i, io, [&](std::uint64_t order) { settle(order, i); },
            [&](std::uint8_t owner) {
                if (owner == io_.beats[i] && mistake_ != mistake::keeps_the_answer_to_a_heartbeat) {
                    complete(owner, {});
                } else {
                    io_.answered.push_back(owner);
                }
            });
    }

    // ---- replies that will soon be there ---------------------------------------------------------

    [[nodiscard]] bool will_gather() const {
        const bool has_lost =
            io_.has_lost && mistake_ != mistake::gathers_over_what_a_lost_link_leaves;
        if (!io_.gathers || has_lost || io_.main == no_link) {
            return false;
        }
        const link& l = links_[io_.main];
        return (mistake_ == mistake::waits_for_replies_that_nobody_asked_for || !l.slots.empty()) &&
               (mistake_ == mistake::waits_for_replies_to_what_is_not_written ||
                !l.has_unwritten());
    }

    void wait_for_replies() {
        io_.waited_on = io_.main;
        io_read(io_.main);
        io_.one_share = !io_.answered.empty();
        io_.gathers = io_.gathers && !std::exchange(io_.waited_in_vain, false);
        io_.at = turn::take_over;
    }

    // ---- telling callers -----------------------------------------------------------------------

    /// One step of it. A share is one request, or all that are there.
    void complete_share() {
        complete_answered();
        if (io_.answered.empty()) {
            io_.one_share = false;
            io_.at = turn::sleep;
        } else if (!io_.one_share) {
            const bool sleeps = mistake_ == mistake::sleeps_over_what_is_answered;
            io_.at = sleeps ? turn::sleep : turn::take_over;
        }
    }

    void complete_answered() {
        const std::uint8_t id = io_.answered.front();
        io_.answered.erase(io_.answered.begin());
        complete(id, {});
    }

    // ---- order ---------------------------------------------------------------------------------

    void note_order(std::uint64_t order, std::size_t i) {
        if (unfinished_orders::counts(order)) {
            auto& u = io_.orders[order];
            u.link = static_cast<std::uint8_t>(u.count == 0 || u.link == i ? i : no_link);
            ++u.count;
            ++io_.ordered_on[i];
        }
    }
    void leave(std::uint64_t order, std::size_t i) {
        if (unfinished_orders::counts(order)) {
            --io_.orders[order].count;
            --io_.ordered_on[i];
        }
    }
    void settle(std::uint64_t order, std::size_t i) {
        leave(order, i);
        exchange_.settled(order);
    }

    struct behind {
        bool any = false;
        std::size_t link = no_link;
    };
    [[nodiscard]] behind behind_what(std::uint64_t order) const {
        behind b;
        if (mistake_ == mistake::places_behind_nothing) {
            return b;
        }
        if (unfinished_orders::counts(order)) {
            const auto& u = io_.orders[order];
            return {u.count != 0, u.link};
        }
        for (std::size_t i = 0; order == after_all && i != max_places; ++i) {
            if (io_.ordered_on[i] != 0) {
                b = {true, b.any ? no_link : i};
            }
        }
        return b;
    }

    // ---- sending -------------------------------------------------------------------------------

    /// One step of place_requests; false if it has come to its end.
    bool place_request() {
        if (io_.waiting.empty()) {
            return false;
        }
        request* const r = io_.waiting.front();
        std::size_t to = no_link;
        if (const behind b = behind_what(r->what().order); b.any) {
            to = b.link;
        } else if (!choose_main(to)) {
            return true;
        }
        if (to == no_link) {
            return false;
        }
        io_.has_claimed = false;
        io_.waiting.pop_front();
        exchange_.sent(1);
        if (r->begin()) {
            push(to, id_of(r), io);
            note_order(r->what().order, to);
            io_.touched.add(to);
        } else {
            drop(r, make_error_code(errc::not_sent));
        }
        return true;
    }

    void drop(request* r, std::error_code why) {
        exchange_.settled(r->what().order);
        if (mistake_ != mistake::forgets_what_it_refused || !r->refused) {
            r->complete(why);
        }
    }

    void drop_all() {
        exchange_.sent(io_.waiting.size());
        while (!io_.waiting.empty()) {
            drop(io_.waiting.pop_front(), make_error_code(errc::unavailable));
        }
    }

    /// Finds the link that requests go to. False if that took a step of its own.
    bool choose_main(std::size_t& to) {
        if (!usable(io_.main)) {
            for (std::size_t i = 0; i != max_places && !usable(io_.main); ++i) {
                io_.main = usable(i) ? i : io_.main;
            }
        }
        if (!usable(io_.main) && !io_.has_claimed) {
            io_.has_claimed = true;
            if (const std::size_t claimed = exchange_.claim(); claimed != no_link) {
                hand_over(claimed, idle, io);
                io_.main = claimed;
                adopt(claimed);
            }
            return false;
        }
        io_.has_claimed = false;
        to = io_.main;
        return true;
    }

    [[nodiscard]] bool usable(std::size_t i) const { return io_.held.has(i) && !links_[i].late; }

    // ---- time ----------------------------------------------------------------------------------

    /// One step of keep_time; false if there is nothing to do.
    bool keep_time() {
        if (io_.tick_is_due && io_.answered.empty()) {
            io_.tick_is_due = false;
            expire();
            return true;
        }
        if (std::exchange(io_.beat_is_due, false)) {
            io_.to_beat = io_.open;
        }
        const std::size_t i = take_first(io_.to_beat);
        if (i == no_link || !io_.open.has(i)) {
            return i != no_link;
        }
        if (io_.held.has(i)) {
            beat(i);
        } else if (exchange_.claim(i)) {
            hand_over(i, idle, io);
            adopt(i);
            io_.then = pending::beat;
            io_.link = static_cast<std::uint8_t>(i);
        }
        return true;
    }

    void expire() {
        request_list rest;
        while (!io_.waiting.empty()) {
            request* const r = io_.waiting.pop_front();
            if (r->expires()) {
                exchange_.sent(1);
                drop(r, make_error_code(errc::not_sent));
            } else {
                rest.push_back(r);
            }
        }
        io_.waiting = std::move(rest);
        for (std::size_t i = 0; i != max_places; ++i) {
            for (slot& s : links_[i].slots) {
                if (io_.held.has(i) && s.owner != nobody && expires(s.owner)) {
                    touch(i, io);
                    complete(std::exchange(s.owner, nobody), make_error_code(errc::timeout));
                }
            }
        }
    }
    [[nodiscard]] bool expires(std::uint8_t id) const {
        const request* const r = book_.records[id].object;
        return r != nullptr && r->expires();
    }

    void beat(std::size_t i) {
        if (io_.beats[i] == nobody) {
            io_.beats[i] = static_cast<std::uint8_t>(book_.records.size());
            book_.records.emplace_back();
            make_request(io_.beats[i]);
            push(i, io_.beats[i], io);
            flush(i, io);
        }
        look_after(i);
    }

    void end_beat(std::size_t i) {
        if (io_.beats[i] != nobody && book_.records[io_.beats[i]].disposed == 0) {
            book_.note_disposed(io_.beats[i]);
        }
        io_.beats[i] = nobody;
    }
    void check_beat(std::size_t i) {
        if (io_.beats[i] != nobody && book_.records[io_.beats[i]].completed != 0) {
            io_.beats[i] = nobody;
        }
    }

    // ---- connections ---------------------------------------------------------------------------

    /// One step of keep_connected; false if there is nothing to do.
    bool keep_connected() {
        if (io_.connector == connector_made) {
            io_.connector = connector_resting;
            install();
            return true;
        }
        if (io_.connector == connector_failed) {
            io_.connector = connector_holding_back;
            if (io_.open_count != 0) {
                io_.wanted = io_.open_count;
                return false;
            }
            exchange_.refuse(make_error_code(errc::unavailable));
            io_.serves = false;
            io_.then = pending::drop_all;
            return true;
        }
        if (!io_.serves && !io_.waiting.empty() &&
            mistake_ != mistake::keeps_waiting_what_came_before_it_refused) {
            drop_all();
            return true;
        }
        if (io_.open_count < io_.wanted && io_.connector == connector_resting) {
            io_.connector = connector_at_work;
        }
        return false;
    }

    void install() {
        std::size_t i = 0;
        while (io_.open.has(i)) {
            ++i;
        }
        io_.open.add(i);
        ++io_.open_count;
        io_.watched[i] = unattended;
        exchange_.opened(i);
        hand_over(i, absent, io);
        links_[i].registered = unattended;
        io_.held.add(i);
        io_.then = pending::serve_again;
        io_.link = static_cast<std::uint8_t>(i);
    }

    void lose(std::size_t i, std::error_code why) {
        link& l = touch(i, io);
        l.registered = nothing;
        if (io_.beats[i] != nobody) {
            for (slot& s : l.slots) {
                const bool is_beat = s.owner == io_.beats[i];
                if (is_beat && mistake_ != mistake::sends_an_unwritten_heartbeat_again) {
                    s.owner = nobody;
                }
            }
            end_beat(i);
        }
        for (const slot& s : l.slots) {
            leave(order_of(s.asked), i);
        }
        const bool counts = mistake_ == mistake::counts_what_it_sends_again_as_finished;
        abandon(
            l, why,
            [&](std::uint8_t id) {
                if (book_.records[id].object == nullptr) {
                    return book_.wrong("a request is sent again after its end");
                }
                io_.again.push_back(book_.records[id].object);
                if (counts) {
                    exchange_.settled(order_of(id));
                }
            },
            [&](std::uint64_t order) { exchange_.settled(order); });
        io_.then = pending::note_what_goes_again;
        io_.link = static_cast<std::uint8_t>(i);
    }

    void note_what_goes_again(std::size_t i) {
        exchange_.unsent(io_.again.size());
        if (mistake_ == mistake::counts_what_it_sends_again_as_finished) {
            for (const request* r = io_.again.front(); r != nullptr; r = r->next) {
                exchange_.count_once_more(r->what().order);
            }
        }
        if (mistake_ == mistake::sends_again_after_what_came_later) {
            io_.waiting.append(std::move(io_.again));
        } else {
            io_.again.append(std::move(io_.waiting));
            io_.waiting = std::move(io_.again);
        }
        io_.held.remove(i);
        io_.open.remove(i);
        --io_.open_count;
        io_.main = io_.main == i ? no_link : io_.main;
        io_.has_lost = true;
        io_.then = pending::remove;
    }

    void shut_down() {
        while (!io_.answered.empty() && mistake_ != mistake::forgets_at_the_end_what_was_answered) {
            complete_answered();
        }
        const std::error_code closed = make_error_code(errc::closed);
        for (std::size_t i = 0; i != max_places; ++i) {
            if (io_.open.has(i)) {
                if (links_[i].holder != idle && links_[i].holder != io) {
                    book_.wrong("a link is closed that a caller holds");
                }
                for (slot& s : links_[i].slots) {
                    s.owner = s.owner == io_.beats[i] ? nobody : s.owner;
                }
                abandon(
                    links_[i], closed,
                    [&](std::uint8_t id) { io_.waiting.push_back(book_.records[id].object); },
                    [](std::uint64_t) {});
                end_beat(i);
            }
        }
        while (!io_.waiting.empty()) {
            io_.waiting.pop_front()->complete(closed);
        }
        io_.at = turn::ended;
    }

    // ---- checks --------------------------------------------------------------------------------

    /// Nobody holds a request any more when it is disposed of.
    void check_what_is_held() {
        if (!book_.fault.empty()) {
            return;
        }
        const auto check = [this](std::uint8_t id) {
            if (id == book_.records.size() || book_.records[id].disposed != 0) {
                book_.wrong("a request is held by somebody after its end");
            }
        };
        for (const link& l : links_) {
            for (const slot& s : l.slots) {
                if (s.owner != nobody && book_.records[s.owner].made) {
                    check(s.owner);
                }
            }
        }
        for (const request_list* all : {&io_.waiting, &io_.refused, &io_.again}) {
            for (const request* r = all->front(); r != nullptr; r = r->next) {
                check(id_of(r));
            }
        }
        std::for_each(io_.answered.begin(), io_.answered.end(), check);
    }

    void check_the_end() {
        if (!exchange_.balances()) {
            book_.wrong("all is done, and something is counted as unfinished");
        }
        for (const link& l : links_) {
            if (l.holder != absent && l.hung) {
                book_.wrong("a link whose server has hung up is left to be borrowed");
            }
        }
    }

    void describe(std::string& out) const {
        const auto put = [&out](auto value) { out += static_cast<char>(value); };
        model_callers::describe(out);
        put(io_.at);
        put(io_.then);
        put(io_.link);
        for (std::size_t i = 0; i != max_places; ++i) {
            put(io_.open.has(i) << 4 | io_.held.has(i) << 3 | io_.returned.has(i) << 2 |
                io_.touched.has(i) << 1 | int{io_.to_beat.has(i)});
            put(io_.events[i].in << 2 | io_.events[i].out << 1 | int{io_.events[i].hup});
            put(io_.watched[i]);
            put(io_.beats[i]);
            put(io_.ordered_on[i]);
        }
        put(io_.open_count);
        put(io_.wanted);
        put(io_.main);
        for (const under_way& u : io_.orders) {
            put(u.count);
            put(u.count == 0 ? no_link : std::size_t{u.link});
        }
        put(io_.serves << 6 | io_.closing << 5 | io_.has_lost << 4 | io_.has_claimed << 3 |
            io_.sleeps << 2 | io_.beat_is_due << 1 | int{io_.tick_is_due});
        put(io_.connector);
        put(io_.gathers << 1 | int{io_.waited_in_vain});
        put(io_.waited_on);
        put(io_.one_share);
        std::for_each(io_.answered.begin(), io_.answered.end(), put);
        put(nobody);
        for (const request_list* all : {&io_.waiting, &io_.refused, &io_.again}) {
            for (const request* r = all->front(); r != nullptr; r = r->next) {
                put(id_of(r));
            }
            put(nobody);
        }
    }

    io_thread io_;
};

} // namespace weir::tests::handing_over

#endif
