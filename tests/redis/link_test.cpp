#include <weir/error.hpp>
#include <weir/redis/commands.hpp>
#include <weir/redis/link.hpp>
#include <weir/redis/pipeline.hpp>
#include <weir/redis/request.hpp>
#include <weir/redis/socket.hpp>

#include "allocations.hpp"
#include "replies.hpp"
#include "requests.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;
using weir::errc;
using weir::make_error_code;
using weir::detail::redis::basic_link;
using weir::detail::redis::commands;
using weir::detail::redis::own_request;
using weir::detail::redis::pipeline;
using weir::detail::redis::reply_limits;
using weir::detail::redis::script;
using weir::detail::redis::steady_time;
using weir::detail::redis::transfer;
using weir::tests::bulk;
using weir::tests::harmless;
using weir::tests::scarce_memory;
using weir::tests::shown;
using weir::tests::word;
using weir::tests::written;
using namespace std::chrono_literals;
using namespace std::string_literals;

constexpr std::size_t any_number = std::numeric_limits<std::size_t>::max();

/// A transport in memory, with a server at its other end. Time does not pass in it: `wait_for` answers
/// at once, that it is over where nothing would ever come.
class fake_transport {
public:
    /// All that the server answers to all that it was sent.
    std::function<std::string(const std::string& sent)> server = [](const std::string&) {
        return std::string{};
    };
    /// How much it takes before it says that there is no room, each time that one waits for room.
    std::size_t takes = any_number;
    /// How often there is room again.
    std::size_t rooms = any_number;
    /// It takes nothing more while so much of its answers is not read.
    std::size_t answers_ahead = any_number;
    /// How much one receive brings.
    std::size_t brings = any_number;
    /// So many receives bring nothing before each that does.
    std::size_t brings_nothing = 0;
    /// The connection ends when so much was sent, or received.
    std::size_t ends_after_sent = any_number;
    std::size_t ends_after_received = any_number;
    bool stale = false;

    std::string sent;
    /// What was asked: `send`, `receive`, `receive and wait`, `wait in`, `wait out`, `wait in out`.
    std::vector<std::string> calls;

    transfer send(std::string_view bytes) {
        calls.emplace_back("send");
        std::size_t size = std::min({bytes.size(), room_left(), ends_after_sent - sent.size()});
        if (waiting_answers() >= answers_ahead) {
            size = 0;
        }
        if (size == 0) {
            return {sent.size() == ends_after_sent ? transfer::outcome::closed
                                                   : transfer::outcome::again,
                    0};
        }
        sent += bytes.substr(0, size);
        taken_ += size;
        return {transfer::outcome::done, size};
    }

    transfer receive(char* to, std::size_t room, bool may_wait) {
        calls.emplace_back(may_wait ? "receive and wait" : "receive");
        if (received_ == ends_after_received) {
            return {transfer::outcome::closed, 0};
        }
        const std::size_t size =
            std::min({waiting_answers(), room, brings, ends_after_received - received_});
        if (size == 0) {
            return {ended() ? transfer::outcome::closed : transfer::outcome::again, 0};
        }
        if (brought_nothing_ != brings_nothing) {
            ++brought_nothing_;
            return {};
        }
        brought_nothing_ = 0;
        answers().copy(to, size, received_);
        received_ += size;
        return {transfer::outcome::done, size};
    }

    bool wait_for(short events, steady_time) {
        calls.push_back("wait"s + ((events & POLLIN) != 0 ? " in" : "") +
                        ((events & POLLOUT) != 0 ? " out" : ""));
        const bool readable = waiting_answers() != 0 || ended() || received_ == ends_after_received;
        const bool writable = takes != 0 && rooms != 0 && waiting_answers() < answers_ahead;
        if ((events & POLLOUT) != 0 && writable) {
            taken_ = 0;
            rooms -= rooms == any_number ? 0 : 1;
            return true;
        }
        return (events & POLLIN) != 0 && readable;
    }

