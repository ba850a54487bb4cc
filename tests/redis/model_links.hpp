#ifndef WEIR_TESTS_REDIS_MODEL_LINKS_HPP
#define WEIR_TESTS_REDIS_MODEL_LINKS_HPP

/// The part of the model in exchange_model.hpp that everybody acts on: the exchange, connections with
/// their epoll, and requests.

#include "model_requests.hpp"

#include <weir/error.hpp>
#include <weir/redis/exchange.hpp>
#include <weir/redis/request.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace weir::tests::handing_over {

using detail::redis::link_set;
using detail::redis::no_link;
using detail::redis::request_list;

struct scenario {
    /// One after the other, for each caller.
    std::vector<std::vector<operation>> callers;
    /// Connections at the start, and at most.
    std::size_t links = 1;
    std::size_t most_links = 1;
    /// Of the exchange.
    std::size_t room = 16;
    /// The first link's socket takes nothing at first.
    bool full = false;
    /// Deadlines of waiting callers may pass.
    bool deadlines = false;
    /// The client is destroyed once nobody will wait for it any more.
    bool closes = false;
    // How often:
    std::uint8_t hang_ups = 0;
    std::uint8_t connect_failures = 0;
    std::uint8_t heartbeats = 0;
    std::uint8_t expiries = 0;
    std::uint8_t delays = 0;
    /// Callers become many, so that the I/O thread waits for replies where it can; or few again.
    std::uint8_t crowds = 0;
    /// Such a wait ends without a reply.
    std::uint8_t vain_waits = 0;
};

constexpr std::size_t max_callers = 3;
constexpr std::size_t max_places = 2;
/// Orders that scenarios may use: 0 to 3, and after_all.
constexpr std::size_t max_orders = 4;

struct no_mutex {
    void lock() noexcept {}
    void unlock() noexcept {}
};

/// The real exchange, with mistakes if that is wanted.
class tried_exchange : public detail::redis::basic_exchange<no_mutex> {
    using real = detail::redis::basic_exchange<no_mutex>;

public:
    tried_exchange(std::size_t room, mistake m) : real{room}, room_{room}, mistake_{m} {}

    [[nodiscard]] borrowed borrow(std::uint64_t order) noexcept {
        const bool careless = mistake_ == mistake::borrows_in_spite_of_unfinished_orders;
        return real::borrow(careless ? 0 : order);
    }

    [[nodiscard]] bool give_back(std::size_t link, bool left, std::uint64_t order) noexcept {
        if (mistake_ == mistake::keeps_links_from_a_waiting_io_thread) {
            io_wants_link_ = false;
        }
        return real::give_back(
            link, left, mistake_ == mistake::does_not_count_what_a_caller_leaves ? 0 : order);
    }

    /// The two halves of a `post` that wakes first.
    [[nodiscard]] bool wake_first() noexcept { return wake(); }
    [[nodiscard]] posted post_without_waking(request* r) noexcept {
        const bool announced = std::exchange(asleep_, false);
        const posted p = real::post(r);
        asleep_ = announced;
        return {p.refused, false};
    }

    [[nodiscard]] passed pass_on(request* r) noexcept {
        const bool closing = closing_;
        closing_ = closing_ && mistake_ != mistake::passes_on_after_closing;
        const passed p = real::pass_on(r);
        closing_ = closing;
        return p;
    }

    [[nodiscard]] collected collect() noexcept {
        collected all = real::collect();
        if (mistake_ == mistake::does_not_tell_what_was_borrowed_meanwhile) {
            all.taken = {};
        }
        return all;
    }

    [[nodiscard]] bool hung_up(std::size_t link) noexcept {
        if (mistake_ == mistake::takes_a_link_that_is_on_its_way && holders_[link] == holder::io) {
            return true;
        }
        return real::hung_up(link);
    }

    void refuse(std::error_code why) noexcept {
        if (mistake_ == mistake::serves_again_after_closing) {
            refused_ = why;
        }
        real::refuse(why);
    }

