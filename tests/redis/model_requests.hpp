#ifndef WEIR_TESTS_REDIS_MODEL_REQUESTS_HPP
#define WEIR_TESTS_REDIS_MODEL_REQUESTS_HPP

/// The requests of the model in exchange_model.hpp, and the book that is kept of them.

#include <weir/error.hpp>
#include <weir/redis/awaited_request.hpp>
#include <weir/redis/commands.hpp>
#include <weir/redis/exchange.hpp>
#include <weir/redis/request.hpp>

#include <atomic>
#include <cstdint>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace weir::tests::handing_over {

using detail::redis::after_all;
using detail::redis::commands;
using detail::redis::request;
using detail::redis::steady_time;
using detail::redis::unfinished_orders;

/// What the exchange, the I/O thread or a request can be made to do wrong.
enum class mistake : std::uint8_t {
    none,
    // the exchange
    borrows_in_spite_of_unfinished_orders,
    does_not_count_what_a_caller_leaves,
    announces_sleep_without_looking,
    wakes_before_the_request_is_there,
    keeps_links_from_a_waiting_io_thread,
    takes_a_link_that_is_on_its_way,
    does_not_tell_what_was_borrowed_meanwhile,
    serves_again_after_closing,
    passes_on_after_closing,
    // the I/O thread
    sleeps_although_there_is_work,
    sleeps_over_what_a_lost_link_leaves,
    counts_what_it_sends_again_as_finished,
    sends_again_after_what_came_later,
    forgets_the_orders_on_a_returned_link,
    places_behind_nothing,
    puts_back_a_link_with_replies_to_come,
    sends_an_unwritten_heartbeat_again,
    does_not_watch_again_what_hung_up,
    forgets_what_it_refused,
    keeps_waiting_what_came_before_it_refused,
    waits_for_replies_that_nobody_asked_for,
    waits_for_replies_to_what_is_not_written,
    keeps_the_answer_to_a_heartbeat,
    sleeps_over_what_is_answered,
    gathers_over_what_a_lost_link_leaves,
    forgets_at_the_end_what_was_answered,
    // requests
    disposes_of_a_request_at_its_deadline,
    leaves_an_abandoned_request_to_nobody,
    begins_what_was_abandoned,
    // callers
    takes_back_what_is_written,
    sends_again_what_may_have_been_applied,
};

/// What a caller does.
struct operation {
    enum kind_t : std::uint8_t {
        /// client::call, over a link of the caller's own if there is one.
        call,
        /// client::call where too many call at once for that.
        call_among_many,
        /// client::call_later; nobody waits.
        call_later,
    };
    kind_t kind = call;
    std::uint64_t order = 0;
    bool harmless = false;
};

constexpr std::uint8_t nobody = 0xff;

/// What became of each request. A request is known by the number of its record.
struct ledger {
    struct record {
        operation what;
        std::uint8_t caller = nobody;
        /// Which of the caller's it is.
        std::uint8_t number = 0;
        /// Its object in the client, from when it was made until it is disposed of.
        request* object = nullptr;
        bool made = false;
        /// The word of an awaited request.
        std::uint8_t word = 0;
        std::uint8_t completed = 0;
        std::uint8_t disposed = 0;
        std::uint8_t executed = 0;
        enum outcome_t : std::uint8_t { unknown, applied, not_applied, perhaps } outcome = unknown;
    };

    std::vector<record> records;
    std::string fault;

    void wrong(const char* what) {
        if (fault.empty()) {
            fault = what;
        }
    }

    void note_completed(std::uint8_t id) {
        if (++records[id].completed > 1) {
            wrong("a request is completed twice");
        }
        if (records[id].disposed != 0) {
            wrong("a request is completed after its end");
        }
    }
    void note_disposed(std::uint8_t id) {
        if (++records[id].disposed > 1) {
            wrong("a request is destroyed twice");
        }
        records[id].object = nullptr;
    }

    /// What the caller was told.
    void note_outcome(std::uint8_t id, std::error_code error) {
        record& r = records[id];
        if (r.outcome != record::unknown) {
            wrong("a caller is answered twice");
        }
        r.outcome = !error                         ? record::applied
                    : may_have_been_applied(error) ? record::perhaps
                                                   : record::not_applied;
        if (r.outcome == record::applied && r.executed == 0) {
            wrong("a reply comes to a command that the server has not executed");
        }
        if (r.outcome == record::not_applied && r.executed != 0 && !r.what.harmless) {
            wrong("a command that was executed is reported as not applied");
        }
    }