    [[nodiscard]] bool is_stale() {
        calls.emplace_back("stale");
        return stale;
    }

private:
    [[nodiscard]] std::string answers() const { return server(sent); }
    [[nodiscard]] std::size_t waiting_answers() const { return answers().size() - received_; }
    [[nodiscard]] std::size_t room_left() const {
        return takes == any_number ? any_number : takes - taken_;
    }
    [[nodiscard]] bool ended() const {
        return sent.size() == ends_after_sent && waiting_answers() == 0;
    }

    std::size_t taken_ = 0;
    std::size_t received_ = 0;
    std::size_t brought_nothing_ = 0;
};

using link = basic_link<fake_transport>;
using outcome = link::outcome;

/// A server that answers `reply` to every `command` that it got whole.
std::function<std::string(const std::string&)> answering(std::string command, std::string reply) {
    return [command = std::move(command), reply = std::move(reply)](const std::string& sent) {
        return weir::tests::repeated(sent.size() / command.size(), reply);
    };
}

class link_test : public testing::Test {
protected:
    link_test() { l.install({}, std::make_unique<pipeline>(), 1); }

    [[nodiscard]] outcome run(own_request& r, std::chrono::nanoseconds spin = 0ns) {
        return l.run(r, now, 1s, spin);
    }

    /// The replies to a request that is done, or what its error says.
    static std::string result_of(own_request& r) {
        if (!r.done()) {
            return "not done";
        }
        if (r.error()) {
            return r.error().message();
        }
        std::string all;
        for (const auto& reply : r.replies()) {
            all += (all.empty() ? "" : " ") + shown(reply);
        }
        return all;
    }

    const steady_time now = std::chrono::steady_clock::now();
    link l;
};

const std::string lost = make_error_code(errc::connection_lost).message();
const std::string no_reply = make_error_code(errc::protocol_error).message();

// ---- when all is well --------------------------------------------------------------------------

TEST_F(link_test, sends_a_request_and_receives_its_replies) {
    l.transport.server = answering(written("a"), "+1\r\n");
    own_request r{word("a"), now + 1s};
    EXPECT_EQ(run(r), outcome::completed);
    EXPECT_EQ(result_of(r), "+1");
    EXPECT_EQ(l.transport.sent, written("a"));
    EXPECT_FALSE(l.broken);
    EXPECT_TRUE(l.pipe->idle());
}

TEST_F(link_test, asks_for_no_more_than_one_send_and_one_receive) {
    l.transport.server = answering(written("a"), "+1\r\n");
    for (int i = 0; i != 3; ++i) {
        own_request r{word("a"), now + 1s};
        l.transport.calls.clear();
        EXPECT_EQ(run(r), outcome::completed);
        EXPECT_THAT(l.transport.calls, Not(Contains("wait in")));
        EXPECT_EQ(l.take_calls(), 2U);
    }
}

TEST_F(link_test, sends_in_as_many_parts_as_it_takes) {
    commands c = word(std::string(100, 'v'));
    for (std::size_t takes = 1; takes <= c.bytes().size(); ++takes) {
        link l2;
        l2.install({}, std::make_unique<pipeline>(), 1);
        l2.transport.takes = takes;
        l2.transport.server = answering(std::string{c.bytes()}, "+1\r\n");
        own_request r{c, now + 1h};
        EXPECT_EQ(l2.run(r, now, 1s, 0ns), outcome::completed);
        EXPECT_EQ(result_of(r), "+1");
        EXPECT_EQ(l2.transport.sent, c.bytes());
    }
}

TEST_F(link_test, receives_in_as_many_parts_as_there_are) {
    const std::string replies = bulk("abc\r\n") + "*2\r\n:1\r\n$-1\r\n";
    commands two;
    two.add("a");
    two.add("b");
    for (std::size_t brings = 1; brings <= replies.size(); ++brings) {
        for (const std::size_t nothing : {0U, 1U, 3U}) {
            link l2;
            l2.install({}, std::make_unique<pipeline>(), 1);
            l2.transport.brings = brings;
            l2.transport.brings_nothing = nothing;
            l2.transport.server = answering(std::string{two.bytes()}, replies);
            own_request r{two, now + 1h};
            EXPECT_EQ(l2.run(r, now, 1s, 0ns), outcome::completed);
            EXPECT_EQ(result_of(r), "\"abc\r\n\" [:1, nil]");
        }
    }
}

