#include <weir/error.hpp>
#include <weir/redis/commands.hpp>
#include <weir/redis/pipeline.hpp>
#include <weir/redis/request.hpp>

#include "allocations.hpp"
#include "replies.hpp"
#include "requests.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <new>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using weir::errc;
using weir::make_error_code;
using weir::detail::redis::commands;
using weir::detail::redis::own_request;
using weir::detail::redis::pipeline;
using weir::detail::redis::request;
using weir::detail::redis::request_list;
using weir::detail::redis::script;
using weir::detail::redis::steady_time;
using weir::tests::allocations;
using weir::tests::bulk;
using weir::tests::diary;
using weir::tests::every_lack_of_memory;
using weir::tests::harmless;
using weir::tests::noon;
using weir::tests::observed_request;
using weir::tests::ordered;
using weir::tests::scarce_memory;
using weir::tests::word;
using weir::tests::written;
using namespace std::chrono_literals;
using namespace std::string_literals;

const std::string lost = make_error_code(errc::connection_lost).message();
const std::string too_late = make_error_code(errc::timeout).message();

constexpr script half{"return ARGV[1]", "da39a3ee5e6b4b0d3255bfef95601890afd80709", 0};

commands call_of_half(std::string_view argument) {
    commands c;
    c.call(half, argument);
    return c;
}

std::string written_out(std::string_view argument) {
    commands c = call_of_half(argument);
    c.spell_out();
    return std::string{c.bytes()};
}

constexpr std::string_view no_script = "-NOSCRIPT No matching script. Please use EVAL.\r\n";

/// A pipeline, and the requests that a test puts on it.
class pipeline_test : public testing::Test {
protected:
    observed_request& make(const std::string& name, commands what,
                           steady_time deadline = steady_time::max()) {
        return requests_.emplace_back(seen, name, std::move(what), deadline);
    }

    /// Puts a request on the pipeline that sends its own name.
    observed_request& push(const std::string& name) { return push(name, word(name)); }
    observed_request& push(const std::string& name, commands what,
                           steady_time deadline = steady_time::max(), steady_time now = noon) {
        observed_request& r = make(name, std::move(what), deadline);
        pipe.push(&r, now);
        return r;
    }

    void write_all() { pipe.wrote(pipe.unwritten().size()); }

    /// Calls the script for the first time, which tells the server its text.
    void introduce() {
        push("first", call_of_half(""));
        write_all();
        EXPECT_FALSE(read(bulk("")));
        seen.clear();
    }

    std::error_code read(std::string_view bytes) {
        return pipe.read(bytes, [this](std::uint64_t order) {
            if (order != 0) {
                seen.push_back("settled " + std::to_string(order));
            }
        });
    }

    /// The connection is gone. The names of those that are to be sent again are not kept, so: their
    /// commands.
    std::vector<std::string> abandon(errc why = errc::connection_lost) {
        request_list again;
        pipe.abandon(make_error_code(why), again, [this](std::uint64_t order) {
            if (order != 0) {
                seen.push_back("settled " + std::to_string(order));
            }
        });
        std::vector<std::string> names;
        while (!again.empty()) {
            names.emplace_back(again.pop_front()->what().bytes());
        }
        return names;
    }

    diary seen;
    pipeline pipe;

private:
    std::deque<observed_request> requests_;
};

// ---- writing -----------------------------------------------------------------------------------

TEST_F(pipeline_test, is_idle_until_there_is_a_request) {
    EXPECT_TRUE(pipe.idle());
    EXPECT_EQ(pipe.unwritten(), "");
    push("a");
    EXPECT_FALSE(pipe.idle());
    EXPECT_EQ(pipe.size(), 1U);
}

TEST_F(pipeline_test, writes_requests_in_the_order_in_which_they_came) {
    push("a");
    push("b");
    EXPECT_EQ(pipe.unwritten(), written("a") + written("b"));
    push("c");
    EXPECT_EQ(pipe.unwritten(), written("a") + written("b") + written("c"));
}