    [[nodiscard]] bool sleep(link_set lend) noexcept {
        if (mistake_ != mistake::announces_sleep_without_looking || closing_) {
            return real::sleep(lend);
        }
        // What is there now is not seen; the real function lends and announces.
        request_list waiting = std::move(waiting_);
        const link_set returned = std::exchange(returned_, {});
        const bool slept = real::sleep(lend);
        waiting_ = std::move(waiting);
        returned_ = returned;
        return slept;
    }

    [[nodiscard]] posted post(request* r) noexcept {
        const posted p = real::post(r);
        overflows = overflows || (!p.refused && unsent_.load() > room_);
        return p;
    }
    /// More waits to be sent than there is room for.
    bool overflows = false;

    void count_once_more(std::uint64_t order) noexcept { unsettled_.add(order); }

    [[nodiscard]] bool is_idle(std::size_t link) const noexcept {
        return holders_[link] == holder::idle;
    }
    [[nodiscard]] bool is_lent(std::size_t link) const noexcept {
        return holders_[link] == holder::lent;
    }

    /// Everything is finished that was counted.
    [[nodiscard]] bool balances() const noexcept {
        bool all = unsent_.load() == 0 && waiting_.empty() && !unsettled_.any(after_all);
        for (std::uint64_t order = 1; order != max_orders; ++order) {
            all = all && !unsettled_.any(order);
        }
        return all;
    }

    template<class Identify>
    void describe(std::string& out, const Identify& id) const {
        const auto put = [&out](auto value) { out += static_cast<char>(value); };
        for (std::size_t i = 0; i != max_places; ++i) {
            put(holders_[i]);
            put(returned_.has(i) << 2 | lent_.has(i) << 1 | int{hung_up_.has(i)});
        }
        for (const request* r = waiting_.front(); r != nullptr; r = r->next) {
            put(id(r));
        }
        put(nobody);
        put(unsent_.load());
        for (std::uint64_t order = 1; order != max_orders; ++order) {
            put(unsettled_.count(order));
        }
        put(asleep_ << 3 | io_wants_link_ << 2 | more_wanted_ << 1 | int{closing_});
        put(refused_.value());
    }

private:
    std::size_t room_;
    mistake mistake_;
};

class model_links {
protected:
    using outcome = ledger::record;

    model_links(const scenario& s, mistake m) : plan_{s}, mistake_{m}, exchange_{s.room, m} {
        for (std::size_t c = 0; c != s.callers.size(); ++c) {
            for (std::size_t n = 0; n != s.callers[c].size(); ++n) {
                book_.records.push_back(
                    {s.callers[c][n], static_cast<std::uint8_t>(c), static_cast<std::uint8_t>(n)});
            }
        }
        for (std::size_t i = 0; i != s.links; ++i) {
            exchange_.opened(i);
            exchange_.put_back(i);
            links_[i].holder = idle;
            links_[i].registered = unattended;
            links_[i].full = s.full && i == 0;
        }
    }
    model_links(const model_links&) = delete;
    model_links& operator=(const model_links&) = delete;
    ~model_links() {
        // What the searched part of the history did not get to.
        for (outcome& r : book_.records) {
            if (r.object == nullptr || !is_awaited(r) || copies_requests()) {
                continue;
            }
            const bool abandoned = r.word == ledger_word::abandoned;
            if (r.word != ledger_word::done) {
                r.object->complete({});
            }
            if (!abandoned) {
                static_cast<void>(static_cast<awaited*>(r.object)->wait());
            }
        }
    }

    // ---- links ---------------------------------------------------------------------------------

    /// Who holds a link, as the rules say; checked at each step. From 0 on: a caller.
    enum holder : std::uint8_t { absent = 0xf0, idle, io, lent, on_its_way };
    enum watching : std::uint8_t { nothing, unattended, attended, attended_and_writing };

    struct slot {
        /// Whose commands they are, and who waits for the replies: the same, or nobody.
        std::uint8_t asked;
        std::uint8_t owner;
        bool written;
    };