TEST_F(link_test, reads_while_it_writes) {
    // A peer that takes nothing while 10 bytes of its answers are not read.
    commands many;
    for (int i = 0; i != 50; ++i) {
        many.add("a");
    }
    l.transport.takes = 5;
    l.transport.answers_ahead = 10;
    l.transport.server = answering(written("a"), "+1234\r\n");
    own_request r{many, now + 1h};
    EXPECT_EQ(run(r), outcome::completed);
    EXPECT_EQ(r.replies().size(), 50U);
}

TEST_F(link_test, looks_for_the_replies_before_it_sleeps_if_it_is_told_to) {
    l.transport.server = answering(written("a"), "+1\r\n");
    l.transport.brings_nothing = 3;
    own_request r{word("a"), now + 1h};
    EXPECT_EQ(run(r, 1h), outcome::completed);
    EXPECT_THAT(l.transport.calls,
                ElementsAre("stale", "send", "receive", "receive", "receive", "receive"));
}

TEST_F(link_test, stops_looking_for_replies_that_do_not_come_so_soon) {
    l.transport.server = answering(written("a"), "+1\r\n");
    std::size_t looks = 0;
    for (int i = 0; i != 200; ++i) {
        l.transport.calls.clear();
        own_request r{word("a"), std::chrono::steady_clock::now() + 1s};
        l.transport.brings_nothing = 1;
        // It looks once: the time for it is over by then.
        EXPECT_EQ(l.run(r, now, 1s, 1ns), outcome::completed);
        looks += l.transport.calls[1] == "receive" ? 1U : 0U;
    }
    EXPECT_GE(looks, 8U);
    EXPECT_LE(looks, 20U);
}

// ---- the deadline ------------------------------------------------------------------------------

TEST_F(link_test, waits_in_the_receive_only_if_that_ends_by_the_deadline) {
    l.transport.server = answering(written("a"), "+1\r\n");
    own_request long_enough{word("a"), now + 1s};
    EXPECT_EQ(run(long_enough), outcome::completed);
    EXPECT_THAT(l.transport.calls, ElementsAre("stale", "send", "receive and wait"));
    l.transport.calls.clear();
    own_request too_short{word("a"), now + 1s - 1ns};
    EXPECT_EQ(run(too_short), outcome::completed);
    EXPECT_THAT(l.transport.calls, ElementsAre("send", "receive"));
}

TEST_F(link_test, does_not_wait_in_the_receive_after_it_waited_to_write) {
    l.transport.server = answering(written("a"), "+1\r\n");
    l.transport.takes = 5;
    own_request r{word("a"), now + 1h};
    EXPECT_EQ(run(r), outcome::completed);
    EXPECT_THAT(l.transport.calls, Not(Contains("receive and wait")));
}

TEST_F(link_test, waits_in_one_receive_only) {
    l.transport.server = answering(written("a"), "+1\r\n");
    l.transport.brings = 1;
    own_request r{word("a"), now + 1h};
    EXPECT_EQ(run(r), outcome::completed);
    EXPECT_EQ(std::count(l.transport.calls.begin(), l.transport.calls.end(), "receive and wait"),
              1);
}

TEST_F(link_test, a_reply_that_keeps_coming_after_the_deadline_is_too_late) {
    l.transport.server = answering(written("a"), "+1234567\r\n");
    l.transport.brings = 1;
    own_request r{word("a"), now};
    EXPECT_EQ(run(r), outcome::too_late);
    EXPECT_FALSE(r.done());
    EXPECT_FALSE(l.broken);
    EXPECT_EQ(l.take_calls(), 2U) << "it read on";
}

TEST_F(link_test, a_reply_that_is_complete_is_not_too_late) {
    l.transport.server = answering(written("a"), "+1234567\r\n");
    own_request r{word("a"), now};
    EXPECT_EQ(run(r), outcome::completed);
    EXPECT_EQ(result_of(r), "+1234567");
}

