#ifndef WEIR_REDIS_DISPATCHER_HPP
#define WEIR_REDIS_DISPATCHER_HPP

/// Which request goes on which link: those that wait, what they have to come after, and the links
/// that the I/O thread holds (exchange.hpp).
///
/// Limit: requests go to links in the order in which they came, all of them. One that has to come
/// after others on two links holds up those behind it, also those that need not wait, until one of
/// the two links is through; that is as long as a link without replies in time takes to recover or
/// to be given up (client_settings::stall_timeout).

#include <weir/error.hpp>
#include <weir/redis/core.hpp>
#include <weir/redis/exchange.hpp>
#include <weir/redis/orders_under_way.hpp>
#include <weir/redis/pipeline.hpp>
#include <weir/redis/request.hpp>

#include <cstddef>
#include <cstdint>
#include <new>
#include <system_error>
#include <utility>

namespace weir::detail::redis {

/// Only for the I/O thread.
class dispatcher {
public:
    explicit dispatcher(client_core& core) noexcept : core_{core} {}

    // ---- links -------------------------------------------------------------------------------

    [[nodiscard]] bool holds(std::size_t i) const noexcept { return held_.has(i); }
    [[nodiscard]] link_set held() const noexcept { return held_; }

    /// The link that requests go to, one of those held; or no_link.
    [[nodiscard]] std::size_t main_link() const noexcept { return main_; }

    /// Those on which nothing is on its way may be borrowed while the I/O thread sleeps.
    [[nodiscard]] link_set lendable() const noexcept {
        link_set all;
        held_.each([&](std::size_t i) {
            if (core_.links[i].pipe->idle()) {
                all.add(i);
            }
        });
        return all;
    }

    [[nodiscard]] bool anything_in_flight() const noexcept {
        for (std::size_t i = 0; i != most_links; ++i) {
            if (held_.has(i) && core_.links[i].pipe->size() != 0) {
                return true;
            }
        }
        return false;
    }

    /// The I/O thread has got hold of a link.
    void adopt(std::size_t i) noexcept {
        held_.add(i);
        core_.links[i].pipe->each_order([&](std::uint64_t order) { orders_.enter(order, i); });
    }

    /// The same for one that a caller gave back.
    void take_back(std::size_t i) noexcept {
        adopt(i);
        if (main_ == no_link && !waiting_.empty()) {
            main_ = i; // what it was given for
        }
    }

    /// It holds it no more.
    void let_go(std::size_t i) noexcept {
        held_.remove(i);
        main_ = main_ == i ? no_link : main_;
    }

    /// The connection of a held link is gone: what was on it is put back to the others, or ended with
    /// `why`.
    void abandon(std::size_t i, std::error_code why) noexcept {
        pipeline& p = *core_.links[i].pipe;
        p.each_order([&](std::uint64_t order) { orders_.leave(order, i); });
        request_list again;
        p.abandon(why, again, [&](std::uint64_t order) { core_.meeting.settled(order); });
        core_.meeting.unsent(again.size());
        again.append(std::move(waiting_));
        waiting_ = std::move(again);
        let_go(i);
    }

    /// What was on its way there, of this order, is finished.
    void settle(std::uint64_t order, std::size_t i) noexcept {
        orders_.leave(order, i);
        core_.meeting.settled(order);
    }

    // ---- requests ----------------------------------------------------------------------------

    [[nodiscard]] bool has_waiting() const noexcept { return !waiting_.empty(); }

    /// Requests that were collected. One that was refused ends at once: what waits is bounded, and it
    /// is beyond that.
    void enter(request_list collected) noexcept {
        while (!collected.empty()) {
            request* const r = collected.pop_front();
            if (r->refused) {
                drop(r, r->refused);
            } else {
                waiting_.push_back(r);
            }
        }
    }

    /// Puts requests on links as far as that can be done now.
    /// @returns  the links, which have something to write
    [[nodiscard]] link_set place(steady_time now) noexcept {
        link_set touched;
        while (!waiting_.empty()) {
            const std::size_t i = link_for(*waiting_.front(), now);
            if (i == no_link) {
                break;
            }
            request* const r = waiting_.pop_front();
            if (!r->begin()) {
                drop(r, make_error_code(errc::not_sent));
                continue;
            }
            try {
                core_.links[i].pipe->push(r, now);
            } catch (const std::bad_alloc&) {
                drop(r, std::make_error_code(std::errc::not_enough_memory));
                continue;
            }
            core_.meeting.sent(1);
            orders_.enter(r->what().order, i);
            touched.add(i);
        }
        return touched;
    }

    /// Ends those that wait, expire, and are too late.
    /// @returns  how many those were
    std::size_t expire(steady_time now) noexcept {
        std::size_t late = 0;
        request_list rest;
        while (!waiting_.empty()) {
            request* const r = waiting_.pop_front();
            if (r->expires() && r->deadline() <= now) {
                ++late;
                drop(r, make_error_code(errc::not_sent));
            } else {
                rest.push_back(r);
            }
        }
        waiting_ = std::move(rest);
        return late;
    }

    /// Ends all that wait.
    void drop_waiting(std::error_code why) noexcept {
        while (!waiting_.empty()) {
            drop(waiting_.pop_front(), why);
        }
    }

private:
    /// Ends a request that is on no link.
    void drop(request* r, std::error_code why) noexcept {
        core_.meeting.sent(1);
        core_.meeting.settled(r->what().order);
        r->complete(why);
    }

    /// The link to put a request on, or no_link if it has to wait.
    [[nodiscard]] std::size_t link_for(const request& r, steady_time now) noexcept {
        if (const auto b = orders_.behind_what(r.what().order); b.any) {
            return b.link != no_link && has_room(b.link) ? b.link : no_link;
        }
        if (!usable(main_, now)) {
            choose_main(now);
        }
        return main_ != no_link && has_room(main_) ? main_ : no_link;
    }

    /// Takes the link that all requests go to, while replies come in time.
    void choose_main(steady_time now) noexcept {
        const std::size_t before = main_;
        main_ = no_link;
        for (std::size_t i = 0; i != most_links && main_ == no_link; ++i) {
            if (usable(i, now)) {
                main_ = i;
            }
        }
        if (main_ == no_link) {
            main_ = core_.meeting.claim();
            if (main_ != no_link) {
                adopt(main_);
            }
        }
        if (main_ == no_link) {
            main_ = before; // rather one that is late than none
        }
    }

    /// Held, and its replies come in time.
    [[nodiscard]] bool usable(std::size_t i, steady_time now) const noexcept {
        if (!held_.has(i)) {
            return false;
        }
        const pipeline& p = *core_.links[i].pipe;
        return p.size() == 0 || now - p.oldest() < core_.settings.timeout;
    }

    [[nodiscard]] bool has_room(std::size_t i) const noexcept {
        const pipeline& p = *core_.links[i].pipe;
        return p.size() < most_in_flight && p.unwritten().size() < most_unwritten;
    }

    /// What is put on one link at one time.
    static constexpr std::size_t most_in_flight = 16'384;
    static constexpr std::size_t most_unwritten = std::size_t{256} << 10;

    client_core& core_;
    /// Not on a link yet, in their order.
    request_list waiting_;
    orders_under_way orders_;
    link_set held_;
    std::size_t main_ = no_link;
};

} // namespace weir::detail::redis

#endif
