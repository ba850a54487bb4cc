#ifndef WEIR_REDIS_EXCHANGE_HPP
#define WEIR_REDIS_EXCHANGE_HPP

/// Where callers and the I/O thread of a client meet: who holds which connection, and the requests
/// that wait to be sent. Everything here happens under one short lock; nothing in it blocks, sends or
/// calls anybody.
///
/// States of a link (a connection and its place), and who changes them:
///
///     absent --(I/O: opened)--> io --(I/O: put_back)--> idle --(caller: borrow)--> caller
///       ^                        |  ^                    |                          |
///       '---(I/O: removed)-------'  '---(I/O: claim)-----'      (caller: give_back) |
///                                ^                                                  v
///                                '-----------(broken, or something is left) --- or idle
///
///     io --(I/O: sleep)--> lent --(I/O: collect)--> io,   or   lent --(caller: borrow)--> caller
///
/// Only who holds a link touches its connection. The lock orders one holder's work before the next
/// one's.
///
/// Nobody sleeps through his work: the I/O thread announces its sleep under the lock, after it has
/// seen under the same lock that there is nothing to do; whoever brings work finds the announcement
/// under the lock, takes it down, and is then told to wake the I/O thread. While requests gather the
/// I/O thread waits unannounced, but only for replies that it has asked for, and not for long.
/// tests/redis/exchange_model_test.cpp runs this class through all interleavings.

#include <weir/error.hpp>
#include <weir/redis/request.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <system_error>
#include <utility>

namespace weir::detail::redis {

inline constexpr std::size_t most_links = 16;
inline constexpr std::size_t no_link = most_links;

/// A set of links.
class link_set {
public:
    void add(std::size_t link) noexcept { bits_ |= bit(link); }
    void remove(std::size_t link) noexcept { bits_ &= ~bit(link); }
    [[nodiscard]] bool has(std::size_t link) const noexcept { return (bits_ & bit(link)) != 0; }
    [[nodiscard]] bool empty() const noexcept { return bits_ == 0; }

    /// Calls `visit(link)` for each; that link may be removed meanwhile.
    template<class Visit>
    void each(const Visit& visit) const {
        for (std::size_t i = 0; i != most_links; ++i) {
            if (has(i)) {
                visit(i);
            }
        }
    }

private:
    [[nodiscard]] static std::uint32_t bit(std::size_t link) noexcept {
        return std::uint32_t{1} << link;
    }
    std::uint32_t bits_ = 0;
};

/// What is not finished, counted per group of `commands::order` numbers. Numbers that share a group are
/// ordered among each other, too.
class unfinished_orders {
public:
    static constexpr std::size_t groups = 256;
    [[nodiscard]] static std::size_t group(std::uint64_t order) noexcept { return order % groups; }
    [[nodiscard]] static bool counts(std::uint64_t order) noexcept {
        return order != 0 && order != after_all;
    }

    void add(std::uint64_t order) noexcept {
        if (counts(order)) {
            counts_[group(order)].fetch_add(1, std::memory_order_relaxed);
            all_.fetch_add(1, std::memory_order_relaxed);
        }
    }
    void remove(std::uint64_t order) noexcept {
        if (counts(order)) {
            // Release: pairs with the acquire in count(), so that who finds nothing unfinished comes
            // after all that was.
            counts_[group(order)].fetch_sub(1, std::memory_order_release);
            all_.fetch_sub(1, std::memory_order_release);
        }
    }
    /// How much there is that commands of this order must come after.
    [[nodiscard]] std::uint32_t count(std::uint64_t order) const noexcept {
        if (order == 0) {
            return 0;
        }
        const auto& count = order == after_all ? all_ : counts_[group(order)];
        return count.load(std::memory_order_acquire);
    }
    [[nodiscard]] bool any(std::uint64_t order) const noexcept { return count(order) != 0; }

private:
    std::array<std::atomic<std::uint32_t>, groups> counts_{};
    std::atomic<std::uint32_t> all_{0};
};

template<class Mutex>
class basic_exchange {
public:
    /// @param room  how many requests may wait to be sent
    explicit basic_exchange(std::size_t room) : room_{room} {}

