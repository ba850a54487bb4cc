#ifndef WEIR_TESTS_REDIS_EXCHANGE_MODEL_HPP
#define WEIR_TESTS_REDIS_EXCHANGE_MODEL_HPP

/// A client as a world of small steps: some callers, the I/O thread, connections, and a server that
/// answers in order.
///
/// Real are `basic_exchange`, each of whose functions is one step, as its lock makes it; the requests
/// of waiting callers (awaited_request.hpp) and the lists of requests. The rest is modelled after the
/// code that uses them, and named as it is there: a caller after client::call, client::send_later and
/// link::run; the I/O thread after io_loop, with a step for every call of the exchange and for
/// everything done on a link; a connection after pipeline, with commands that are written whole or not
/// at all; epoll with its two kinds of watching.
///
/// Things that may happen at any time, as often as the scenario says: a deadline passes, a server
/// hangs up, an attempt to connect fails, a heartbeat is due, callbacks have waited long enough, a
/// link's replies are late, callers become many or few, the client is destroyed.
///
/// A server that hangs up executes nothing more of what was sent on that connection. That is how
/// servers end connections; a network that loses one may still deliver commands later, and then
/// nobody can promise an order. Left out are scripts that the server does not know: such a request is
/// sent once more, spelt out, behind what followed it.

#include "model_io_loop.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

namespace weir::tests::handing_over {

class world : private model_io_loop {
public:
    world(const scenario& s, mistake m) : model_io_loop{s, m} {}

    // ---- what may happen -----------------------------------------------------------------------

    enum action : std::uint8_t {
        caller_goes_on,
        deadline_passes = caller_goes_on + max_callers,
        io_goes_on = deadline_passes + max_callers,
        server_executes,
        socket_takes_more = server_executes + max_places,
        peer_closes = socket_takes_more + max_places,
        peer_resets = peer_closes + max_places,
        replies_are_late = peer_resets + max_places,
        connection_is_made = replies_are_late + max_places,
        connecting_fails,
        time_to_connect_again,
        heartbeat_is_due,
        callbacks_are_due,
        callers_become_many_or_few,
        wait_is_in_vain,
        client_closes,
        actions_,
    };
    static constexpr std::size_t actions = actions_;

    [[nodiscard]] static std::string name(std::size_t a) {
        const auto numbered = [a](const char* text, std::size_t first) {
            return text + std::to_string(a - first);
        };
        if (a < deadline_passes) {
            return numbered("step of caller ", caller_goes_on);
        }
        if (a < io_goes_on) {
            return numbered("deadline of caller ", deadline_passes);
        }
        if (a < connection_is_made && a != io_goes_on) {
            const std::array names{"server executes on link ", "socket takes more of link ",
                                   "peer closes link ", "peer resets link ",
                                   "replies are late on link "};
            const std::size_t kind = (a - server_executes) / max_places;
            return numbered(names[kind], server_executes + kind * max_places);
        }
        const std::array names{"connection is made",
                               "connecting fails",
                               "time to connect again",
                               "heartbeat is due",
                               "callbacks are due",
                               "callers become many or few",
                               "the wait for replies is in vain",
                               "client closes"};
        return a == io_goes_on ? "step of the I/O thread" : names[a - connection_is_made];
    }

    [[nodiscard]] bool can(std::size_t a) const {
        if (a < deadline_passes) {
            return a < plan_.callers.size() && caller_can_go_on(callers_[a]);
        }
        if (a < io_goes_on) {
            const std::size_t c = a - deadline_passes;
            return plan_.deadlines && c < plan_.callers.size() && waits(callers_[c]);
        }
        const auto link_of = [a](std::size_t first) { return a - first; };
        if (a == io_goes_on) {
            return io_can_go_on();
        }
        if (a < socket_takes_more) {
            return !links_[link_of(server_executes)].wire.empty();
        }
        if (a < peer_closes) {
            return links_[link_of(socket_takes_more)].full;
        }
        if (a < replies_are_late) {
            const link& l = links_[(a - peer_closes) % max_places];
            return counts_.hang_ups < plan_.hang_ups && l.holder != absent && !l.hung;
        }
        if (a < connection_is_made) {
            const link& l = links_[link_of(replies_are_late)];
            return counts_.delays < plan_.delays && l.holder == io && !l.late && !l.slots.empty();
        }
        switch (a) {
        case connection_is_made:
            return io_.connector == connector_at_work;
        case connecting_fails:
            return io_.connector == connector_at_work &&
                   counts_.connect_failures < plan_.connect_failures;
        case time_to_connect_again:
            return io_.connector == connector_holding_back;
        case heartbeat_is_due:
            return counts_.heartbeats < plan_.heartbeats && !io_.beat_is_due;
        case callbacks_are_due:
            return counts_.expiries < plan_.expiries && !io_.tick_is_due;
        case callers_become_many_or_few:
            return counts_.crowds < plan_.crowds;
        case wait_is_in_vain:
            return counts_.vain_waits < plan_.vain_waits && io_.at == turn::wait_for_replies &&
                   !io_can_go_on();
        default:
            return plan_.closes && !closed_ && nobody_will_wait();
        }
    }