TEST_F(link_test, does_not_write_without_end_to_a_peer_who_takes_all) {
    const std::string large(10'000'000, 'v');
    own_request r{word(large), now + 1h};
    l.pipe->push(&r, now);
    l.flush();
    const std::size_t sent = l.transport.sent.size();
    EXPECT_LT(sent, large.size());
    EXPECT_EQ(l.pipe->unwritten().size(), written(large).size() - sent);
    while (!l.pipe->unwritten().empty()) {
        l.flush();
    }
    EXPECT_EQ(l.transport.sent, written(large));
    EXPECT_FALSE(l.pipe->retract_last()) << "the link outlives the request";
}

TEST_F(link_test, a_request_of_which_nothing_could_be_sent_leaves_no_trace) {
    l.transport.takes = 0;
    own_request r{word("a"), now + 1s};
    EXPECT_EQ(run(r), outcome::not_sent);
    EXPECT_FALSE(r.done());
    EXPECT_FALSE(l.broken);
    EXPECT_TRUE(l.pipe->idle());
    l.transport.takes = any_number;
    l.transport.server = answering(written("b"), "+2\r\n");
    own_request next{word("b"), now + 1s};
    EXPECT_EQ(run(next), outcome::completed);
    EXPECT_EQ(result_of(next), "+2");
}

TEST_F(link_test, the_replies_to_a_request_that_is_too_late_are_dropped) {
    own_request r{word("a"), now + 1s};
    EXPECT_EQ(run(r), outcome::too_late);
    EXPECT_FALSE(r.done());
    EXPECT_FALSE(l.broken);
    EXPECT_EQ(l.pipe->size(), 1U);
    // Whoever has the link now, reads on.
    l.transport.server = answering(written("a"), "+1\r\n");
    std::string buffer(100, '\0');
    std::vector<std::uint64_t> settled;
    EXPECT_EQ(l.read(buffer.data(), buffer.size(), false,
                     [&](std::uint64_t order) { settled.push_back(order); }),
              4U);
    EXPECT_THAT(settled, ElementsAre(0U));
    EXPECT_TRUE(l.pipe->idle());
    EXPECT_FALSE(r.done());
}

TEST_F(link_test, a_request_that_was_sent_in_part_is_too_late_and_is_sent_to_its_end) {
    const std::string whole = written("a");
    for (std::size_t takes = 1; takes <= whole.size(); ++takes) {
        link l2;
        l2.install({}, std::make_unique<pipeline>(), 1);
        l2.transport.takes = takes;
        l2.transport.rooms = 0;
        own_request r{word("a"), now + 1s};
        EXPECT_EQ(l2.run(r, now, 1s, 0ns), outcome::too_late) << takes << " bytes are sent";
        EXPECT_EQ(l2.transport.sent, whole.substr(0, takes));
        EXPECT_FALSE(r.done());
        EXPECT_FALSE(l2.broken);
        EXPECT_EQ(l2.pipe->unwritten(), whole.substr(takes));
        l2.transport.takes = any_number;
        l2.flush();
        EXPECT_EQ(l2.transport.sent, whole);
    }
}

// ---- the connection ends -----------------------------------------------------------------------

TEST_F(link_test, a_connection_that_ends_before_anything_is_sent_changes_nothing) {
    l.transport.ends_after_sent = 0;
    own_request r{word("a"), now + 1s};
    EXPECT_EQ(run(r), outcome::to_be_sent_again);
    EXPECT_EQ(l.broken, errc::connection_lost);
    EXPECT_FALSE(r.done());
    // The same request on another connection.
    link other;
    other.install({}, std::make_unique<pipeline>(), 2);
    other.transport.server = answering(written("a"), "+1\r\n");
    EXPECT_EQ(other.run(r, now, 1s, 0ns), outcome::completed);
    EXPECT_EQ(result_of(r), "+1");
}

TEST_F(link_test, a_connection_that_ends_after_any_byte_was_sent_may_have_done_anything) {
    const std::string whole = written("a");
    for (std::size_t sent = 1; sent <= whole.size(); ++sent) {
        for (const bool does_harm : {true, false}) {
            link l2;
            l2.install({}, std::make_unique<pipeline>(), 1);
            l2.transport.ends_after_sent = sent;
            own_request r{does_harm ? word("a") : harmless(word("a")), now + 1s};
            EXPECT_EQ(l2.run(r, now, 1s, 0ns),
                      does_harm ? outcome::completed : outcome::to_be_sent_again);
            EXPECT_EQ(result_of(r), does_harm ? lost : "not done");
            EXPECT_EQ(l2.broken, errc::connection_lost);
        }
    }
}

