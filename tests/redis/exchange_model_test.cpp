// The hand-over between the callers of a client and its I/O thread (exchange.hpp), searched through
// all interleavings. What is real and what is modelled: exchange_model.hpp. In every state
//
//  - a link has one holder, and nobody else touches it;
//  - somebody can go on, as long as there is something to do: nobody sleeps who should have been woken,
//    and the I/O thread never sleeps over what it could send or would have to refuse;
//  - a request is completed once and destroyed once, and nobody holds it afterwards;
//  - a reply reaches who asked for it, and what is reported as not applied is not and will not be;
//  - no command is executed twice but for harmless ones;
//  - commands with one order number are executed in the order in which a caller issued them;
//  - in the end nothing is counted as unfinished.
//
// The same search, with one mistake made in the exchange, the loop or a request, finds it.

#include "exchange_model.hpp"
#include "replayed_search.hpp"

#include <gtest/gtest.h>

#include <ostream>
#include <string>

namespace {

using namespace weir::tests::handing_over;
using weir::tests::replayed_search;

constexpr auto call = operation::call;
constexpr auto among_many = operation::call_among_many;
constexpr auto later = operation::call_later;

std::string search(const scenario& s, mistake m = mistake::none) {
    const auto make = [&] { return world{s, m}; };
    replayed_search<world, decltype(make)> all{make};
    std::string fault = all.run();
    ::testing::Test::RecordProperty("states", std::to_string(all.states()));
    return fault;
}

struct searched {
    const char* name;
    scenario of;
    mistake made = mistake::none;
    /// What the search says; empty: nothing is wrong.
    const char* found = "";
};

std::ostream& operator<<(std::ostream& out, const searched& s) {
    return out << s.name;
}

std::string name_of(const testing::TestParamInfo<searched>& s) {
    return s.param.name;
}

// ---- everything holds ---------------------------------------------------------------------------

class every_interleaving : public testing::TestWithParam<searched> {};

TEST_P(every_interleaving, keeps_the_rules) {
    EXPECT_EQ(search(GetParam().of), "");
}

INSTANTIATE_TEST_SUITE_P(
    exchange_model, every_interleaving,
    testing::Values(
        searched{"of_two_callers_at_one_link",
                 {.callers = {{{call, 1}, {call, 1}}, {{call, 1}, {call, 2}}}}},
        searched{"of_three_callers_at_two_links",
                 {.callers = {{{call, 1}}, {{call, 2}}, {{call, 1}}}, .links = 2, .most_links = 2}},
        searched{"of_callers_of_all_kinds_at_one_link",
                 {.callers = {{{call, 1}}, {{among_many, 2}}, {{later, 1}}}}},
        searched{"of_deadlines_at_two_links",
                 {.callers = {{{call, 1}, {call, 1}}, {{call, 2}}},
                  .links = 2,
                  .most_links = 2,
                  .deadlines = true}},
        searched{"of_deadlines_of_three_callers",
                 {.callers = {{{call, 1}}, {{call, 2}}, {{among_many, 1}}},
                  .links = 2,
                  .most_links = 2,
                  .deadlines = true}},
        searched{"of_a_caller_who_follows_what_he_left",
                 {.callers = {{{later, 1}, {call, 1}}, {{call, 1}}},
                  .links = 2,
                  .most_links = 2,
                  .full = true,
                  .hang_ups = 1}},
        searched{"of_a_caller_who_follows_everything",
                 {.callers = {{{later, 1}, {later, 2}, {call, after_all}}, {{call, 2}}},
                  .links = 2,
                  .most_links = 2,
                  .deadlines = true}},
        searched{"of_a_server_that_hangs_up",
                 {.callers = {{{call, 1}, {call, 1, true}}, {{call, 2}}}, .hang_ups = 1}},
        searched{"of_a_server_that_hangs_up_and_deadlines",
                 {.callers = {{{call, 1}}, {{among_many, 2}}},
                  .links = 2,
                  .most_links = 2,
                  .deadlines = true,
                  .hang_ups = 1}},
        searched{"of_a_server_that_hangs_up_twice",
                 {.callers = {{{later, 1, true}, {later, 1}, {call, 1, true}}},
                  .links = 2,
                  .most_links = 2,
                  .hang_ups = 2}},
        searched{"of_a_server_that_comes_late",
                 {.callers = {{{later, 1}, {call, 1}}, {{call, 2}}},
                  .links = 0,
                  .most_links = 2,
                  .connect_failures = 2}},
        searched{"of_a_server_that_goes",
                 {.callers = {{{later, 1}, {among_many, 1}}},
                  .deadlines = true,
                  .hang_ups = 1,
                  .connect_failures = 1}},
        searched{"of_heartbeats_and_deadlines",
                 {.callers = {{{later, 1}, {call, 1}}, {{call, 2}}},
                  .deadlines = true,
                  .heartbeats = 1}},
        searched{"of_heartbeats_and_a_server_that_hangs_up",
                 {.callers = {{{call, 1}}},
                  .links = 2,
                  .most_links = 2,
                  .hang_ups = 1,
                  .heartbeats = 1}},
        searched{"of_too_many_requests",
                 {.callers = {{{later, 1}, {later, 2}, {later, 1}}, {{later, 1}}},
                  .room = 1,
                  .expiries = 1}},
        searched{"of_replies_that_are_late",
                 {.callers = {{{later, 1}, {among_many, 1}}, {{call, 2}}},
                  .links = 2,
                  .most_links = 2,
                  .expiries = 2,
                  .delays = 1}},
        searched{"of_replies_that_are_late_and_a_server_that_hangs_up",
                 {.callers = {{{later, 1}}, {{call, 2}}},
                  .most_links = 2,
                  .hang_ups = 1,
                  .expiries = 1,
                  .delays = 1}},
        searched{"of_many_callers",
                 {.callers = {{{among_many, 1}, {among_many, 1}}, {{among_many, 2}}, {{call, 1}}},
                  .crowds = 2}},
        searched{"of_many_callers_and_deadlines",
                 {.callers = {{{among_many, 1}, {call, 1}}, {{among_many, 2}}},
                  .links = 2,
                  .most_links = 2,
                  .deadlines = true,
                  .crowds = 1,
                  .vain_waits = 1}},
        searched{"of_many_callers_and_a_server_that_hangs_up",
                 {.callers = {{{among_many, 1, true}, {later, 1}}, {{among_many, 2}}},
                  .links = 2,
                  .most_links = 2,
                  .hang_ups = 1,
                  .crowds = 1}},
        searched{"of_many_callers_and_replies_that_are_late",
                 {.callers = {{{among_many, 1}, {later, 1}}, {{later, 2}}},
                  .full = true,
                  .expiries = 1,
                  .delays = 1,
                  .crowds = 1,
                  .vain_waits = 1}},
        searched{"of_many_callers_and_heartbeats",
                 {.callers = {{{among_many, 1}}, {{later, 1}}},
                  .links = 2,
                  .most_links = 2,
                  .hang_ups = 1,
                  .heartbeats = 1,
                  .crowds = 1}},
        searched{"of_many_callers_and_an_end",
                 {.callers = {{{later, 1}, {later, 1}}, {{later, 2}}},
                  .closes = true,
                  .hang_ups = 1,
                  .crowds = 1}},
        searched{"of_an_end_among_requests",
                 {.callers = {{{call, 1}, {later, 1}}, {{later, 2}}},
                  .links = 2,
                  .most_links = 2,
                  .closes = true,
                  .hang_ups = 1}},
        searched{"of_an_end_before_the_beginning",
                 {.callers = {{{later, 1}, {later, 2}}, {{later, 1}}},
                  .links = 0,
                  .room = 2,
                  .closes = true,
                  .connect_failures = 1}}),
    name_of);

// ---- every rule bites ---------------------------------------------------------------------------

class a_mistake : public testing::TestWithParam<searched> {};

TEST_P(a_mistake, is_found) {
    const std::string fault = search(GetParam().of, GetParam().made);
    EXPECT_EQ(fault.substr(0, fault.find('\n')), GetParam().found);
}

constexpr const char* stuck = "nothing that must happen leads to the end any more";
constexpr const char* overtaken = "a command overtakes an earlier one of its order";

INSTANTIATE_TEST_SUITE_P(
    exchange_model, a_mistake,
    testing::Values(
        searched{"borrowing_in_spite_of_unfinished_orders",
                 {.callers = {{{later, 1}, {call, 1}}}, .links = 2, .most_links = 2},
                 mistake::borrows_in_spite_of_unfinished_orders,
                 overtaken},
        searched{
            "leaving_replies_to_come_uncounted",
            {.callers = {{{call, 1}, {call, 1}}}, .links = 2, .most_links = 2, .deadlines = true},
            mistake::does_not_count_what_a_caller_leaves,
            overtaken},
        searched{"announcing_sleep_without_looking",
                 {.callers = {{{among_many, 1}}}},
                 mistake::announces_sleep_without_looking,
                 stuck},
        searched{"waking_before_the_request_is_there",
                 {.callers = {{{among_many, 1}}}},
                 mistake::wakes_before_the_request_is_there,
                 stuck},
        searched{"keeping_links_from_a_waiting_io_thread",
                 {.callers = {{{call, 1}}, {{among_many, 1}}}},
                 mistake::keeps_links_from_a_waiting_io_thread,
                 "the I/O thread sleeps over what it could send"},
        searched{"taking_a_link_that_is_on_its_way",
                 {.callers = {{{call, 1}}}, .hang_ups = 1},
                 mistake::takes_a_link_that_is_on_its_way,
                 "a link is taken that another holds"},
        searched{"not_telling_what_was_borrowed_meanwhile",
                 {.callers = {{{among_many, 1}, {call, 1}}, {{among_many, 2}}}},
                 mistake::does_not_tell_what_was_borrowed_meanwhile,
                 "a link is touched by somebody who does not hold it"},
        searched{"serving_again_after_closing",
                 {.callers = {{{later, 1}}}, .links = 0, .closes = true},
                 mistake::serves_again_after_closing,
                 stuck},
        searched{"passing_on_after_closing",
                 {.callers = {{{later, 1}}}, .links = 0, .closes = true},
                 mistake::passes_on_after_closing,
                 stuck},
        searched{"sleeping_although_there_is_work",
                 {.callers = {{{among_many, 1}}}},
                 mistake::sleeps_although_there_is_work,
                 stuck},
        searched{"sleeping_over_what_a_lost_link_leaves",
                 {.callers = {{{among_many, 1}}}, .links = 2, .most_links = 2, .hang_ups = 1},
                 mistake::sleeps_over_what_a_lost_link_leaves,
                 "the I/O thread sleeps over what it could send"},
        searched{"counting_what_is_sent_again_as_finished",
                 {.callers = {{{later, 1}, {call, 1}}},
                  .links = 2,
                  .most_links = 2,
                  .full = true,
                  .hang_ups = 1},
                 mistake::counts_what_it_sends_again_as_finished,
                 overtaken},
        searched{"sending_again_after_what_came_later",
                 {.callers = {{{later, 1, true}, {later, 1}}}, .hang_ups = 1},
                 mistake::sends_again_after_what_came_later,
                 overtaken},
        searched{
            "forgetting_the_orders_on_a_returned_link",
            {.callers = {{{call, 1}, {call, 1}}}, .links = 2, .most_links = 2, .deadlines = true},
            mistake::forgets_the_orders_on_a_returned_link,
            stuck},
        searched{"placing_behind_nothing",
                 {.callers = {{{call, 1}, {call, 1}}, {{among_many, 2}}},
                  .links = 2,
                  .most_links = 2,
                  .deadlines = true},
                 mistake::places_behind_nothing,
                 overtaken},
        searched{"putting_back_a_link_with_replies_to_come",
                 {.callers = {{{call, 1}, {call, 2}}}, .deadlines = true},
                 mistake::puts_back_a_link_with_replies_to_come,
                 "all is done, and something is counted as unfinished"},
        searched{"sending_an_unwritten_heartbeat_again",
                 {.callers = {{}}, .hang_ups = 1, .heartbeats = 1},
                 mistake::sends_an_unwritten_heartbeat_again,
                 "a request is sent again after its end"},
        searched{"not_watching_again_what_hung_up",
                 {.callers = {{{call, 1}}, {{among_many, 2}}}, .deadlines = true, .hang_ups = 1},
                 mistake::does_not_watch_again_what_hung_up,
                 "a link whose server has hung up is left to be borrowed"},
        searched{"forgetting_what_was_refused",
                 {.callers = {{{later, 1}, {later, 1}}}, .room = 1},
                 mistake::forgets_what_it_refused,
                 stuck},
        searched{"keeping_waiting_what_came_before_callers_were_refused",
                 {.callers = {{{later, 1}}}, .links = 0, .connect_failures = 1},
                 mistake::keeps_waiting_what_came_before_it_refused,
                 "a request is kept waiting although there is no service"},
        searched{"waiting_for_replies_that_nobody_asked_for",
                 {.callers = {{{among_many, 1}, {among_many, 1}}}, .crowds = 1},
                 mistake::waits_for_replies_that_nobody_asked_for,
                 stuck},
        searched{"waiting_for_replies_to_what_is_not_written",
                 {.callers = {{{among_many, 1}}}, .full = true, .crowds = 1},
                 mistake::waits_for_replies_to_what_is_not_written,
                 stuck},
        searched{"keeping_the_answer_to_a_heartbeat",
                 {.callers = {{{later, 1}, {later, 2}}}, .hang_ups = 1, .heartbeats = 1},
                 mistake::keeps_the_answer_to_a_heartbeat,
                 "a request is held by somebody after its end"},
        searched{"sleeping_over_what_is_answered",
                 {.callers = {{{later, 1}, {later, 2}}}},
                 mistake::sleeps_over_what_is_answered,
                 stuck},
        searched{"gathering_over_what_a_lost_link_leaves",
                 {.callers = {{{later, 1}, {call, 1}}, {{later, 2}}, {{call, 1}}},
                  .links = 2,
                  .most_links = 2,
                  .hang_ups = 1,
                  .delays = 1,
                  .crowds = 1},
                 mistake::gathers_over_what_a_lost_link_leaves,
                 "the I/O thread waits over what it could send"},
        searched{"forgetting_at_the_end_what_was_answered",
                 {.callers = {{{later, 1}}}, .closes = true, .crowds = 1},
                 mistake::forgets_at_the_end_what_was_answered,
                 stuck},
        searched{"disposing_of_a_request_at_its_deadline",
                 {.callers = {{{among_many, 1}}}, .deadlines = true},
                 mistake::disposes_of_a_request_at_its_deadline,
                 "a request is held by somebody after its end"},
        searched{"leaving_an_abandoned_request_to_nobody",
                 {.callers = {{{among_many, 1}}}, .deadlines = true},
                 mistake::leaves_an_abandoned_request_to_nobody,
                 stuck},
        searched{"beginning_what_was_abandoned",
                 {.callers = {{{among_many, 1}}}, .deadlines = true},
                 mistake::begins_what_was_abandoned,
                 "a command that was reported as not applied is executed"},
        searched{"taking_back_what_is_written",
                 {.callers = {{{call, 1}, {call, 2}}}, .deadlines = true},
                 mistake::takes_back_what_is_written,
                 "a reply reaches somebody who did not ask for it"},
        searched{"sending_again_what_may_have_been_applied",
                 {.callers = {{{later, 1}}}, .hang_ups = 1},
                 mistake::sends_again_what_may_have_been_applied,
                 "a command is executed twice"}),
    name_of);

} // namespace