    struct link {
        std::uint8_t holder = absent;
        watching registered = nothing;
        bool full = false;
        bool hung = false;
        bool resets = false;
        /// As its holder has seen.
        bool broken = false;
        bool late = false;
        std::vector<slot> slots;
        /// Commands that the server has not executed, and replies that were not read.
        std::vector<std::uint8_t> wire;
        std::vector<std::uint8_t> replies;

        [[nodiscard]] bool has_unwritten() const noexcept {
            return !slots.empty() && !slots.back().written;
        }
        [[nodiscard]] bool readable() const noexcept { return !replies.empty() || hung; }
    };

    void hand_over(std::size_t i, std::uint8_t from, std::uint8_t to) {
        if (links_[i].holder != from) {
            book_.wrong("a link is taken that another holds");
        }
        links_[i].holder = to;
    }

    link& touch(std::size_t i, std::uint8_t who) {
        if (links_[i].holder != who) {
            book_.wrong("a link is touched by somebody who does not hold it");
        }
        return links_[i];
    }

    void push(std::size_t i, std::uint8_t id, std::uint8_t who) {
        touch(i, who).slots.push_back({id, id, false});
    }

    void flush(std::size_t i, std::uint8_t who) {
        link& l = touch(i, who);
        if (l.broken || l.full || !l.has_unwritten()) {
            return;
        }
        if (l.hung && l.resets) {
            l.broken = true;
            return;
        }
        for (slot& s : l.slots) {
            if (!std::exchange(s.written, true) && !l.hung) {
                l.wire.push_back(s.asked);
            }
        }
    }

    /// Takes the replies that are there; `settled(order)` and completion for each, as pipeline::read.
    template<class Settled>
    void read(std::size_t i, std::uint8_t who, const Settled& settled) {
        read(i, who, settled, [this](std::uint8_t owner) { complete(owner, {}); });
    }
    template<class Settled, class Answered>
    void read(std::size_t i, std::uint8_t who, const Settled& settled, const Answered& answered) {
        link& l = touch(i, who);
        if (l.broken) {
            return;
        }
        l.broken = l.replies.empty() && l.hung;
        while (!l.replies.empty() && book_.fault.empty()) {
            if (l.slots.empty() || l.slots.front().asked != l.replies.front()) {
                book_.wrong("a reply reaches somebody who did not ask for it");
                return;
            }
            const slot s = l.slots.front();
            l.slots.erase(l.slots.begin());
            l.replies.erase(l.replies.begin());
            settled(order_of(s.asked));
            if (s.owner != nobody) {
                answered(s.owner);
            }
        }
        l.late = l.late && !l.slots.empty();
    }

    /// As pipeline::abandon.
    template<class Again, class Settled>
    void abandon(link& l, std::error_code lost, const Again& again, const Settled& settled) {
        for (const slot& s : std::exchange(l.slots, {})) {
            const bool may_go_again = !s.written || book_.records[s.asked].what.harmless ||
                                      mistake_ == mistake::sends_again_what_may_have_been_applied;
            if (s.owner != nobody && may_go_again) {
                again(s.owner);
                continue;
            }
            settled(order_of(s.asked));
            if (s.owner != nobody) {
                complete(s.owner, lost);
            }
        }
    }

    // ---- epoll ---------------------------------------------------------------------------------

    /// EPOLL_CTL_MOD, which does nothing to a descriptor that was removed.
    void change_watching(std::size_t i, watching how) {
        if (links_[i].registered != nothing) {
            links_[i].registered = how;
        }
    }

    struct readiness {
        bool in = false;
        bool out = false;
        bool hup = false;
        [[nodiscard]] bool any() const noexcept { return in || out || hup; }
    };
    [[nodiscard]] readiness ready(std::size_t i) const {
        const link& l = links_[i];
        if (l.registered == nothing || l.holder == absent) {
            return {};
        }
        return {l.registered >= attended && l.readable(),
                l.registered == attended_and_writing && !l.full, l.hung};
    }

    // ---- what the server and the network do ------------------------------------------------------

    void execute_next(std::size_t i) {
        link& l = links_[i];
        book_.note_executed(l.wire.front());
        l.replies.push_back(l.wire.front());
        l.wire.erase(l.wire.begin());
    }

