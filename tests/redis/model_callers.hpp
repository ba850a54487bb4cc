#ifndef WEIR_TESTS_REDIS_MODEL_CALLERS_HPP
#define WEIR_TESTS_REDIS_MODEL_CALLERS_HPP

/// The callers of the model in exchange_model.hpp: client::call with call_on and link::run, and
/// client::send_later, one step after the other.

#include "model_links.hpp"

#include <weir/error.hpp>
#include <weir/redis/request.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <system_error>
#include <utility>

namespace weir::tests::handing_over {

class model_callers : protected model_links {
protected:
    using model_links::model_links;

    enum class step : std::uint8_t {
        start,
        // call_on
        unwatch,
        run,
        receive,
        give_back,
        ring_after_giving_back,
        // call_through_io_thread
        post,
        post_after_waking,
        ring_and_wait,
        wait,
        // send_later
        pass_on,
        ring,
    };

    struct caller {
        step at = step::start;
        std::uint8_t operation = 0;
        std::uint8_t link = 0;
        /// Replies to him have yet to come on the link.
        bool late = false;
        /// The request has to be sent on another link.
        bool again = false;
    };

    [[nodiscard]] bool nobody_calls() const {
        for (std::size_t c = 0; c != plan_.callers.size(); ++c) {
            if (callers_[c].operation != plan_.callers[c].size()) {
                return false;
            }
        }
        return true;
    }

    [[nodiscard]] bool nobody_will_wait() const {
        for (std::size_t c = 0; c != plan_.callers.size(); ++c) {
            for (std::size_t n = callers_[c].operation; n != plan_.callers[c].size(); ++n) {
                if (plan_.callers[c][n].kind != operation::call_later) {
                    return false;
                }
            }
        }
        return true;
    }

    [[nodiscard]] std::uint8_t id_of_operation(std::size_t c) const {
        std::size_t id = callers_[c].operation;
        for (std::size_t before = 0; before != c; ++before) {
            id += plan_.callers[before].size();
        }
        return static_cast<std::uint8_t>(id);
    }

    [[nodiscard]] bool waits(const caller& c) const {
        const auto index = static_cast<std::size_t>(&c - callers_.data());
        return c.at == step::receive ||
               (c.at == step::wait &&
                book_.records[id_of_operation(index)].word != ledger_word::done);
    }

    [[nodiscard]] bool caller_can_go_on(const caller& c) const {
        const auto index = static_cast<std::size_t>(&c - callers_.data());
        if (c.operation == plan_.callers[index].size()) {
            return false;
        }
        if (c.at == step::receive) {
            const link& l = links_[c.link];
            return l.readable() || l.broken || (l.has_unwritten() && !l.full);
        }
        return c.at != step::wait || !waits(c);
    }

    void answer(caller& c, std::uint8_t id, std::error_code error) {
        book_.note_outcome(id, error);
        next_operation(c);
    }
    static void next_operation(caller& c) {
        c = {step::start, static_cast<std::uint8_t>(c.operation + 1)};
    }

    void caller_step(std::uint8_t me) {
        caller& c = callers_[me];
        const std::uint8_t id = id_of_operation(me);
        const operation& what = book_.records[id].what;
        switch (c.at) {
        case step::start:
            if (what.kind == operation::call) {
                borrow(c, me, id);
            } else if (what.kind == operation::call_among_many) {
                post(c, id);
            } else {
                post_later(c, id);
            }
            break;
        case step::unwatch:
            change_watching(c.link, unattended);
            c.at = step::run;
            break;
        case step::run:
            push(c.link, id, me);
            flush(c.link, me);
            c.at = step::receive;
            break;
        case step::receive:
            flush(c.link, me);
            read(c.link, me, [](std::uint64_t) {});
            if (link& l = links_[c.link]; l.broken && !own_answers_[me].done) {
                abandon(
                    l, make_error_code(errc::connection_lost),
                    [&c](std::uint8_t) { c.again = true; }, [](std::uint64_t) {});
            }
            if (own_answers_[me].done || c.again) {
                c.at = step::give_back;
            }
            break;
        case step::give_back:
            give_back(c, me, id);
            break;
        case step::ring_after_giving_back:
            bell_ = true;
            after_link(c, me, id);
            break;
        case step::post:
            post(c, id);
            break;
        case step::post_after_waking:
            finish_post(c, id, exchange_.post_without_waking(book_.records[id].object));
            break;
        case step::ring_and_wait:
            bell_ = true;
            c.at = mistake_ == mistake::wakes_before_the_request_is_there ? step::post_after_waking
                                                                          : step::wait;
            break;
        case step::wait:
            answer(c, id, wait(id));
            break;
        case step::pass_on:
            pass_on(c, id);
            break;
        case step::ring:
            bell_ = true;
            next_operation(c);
            break;
        }
    }