    // ---- callers -------------------------------------------------------------------------------

    struct borrowed {
        /// A link that the caller now holds, or no_link.
        std::size_t link = no_link;
        /// The I/O thread may still be listening to it.
        bool was_lent = false;
        /// There is no service.
        std::error_code refused;
    };

    /// A link for a caller of his own, for commands of `order`; none if all are held by others, or if
    /// something of this order is on its way that the commands must come after.
    [[nodiscard]] borrowed borrow(std::uint64_t order) noexcept {
        const std::lock_guard lock{mutex_};
        if (refused_) {
            return {no_link, false, refused_};
        }
        if (unsettled_.any(order)) {
            return {};
        }
        for (std::size_t i = most_links; i-- != 0;) {
            if (holders_[i] == holder::idle) {
                holders_[i] = holder::caller;
                return {i, false, {}};
            }
        }
        for (std::size_t i = 0; i != most_links; ++i) {
            if (holders_[i] == holder::lent && waiting_.empty()) {
                holders_[i] = holder::caller;
                return {i, true, {}};
            }
        }
        more_wanted_ = true;
        return {};
    }

    /// The caller's link goes back. If `left` it goes to the I/O thread, because it is broken, or
    /// replies have yet to come on it that nobody waits for, to commands of `order`.
    /// @returns  whether the I/O thread has to be woken
    [[nodiscard]] bool give_back(std::size_t link, bool left, std::uint64_t order) noexcept {
        const std::lock_guard lock{mutex_};
        if (!left && !io_wants_link_ && !hung_up_.has(link)) {
            holders_[link] = holder::idle;
            return false;
        }
        if (left) {
            unsettled_.add(order);
        }
        io_wants_link_ = false;
        holders_[link] = holder::io;
        returned_.add(link);
        return wake();
    }

    struct posted {
        std::error_code refused;
        bool wake = false;
    };

    /// Leaves a request to the I/O thread. If refused, it stays with the caller.
    [[nodiscard]] posted post(request* r) noexcept {
        const std::lock_guard lock{mutex_};
        if (refused_) {
            return {refused_, false};
        }
        if (unsent_.load(std::memory_order_relaxed) >= room_) {
            return {make_error_code(errc::overloaded), false};
        }
        unsent_.fetch_add(1, std::memory_order_relaxed);
        unsettled_.add(r->what().order);
        waiting_.push_back(r);
        return {{}, wake()};
    }

    /// Leaves a request that was refused to the I/O thread, to be completed there. False if that has
    /// ended.
    struct passed {
        bool taken = false;
        bool wake = false;
    };
    [[nodiscard]] passed pass_on(request* r) noexcept {
        const std::lock_guard lock{mutex_};
        if (closing_) {
            return {};
        }
        unsent_.fetch_add(1, std::memory_order_relaxed);
        unsettled_.add(r->what().order);
        waiting_.push_back(r);
        return {true, wake()};
    }

    /// Nothing is accepted any more.
    /// @returns  whether the I/O thread has to be woken
    [[nodiscard]] bool close() noexcept {
        const std::lock_guard lock{mutex_};
        closing_ = true;
        refused_ = make_error_code(errc::closed);
        return wake();
    }

    // ---- the I/O thread ------------------------------------------------------------------------

    struct collected {
        request_list requests;
        /// Links that callers gave back to the I/O thread.
        link_set returned;
        /// Links that were lent, and are held by a caller now, or were in between.
        link_set taken;
        bool more_wanted = false;
        bool closing = false;
    };

    /// Takes what the callers left, and back what was lent.
    [[nodiscard]] collected collect() noexcept {
        const std::lock_guard lock{mutex_};
        asleep_ = false;
        collected all;
        all.requests = std::move(waiting_);
        all.returned = std::exchange(returned_, {});
        all.taken = std::exchange(lent_, {});
        for (std::size_t i = 0; i != most_links; ++i) {
            if (holders_[i] == holder::lent) {
                holders_[i] = holder::io;
                all.taken.remove(i);
            }
        }
        all.more_wanted = std::exchange(more_wanted_, false);
        all.closing = closing_;
        return all;
    }