    /// @param resets  what was sent and not read is lost, and sending fails; else it succeeds once more
    void hang_up(std::size_t i, bool resets) {
        link& l = links_[i];
        l.hung = true;
        l.resets = resets;
        l.full = false;
        l.wire.clear();
        if (resets) {
            l.replies.clear();
        }
    }

    // ---- requests ------------------------------------------------------------------------------

    [[nodiscard]] std::uint64_t order_of(std::uint8_t id) const {
        return book_.records[id].what.order;
    }

    [[nodiscard]] std::uint8_t id_of(const request* r) const {
        const auto at = std::find_if(book_.records.begin(), book_.records.end(),
                                     [r](const outcome& record) { return record.object == r; });
        return static_cast<std::uint8_t>(at - book_.records.begin());
    }

    [[nodiscard]] static bool is_awaited(const outcome& r) {
        return r.caller != nobody && r.what.kind != operation::call_later;
    }

    [[nodiscard]] bool copies_requests() const {
        return mistake_ == mistake::disposes_of_a_request_at_its_deadline ||
               mistake_ == mistake::leaves_an_abandoned_request_to_nobody ||
               mistake_ == mistake::begins_what_was_abandoned;
    }

    request* make_request(std::uint8_t id) {
        outcome& r = book_.records[id];
        commands what;
        what.order = r.what.order;
        what.harmless = r.what.harmless;
        book_.making = id;
        r.made = true;
        if (is_awaited(r) && !copies_requests()) {
            ledger::current() = &book_;
            r.object = new awaited{std::move(what), steady_time::max()};
            ledger::current() = nullptr;
            return r.object;
        }
        if (is_awaited(r)) {
            made_.push_back(std::make_unique<mistaken_request>(std::move(what), book_, mistake_));
            return r.object = made_.back().get();
        }
        noted_.push_back(
            std::make_unique<noted_request>(std::move(what), book_, id, r.caller != nobody));
        return r.object = noted_.back().get();
    }

    /// The replies to a request are there, or an error.
    void complete(std::uint8_t id, std::error_code error) {
        outcome& r = book_.records[id];
        if (r.object != nullptr) {
            r.object->complete(error);
        } else if (r.made) {
            book_.wrong("a request is completed after its end");
        } else {
            own_answers_[r.caller] = {true, error};
        }
    }

    void describe(std::string& out) const {
        const auto put = [&out](auto value) { out += static_cast<char>(value); };
        const auto put_all = [&put](const std::vector<std::uint8_t>& ids) {
            std::for_each(ids.begin(), ids.end(), put);
            put(nobody);
        };
        exchange_.describe(out, [this](const request* r) { return id_of(r); });
        for (const outcome& r : book_.records) {
            put(r.word | r.completed << 2 | r.disposed << 4 | int{r.made} << 6);
            put(r.executed << 2 | r.outcome);
        }
        for (const own_answer& a : own_answers_) {
            put(a.done);
            put(a.error.value());
        }
        for (const link& l : links_) {
            put(l.holder);
            put(l.registered << 5 | l.late << 4 | l.full << 3 | l.hung << 2 | l.resets << 1 |
                int{l.broken});
            for (const slot& s : l.slots) {
                put(s.asked);
                put((s.owner == nobody) << 1 | int{s.written});
            }
            put(nobody);
            put_all(l.wire);
            put_all(l.replies);
        }
        put(bell_);
    }

    const scenario& plan_;
    const mistake mistake_;
    ledger book_;
    tried_exchange exchange_;
    std::array<link, max_places> links_;
    /// What became of the request that a caller serves himself (own_request).
    struct own_answer {
        bool done = false;
        std::error_code error;
    };
    std::array<own_answer, max_callers> own_answers_;
    /// The edge of the descriptor that wakes the I/O thread.
    bool bell_ = false;

private:
    std::vector<std::unique_ptr<noted_request>> noted_;
    std::vector<std::unique_ptr<mistaken_request>> made_;
};

} // namespace weir::tests::handing_over

#endif
