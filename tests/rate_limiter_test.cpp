#include <weir/memory.hpp>
#include <weir/quota/fixed_window.hpp>
#include <weir/rate_limiter.hpp>
#include <weir/testing.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <concepts>
#include <cstdint>
#include <limits>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <system_error>
#include <type_traits>

using namespace std::chrono_literals;
using testing::AllOf;
using testing::HasSubstr;

namespace {

using weir::decider;
using weir::decision;
using weir::reason;

/// Both faces of a limiter, over the same backend, behave alike.
template<class Limiter>
class each_limiter : public testing::Test {
protected:
    weir::manual_clock clock;
    weir::basic_memory_backend<weir::manual_clock> memory{clock, {.counters = 1000}};

    Limiter make(weir::fixed_window quota, weir::limiter_options options = {}) {
        return Limiter{memory, quota, std::move(options)};
    }
};

using faces = testing::Types<
    weir::rate_limiter,
    weir::basic_rate_limiter<weir::fixed_window, weir::basic_memory_backend<weir::manual_clock>>>;
TYPED_TEST_SUITE(each_limiter, faces);

TYPED_TEST(each_limiter, allows_exactly_the_limit_in_a_window) {
    const auto limiter = this->make(weir::per_minute(20));
    for (int i = 0; i < 20; ++i) {
        const decision d = limiter.allow("client");
        ASSERT_TRUE(d.allowed) << i;
        EXPECT_EQ(d.remaining, 19 - i);
        EXPECT_EQ(d.retry_after, 0ns);
    }
    const decision d = limiter.allow("client");
    EXPECT_FALSE(d.allowed);
    EXPECT_EQ(d.reason, reason::over_limit);
    EXPECT_EQ(d.remaining, 0);
    EXPECT_EQ(d.limit, 20);
    EXPECT_EQ(d.decided_by, decider::backend);
    EXPECT_FALSE(d.error());
}

TYPED_TEST(each_limiter, denies_until_retry_after_and_allows_at_it) {
    const auto limiter = this->make(weir::per_minute(1));
    this->clock.advance(17s + 123ns);
    ASSERT_TRUE(limiter.allow("client"));
    const decision denied = limiter.allow("client");
    ASSERT_EQ(denied.retry_after, 43s - 123ns);
    this->clock.advance(denied.retry_after - 1ns);
    EXPECT_FALSE(limiter.allow("client"));
    this->clock.advance(1ns);
    EXPECT_TRUE(limiter.allow("client"));
}

TYPED_TEST(each_limiter, windows_are_aligned_to_the_clock) {
    const auto limiter = this->make(weir::per_minute(1));
    this->clock.advance(59s);
    ASSERT_TRUE(limiter.allow("client"));
    EXPECT_EQ(limiter.allow("client").retry_after, 1s);
    EXPECT_EQ(limiter.peek("client").reset_after, 1s);
}

TYPED_TEST(each_limiter, a_denied_request_takes_nothing) {
    const auto limiter = this->make(weir::per_minute(10));
    ASSERT_TRUE(limiter.allow("client", 8));
    EXPECT_FALSE(limiter.allow("client", 3));
    const decision d = limiter.allow("client", 2);
    EXPECT_TRUE(d.allowed);
    EXPECT_EQ(d.remaining, 0);
}

TYPED_TEST(each_limiter, a_cost_above_the_limit_is_impossible_and_takes_nothing) {
    const auto limiter = this->make(weir::per_minute(10));
    const decision d = limiter.allow("client", 11);
    EXPECT_FALSE(d.allowed);
    EXPECT_EQ(d.reason, reason::impossible);
    EXPECT_EQ(d.retry_after, weir::never);
    EXPECT_EQ(d.remaining, 10);
    EXPECT_EQ(weir::http_status(d), 400);
    EXPECT_TRUE(limiter.allow("client", 10));
}

TYPED_TEST(each_limiter, a_limit_of_zero_blocks_everything) {
    const auto limiter = this->make(weir::per_minute(0));
    EXPECT_EQ(limiter.allow("client").reason, reason::impossible);
    EXPECT_FALSE(limiter.allow("client", 0));
}

TYPED_TEST(each_limiter, a_negative_cost_is_invalid_and_takes_nothing) {
    const auto limiter = this->make(weir::per_minute(10));
    for (const std::int64_t cost : {std::int64_t{-1}, std::numeric_limits<std::int64_t>::min()}) {
        const decision d = limiter.allow("client", cost);
        EXPECT_FALSE(d.allowed);
        EXPECT_EQ(d.reason, reason::invalid);
        EXPECT_EQ(limiter.peek("client", cost).reason, reason::invalid);
    }
    EXPECT_EQ(limiter.peek("client").remaining, 10);
}

TYPED_TEST(each_limiter, a_cost_of_zero_looks_and_takes_nothing) {
    const auto limiter = this->make(weir::per_minute(2));
    EXPECT_EQ(limiter.allow("client", 0).remaining, 2);
    ASSERT_TRUE(limiter.allow("client", 2));
    EXPECT_EQ(limiter.allow("client", 0).remaining, 0);
}

TYPED_TEST(each_limiter, peek_answers_as_allow_would_and_takes_nothing) {
    const auto limiter = this->make(weir::per_minute(3));
    ASSERT_TRUE(limiter.allow("client"));
    for (int i = 0; i < 5; ++i) {
        const decision d = limiter.peek("client", 2);
        EXPECT_TRUE(d.allowed);
        EXPECT_EQ(d.remaining, 2);
    }
    EXPECT_FALSE(limiter.peek("client", 3));
    EXPECT_EQ(limiter.peek("client", 3).retry_after, limiter.peek("client").reset_after);
    EXPECT_EQ(limiter.peek("stranger").reset_after, 0ns);
}

TYPED_TEST(each_limiter, give_back_returns_permits_but_never_more_than_were_taken) {
    const auto limiter = this->make(weir::per_minute(5));
    ASSERT_TRUE(limiter.allow("client", 5));
    limiter.give_back("client", 2);
    EXPECT_EQ(limiter.peek("client").remaining, 2);
    limiter.give_back("client", 100);
    EXPECT_EQ(limiter.peek("client").remaining, 5);
    limiter.give_back("stranger", 3);
    EXPECT_EQ(limiter.peek("stranger").remaining, 5);
}

TYPED_TEST(each_limiter, give_back_to_a_window_in_which_nothing_is_in_use_does_nothing) {
    const auto limiter = this->make(weir::per_minute(5));
    ASSERT_TRUE(limiter.allow("client", 5));
    this->clock.advance(1min);
    ASSERT_TRUE(limiter.allow("client", 1));
    this->clock.advance(1min);
    limiter.give_back("client", 1);
    EXPECT_EQ(limiter.peek("client").remaining, 5);
}

TYPED_TEST(each_limiter, give_back_of_a_negative_cost_is_refused) {
    const auto limiter = this->make(weir::per_minute(5));
    std::error_code ec;
    limiter.give_back("client", -1, ec);
    EXPECT_EQ(ec, std::errc::invalid_argument);
    EXPECT_THROW(limiter.give_back("client", -1), std::system_error);
}

TYPED_TEST(each_limiter, forget_starts_a_key_afresh) {
    const auto limiter = this->make(weir::per_minute(1));
    ASSERT_TRUE(limiter.allow("client"));
    ASSERT_FALSE(limiter.allow("client"));
    limiter.forget("client");
    EXPECT_TRUE(limiter.allow("client"));
    std::error_code ec = std::make_error_code(std::errc::io_error);
    limiter.forget("stranger", ec);
    EXPECT_FALSE(ec);
}

TYPED_TEST(each_limiter, a_quota_of_the_call_spends_from_the_same_count) {
    const auto limiter = this->make(weir::per_minute(2));
    ASSERT_TRUE(limiter.allow("client", 2));
    EXPECT_FALSE(limiter.allow("client"));
    const decision d = limiter.allow("client", weir::per_minute(5));
    EXPECT_TRUE(d.allowed);
    EXPECT_EQ(d.limit, 5);
    EXPECT_EQ(d.remaining, 2);
    EXPECT_FALSE(limiter.allow("client", weir::per_minute(3)));
    EXPECT_EQ(limiter.peek("client").remaining, 0);
}

TYPED_TEST(each_limiter, a_quota_of_the_call_with_another_window_counts_apart) {
    const auto limiter = this->make(weir::per_minute(1));
    ASSERT_TRUE(limiter.allow("client"));
    EXPECT_TRUE(limiter.allow("client", weir::per_hour(1)));
    EXPECT_FALSE(limiter.allow("client", weir::per_hour(1)));
    this->clock.advance(1min);
    EXPECT_TRUE(limiter.allow("client"));
    EXPECT_FALSE(limiter.allow("client", weir::per_hour(1)));
}

TYPED_TEST(each_limiter, a_quota_of_the_call_reaches_what_was_taken_under_it) {
    const auto limiter = this->make(weir::per_minute(1));
    const weir::fixed_window hourly = weir::per_hour(3);
    ASSERT_TRUE(limiter.allow("client", hourly, 3));
    EXPECT_EQ(limiter.peek("client", hourly).remaining, 0);
    EXPECT_EQ(limiter.peek("client").remaining, 1);
    limiter.give_back("client", hourly, 2);
    EXPECT_EQ(limiter.peek("client", hourly).remaining, 2);
    limiter.forget("client");
    EXPECT_EQ(limiter.peek("client", hourly).remaining, 2);
    limiter.forget("client", hourly);
    EXPECT_EQ(limiter.peek("client", hourly).remaining, 3);
    std::error_code ec;
    limiter.give_back("client", weir::per_hour(-1), 1, ec);
    EXPECT_EQ(ec, std::errc::invalid_argument);
    limiter.forget("client", weir::per_hour(-1), ec);
    EXPECT_EQ(ec, std::errc::invalid_argument);
    EXPECT_EQ(limiter.peek("client", weir::per_hour(-1)).reason, reason::invalid);
}

TYPED_TEST(each_limiter, an_invalid_quota_of_the_call_is_invalid_and_takes_nothing) {
    const auto limiter = this->make(weir::per_minute(5));
    EXPECT_EQ(limiter.allow("client", weir::per_minute(-1)).reason, reason::invalid);
    EXPECT_EQ(limiter.allow("client", weir::fixed_window{.limit = 1}).reason, reason::invalid);
    EXPECT_EQ(limiter.peek("client").remaining, 5);
}

TYPED_TEST(each_limiter, takes_the_callers_reading_of_the_clock) {
    const auto limiter = this->make(weir::per_minute(1));
    const weir::time_point now = this->clock.now();
    ASSERT_TRUE(limiter.allow("client", 1, now));
    EXPECT_FALSE(limiter.allow("client", 1, now + 59s));
    EXPECT_TRUE(limiter.allow("client", 1, now + 60s));
}

TYPED_TEST(each_limiter, readings_beyond_all_clocks_neither_crash_nor_ban) {
    const auto limiter = this->make(weir::per_minute(1));
    EXPECT_TRUE(limiter.allow("client", 1, weir::time_point::min()));
    EXPECT_TRUE(limiter.allow("client", 1, weir::time_point::max()));
    EXPECT_TRUE(limiter.allow("client", 1, this->clock.now()));
    EXPECT_FALSE(limiter.allow("client", 1, this->clock.now()));
}

TYPED_TEST(each_limiter, keys_are_any_bytes) {
    using namespace std::string_literals;
    const auto limiter = this->make(weir::per_minute(1));
    const std::string nul = "a\0b"s;
    for (const std::string& key :
         {""s, "a"s, nul, "a\0"s, "\xff\xfe"s, std::string(1'000'000, 'k'), "a:b"s, "{a}"s}) {
        EXPECT_TRUE(limiter.allow(key));
        EXPECT_FALSE(limiter.allow(key));
    }
}

TYPED_TEST(each_limiter, a_null_c_string_is_the_empty_key) {
    const auto limiter = this->make(weir::per_minute(1));
    const char* const unset = nullptr;
    EXPECT_TRUE(limiter.allow(unset));
    EXPECT_FALSE(limiter.allow(""));
}

TYPED_TEST(each_limiter, an_integer_key_is_its_text) {
    const auto limiter = this->make(weir::per_minute(1));
    EXPECT_TRUE(limiter.allow(42));
    EXPECT_FALSE(limiter.allow("42"));
}

TYPED_TEST(each_limiter, unnamed_limiters_count_apart_and_copies_together) {
    const auto one = this->make(weir::per_minute(1));
    const auto other = this->make(weir::per_minute(1));
    const auto copy = one;
    EXPECT_TRUE(one.allow("client"));
    EXPECT_TRUE(other.allow("client"));
    EXPECT_FALSE(copy.allow("client"));
}

TYPED_TEST(each_limiter, limiters_of_one_name_share_their_counters) {
    const auto one = this->make(weir::per_minute(2), {.name = "login"});
    const auto same = this->make(weir::per_minute(5), {.name = "login"});
    const auto other = this->make(weir::per_minute(2), {.name = "search"});
    ASSERT_TRUE(one.allow("client", 2));
    EXPECT_EQ(same.peek("client").remaining, 3);
    EXPECT_EQ(other.peek("client").remaining, 2);
}

TYPED_TEST(each_limiter, a_name_in_use_with_another_window_is_refused) {
    const auto limiter = this->make(weir::per_minute(2), {.name = "login"});
    try {
        this->make(weir::per_hour(2), {.name = "login"});
        FAIL() << "not refused";
    } catch (const std::invalid_argument& error) {
        EXPECT_THAT(error.what(), AllOf(HasSubstr("login"), HasSubstr("60000000000"),
                                        HasSubstr("3600000000000")));
    }
}

TYPED_TEST(each_limiter, a_quota_or_name_out_of_range_is_refused_with_value_and_range) {
    const auto message = [&](weir::fixed_window quota, weir::limiter_options options = {}) {
        try {
            this->make(quota, std::move(options));
        } catch (const std::invalid_argument& error) {
            return std::string{error.what()};
        }
        return std::string{"not refused"};
    };
    EXPECT_THAT(message(weir::per_minute(-3)), AllOf(HasSubstr("-3"), HasSubstr("4294967295")));
    EXPECT_THAT(message(weir::per_minute(4'294'967'296)), HasSubstr("4294967296;"));
    EXPECT_THAT(message({.limit = 1, .window = 999'999ns}),
                AllOf(HasSubstr("999999ns"), HasSubstr("1ms")));
    EXPECT_THAT(message({.limit = 1, .window = -1s}), HasSubstr("-1000000000ns"));
    EXPECT_THAT(message(weir::per_minute(1), {.name = "a b"}),
                AllOf(HasSubstr("\"a b\""), HasSubstr("1 to 64")));
    EXPECT_THAT(message(weir::per_minute(1), {.name = std::string(65, 'x')}), HasSubstr("1 to 64"));
}

TYPED_TEST(each_limiter, spread_resets_gives_keys_edges_of_their_own) {
    const auto limiter = this->make(weir::per_minute(1), {.spread_resets = true});
    std::set<std::chrono::nanoseconds> resets;
    for (int client = 0; client < 100; ++client) {
        ASSERT_TRUE(limiter.allow(client));
        const decision denied = limiter.allow(client);
        ASSERT_FALSE(denied);
        ASSERT_GT(denied.retry_after, 0ns);
        ASSERT_LE(denied.retry_after, 1min);
        resets.insert(denied.retry_after);
    }
    EXPECT_GT(resets.size(), 90U);
}

TYPED_TEST(each_limiter, spread_resets_is_the_same_in_every_limiter_and_exact) {
    const auto one = this->make(weir::per_minute(1), {.spread_resets = true});
    const auto other = this->make(weir::per_minute(1), {.spread_resets = true});
    ASSERT_TRUE(one.allow("client"));
    ASSERT_TRUE(other.allow("client"));
    const decision denied = one.allow("client");
    EXPECT_EQ(denied.retry_after, other.allow("client").retry_after);
    this->clock.advance(denied.retry_after - 1ns);
    EXPECT_FALSE(one.allow("client"));
    this->clock.advance(1ns);
    EXPECT_TRUE(one.allow("client"));
}

TYPED_TEST(each_limiter, outlives_the_handle_of_its_backend) {
    auto brief = std::make_unique<weir::basic_memory_backend<weir::manual_clock>>(this->clock);
    const TypeParam limiter{*brief, weir::per_minute(1)};
    brief.reset();
    EXPECT_TRUE(limiter.allow("client"));
    EXPECT_FALSE(limiter.allow("client"));
}

TEST(rate_limiter, refuses_a_quota_of_another_algorithm_as_invalid) {
    struct other_window : weir::fixed_window {};
    static_assert(weir::quota<other_window>);
    weir::manual_clock clock;
    const weir::basic_memory_backend memory{clock};
    const weir::rate_limiter limiter{memory, weir::per_minute(5)};
    const other_window quota{weir::per_minute(9)};
    EXPECT_EQ(limiter.allow("client", quota).reason, reason::invalid);
    EXPECT_EQ(limiter.peek("client", quota).reason, reason::invalid);
    EXPECT_THROW(limiter.give_back("client", quota), std::system_error);
    EXPECT_THROW(limiter.forget("client", quota), std::system_error);
    EXPECT_EQ(limiter.peek("client").remaining, 5);
}

// ---- a backend that can fail ---------------------------------------------------------------

class limiter_on_a_failing_backend : public testing::Test {
protected:
    weir::manual_clock clock;
    weir::basic_memory_backend<weir::manual_clock> memory{clock};
    weir::failing_backend<weir::basic_memory_backend<weir::manual_clock>> backend{memory};
};

TEST_F(limiter_on_a_failing_backend, allow_lets_requests_through_and_says_so) {
    const weir::rate_limiter limiter{backend, weir::per_minute(1), weir::on_failure::allow};
    backend.fail_with(weir::errc::unavailable);
    for (int i = 0; i < 3; ++i) {
        const decision d = limiter.allow("client");
        EXPECT_TRUE(d.allowed);
        EXPECT_EQ(d.reason, reason::backend_failed);
        EXPECT_EQ(d.decided_by, decider::local);
        EXPECT_EQ(d.error(), weir::errc::unavailable);
        EXPECT_EQ(weir::http_status(d), 200);
    }
}

TEST_F(limiter_on_a_failing_backend, deny_refuses_with_503_and_not_429) {
    const weir::rate_limiter limiter{backend, weir::per_minute(1), weir::on_failure::deny};
    backend.fail_with(weir::errc::timeout);
    const decision d = limiter.allow("client");
    EXPECT_FALSE(d.allowed);
    EXPECT_EQ(d.reason, reason::backend_failed);
    EXPECT_EQ(d.error(), weir::errc::timeout);
    EXPECT_EQ(weir::http_status(d), 503);
}

TEST_F(limiter_on_a_failing_backend, local_counts_here_until_the_backend_answers_again) {
    const weir::rate_limiter limiter{backend, weir::per_minute(2), weir::on_failure::local};
    ASSERT_TRUE(limiter.allow("client"));
    backend.fail_with(weir::errc::unavailable);
    EXPECT_TRUE(limiter.allow("client"));
    const decision second = limiter.allow("client");
    EXPECT_TRUE(second.allowed);
    EXPECT_EQ(second.decided_by, decider::local);
    const decision denied = limiter.allow("client");
    EXPECT_FALSE(denied.allowed);
    EXPECT_EQ(denied.reason, reason::over_limit);
    EXPECT_EQ(denied.error(), weir::errc::unavailable);
    backend.recover();
    const decision back = limiter.allow("client");
    EXPECT_TRUE(back.allowed);
    EXPECT_EQ(back.decided_by, decider::backend);
    EXPECT_EQ(back.remaining, 0);
}

TEST_F(limiter_on_a_failing_backend, forget_pardons_locally_too) {
    const weir::rate_limiter limiter{backend, weir::per_minute(1), weir::on_failure::local};
    backend.fail_with(weir::errc::unavailable);
    ASSERT_TRUE(limiter.allow("client"));
    ASSERT_FALSE(limiter.allow("client"));
    EXPECT_THROW(limiter.forget("client"), std::system_error);
    EXPECT_TRUE(limiter.allow("client"));
}

TEST_F(limiter_on_a_failing_backend, give_back_returns_locally_too) {
    const weir::rate_limiter limiter{backend, weir::per_minute(1), weir::on_failure::local};
    backend.fail_with(weir::errc::unavailable);
    ASSERT_TRUE(limiter.allow("client"));
    EXPECT_THROW(limiter.give_back("client"), std::system_error);
    EXPECT_TRUE(limiter.allow("client"));
}

template<class L, class C>
concept takes_cost = requires(const L& limiter, C cost) {
    limiter.allow("client", cost);
};
static_assert(takes_cost<weir::rate_limiter, int>);
static_assert(takes_cost<weir::rate_limiter, std::int64_t>);
static_assert(!takes_cost<weir::rate_limiter, double>);
static_assert(!takes_cost<weir::rate_limiter, float>);

TEST_F(limiter_on_a_failing_backend, changes_report_the_failure) {
    const weir::rate_limiter limiter{backend, weir::per_minute(1), weir::on_failure::allow};
    backend.fail_with(weir::errc::unavailable);
    std::error_code ec;
    limiter.give_back("client", 1, ec);
    EXPECT_EQ(ec, weir::errc::unavailable);
    EXPECT_THROW(limiter.give_back("client"), std::system_error);
    EXPECT_THROW(limiter.forget("client"), std::system_error);
}

TEST_F(limiter_on_a_failing_backend, unnamed_limiters_of_one_quota_share_one_name) {
    // Not in_process: other processes might share the store, so the name is the quota's text.
    const weir::rate_limiter one{backend, weir::per_minute(1), weir::on_failure::deny};
    const weir::rate_limiter same{backend, weir::per_minute(1), weir::on_failure::deny};
    EXPECT_TRUE(one.allow("client"));
    EXPECT_FALSE(same.allow("client"));
}

TEST(rate_limiter, is_chosen_at_run_time) {
    weir::manual_clock clock;
    const weir::basic_memory_backend memory{clock};
    const weir::failing_backend other{memory};
    for (const bool shared : {false, true}) {
        const weir::rate_limiter limiter =
            shared ? weir::rate_limiter{other, weir::per_minute(1), weir::on_failure::allow}
                   : weir::rate_limiter{memory, weir::per_minute(1)};
        EXPECT_TRUE(limiter.allow("client"));
        EXPECT_FALSE(limiter.allow("client"));
    }
}

} // namespace