    /// Requests that were collected are sent, or completed unsent.
    void sent(std::size_t count) noexcept { unsent_.fetch_sub(count, std::memory_order_relaxed); }

    /// They have to be sent once more. Nothing of them was settled.
    void unsent(std::size_t count) noexcept { unsent_.fetch_add(count, std::memory_order_relaxed); }

    /// What was on its way, of this order, is finished.
    void settled(std::uint64_t order) noexcept { unsettled_.remove(order); }

    /// A link that nobody holds; or no_link, and the next one that is given back comes here.
    [[nodiscard]] std::size_t claim() noexcept {
        const std::lock_guard lock{mutex_};
        for (std::size_t i = 0; i != most_links; ++i) {
            if (holders_[i] == holder::idle) {
                holders_[i] = holder::io;
                return i;
            }
        }
        io_wants_link_ = true;
        return no_link;
    }

    /// The same for a certain one.
    [[nodiscard]] bool claim(std::size_t link) noexcept {
        const std::lock_guard lock{mutex_};
        if (holders_[link] != holder::idle) {
            return false;
        }
        holders_[link] = holder::io;
        return true;
    }

    /// The peer of `link`, which the I/O thread does not hold, has hung up. True if it holds it now;
    /// else it is with a caller and comes when he gives it back, or it is on its way from one and
    /// comes with the next `collect`.
    [[nodiscard]] bool hung_up(std::size_t link) noexcept {
        const std::lock_guard lock{mutex_};
        if (holders_[link] == holder::idle) {
            holders_[link] = holder::io;
            return true;
        }
        if (holders_[link] == holder::caller) {
            hung_up_.add(link);
        }
        return false;
    }

    /// A link that the I/O thread holds may be borrowed.
    void put_back(std::size_t link) noexcept {
        const std::lock_guard lock{mutex_};
        holders_[link] = holder::idle;
    }

    void opened(std::size_t link) noexcept {
        const std::lock_guard lock{mutex_};
        holders_[link] = holder::io;
        hung_up_.remove(link);
        io_wants_link_ = false;
    }

    void removed(std::size_t link) noexcept {
        const std::lock_guard lock{mutex_};
        holders_[link] = holder::absent;
    }

    /// From now on callers are refused with `why`, until it is empty.
    void refuse(std::error_code why) noexcept {
        const std::lock_guard lock{mutex_};
        if (!closing_) {
            refused_ = why;
        }
    }

    /// Announces that the I/O thread is going to sleep, and lends out the links in `lend` meanwhile.
    /// False if there is something to do.
    [[nodiscard]] bool sleep(link_set lend) noexcept {
        const std::lock_guard lock{mutex_};
        if (!waiting_.empty() || !returned_.empty() || closing_) {
            return false;
        }
        for (std::size_t i = 0; i != most_links; ++i) {
            if (lend.has(i) && holders_[i] == holder::io) {
                holders_[i] = holder::lent;
                lent_.add(i);
            }
        }
        asleep_ = true;
        return true;
    }

protected: // The model tells by it whether it has been in a state before.
    enum class holder : std::uint8_t { absent, io, lent, idle, caller };

    [[nodiscard]] bool wake() noexcept { return std::exchange(asleep_, false); }

    std::array<holder, most_links> holders_{};
    request_list waiting_;
    /// Requests in `waiting_`, and those that the I/O thread took and could not send yet.
    std::atomic<std::size_t> unsent_{0};
    unfinished_orders unsettled_;
    link_set returned_;
    link_set lent_;
    /// Links held by callers whose peer has hung up.
    link_set hung_up_;
    bool asleep_ = false;
    bool io_wants_link_ = false;
    bool more_wanted_ = false;
    bool closing_ = false;
    std::error_code refused_;

private:
    Mutex mutex_;
    const std::size_t room_;
};

using exchange = basic_exchange<std::mutex>;

} // namespace weir::detail::redis

#endif