    void borrow(caller& c, std::uint8_t me, std::uint8_t id) {
        const auto b = exchange_.borrow(order_of(id));
        if (b.refused) {
            return answer(c, id, b.refused);
        }
        if (b.link == no_link) {
            c.at = step::post;
            return;
        }
        hand_over(b.link, b.was_lent ? lent : idle, me);
        c.link = static_cast<std::uint8_t>(b.link);
        c.at = b.was_lent ? step::unwatch : step::run;
    }

    void give_back(caller& c, std::uint8_t me, std::uint8_t id) {
        const bool left = c.late || links_[c.link].broken;
        const bool wake = exchange_.give_back(c.link, left, c.late ? order_of(id) : 0);
        hand_over(c.link, me, exchange_.is_idle(c.link) ? idle : on_its_way);
        if (wake) {
            c.at = step::ring_after_giving_back;
        } else {
            after_link(c, me, id);
        }
    }
    void after_link(caller& c, std::uint8_t me, std::uint8_t id) {
        const own_answer mine = std::exchange(own_answers_[me], {});
        if (c.again) {
            c.at = step::post;
        } else {
            answer(c, id, mine.error);
        }
    }

    void post(caller& c, std::uint8_t id) {
        request* const r = make_request(id);
        if (mistake_ != mistake::wakes_before_the_request_is_there) {
            finish_post(c, id, exchange_.post(r));
        } else if (exchange_.wake_first()) {
            c.at = step::ring_and_wait;
        } else {
            c.at = step::post_after_waking;
        }
    }
    void finish_post(caller& c, std::uint8_t id, const tried_exchange::posted& p) {
        if (p.refused) {
            book_.records[id].object->complete(p.refused);
            answer(c, id, wait(id));
        } else {
            c.at = p.wake ? step::ring_and_wait : step::wait;
        }
    }

    [[nodiscard]] std::error_code wait(std::uint8_t id) {
        request* const r = book_.records[id].object;
        return copies_requests() ? static_cast<mistaken_request*>(r)->wait()
                                 : static_cast<awaited*>(r)->wait().error;
    }

    void post_later(caller& c, std::uint8_t id) {
        request* const r = make_request(id);
        const auto p = exchange_.post(r);
        if (p.refused) {
            r->refused = p.refused;
            c.at = step::pass_on;
        } else if (p.wake) {
            c.at = step::ring;
        } else {
            next_operation(c);
        }
    }
    void pass_on(caller& c, std::uint8_t id) {
        request* const r = book_.records[id].object;
        const auto passed = exchange_.pass_on(r);
        if (!passed.taken) {
            r->complete(r->refused);
        }
        if (passed.wake) {
            c.at = step::ring;
        } else {
            next_operation(c);
        }
    }

    /// The deadline of a caller who waits is over.
    void give_up(std::uint8_t me) {
        caller& c = callers_[me];
        const std::uint8_t id = id_of_operation(me);
        if (c.at == step::wait) {
            return answer(c, id, wait(id));
        }
        // link::run: pipeline::retract_last
        link& l = touch(c.link, me);
        const bool written = l.slots.back().written;
        if (!written || mistake_ == mistake::takes_back_what_is_written) {
            l.slots.pop_back();
        } else {
            l.slots.back().owner = nobody;
            c.late = true;
        }
        own_answers_[me] = {true, make_error_code(written ? errc::timeout : errc::not_sent)};
        c.at = step::give_back;
    }

    void describe(std::string& out) const {
        const auto put = [&out](auto value) { out += static_cast<char>(value); };
        model_links::describe(out);
        for (const caller& c : callers_) {
            put(c.at);
            put(c.operation);
            put(c.link);
            put(c.late << 1 | int{c.again});
        }
    }

    std::array<caller, max_callers> callers_;
};

} // namespace weir::tests::handing_over

#endif