TEST_F(link_test, a_connection_that_ends_within_the_replies_may_have_done_anything) {
    const std::string replies = "+1\r\n" + bulk("ab");
    commands two;
    two.add("a");
    two.add("b");
    for (std::size_t received = 0; received != replies.size(); ++received) {
        for (const bool does_harm : {true, false}) {
            link l2;
            l2.install({}, std::make_unique<pipeline>(), 1);
            l2.transport.server = answering(std::string{two.bytes()}, replies);
            l2.transport.ends_after_received = received;
            own_request r{does_harm ? two : harmless(two), now + 1h};
            EXPECT_EQ(l2.run(r, now, 1s, 0ns),
                      does_harm ? outcome::completed : outcome::to_be_sent_again);
            EXPECT_EQ(result_of(r), does_harm ? lost : "not done");
            EXPECT_TRUE(r.replies().empty() || does_harm) << "they would be in the way of others";
        }
    }
}

TEST_F(link_test, a_connection_that_ends_after_the_replies_takes_nothing_back) {
    l.transport.server = answering(written("a"), "+1\r\n");
    l.transport.ends_after_sent = written("a").size();
    own_request r{word("a"), now + 1s};
    EXPECT_EQ(run(r), outcome::completed);
    EXPECT_EQ(result_of(r), "+1");
}

TEST_F(link_test, a_connection_that_ended_while_it_rested_changes_nothing) {
    l.transport.stale = true;
    own_request r{word("a"), now + 1s};
    EXPECT_EQ(run(r), outcome::to_be_sent_again);
    EXPECT_EQ(l.broken, errc::connection_lost);
    EXPECT_THAT(l.transport.sent, IsEmpty());
    EXPECT_FALSE(r.done());
}

TEST_F(link_test, is_looked_at_again_only_after_it_has_rested) {
    l.transport.server = answering(written("a"), "+1\r\n");
    const auto looks_after = [this](std::chrono::nanoseconds pause) {
        own_request r{word("a"), now + 1h};
        l.transport.calls.clear();
        EXPECT_EQ(l.run(r, now + pause, 1s, 0ns), outcome::completed);
        return l.transport.calls.front() == "stale";
    };
    EXPECT_TRUE(looks_after(0ns)) << "the first time";
    EXPECT_FALSE(looks_after(1ms));
    EXPECT_FALSE(looks_after(11ms));
    EXPECT_TRUE(looks_after(21ms + 1ns));
    EXPECT_FALSE(looks_after(25ms));
}

// ---- what a server should not do ---------------------------------------------------------------

TEST_F(link_test, bytes_that_are_no_reply_end_the_connection) {
    l.transport.server = answering(written("a"), "HTTP/1.1 400 Bad Request\r\n");
    own_request r{word("a"), now + 1s};
    EXPECT_EQ(run(r), outcome::completed);
    EXPECT_EQ(result_of(r), no_reply);
    EXPECT_EQ(l.broken, errc::protocol_error);
}

TEST_F(link_test, what_has_a_reply_that_cannot_be_taken_is_not_sent_again) {
    for (const errc why : {errc::protocol_error, errc::reply_too_large}) {
        link l2;
        l2.install({}, std::make_unique<pipeline>(reply_limits{.bytes = 10}), 1);
        l2.transport.server = answering(
            written("a"), why == errc::protocol_error ? "HTTP/1.1 400\r\n" : bulk("01234567890"));
        own_request r{harmless(word("a")), now + 1s};
        EXPECT_EQ(l2.run(r, now, 1s, 0ns), outcome::completed);
        EXPECT_EQ(result_of(r), make_error_code(why).message());
        EXPECT_EQ(l2.broken, why);
    }
}

TEST_F(link_test, one_reply_too_many_ends_the_connection_and_leaves_the_first) {
    l.transport.server = answering(written("a"), "+1\r\n+2\r\n");
    own_request r{word("a"), now + 1s};
    EXPECT_EQ(run(r), outcome::completed);
    EXPECT_EQ(result_of(r), "+1");
    EXPECT_EQ(l.broken, errc::protocol_error);
}