TEST_F(pipeline_test, goes_on_writing_where_it_stopped) {
    const std::string all = written("a") + written("b");
    push("a");
    push("b");
    for (std::size_t at = 0; at != all.size(); ++at) {
        ASSERT_EQ(pipe.unwritten(), all.substr(at));
        pipe.wrote(1);
    }
    EXPECT_EQ(pipe.unwritten(), "");
    push("c");
    EXPECT_EQ(pipe.unwritten(), written("c"));
}

TEST_F(pipeline_test, is_not_idle_while_replies_have_yet_to_come) {
    push("a");
    write_all();
    EXPECT_FALSE(pipe.idle());
    EXPECT_FALSE(read("+OK\r\n"));
    EXPECT_TRUE(pipe.idle());
}

TEST_F(pipeline_test, does_not_keep_the_room_of_a_large_request) {
    push("large", word(std::string(2'000'000, 'v')));
    write_all();
    const allocations made;
    push("a", word(std::string(1000, 'v')));
    EXPECT_GE(made.count(), 1U) << "the room of the large one is still there";
}

TEST_F(pipeline_test, keeps_no_more_than_it_has_to_write_where_there_is_always_more) {
    push("first", word(std::string(100'000, 'v')));
    const allocations made;
    for (int i = 0; i != 500; ++i) { // 50 MB in all, never less than 1 byte to write
        push("more", word(std::string(100'000, 'v')));
        pipe.wrote(pipe.unwritten().size() - 1);
    }
    EXPECT_LT(made.largest(), 4'000'000U);
}

// ---- whose replies they are --------------------------------------------------------------------

TEST_F(pipeline_test, gives_each_reply_to_the_first_request_without_one) {
    push("a");
    push("b");
    push("c");
    write_all();
    EXPECT_FALSE(read("+1\r\n:2\r\n"));
    EXPECT_THAT(seen, ElementsAre("a: +1", "b: :2"));
    EXPECT_FALSE(read("$-1\r\n"));
    EXPECT_THAT(seen, ElementsAre("a: +1", "b: :2", "c: nil"));
}

TEST_F(pipeline_test, completes_a_request_with_one_reply_for_each_of_its_commands) {
    commands two;
    two.add("DEL", "lease");
    two.add("SET", "k", "v");
    push("two", two);
    push("one");
    write_all();
    EXPECT_FALSE(read(":1\r\n"));
    EXPECT_THAT(seen, IsEmpty());
    EXPECT_FALSE(read("+OK\r\n+1\r\n"));
    EXPECT_THAT(seen, ElementsAre("two: :1 +OK", "one: +1"));
}

TEST_F(pipeline_test, takes_an_error_for_a_reply_like_others) {
    push("a");
    push("b");
    write_all();
    EXPECT_FALSE(read("-WRONGTYPE no\r\n+OK\r\n"));
    EXPECT_THAT(seen, ElementsAre("a: -WRONGTYPE no", "b: +OK"));
}

TEST_F(pipeline_test, delivers_the_same_wherever_the_stream_is_split) {
    const std::string replies = "+1\r\n" + bulk("+2\r\n") + ":3\r\n*2\r\n+4\r\n$-1\r\n-ERR 5\r\n";
    for (std::size_t at = 0; at <= replies.size(); ++at) {
        diary seen_here;
        pipeline p;
        std::deque<observed_request> requests;
        for (const char* const name : {"a", "b", "c"}) {
            commands c;
            c.add(name);
            if (*name == 'b') {
                c.add(name);
                c.add(name);
            }
            requests.emplace_back(seen_here, name, std::move(c));
            p.push(&requests.back(), noon);
        }
        p.wrote(p.unwritten().size());
        const auto settled = [](std::uint64_t) {};
        ASSERT_FALSE(p.read(replies.substr(0, at), settled));
        ASSERT_FALSE(p.read(replies.substr(at), settled));
        EXPECT_THAT(seen_here, ElementsAre("a: +1", "b: \"+2\r\n\" :3 [+4, nil]", "c: -ERR 5"));
        EXPECT_TRUE(p.idle());
    }
}

TEST_F(pipeline_test, says_that_an_order_is_settled_before_whoever_waits_goes_on) {
    push("a", ordered(7, word("a")));
    push("b");
    push("c", ordered(9, word("c")));
    write_all();
    EXPECT_FALSE(read("+1\r\n+2\r\n+3\r\n"));
    EXPECT_THAT(seen, ElementsAre("settled 7", "a: +1", "b: +2", "settled 9", "c: +3"));
}

TEST_F(pipeline_test, leaves_it_to_others_to_complete_what_is_answered) {
    push("a", ordered(1, word("a")));
    push("b");
    push("c");
    write_all();
    request_list answered;
    const auto error = pipe.read(
        "+1\r\n+2\r\n"s,
        [this](std::uint64_t order) { seen.push_back("settled " + std::to_string(order)); },
        [&](request* r) { answered.push_back(r); });
    EXPECT_FALSE(error);
    EXPECT_THAT(seen, ElementsAre("settled 1", "settled 0"));
    EXPECT_EQ(pipe.size(), 1U);
    EXPECT_THAT(abandon(), IsEmpty());
    while (!answered.empty()) {
        answered.pop_front()->complete({});
    }
    EXPECT_THAT(seen, ElementsAre("settled 1", "settled 0", "c: " + lost, "a: +1", "b: +2"));
}

TEST_F(pipeline_test, knows_since_when_the_oldest_reply_is_due) {
    push("a", word("a"), steady_time::max(), noon);
    push("b", word("b"), steady_time::max(), noon + 1s);
    write_all();
    EXPECT_EQ(pipe.oldest(), noon);
    EXPECT_FALSE(read("+1\r\n"));
    EXPECT_EQ(pipe.oldest(), noon + 1s);
}

TEST_F(pipeline_test, shows_the_orders_of_all_that_is_on_its_way) {
    push("a", ordered(7, word("a")));
    push("b");
    push("c", ordered(7, word("c")));
    std::vector<std::uint64_t> orders;
    pipe.each_order([&](std::uint64_t order) { orders.push_back(order); });
    EXPECT_THAT(orders, ElementsAre(7U, 0U, 7U));
}

// ---- replies that nobody waits for -------------------------------------------------------------

TEST_F(pipeline_test, takes_out_without_a_trace_what_is_given_up_before_it_is_written) {
    push("a");
    push("b");
    EXPECT_TRUE(pipe.retract_last());
    EXPECT_EQ(pipe.unwritten(), written("a"));
    EXPECT_EQ(pipe.size(), 1U);
    push("c");
    write_all();
    EXPECT_FALSE(read("+1\r\n+3\r\n"));
    EXPECT_THAT(seen, ElementsAre("a: +1", "c: +3"));
}

TEST_F(pipeline_test, takes_out_without_a_trace_what_stands_behind_something_half_written) {
    push("first");
    pipe.wrote(3);
    push("a");
    EXPECT_TRUE(pipe.retract_last());
    EXPECT_EQ(pipe.unwritten(), written("first").substr(3));
    pipe.wrote(pipe.unwritten().size());
    push("b");
    EXPECT_TRUE(pipe.retract_last());
    EXPECT_EQ(pipe.unwritten(), "");
    EXPECT_FALSE(read("+1\r\n"));
    EXPECT_THAT(seen, ElementsAre("first: +1"));
    EXPECT_TRUE(pipe.idle());
}

TEST_F(pipeline_test, drops_the_replies_to_what_is_given_up_after_any_of_it_was_written) {
    const std::size_t size = written("a").size();
    for (std::size_t wrote = 1; wrote <= size; ++wrote) {
        seen.clear();
        push("a", ordered(7, word("a")));
        pipe.wrote(wrote);
        EXPECT_FALSE(pipe.retract_last());
        EXPECT_EQ(pipe.unwritten(), written("a").substr(wrote));
        EXPECT_EQ(pipe.size(), 1U);
        push("b");
        write_all();
        EXPECT_FALSE(read("+of a\r\n"));
        EXPECT_FALSE(read("+of b\r\n"));
        EXPECT_THAT(seen, ElementsAre("settled 7", "b: +of b"));
        EXPECT_TRUE(pipe.idle());
    }
}

TEST_F(pipeline_test, drops_all_replies_to_what_is_given_up_also_when_some_have_come) {
    commands three;
    three.add("1");
    three.add("2");
    three.add("3");
    push("three", three);
    write_all();
    EXPECT_FALSE(read("+1\r\n"));
    EXPECT_FALSE(pipe.retract_last());
    push("next");
    write_all();
    EXPECT_FALSE(read("+2\r\n+3\r\n+of next\r\n"));
    EXPECT_THAT(seen, ElementsAre("next: +of next"));
}

TEST_F(pipeline_test, notes_that_the_server_is_a_replica) {
    push("1");
    push("2");
    write_all();
    EXPECT_FALSE(read("-ERR READONLY is no word here\r\n"));
    EXPECT_FALSE(pipe.met_replica());
    EXPECT_FALSE(read("-READONLY You can't write against a read only replica.\r\n"));
    EXPECT_TRUE(pipe.met_replica());
    EXPECT_EQ(seen.size(), 2U);
}

TEST_F(pipeline_test, gives_up_what_expires_and_is_late_and_nothing_else) {
    push("in time", word("1"), noon + 1ns).that_expires();
    push("late", word("2"), noon).that_expires();
    push("watched by its caller", word("3"), noon);
    push("long ago", word("4"), noon - 1h).that_expires();
    write_all();
    EXPECT_EQ(pipe.expire(noon), 2U);
    EXPECT_THAT(seen, ElementsAre("late: " + too_late, "long ago: " + too_late));
    EXPECT_EQ(pipe.size(), 4U);
    seen.clear();
    EXPECT_FALSE(read("+1\r\n+2\r\n+3\r\n+4\r\n"));
    EXPECT_THAT(seen, ElementsAre("in time: +1", "watched by its caller: +3"));
}

TEST_F(pipeline_test, gives_up_only_once) {
    push("late", word("1"), noon).that_expires();
    write_all();
    EXPECT_EQ(pipe.expire(noon), 1U);
    EXPECT_EQ(pipe.expire(noon + 1h), 0U);
    EXPECT_THAT(seen, ElementsAre("late: " + too_late));
}

TEST_F(pipeline_test, settles_the_order_of_what_is_given_up_with_its_reply) {
    push("late", ordered(7, word("1")), noon).that_expires();
    write_all();
    pipe.expire(noon);
    EXPECT_THAT(seen, ElementsAre("late: " + too_late));
    EXPECT_FALSE(read("+1\r\n"));
    EXPECT_THAT(seen, ElementsAre("late: " + too_late, "settled 7"));
}

// ---- replies that nobody asked for -------------------------------------------------------------

TEST_F(pipeline_test, a_reply_that_nobody_asked_for_ends_the_connection) {
    EXPECT_EQ(read("+OK\r\n"), errc::protocol_error);
    EXPECT_EQ(pipe.farewell(), "");
}

TEST_F(pipeline_test, keeps_why_the_server_hangs_up) {
    for (const std::string& why :
         {"ERR max number of clients reached"s, "DENIED Redis is running in protected mode"s}) {
        pipeline p;
        EXPECT_EQ(p.read("-" + why + "\r\n", [](std::uint64_t) {}), errc::protocol_error);
        EXPECT_EQ(p.farewell(), why);
    }
}

TEST_F(pipeline_test, delivers_what_came_before_a_reply_that_nobody_asked_for) {
    push("a");
    write_all();
    EXPECT_EQ(read("+1\r\n+2\r\n"), errc::protocol_error);
    EXPECT_THAT(seen, ElementsAre("a: +1"));
}

TEST_F(pipeline_test, a_reply_that_nobody_asked_for_reaches_nobody_later) {
    EXPECT_EQ(read("+unasked\r\n"), errc::protocol_error);
    push("a");
    write_all();
    EXPECT_FALSE(read("+1\r\n"));
    EXPECT_THAT(seen, ElementsAre("a: +1"));
}

TEST_F(pipeline_test, delivers_what_came_before_bytes_that_are_no_reply) {
    push("a");
    push("b");
    write_all();
    EXPECT_EQ(read("+1\r\nHTTP/1.1 400\r\n"), errc::protocol_error);
    EXPECT_THAT(seen, ElementsAre("a: +1"));
    EXPECT_EQ(read("+2\r\n"), errc::protocol_error);
    EXPECT_THAT(seen, ElementsAre("a: +1"));
}

// ---- scripts -----------------------------------------------------------------------------------

TEST_F(pipeline_test, spells_a_script_out_the_first_time_that_it_is_called) {
    constexpr script other{"return 1", "0123456789012345678901234567890123456789", 0};
    commands of_other;
    of_other.call(other);
    commands out = of_other;
    out.spell_out();
    push("s", call_of_half("x"));
    push("t", of_other);
    push("u", call_of_half("y"));
    EXPECT_EQ(pipe.unwritten(),
              written_out("x") + std::string{out.bytes()} + std::string{call_of_half("y").bytes()});
    write_all();
    EXPECT_FALSE(read(bulk("x") + ":1\r\n" + bulk("y")));
    EXPECT_THAT(seen, ElementsAre("s: \"x\"", "t: :1", "u: \"y\""));
}

TEST_F(pipeline_test, sends_a_script_again_that_the_server_has_forgotten) {
    introduce();
    push("s", ordered(7, call_of_half("x")));
    write_all();
    EXPECT_FALSE(read(no_script));
    EXPECT_THAT(seen, IsEmpty());
    EXPECT_EQ(pipe.unwritten(), written_out("x"));
    write_all();
    EXPECT_FALSE(read(bulk("x")));
    EXPECT_THAT(seen, ElementsAre("settled 7", "s: \"x\""));
    EXPECT_TRUE(pipe.idle());
}

TEST_F(pipeline_test, sends_a_script_again_behind_what_is_on_its_way_already) {
    introduce();
    push("a");
    push("s", call_of_half("x"));
    push("b");
    push("t", call_of_half("y"));
    write_all();
    push("c");
    EXPECT_FALSE(read("+1\r\n" + std::string{no_script} + "+2\r\n" + std::string{no_script}));
    EXPECT_EQ(pipe.unwritten(), written("c") + written_out("x") + written_out("y"));
    EXPECT_THAT(seen, ElementsAre("a: +1", "b: +2"));
    write_all();
    EXPECT_FALSE(read("+3\r\n" + bulk("x") + bulk("y")));
    EXPECT_THAT(seen, ElementsAre("a: +1", "b: +2", "c: +3", "s: \"x\"", "t: \"y\""));
}

TEST_F(pipeline_test, knows_a_forgotten_script_by_the_code_of_the_error) {
    introduce();
    push("s", call_of_half("x"));
    write_all();
    EXPECT_FALSE(read("-NOSCRIPT No matching script.\r\n")); // as Valkey words it
    EXPECT_EQ(pipe.unwritten(), written_out("x"));
    push("t", call_of_half("y"));
    write_all();
    EXPECT_FALSE(read(":1\r\n-NOSCRIPTS are allowed\r\n"));
    EXPECT_THAT(seen, ElementsAre("s: :1", "t: -NOSCRIPTS are allowed"));
}

TEST_F(pipeline_test, does_not_send_a_script_a_third_time) {
    introduce();
    push("s", call_of_half("x"));
    write_all();
    EXPECT_FALSE(read(no_script));
    write_all();
    EXPECT_FALSE(read(no_script));
    EXPECT_THAT(seen, ElementsAre("s: -NOSCRIPT No matching script. Please use EVAL."));
    EXPECT_TRUE(pipe.idle());
}

TEST_F(pipeline_test, does_not_send_again_what_is_no_script_or_failed_otherwise) {
    introduce();
    push("a");
    push("s", call_of_half("x"));
    push("t", call_of_half("y"));
    write_all();
    EXPECT_FALSE(read(std::string{no_script} + "-BUSY no\r\n" + bulk("NOSCRIPT")));
    EXPECT_THAT(seen, ElementsAre("a: -NOSCRIPT No matching script. Please use EVAL.",
                                  "s: -BUSY no", "t: \"NOSCRIPT\""));
    EXPECT_TRUE(pipe.idle());
}

TEST_F(pipeline_test, does_not_send_a_script_again_that_nobody_waits_for) {
    introduce();
    push("late", call_of_half("x"), noon).that_expires();
    push("s", call_of_half("y"));
    write_all();
    EXPECT_FALSE(pipe.retract_last());
    pipe.expire(noon);
    EXPECT_FALSE(read(std::string{no_script} + std::string{no_script}));
    EXPECT_TRUE(pipe.idle());
    EXPECT_THAT(seen, ElementsAre("late: " + too_late));
}

TEST_F(pipeline_test, a_script_that_is_sent_again_is_as_old_as_it_was) {
    introduce();
    push("s", call_of_half("x"), steady_time::max(), noon);
    write_all();
    EXPECT_FALSE(read(no_script));
    EXPECT_EQ(pipe.oldest(), noon);
}

TEST_F(pipeline_test, a_script_that_is_sent_again_still_expires) {
    introduce();
    push("s", call_of_half("x"), noon).that_expires();
    write_all();
    EXPECT_FALSE(read(no_script));
    pipe.expire(noon);
    write_all();
    EXPECT_FALSE(read(bulk("x")));
    EXPECT_THAT(seen, ElementsAre("s: " + too_late));
}

// ---- the connection is gone --------------------------------------------------------------------

TEST_F(pipeline_test, sends_again_what_was_not_written_and_what_does_no_harm) {
    push("written");
    push("harmless", harmless(word("harmless")));
    push("half written");
    write_all();
    push("not written");
    push("not written either", harmless(word("not written either")));
    EXPECT_THAT(abandon(), ElementsAre(written("harmless"), written("not written"),
                                       written("not written either")));
    EXPECT_THAT(seen, ElementsAre("written: " + lost, "half written: " + lost));
    EXPECT_TRUE(pipe.size() == 0);
}

TEST_F(pipeline_test, counts_as_written_what_was_written_in_part) {
    const std::size_t size = written("a").size();
    for (std::size_t wrote = 0; wrote <= size; ++wrote) {
        seen.clear();
        pipeline p;
        observed_request before{seen, "before", harmless(word("before"))};
        observed_request a{seen, "a", word("a")};
        p.push(&before, noon);
        p.push(&a, noon);
        p.wrote(written("before").size() + wrote);
        request_list again;
        p.abandon(make_error_code(errc::connection_lost), again, [](std::uint64_t) {});
        EXPECT_EQ(again.size(), wrote == 0 ? 2U : 1U);
        EXPECT_EQ(seen, wrote == 0 ? diary{} : diary{"a: " + lost});
    }
}

TEST_F(pipeline_test, sends_again_whatever_was_written_before_on_this_connection) {
    for (int i = 0; i != 1000; ++i) {
        push("earlier");
        write_all();
        ASSERT_FALSE(read("+OK\r\n"));
    }
    push("written");
    write_all();
    push("not written");
    EXPECT_THAT(abandon(), ElementsAre(written("not written")));
    EXPECT_EQ(seen.back(), "written: " + lost);
}

TEST_F(pipeline_test, forgets_the_replies_to_what_it_sends_again) {
    commands two = harmless({});
    two.add("PTTL", "k");
    two.add("GET", "k");
    push("two", two);
    write_all();
    EXPECT_FALSE(read(":1000\r\n"));
    request_list again;
    pipe.abandon(make_error_code(errc::connection_lost), again, [](std::uint64_t) {});
    ASSERT_EQ(again.size(), 1U);
    pipeline other;
    other.push(again.pop_front(), noon);
    other.wrote(other.unwritten().size());
    EXPECT_FALSE(other.read(":2000\r\n$1\r\nv\r\n", [](std::uint64_t) {}));
    EXPECT_THAT(seen, ElementsAre("two: :2000 \"v\""));
}

TEST_F(pipeline_test, settles_what_ends_with_the_connection_and_not_what_is_sent_again) {
    push("lost", ordered(1, word("lost")));
    push("late", ordered(2, word("late")), noon).that_expires();
    push("again", ordered(3, harmless(word("again"))));
    write_all();
    push("unwritten", ordered(4, word("unwritten")));
    pipe.expire(noon);
    seen.clear();
    EXPECT_THAT(abandon(), ElementsAre(written("again"), written("unwritten")));
    EXPECT_THAT(seen, ElementsAre("settled 1", "lost: " + lost, "settled 2"));
}

TEST_F(pipeline_test, does_not_send_again_what_had_a_reply_that_cannot_be_taken) {
    for (const errc why : {errc::reply_too_large, errc::protocol_error}) {
        seen.clear();
        push("culprit", harmless(word("culprit")));
        push("next", harmless(word("next")));
        write_all();
        EXPECT_THAT(abandon(why), ElementsAre(written("next")));
        EXPECT_THAT(seen, ElementsAre("culprit: " + make_error_code(why).message()));
    }
}

TEST_F(pipeline_test, sends_again_what_follows_the_one_whose_reply_cannot_be_taken) {
    push("nobody's", word("nobody's"), noon).that_expires();
    push("next", harmless(word("next")));
    write_all();
    pipe.expire(noon);
    push("unwritten");
    EXPECT_THAT(abandon(errc::reply_too_large), ElementsAre(written("next"), written("unwritten")));
}

TEST_F(pipeline_test, sends_again_what_was_not_written_whatever_came) {
    push("unwritten");
    EXPECT_THAT(abandon(errc::protocol_error), ElementsAre(written("unwritten")));
    EXPECT_THAT(seen, IsEmpty());
}

TEST_F(pipeline_test, sends_a_script_again_elsewhere_that_was_not_sent_again_here_yet) {
    introduce();
    push("s", call_of_half("x"));
    push("t", call_of_half("y"));
    write_all();
    EXPECT_FALSE(read(std::string{no_script} + std::string{no_script}));
    pipe.wrote(written_out("x").size());
    EXPECT_THAT(abandon(), ElementsAre(written_out("y")));
    EXPECT_THAT(seen, ElementsAre("s: " + lost));
}

// ---- without memory ----------------------------------------------------------------------------

TEST_F(pipeline_test, is_as_it_was_if_there_is_no_room_for_a_request) {
    const std::string value(100'000, 'v');
    every_lack_of_memory([&](std::size_t granted) {
        seen.clear();
        pipeline p;
        observed_request a{seen, "a", word("a")};
        observed_request large{seen, "large", word(value)};
        p.push(&a, noon);
        bool refused = false;
        {
            const scarce_memory scarce{granted};
            try {
                p.push(&large, noon);
            } catch (const std::bad_alloc&) {
            }
            refused = scarce.refused();
        }
        EXPECT_EQ(p.size(), refused ? 1U : 2U);
        EXPECT_EQ(p.unwritten(), written("a") + (refused ? "" : written(value)));
        p.wrote(p.unwritten().size());
        EXPECT_FALSE(p.read(refused ? "+1\r\n" : "+1\r\n+2\r\n", [](std::uint64_t) {}));
        EXPECT_TRUE(p.idle());
        return refused;
    });
}

TEST_F(pipeline_test, answers_what_the_server_said_if_there_is_no_room_to_send_a_script_again) {
    const std::string text(10'000, ' ');
    const script large{text, half.digest, 0};
    const std::size_t lacks = every_lack_of_memory([&](std::size_t granted) {
        pipeline p;
        commands c;
        c.call(large, "x");
        own_request r{c, steady_time::max()};
        own_request first{c, steady_time::max()}; // the server is told the text
        p.push(&first, noon);
        p.push(&r, noon);
        p.wrote(p.unwritten().size());
        std::error_code error = p.read("+1\r\n", [](std::uint64_t) {});
        bool refused = false;
        {
            const scarce_memory scarce{granted};
            error = p.read("-NOSCRIPT\r\n", [](std::uint64_t) {});
            refused = scarce.refused();
        }
        EXPECT_FALSE(error);
        EXPECT_EQ(r.done(), refused);
        if (refused) {
            EXPECT_FALSE(r.error());
            EXPECT_EQ(r.replies().size(), 1U);
        } else {
            EXPECT_EQ(p.unwritten().size(), r.what().bytes().size());
        }
        return refused;
    });
    EXPECT_GE(lacks, 2U);
}

} // namespace