    [[nodiscard]] bool must_happen(std::size_t a) const {
        return a < deadline_passes || a == io_goes_on ||
               (a >= server_executes && a < peer_closes) || a == connection_is_made ||
               a == time_to_connect_again || a == client_closes;
    }

    void act(std::size_t a) {
        if (a < deadline_passes) {
            caller_step(static_cast<std::uint8_t>(a));
        } else if (a < io_goes_on) {
            give_up(static_cast<std::uint8_t>(a - deadline_passes));
        } else if (a == io_goes_on) {
            io_step();
        } else if (a < socket_takes_more) {
            execute_next(a - server_executes);
        } else if (a < peer_closes) {
            links_[a - socket_takes_more].full = false;
        } else if (a < replies_are_late) {
            ++counts_.hang_ups;
            hang_up((a - peer_closes) % max_places, a >= peer_resets);
        } else if (a < connection_is_made) {
            ++counts_.delays;
            links_[a - replies_are_late].late = true;
        } else {
            something_else(a);
        }
        check_what_is_held();
        if (exchange_.overflows) {
            book_.wrong("more waits to be sent than there is room for");
        }
        if (is_quiet()) {
            check_the_end();
        }
    }

    [[nodiscard]] const std::string& fault() const noexcept { return book_.fault; }

    [[nodiscard]] bool is_over() const {
        const bool all_known =
            std::all_of(book_.records.begin(), book_.records.end(), [](const outcome& r) {
                const bool gone = !r.made || (r.completed == 1 && r.disposed == 1);
                return (gone || r.caller == nobody) &&
                       (r.outcome != outcome::unknown || r.caller == nobody);
            });
        return all_known && nobody_calls() && (plan_.closes ? io_.at == turn::ended : is_quiet());
    }

    void describe(std::string& out) const {
        const auto put = [&out](auto value) { out += static_cast<char>(value); };
        model_io_loop::describe(out);
        put(closed_);
        put(counts_.hang_ups << 4 | counts_.connect_failures << 2 | counts_.heartbeats);
        put(counts_.expiries << 4 | counts_.delays);
        put(counts_.crowds << 4 | counts_.vain_waits);
    }

private:
    void something_else(std::size_t a) {
        switch (a) {
        case connection_is_made:
            io_.connector = connector_made;
            break;
        case connecting_fails:
            ++counts_.connect_failures;
            io_.connector = connector_failed;
            break;
        case time_to_connect_again:
            io_.connector = connector_resting;
            break;
        case heartbeat_is_due:
            ++counts_.heartbeats;
            io_.beat_is_due = true;
            break;
        case callbacks_are_due:
            ++counts_.expiries;
            io_.tick_is_due = true;
            break;
        case callers_become_many_or_few:
            ++counts_.crowds;
            io_.gathers = !io_.gathers;
            break;
        case wait_is_in_vain:
            ++counts_.vain_waits;
            io_.waited_in_vain = true;
            break;
        default:
            closed_ = true;
            bell_ = exchange_.close() || bell_;
        }
    }

    bool closed_ = false;
    struct {
        std::uint8_t hang_ups = 0;
        std::uint8_t connect_failures = 0;
        std::uint8_t heartbeats = 0;
        std::uint8_t expiries = 0;
        std::uint8_t delays = 0;
        std::uint8_t crowds = 0;
        std::uint8_t vain_waits = 0;
    } counts_;
};

} // namespace weir::tests::handing_over

#endif
