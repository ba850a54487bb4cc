// The contract suites have teeth: for every fault of breakable_backend.hpp, the check that is there
// to find it fails; and without a fault, every check succeeds.

#include "breakable_backend.hpp"

#include <weir/contract/counters.hpp>
#include <weir/contract/values.hpp>
#include <weir/testing.hpp>

#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <chrono>
#include <ostream>
#include <string>

namespace {

using weir_tests::breakable_backend;
using weir_tests::fault;

struct breakable_under_test {
    static inline fault injected;

    weir::manual_clock clock;

    breakable_backend make() const { return {clock, injected}; }
    void advance(std::chrono::nanoseconds by) const { clock.advance(by); }
};

[[maybe_unused]] const bool added[] = {
    weir::contract::add_counter_tests<breakable_under_test>("breakable_backend_counters"),
    weir::contract::add_value_tests<breakable_under_test>("breakable_backend_values"),
};

struct mutant {
    const char* fault;
    const char* caught_by;
};

void PrintTo(const mutant& m, std::ostream* out) {
    *out << m.fault;
}

std::string name_of(const ::testing::TestParamInfo<mutant>& info) {
    std::string name = std::to_string(info.index) + ' ' + info.param.fault;
    std::replace_if(
        name.begin(), name.end(), [](unsigned char c) { return !std::isalnum(c); }, '_');
    return name;
}

/// Whether the check `name` of `list` fails for a backend with `broken`.
template<class Trial>
::testing::AssertionResult fails(const weir::contract::checks<Trial>& list, const mutant& m) {
    const auto check = std::find_if(list.begin(), list.end(),
                                    [&](const auto& c) { return c.name == m.caught_by; });
    if (check == list.end()) {
        return ::testing::AssertionFailure() << "there is no check called " << m.caught_by;
    }
    // Where threads have to meet, one attempt may miss them.
    for (int attempt = 0; attempt < 20; ++attempt) {
        ::testing::TestPartResultArray results;
        {
            const ::testing::ScopedFakeTestPartResultReporter reporter{
                ::testing::ScopedFakeTestPartResultReporter::INTERCEPT_ALL_THREADS, &results};
            breakable_under_test::injected = fault{m.fault};
            Trial trial;
            check->run(trial);
            breakable_under_test::injected = fault{};
        }
        for (int i = 0; i < results.size(); ++i) {
            if (results.GetTestPartResult(i).failed()) {
                return ::testing::AssertionSuccess();
            }
        }
    }
    return ::testing::AssertionFailure() << m.caught_by << " did not notice";
}

class counters_suite : public ::testing::TestWithParam<mutant> {};

TEST_P(counters_suite, notices_that) {
    EXPECT_TRUE(fails(weir::contract::counter_checks<breakable_under_test>(), GetParam()));
}

class values_suite : public ::testing::TestWithParam<mutant> {};

TEST_P(values_suite, notices_that) {
    EXPECT_TRUE(fails(weir::contract::value_checks<breakable_under_test>(), GetParam()));
}

constexpr mutant counter_mutants[] = {
    {"a copy counts for itself", "a_copy_of_a_backend_counts_with_the_original"},
    {"limiters share their counters", "limiters_of_different_names_share_no_count"},
    {"windows of all lengths share their counters", "windows_of_different_lengths_share_no_count"},
    {"space and key are joined without a separator",
     "different_keys_share_no_count_whatever_their_bytes"},
    {"a key ends at its first NUL", "different_keys_share_no_count_whatever_their_bytes"},
    {"case of keys is ignored", "different_keys_share_no_count_whatever_their_bytes"},
    {"long keys are cut", "different_keys_share_no_count_whatever_their_bytes"},
    {"the colon is encoded and the percent sign is not",
     "different_keys_share_no_count_whatever_their_bytes"},
    {"update leaves the error code", "takes_add_up_to_the_limit_and_no_further"},
    {"a denied request is counted",
     "a_random_history_gives_what_a_plain_model_gives_field_by_field"},
    {"a denied request is counted", "a_peek_takes_nothing_and_creates_no_key"},
    {"a denied request is counted", "an_impossible_request_takes_nothing_and_creates_no_key"},
    {"a denied request is counted", "a_denied_request_takes_nothing"},
    {"a denied request is counted", "giving_back_to_an_absent_key_creates_none"},
    {"a fresh state is not written", "forgetting_starts_the_key_afresh"},
    {"the clock counts and not the caller's reading",
     "a_count_ends_at_the_edge_of_its_window_and_not_before"},
    {"time is rounded to microseconds", "a_count_ends_at_the_edge_of_its_window_and_not_before"},
    {"time never goes back", "an_earlier_reading_in_the_same_window_counts_in_it"},
    {"time never goes back", "a_count_from_a_clock_that_was_set_back_bans_nobody"},
    {"update reads and writes in two steps", "threads_on_one_key_are_admitted_exactly_the_limit"},
    {"update reads and writes in two steps",
     "threads_that_meet_on_new_keys_admit_exactly_the_limit_of_each"},
    {"update reads and writes in two steps", "threads_that_take_and_give_back_lose_no_permit"},
    {"names are not checked", "registering_one_name_with_another_shape_throws"},
    {"counts and validate_quota disagree",
     "a_quota_counts_exactly_if_its_validation_does_not_throw"},
    {"no quota counts", "the_quotas_of_this_suite_count"},
    {"update_async answers and does not count",
     "an_update_that_does_not_wait_answers_as_one_that_does"},
    {"update_async answers and does not count",
     "updates_that_wait_and_updates_that_do_not_count_together"},
    {"update_async answers and does not count",
     "threads_that_do_not_wait_are_admitted_exactly_the_limit"},
    {"update_async counts twice", "an_update_that_does_not_wait_answers_as_one_that_does"},
    {"update_async counts twice", "what_an_update_was_given_need_not_outlive_the_call"},
    {"update_async answers with an error", "an_update_that_does_not_wait_answers_as_one_that_does"},
    {"update_async drops the handler of a denied request",
     "the_handler_of_every_update_is_called_whatever_the_answer"},
    {"updates on their way go with the backend",
     "updates_on_their_way_are_answered_when_the_backend_goes"},
    {"update reads and writes in two steps",
     "threads_that_do_not_wait_are_admitted_exactly_the_limit"},
};

INSTANTIATE_TEST_SUITE_P(broken, counters_suite, ::testing::ValuesIn(counter_mutants), name_of);

constexpr mutant value_mutants[] = {
    {"a copy of a store has entries of its own",
     "a_copy_of_a_store_shows_what_the_original_stored"},
    {"all stores are one", "stores_of_different_names_share_nothing"},
    {"a store opened again is another", "a_store_opened_again_under_its_name_is_the_same_store"},
    {"a store opened again is another", "a_copy_of_a_backend_opens_the_stores_of_the_original"},
    {"a key ends at its first NUL", "different_keys_hold_different_values_whatever_their_bytes"},
    {"case of keys is ignored", "different_keys_hold_different_values_whatever_their_bytes"},
    {"long keys are cut", "different_keys_hold_different_values_whatever_their_bytes"},
    {"the colon is encoded and the percent sign is not",
     "different_keys_hold_different_values_whatever_their_bytes"},
    {"get leaves the error code", "an_absent_key_is_not_present_and_has_no_value"},
    {"a nothing is not stored", "a_cached_nothing_is_present_and_null"},
    {"the later reading wins", "an_earlier_reading_finds_what_is_there"},
    {"an add overwrites", "an_add_stores_only_if_the_key_is_absent"},
    {"add takes a nothing for absent", "an_add_does_not_replace_a_nothing_and_may_add_one"},
    {"add takes an entry in its grace for absent",
     "an_entry_in_its_grace_is_present_to_add_and_to_erase"},
    {"an add that finds an entry prolongs it", "an_add_that_finds_an_entry_does_not_prolong_it"},
    {"add looks and stores in two steps", "of_many_threads_that_add_a_key_exactly_one_succeeds"},
    {"erase always answers true", "an_erase_answers_whether_it_removed_an_entry"},
    {"erase answers true for an entry that is over",
     "an_entry_that_is_over_is_absent_to_add_and_to_erase"},
    {"erase looks and removes in two steps",
     "of_many_threads_that_erase_a_key_exactly_one_succeeds"},
    {"an entry lasts a nanosecond too long", "an_entry_is_found_until_its_end_and_never_after"},
    {"an entry ends a nanosecond early", "an_entry_is_found_until_its_end_and_never_after"},
    {"an entry ends a nanosecond early", "an_entry_in_its_grace_is_found_and_not_fresh"},
    {"nothing ever ends", "a_put_replaces_the_lifetime_by_a_shorter_one"},
    {"there is no grace", "an_entry_in_its_grace_is_found_and_not_fresh"},
    {"grace counts as fresh", "the_end_of_freshness_is_told"},
    {"lifetimes are whole minutes", "an_entry_is_found_until_its_end_and_never_after"},
    {"lifetimes are whole minutes", "the_shortest_and_the_longest_lifetime_are_kept"},
    {"put keeps the old lifetime", "a_put_replaces_the_lifetime_by_a_longer_one"},
    {"put keeps the old lifetime", "a_put_replaces_the_lifetime_by_a_shorter_one"},
    {"reading prolongs", "reading_an_entry_does_not_prolong_it"},
    {"a lease is given to everybody",
     "an_absent_key_is_leased_to_the_first_who_asks_and_to_no_other"},
    {"a lease is given to everybody", "of_many_threads_that_ask_for_a_lease_exactly_one_gets_it"},
    {"a nothing is leased", "a_fresh_entry_comes_without_a_lease"},
    {"an entry in its grace is not leased", "an_entry_in_its_grace_comes_with_a_lease"},
    {"all leases are one", "every_lease_has_a_token_of_its_own"},
    {"any lease will do to store", "without_a_lease_nothing_is_stored"},
    {"a lease may be used twice", "who_holds_the_lease_stores_once"},
    {"a leased put without a lifetime does nothing",
     "a_leased_put_without_a_lifetime_removes_the_entry_and_ends_the_lease"},
    {"release does nothing", "a_release_ends_the_lease"},
    {"release ends any lease", "a_release_ends_only_the_lease_that_it_names"},
    {"put leaves the lease", "a_put_ends_the_lease"},
    {"put leaves the lease", "a_put_of_a_nothing_ends_the_lease"},
    {"add leaves the lease", "an_add_ends_the_lease"},
    {"an add that finds an entry ends the lease", "an_add_that_finds_an_entry_leaves_the_lease"},
    {"erase leaves the lease", "an_erase_of_an_entry_in_its_grace_ends_the_lease"},
    {"erase leaves the lease", "no_value_from_before_an_erase_is_found_after_it"},
    {"erase of an absent key leaves the lease", "an_erase_ends_the_lease_also_of_an_absent_key"},
    {"the lease is looked at and the value stored in two steps",
     "no_value_from_before_an_erase_is_found_after_it"},
    {"a matching erase leaves leases", "a_matching_erase_ends_the_lease_also_of_an_absent_key"},
    {"a matching erase leaves leases", "no_value_from_before_a_matching_erase_is_found_after_it"},
    {"clear leaves leases", "clearing_ends_every_lease"},
    {"clear leaves leases", "no_value_from_before_a_clear_is_found_after_it"},
    {"a deferred put comes after what is asked next",
     "a_deferred_put_comes_before_what_is_asked_next"},
    {"a deferred put comes after what is asked next",
     "a_deferred_put_comes_before_what_another_thread_asks_next"},
    {"a deferred put needs no lease", "a_deferred_put_stores_under_its_lease_once"},
    {"a deferred put needs no lease", "a_deferred_put_after_the_end_of_its_lease_stores_nothing"},
    {"a deferred put drops its handler if nothing was stored",
     "a_deferred_put_after_the_end_of_its_lease_stores_nothing"},
    {"a deferred put always says that it stored", "a_deferred_put_stores_under_its_lease_once"},
    {"a deferred put knows no grace", "a_deferred_put_keeps_its_lifetime_and_stores_a_nothing"},
    {"a deferred put without a lifetime does nothing",
     "a_deferred_put_without_a_lifetime_removes_the_entry"},
    {"deferred puts on their way go with the backend",
     "deferred_puts_on_their_way_are_answered_when_the_backend_goes"},
    {"a deferred release comes after what is asked next",
     "a_deferred_release_comes_before_what_is_asked_next"},
    {"a deferred release ends any lease", "a_deferred_release_ends_only_the_lease_that_it_names"},
    {"get_many answers in the order of keys",
     "many_keys_are_found_as_each_alone_in_the_order_of_the_question"},
    {"get_many takes an entry in its grace for absent",
     "many_keys_are_found_as_each_alone_in_the_order_of_the_question"},
    {"get_many leaves out what is absent",
     "many_keys_are_found_as_each_alone_in_the_order_of_the_question"},
    {"get_many answers a key once", "a_key_that_is_asked_for_twice_is_answered_twice"},
    {"get_many leaves the error code", "no_keys_have_no_answers"},
    {"a key ends at its first NUL", "many_keys_may_be_of_any_bytes"},
    {"get_many stops at a hundred keys", "five_hundred_keys_are_found_in_one_go"},
    {"get_async takes a nothing for absent",
     "a_read_that_does_not_wait_finds_what_one_that_does_finds"},
    {"get_async answers with an error", "a_read_that_does_not_wait_finds_what_one_that_does_finds"},
    {"get_async mistakes NUL for the end", "a_read_that_does_not_wait_knows_keys_of_any_bytes"},
    {"get_async drops the handler of an absent key",
     "threads_that_do_not_wait_are_each_told_of_the_key_that_they_asked_for"},
    {"reads on their way go with the backend",
     "reads_on_their_way_are_answered_when_the_backend_goes"},
    {"a glob matches the beginning of keys", "a_matching_erase_removes_what_matches_and_counts_it"},
    {"a glob matches the beginning of keys", "a_glob_without_wildcards_is_one_key"},
    {"a glob ignores case", "globs_know_sets_ranges_negation_and_escapes"},
    {"a matching erase leaves a nothing",
     "a_matching_erase_removes_a_cached_nothing_and_what_is_in_its_grace"},
    {"a matching erase does not count", "a_matching_erase_removes_what_matches_and_counts_it"},
    {"a key ends at its first NUL", "globs_see_keys_of_any_bytes"},
    {"all stores are one", "a_matching_erase_and_a_clear_stay_in_their_store"},
    {"a visit shows a stale value", "a_visit_shows_nothing_where_there_is_no_fresh_value"},
    {"a visit answers true for a nothing", "a_visit_shows_nothing_where_there_is_no_fresh_value"},
    {"everybody gets a hosted object", "handles_of_one_store_host_one_object"},
};

INSTANTIATE_TEST_SUITE_P(broken, values_suite, ::testing::ValuesIn(value_mutants), name_of);
} // namespace