    void note_executed(std::uint8_t id) {
        record& r = records[id];
        if (++r.executed > 1 && !r.what.harmless) {
            wrong("a command is executed twice");
        }
        if (r.outcome == record::not_applied && !r.what.harmless) {
            wrong("a command that was reported as not applied is executed");
        }
        if (!unfinished_orders::counts(r.what.order) || r.executed > 1) {
            return;
        }
        for (const record& other : records) {
            const bool same = other.caller == r.caller && other.number > r.number;
            const bool ordered = other.what.order == r.what.order || other.what.order == after_all;
            if (same && ordered && other.executed != 0) {
                wrong("a command overtakes an earlier one of its order");
            }
        }
    }

    /// For requests that are made without being told where they belong.
    static ledger*& current() {
        static ledger* only = nullptr;
        return only;
    }
    std::uint8_t making = nobody;
};

/// The state word of an awaited request, which tells the ledger what is done to it.
class ledger_word {
public:
    explicit ledger_word(std::uint32_t value) : book_{ledger::current()}, id_{book_->making} {
        set(value);
    }
    ledger_word(const ledger_word&) = delete;
    ledger_word& operator=(const ledger_word&) = delete;
    ~ledger_word() { book_->note_disposed(id_); }

    [[nodiscard]] std::uint32_t load(std::memory_order) const noexcept { return value_; }
    std::uint32_t exchange(std::uint32_t value, std::memory_order) noexcept {
        if (value == done) {
            book_->note_completed(id_);
        }
        return set(value);
    }
    bool compare_exchange_strong(std::uint32_t& expected, std::uint32_t value,
                                 std::memory_order) noexcept {
        const bool equal = value_ == expected;
        expected = value_;
        if (equal) {
            set(value);
        }
        return equal;
    }

    // As in basic_awaited_request.
    static constexpr std::uint32_t done = 2;
    static constexpr std::uint32_t abandoned = 3;

private:
    std::uint32_t set(std::uint32_t value) noexcept {
        book_->records[id_].word = static_cast<std::uint8_t>(value);
        return std::exchange(value_, value);
    }

    ledger* book_;
    std::uint8_t id_;
    std::uint32_t value_ = 0;
};

/// A caller of the model waits only if his deadline is over.
inline bool futex_wait(const ledger_word&, std::uint32_t, steady_time) noexcept {
    return false;
}
inline void futex_wake(const ledger_word*) noexcept {}

using awaited = detail::redis::basic_awaited_request<ledger_word>;

/// A request with a callback, or a heartbeat: says what is done to it, and goes with the world.
class noted_request final : public request {
public:
    noted_request(commands what, ledger& book, std::uint8_t id, bool expires)
        : request{std::move(what), steady_time::max()}, book_{book}, id_{id}, expires_{expires} {}
    ~noted_request() = default;

    [[nodiscard]] bool expires() const noexcept override { return expires_; }
    void complete(std::error_code error) noexcept override {
        book_.note_completed(id_);
        book_.note_outcome(id_, error);
        book_.note_disposed(id_);
    }

private:
    ledger& book_;
    std::uint8_t id_;
    bool expires_;
};

/// An awaited request with mistakes; without one it does as the real one.
class mistaken_request final : public request {
public:
    mistaken_request(commands what, ledger& book, mistake m)
        : request{std::move(what), steady_time::max()},
          mistake_{m},
          book_{book},
          id_{book.making} {}
    ~mistaken_request() = default;

    [[nodiscard]] bool begin() noexcept override {
        std::uint8_t& state = book_.records[id_].word;
        if (state == abandoned && mistake_ != mistake::begins_what_was_abandoned) {
            return false;
        }
        state = sent;
        return true;
    }
    void complete(std::error_code error) noexcept override {
        error_ = error;
        book_.note_completed(id_);
        const std::uint8_t was = std::exchange(book_.records[id_].word, done);
        if (was == abandoned && mistake_ != mistake::leaves_an_abandoned_request_to_nobody) {
            book_.note_disposed(id_);
        }
    }
    [[nodiscard]] std::error_code wait() noexcept {
        const std::uint8_t was = std::exchange(book_.records[id_].word, abandoned);
        if (was == done || mistake_ == mistake::disposes_of_a_request_at_its_deadline) {
            book_.note_disposed(id_);
        }
        return was == done ? error_ : make_error_code(was == sent ? errc::timeout : errc::not_sent);
    }

private:
    static constexpr std::uint8_t sent = 1;
    static constexpr std::uint8_t done = 2;
    static constexpr std::uint8_t abandoned = 3;

    mistake mistake_;
    ledger& book_;
    std::uint8_t id_;
    std::error_code error_;
};

} // namespace weir::tests::handing_over

#endif