TEST_F(link_test, a_reply_to_half_a_request_ends_the_connection) {
    const std::string whole = written(std::string(100, 'v'));
    l.transport.takes = 20;
    l.transport.rooms = 0;
    l.transport.server = [](const std::string& sent) {
        return sent.size() >= 20 ? "-ERR Protocol error: invalid bulk length\r\n"s : ""s;
    };
    own_request r{word(std::string(100, 'v')), now + 1s};
    EXPECT_EQ(run(r), outcome::completed);
    EXPECT_EQ(result_of(r), "-ERR Protocol error: invalid bulk length");
    EXPECT_EQ(l.broken, errc::connection_lost) << "what is not written would come before the next";
}

// ---- scripts -----------------------------------------------------------------------------------

/// Has the script called for the first time on the link, which tells the server its text.
void introduce(link& l, const commands& c, steady_time now) {
    l.transport.server = [](const std::string&) { return "+first\r\n"s; };
    own_request first{c, now + 1s};
    EXPECT_EQ(l.run(first, now, 1s, 0ns), link::outcome::completed);
    EXPECT_TRUE(first.done());
    l.transport = {};
}

TEST_F(link_test, spells_a_script_out_that_the_server_has_forgotten) {
    const std::string body(1000, ' ');
    const script s{body, "da39a3ee5e6b4b0d3255bfef95601890afd80709", 0};
    commands c;
    c.call(s, "x");
    commands out = c;
    out.spell_out();
    const std::string both = std::string{c.bytes()} + std::string{out.bytes()};
    for (const std::size_t takes : {std::size_t{7}, c.bytes().size(), any_number}) {
        for (const auto spin : {0ns, std::chrono::nanoseconds{1h}}) {
            link l2;
            l2.install({}, std::make_unique<pipeline>(), 1);
            introduce(l2, c, now);
            l2.transport.takes = takes;
            l2.transport.server = [&](const std::string& sent) {
                return (sent.size() >= c.bytes().size() ? "-NOSCRIPT\r\n"s : ""s) +
                       (sent.size() == both.size() ? "+1\r\n" : "");
            };
            own_request r{c, now + 1h};
            EXPECT_EQ(l2.run(r, now, 1s, spin), outcome::completed) << takes << " bytes at once";
            EXPECT_EQ(result_of(r), "+1");
            EXPECT_EQ(l2.transport.sent, both);
        }
    }
}

TEST_F(link_test, does_not_wait_for_the_reply_to_a_script_before_it_is_sent_again) {
    const script s{"return 1", "da39a3ee5e6b4b0d3255bfef95601890afd80709", 0};
    commands c;
    c.call(s, "x");
    introduce(l, c, now);
    l.transport.takes = c.bytes().size(); // and no byte of the second time
    l.transport.server = [&](const std::string& sent) {
        return sent.size() >= c.bytes().size() ? "-NOSCRIPT\r\n"s : ""s;
    };
    l.transport.rooms = 0;
    own_request r{c, now + 1s};
    EXPECT_EQ(run(r, 1h), outcome::not_sent) << "the server has said that it did nothing";
    EXPECT_THAT(l.transport.calls, Not(Contains("receive and wait")));
    EXPECT_EQ(l.transport.calls.back(), "wait in out");
    EXPECT_TRUE(l.pipe->idle());
}

// ---- without memory ----------------------------------------------------------------------------

TEST_F(link_test, is_as_it_was_if_there_is_no_room_for_a_request) {
    l.transport.server = answering(written("a"), "+1\r\n");
    own_request large{word(std::string(10'000, 'v')), now + 1s};
    bool refused = false;
    {
        const scarce_memory scarce{0};
        EXPECT_THROW(static_cast<void>(l.run(large, now, 1s, 0ns)), std::bad_alloc);
        refused = scarce.refused();
    }
    EXPECT_TRUE(refused);
    EXPECT_FALSE(l.broken);
    EXPECT_TRUE(l.pipe->idle());
    own_request r{word("a"), now + 1s};
    EXPECT_EQ(run(r), outcome::completed);
    EXPECT_EQ(result_of(r), "+1");
}

} // namespace
