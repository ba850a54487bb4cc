#include <weir/quota/fixed_window.hpp>

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using weir::decision;
using weir::fixed_window;
using weir::give_back_step;
using weir::peek_step;
using weir::reason;
using weir::standing;
using weir::time_point;
using namespace std::chrono_literals;
using std::chrono::nanoseconds;
using state = fixed_window::state_type;

static_assert(weir::quota<fixed_window>);
static_assert(weir::counter_step<weir::take_step<fixed_window>>);
static_assert(weir::counter_step<weir::peek_step<fixed_window>>);
static_assert(weir::counter_step<weir::give_back_step<fixed_window>>);
static_assert(weir::counter_step<weir::forget_step<fixed_window>>);
static_assert(sizeof(state) == 8);

constexpr nanoseconds longest = std::chrono::hours{24 * 3650};
/// 2026-01-01T00:00:00Z, an edge of days, hours, minutes and seconds.
constexpr time_point midnight{std::chrono::sys_days{std::chrono::year{2026} / 1 / 1}};

/// One key under one quota, its state in our hands.
struct key_under {
    fixed_window quota{.limit = 3, .window = 10s};
    nanoseconds shift{0};
    state kept = 0;

    constexpr decision take(time_point now, std::int64_t cost = 1) {
        const auto answer = quota.take(kept, cost, now, shift);
        if (answer.write) {
            kept = answer.next;
        }
        return answer.result;
    }
    constexpr decision peek(time_point now, std::int64_t cost = 1) const {
        return peek_step<fixed_window>{quota, cost, shift}(kept, now).result;
    }
    constexpr bool give_back(time_point now, std::int64_t cost = 1) {
        const auto answer = give_back_step<fixed_window>{quota, cost, shift}(kept, now);
        kept = answer.write ? answer.next : kept;
        return answer.result;
    }
};

// ---- bounds --------------------------------------------------------------------------------

static_assert(fixed_window{.limit = 0, .window = 1s}.valid());
static_assert(fixed_window{.limit = 4'294'967'295, .window = 1s}.valid());
static_assert(!fixed_window{.limit = -1, .window = 1s}.valid());
static_assert(!fixed_window{.limit = 4'294'967'296, .window = 1s}.valid());
static_assert(fixed_window{.limit = 1, .window = 1ms}.valid());
static_assert(!fixed_window{.limit = 1, .window = 1ms - 1ns}.valid());
static_assert(fixed_window{.limit = 1, .window = longest}.valid());
static_assert(!fixed_window{.limit = 1, .window = longest + 1ns}.valid());
static_assert(!fixed_window{.limit = 1, .window = -1s}.valid());
static_assert(!fixed_window{}.valid());

static_assert(weir::per_second(5) == fixed_window{.limit = 5, .window = 1s});
static_assert(weir::per_minute(5) == fixed_window{.limit = 5, .window = 1min});
static_assert(weir::per_hour(5) == fixed_window{.limit = 5, .window = 1h});
static_assert(weir::per_day(5) == fixed_window{.limit = 5, .window = 24h});

std::string complaint(const fixed_window& quota) {
    try {
        quota.validate();
        return "";
    } catch (const std::invalid_argument& e) {
        return e.what();
    }
}

TEST(fixed_window, validate_throws_exactly_if_it_is_not_valid) {
    for (const std::int64_t limit : {-1L, 0L, 1L, 4'294'967'295L, 4'294'967'296L}) {
        for (const nanoseconds window :
             {nanoseconds{0}, 1ms - 1ns, nanoseconds{1ms}, longest, longest + 1ns}) {
            const fixed_window quota{.limit = limit, .window = window};
            EXPECT_EQ(complaint(quota).empty(), quota.valid()) << to_string(quota);
        }
    }
}

TEST(fixed_window, a_complaint_names_the_field_the_value_and_the_range) {
    EXPECT_EQ(complaint({.limit = -7, .window = 1s}),
              "weir::fixed_window: limit is -7; it must be from 0 to 4294967295");
    EXPECT_EQ(complaint({.limit = 1, .window = 5us}),
              "weir::fixed_window: window is 5000ns; it must be from 1ms to 3650 days");
}

TEST(fixed_window, its_text_is_the_limit_and_the_window_in_the_largest_unit_that_fits) {
    EXPECT_EQ(to_string(weir::per_minute(20)), "20-60s");
    EXPECT_EQ(to_string(fixed_window{.limit = 5, .window = 1'500ms}), "5-1500ms");
    EXPECT_EQ(to_string(fixed_window{.limit = 5, .window = 1'000'001ns}), "5-1000001ns");
}

// ---- taking --------------------------------------------------------------------------------

constexpr bool counts_up_to_the_limit() {
    key_under key;
    return key.take(midnight).remaining == 2 && key.take(midnight, 2).remaining == 0 &&
           !key.take(midnight) && key.take(midnight + 10s).remaining == 2;
}
static_assert(counts_up_to_the_limit());

TEST(fixed_window, an_allowed_request_tells_what_is_left_and_when_all_is_back) {
    key_under key;
    const decision d = key.take(midnight + 4s, 2);
    EXPECT_TRUE(d);
    EXPECT_EQ(d.reason, reason::within_limit);
    EXPECT_EQ(d.limit, 3);
    EXPECT_EQ(d.remaining, 1);
    EXPECT_EQ(d.retry_after, 0s);
    EXPECT_EQ(d.reset_after, 6s);
}

TEST(fixed_window, a_denied_request_tells_how_long_to_wait_and_takes_nothing) {
    key_under key;
    EXPECT_TRUE(key.take(midnight, 2));
    const state before = key.kept;
    const decision d = key.take(midnight + 1s, 2);
    EXPECT_FALSE(d);
    EXPECT_EQ(d.reason, reason::over_limit);
    EXPECT_EQ(d.remaining, 1);
    EXPECT_EQ(d.retry_after, 9s);
    EXPECT_EQ(d.reset_after, 9s);
    EXPECT_EQ(key.kept, before);
}

TEST(fixed_window, a_cost_above_the_limit_is_impossible_and_says_so) {
    key_under key;
    EXPECT_TRUE(key.take(midnight));
    const state before = key.kept;
    const decision d = key.take(midnight, 4);
    EXPECT_FALSE(d);
    EXPECT_EQ(d.reason, reason::impossible);
    EXPECT_EQ(d.remaining, 2);
    EXPECT_EQ(d.retry_after, weir::never);
    EXPECT_EQ(d.reset_after, 10s);
    EXPECT_EQ(key.kept, before);
    EXPECT_EQ(key.take(midnight, INT64_MAX).reason, reason::impossible);
}

TEST(fixed_window, a_limit_of_zero_blocks_every_request) {
    key_under key{.quota = {.limit = 0, .window = 10s}};
    EXPECT_EQ(key.take(midnight).reason, reason::impossible);
    EXPECT_EQ(key.take(midnight, 0).reason, reason::impossible);
    EXPECT_EQ(key.take(midnight).reset_after, 0s);
}

TEST(fixed_window, a_cost_of_zero_takes_nothing_and_writes_nothing) {
    key_under key;
    const auto fresh = key.quota.take(0, 0, midnight, 0s);
    EXPECT_TRUE(fresh.result);
    EXPECT_FALSE(fresh.write);
    EXPECT_EQ(fresh.result.remaining, 3);
    EXPECT_EQ(fresh.result.reset_after, 0s);
    EXPECT_TRUE(key.take(midnight, 3));
    EXPECT_TRUE(key.take(midnight, 0)) << "nothing was asked for, so nothing was missing";
    EXPECT_EQ(key.take(midnight, 0).reset_after, 10s);
}

TEST(fixed_window, a_peek_answers_like_a_take_and_shows_what_is_there) {
    key_under key;
    EXPECT_TRUE(key.take(midnight));
    const decision possible = key.peek(midnight, 2);
    EXPECT_TRUE(possible);
    EXPECT_EQ(possible.remaining, 2);
    EXPECT_EQ(possible.reset_after, 10s);
    const decision denied = key.peek(midnight, 3);
    EXPECT_EQ(denied.reason, reason::over_limit);
    EXPECT_EQ(denied.remaining, 2);
    EXPECT_EQ(denied.retry_after, 10s);
    EXPECT_EQ(key.peek(midnight, 4).reason, reason::impossible);
    EXPECT_EQ(key_under{}.peek(midnight).reset_after, 0s);
}

TEST(fixed_window, one_state_serves_calls_with_different_limits) {
    key_under key;
    EXPECT_TRUE(key.take(midnight, 3));
    key.quota.limit = 10;
    EXPECT_EQ(key.take(midnight, 4).remaining, 3);
    key.quota.limit = 5;
    const decision d = key.take(midnight);
    EXPECT_EQ(d.reason, reason::over_limit);
    EXPECT_EQ(d.remaining, 0) << "never below zero, although 7 are used";
}

TEST(fixed_window, the_largest_limit_does_not_overflow) {
    key_under key{.quota = {.limit = fixed_window::max_limit, .window = 10s}};
    EXPECT_EQ(key.take(midnight, fixed_window::max_limit).remaining, 0);
    EXPECT_FALSE(key.take(midnight));
    EXPECT_FALSE(key.take(midnight, fixed_window::max_limit));
    EXPECT_TRUE(key.take(midnight + 10s));
}

// ---- windows -------------------------------------------------------------------------------

TEST(fixed_window, windows_are_aligned_to_the_epoch) {
    for (const nanoseconds window :
         {nanoseconds{1ms}, nanoseconds{7s}, nanoseconds{1min}, nanoseconds{24h}, longest}) {
        for (const nanoseconds into : {0ns, 1ns, window / 3, window - 1ns}) {
            const nanoseconds edge = midnight.time_since_epoch() / window * window;
            key_under key{.quota = {.limit = 1, .window = window}};
            EXPECT_EQ(key.take(time_point{edge + into}).reset_after, window - into);
            EXPECT_FALSE(key.take(time_point{edge + window - 1ns}));
            EXPECT_TRUE(key.take(time_point{edge + window}));
        }
    }
}

TEST(fixed_window, a_shifted_key_has_windows_of_the_same_length_that_start_earlier) {
    key_under key{.shift = 3s};
    EXPECT_EQ(key.take(midnight, 3).reset_after, 7s);
    EXPECT_FALSE(key.take(midnight + 7s - 1ns));
    EXPECT_EQ(key.take(midnight + 7s, 3).reset_after, 10s);
    EXPECT_FALSE(key.take(midnight + 10s));
    EXPECT_TRUE(key.take(midnight + 17s));
}

TEST(fixed_window, a_count_of_the_next_window_is_the_count_of_a_reading_just_before_it) {
    key_under key;
    EXPECT_TRUE(key.take(midnight + 10s, 2));
    const decision d = key.take(midnight + 10s - 1ns);
    EXPECT_TRUE(d);
    EXPECT_EQ(d.remaining, 0);
    EXPECT_EQ(d.reset_after, 10s + 1ns);
    EXPECT_EQ(key.take(midnight + 9s).retry_after, 11s);
    EXPECT_FALSE(key.take(midnight + 20s - 1ns)) << "counted in the next window";
    EXPECT_TRUE(key.take(midnight + 20s));
}

TEST(fixed_window, a_count_from_further_ahead_is_none) {
    key_under key;
    EXPECT_TRUE(key.take(midnight + 20s, 3));
    const decision d = key.take(midnight + 10s - 1ns);
    EXPECT_TRUE(d);
    EXPECT_EQ(d.remaining, 2);
}

TEST(fixed_window, with_short_windows_a_reading_may_be_late_by_a_second_and_no_more) {
    key_under key{.quota = {.limit = 3, .window = 1ms}};
    const time_point now = midnight + 1h;
    EXPECT_TRUE(key.take(now, 3));
    EXPECT_FALSE(key.take(now - 1s)) << "the window that the key has reached is used up";
    EXPECT_EQ(key.take(now - 1s).retry_after, 1s + 1ms);
    EXPECT_FALSE(fixed_window::stands(key.kept, 1ms, now - 1s).fresh);
    EXPECT_TRUE(key.peek(now - 1s - 1ms)) << "the clock was set back";
}

TEST(fixed_window, a_key_that_used_up_its_limit_stays_so_under_a_larger_limit_of_one_call) {
    key_under key;
    EXPECT_TRUE(key.take(midnight, 3));
    ASSERT_TRUE(fixed_window::stands(key.kept, key.quota.window, midnight).exhausted);
    key.quota.limit = 1000;
    EXPECT_TRUE(key.take(midnight));
    EXPECT_TRUE(fixed_window::stands(key.kept, key.quota.window, midnight).exhausted);
    EXPECT_TRUE(key.take(midnight + key.quota.window));
    EXPECT_FALSE(
        fixed_window::stands(key.kept, key.quota.window, midnight + key.quota.window).exhausted);
}

TEST(fixed_window, window_numbers_wrap_without_a_step) {
    constexpr std::int64_t numbers = 0x7fffffff;
    for (const nanoseconds window : {nanoseconds{1ms}, nanoseconds{3ms}, nanoseconds{1s}}) {
        const std::int64_t now = midnight.time_since_epoch() / window;
        const time_point wrap{(now / numbers + 1) * numbers * window};
        key_under key{.quota = {.limit = 3, .window = window}};
        EXPECT_TRUE(key.take(wrap - 1ns, 3));
        EXPECT_FALSE(key.take(wrap - 1ns));
        EXPECT_TRUE(key.take(wrap, 3)) << "a new window";
        EXPECT_FALSE(key.take(wrap - 1ns)) << "one ahead, over the wrap";
        EXPECT_FALSE(fixed_window::stands(key.kept, window, wrap - 1ns).fresh);
        EXPECT_FALSE(key.take(wrap));
        EXPECT_TRUE(key.take(wrap + window, 3));
    }
}

// ---- giving back ---------------------------------------------------------------------------

TEST(fixed_window, what_is_given_back_can_be_taken_again_up_to_the_limit) {
    key_under key;
    EXPECT_TRUE(key.take(midnight, 3));
    EXPECT_TRUE(key.give_back(midnight + 1s, 2));
    EXPECT_EQ(key.peek(midnight + 1s).remaining, 2);
    EXPECT_TRUE(key.give_back(midnight + 1s, INT64_MAX));
    EXPECT_EQ(key.peek(midnight + 1s).remaining, 3);
    EXPECT_EQ(key.peek(midnight + 1s).reset_after, 0s);
    EXPECT_FALSE(key.give_back(midnight + 1s));
}

TEST(fixed_window, giving_back_where_nothing_is_in_use_changes_nothing) {
    key_under key;
    EXPECT_FALSE(key.give_back(midnight));
    EXPECT_EQ(key.kept, 0U);
    EXPECT_TRUE(key.take(midnight, 3));
    const state before = key.kept;
    EXPECT_FALSE(key.give_back(midnight + 10s)) << "the window is over";
    EXPECT_FALSE(key.give_back(midnight, 0));
    EXPECT_EQ(key.kept, before);
}

TEST(fixed_window, forgetting_answers_whether_anything_was_known) {
    key_under key;
    const weir::forget_step<fixed_window> forget{key.quota};
    EXPECT_FALSE(forget(key.kept, midnight).result);
    EXPECT_FALSE(forget(key.kept, midnight).write);
    EXPECT_TRUE(key.take(midnight));
    EXPECT_TRUE(forget(key.kept, midnight).result);
    EXPECT_EQ(forget(key.kept, midnight).next, 0U);
}

// ---- standing, for a store that must choose -------------------------------------------------

TEST(fixed_window, a_key_stands_fresh_then_used_then_exhausted_then_fresh) {
    key_under key;
    const auto at = [&](time_point now) { return fixed_window::stands(key.kept, 10s, now); };
    EXPECT_TRUE(at(midnight).fresh);
    EXPECT_TRUE(key.take(midnight, 2));
    EXPECT_FALSE(at(midnight).fresh);
    EXPECT_FALSE(at(midnight).exhausted);
    EXPECT_EQ(at(midnight).used, 2U);
    EXPECT_TRUE(key.take(midnight));
    EXPECT_TRUE(at(midnight).exhausted);
    EXPECT_TRUE(at(midnight + 10s - 1ns).exhausted);
    EXPECT_TRUE(at(midnight + 10s).fresh);
    EXPECT_TRUE(key.give_back(midnight));
    EXPECT_FALSE(at(midnight).exhausted);
    EXPECT_TRUE(key.give_back(midnight, 2));
    EXPECT_TRUE(at(midnight).fresh);
}

TEST(fixed_window, a_key_that_has_used_some_is_as_if_it_had_taken_them) {
    for (const nanoseconds shift : {0s, 3s}) {
        key_under taken{.shift = shift};
        EXPECT_TRUE(taken.take(midnight + 8s, 2));
        key_under made{.shift = shift,
                       .kept = fixed_window::having_used(2, 10s, midnight + 8s, shift)};
        EXPECT_EQ(to_string(made.take(midnight + 8s)), to_string(taken.take(midnight + 8s)));
    }
    EXPECT_TRUE(
        fixed_window::stands(fixed_window::having_used(0, 10s, midnight, 0s), 10s, midnight).fresh);
}

// ---- properties ----------------------------------------------------------------------------

struct situation {
    fixed_window quota;
    nanoseconds shift;
    time_point now;
};

rc::Gen<std::int64_t> up_to(std::int64_t most) {
    return rc::gen::inRange<std::int64_t>(0, most + 1);
}

situation any_situation() {
    const nanoseconds window{*rc::gen::oneOf(
        rc::gen::element<std::int64_t>(1'000'000, 1'000'000'000, 60'000'000'000, longest.count()),
        rc::gen::inRange<std::int64_t>(1'000'000, 1'000'000'000'000))};
    return {{.limit = *rc::gen::oneOf(up_to(5), up_to(fixed_window::max_limit)), .window = window},
            nanoseconds{*up_to(window.count() - 1)},
            midnight + nanoseconds{*up_to(std::chrono::nanoseconds{24h * 365}.count())}};
}

TEST(fixed_window, a_denied_request_is_denied_before_retry_after_and_allowed_at_it) {
    EXPECT_TRUE(rc::check([] {
        const situation s = any_situation();
        RC_PRE(s.quota.limit > 0);
        key_under key{.quota = s.quota, .shift = s.shift};
        const std::int64_t cost = *rc::gen::inRange<std::int64_t>(1, s.quota.limit + 1);
        // Its own window, or one ahead of it.
        const nanoseconds ahead = *rc::gen::element(nanoseconds{0}, s.quota.window);
        RC_ASSERT(key.take(s.now + ahead, s.quota.limit - *up_to(cost - 1)).allowed);
        const decision denied = key.take(s.now, cost);
        RC_ASSERT(denied.reason == reason::over_limit);
        RC_ASSERT(denied.retry_after > 0ns);
        std::vector<std::int64_t> waits{0, denied.retry_after.count() - 1};
        for (int i = 0; i < 20; ++i) {
            waits.push_back(*up_to(denied.retry_after.count() - 1));
        }
        for (const std::int64_t wait : waits) {
            const decision again = key.take(s.now + nanoseconds{wait}, cost);
            RC_ASSERT(!again.allowed);
            RC_ASSERT(again.retry_after == denied.retry_after - nanoseconds{wait});
        }
        RC_ASSERT(key.take(s.now + denied.retry_after, cost).allowed);
    }));
}

TEST(fixed_window, a_key_is_back_at_the_full_limit_at_reset_after_and_not_before) {
    EXPECT_TRUE(rc::check([] {
        const situation s = any_situation();
        RC_PRE(s.quota.limit > 0);
        key_under key{.quota = s.quota, .shift = s.shift};
        const decision d = key.take(s.now, *rc::gen::inRange<std::int64_t>(1, s.quota.limit + 1));
        RC_ASSERT(key.peek(s.now + d.reset_after - 1ns).remaining < s.quota.limit);
        RC_ASSERT(key.peek(s.now + d.reset_after).remaining == s.quota.limit);
    }));
}

TEST(fixed_window, no_state_is_all_ones) {
    EXPECT_TRUE(rc::check([] {
        const situation s = any_situation();
        const auto before = *rc::gen::oneOf(
            rc::gen::arbitrary<state>(),
            rc::gen::just(fixed_window::having_used(0xffffffff, s.quota.window, s.now, s.shift)));
        const auto taken = s.quota.take(before, *up_to(s.quota.limit), s.now, s.shift);
        RC_ASSERT(!taken.write || taken.next != ~state{0});
        RC_ASSERT(before == ~state{0} ||
                  s.quota.give_back(before, *up_to(s.quota.limit), s.now, s.shift) != ~state{0});
        RC_ASSERT(fixed_window::having_used(0xffffffff, s.quota.window, s.now, s.shift) !=
                  ~state{0});
    }));
    // The largest of each part, in the last window number before the wrap.
    const time_point last{0x7ffffffe * nanoseconds{1ms}};
    key_under key{.quota = {.limit = fixed_window::max_limit, .window = 1ms}};
    EXPECT_TRUE(key.take(last, fixed_window::max_limit));
    EXPECT_NE(key.kept, ~state{0});
    EXPECT_EQ(key.kept >> 32, 0xfffffffeU);
}

TEST(fixed_window, standing_is_never_too_good_for_any_shift) {
    EXPECT_TRUE(rc::check([] {
        const situation s = any_situation();
        RC_PRE(s.quota.limit > 0);
        key_under key{.quota = s.quota, .shift = s.shift};
        RC_ASSERT(key.take(s.now, *rc::gen::inRange<std::int64_t>(1, s.quota.limit + 1)).allowed);
        const time_point later =
            s.now + nanoseconds{*rc::gen::inRange(
                        -s.quota.window.count(),
                        3 * std::min<std::int64_t>(s.quota.window.count(), 1LL << 60))};
        const decision then = key.peek(later);
        const standing stands = fixed_window::stands(key.kept, s.quota.window, later);
        if (then.remaining < s.quota.limit) {
            RC_ASSERT(!stands.fresh);
            RC_ASSERT(stands.used == s.quota.limit - then.remaining);
            RC_ASSERT(stands.exhausted == (then.remaining == 0));
        }
    }));
}

// ---- the declared bound --------------------------------------------------------------------

/// When a client asks who wants to get the most through.
using adversary = std::vector<nanoseconds>;

std::vector<adversary> adversaries(nanoseconds window) {
    std::vector<adversary> corpus;
    adversary both_sides_of_edges;
    adversary burst_then_retries;
    adversary steady;
    for (int i = 0; i < 6; ++i) {
        for (int j = 0; j < 20; ++j) {
            both_sides_of_edges.push_back(i * window - 1ns);
            both_sides_of_edges.push_back(i * window);
            burst_then_retries.push_back(i * window + window / 2);
            steady.push_back(i * window + j * window / 20);
        }
    }
    std::erase_if(both_sides_of_edges, [](nanoseconds t) { return t < 0ns; });
    // Readings of two threads, one always a little late.
    adversary out_of_order;
    for (nanoseconds t{0}; t < 6 * window; t += window / 37) {
        out_of_order.push_back(t);
        out_of_order.push_back(std::max(nanoseconds{0}, t - window / 10));
    }
    corpus.insert(corpus.end(), {both_sides_of_edges, burst_then_retries, steady, out_of_order});
    return corpus;
}

void expect_within_bounds(const key_under& fresh, const adversary& plan) {
    key_under key = fresh;
    const nanoseconds window = key.quota.window;
    const auto edge_before = [&](nanoseconds t) {
        return t - ((midnight + t).time_since_epoch() + key.shift) % window;
    };
    std::vector<nanoseconds> admitted;
    for (const nanoseconds t : plan) {
        if (key.take(midnight + t)) {
            // A reading from before an edge that others have passed is charged behind the edge.
            admitted.push_back(admitted.empty() ? t : std::max(t, edge_before(admitted.back())));
        }
    }
    std::sort(admitted.begin(), admitted.end());
    for (const nanoseconds from : admitted) {
        const auto in = [&](nanoseconds begin, nanoseconds end) {
            return std::lower_bound(admitted.begin(), admitted.end(), end) -
                   std::lower_bound(admitted.begin(), admitted.end(), begin);
        };
        const nanoseconds edge = edge_before(from);
        ASSERT_LE(in(edge, edge + window), key.quota.limit) << "in an aligned window";
        ASSERT_LE(in(from, from + window), 2 * key.quota.limit) << "in any window";
    }
}

TEST(fixed_window, no_adversary_gets_more_than_the_limit_in_a_window_nor_twice_it_in_any_span) {
    for (const std::int64_t limit : {1, 3, 10}) {
        for (const nanoseconds shift : {0ns, 1ns, nanoseconds{3s}}) {
            const key_under key{.quota = {.limit = limit, .window = 10s}, .shift = shift};
            for (const adversary& plan : adversaries(10s)) {
                expect_within_bounds(key, plan);
            }
        }
    }
}

TEST(fixed_window, no_random_client_does_either) {
    EXPECT_TRUE(rc::check([] {
        const key_under key{
            .quota = {.limit = *rc::gen::inRange<std::int64_t>(1, 5), .window = 10s},
            .shift = nanoseconds{*up_to(9'999'999'999)}};
        adversary plan;
        for (const std::int64_t t : *rc::gen::container<std::vector<std::int64_t>>(
                 200, rc::gen::inRange<std::int64_t>(0, 50'000'000'000))) {
            plan.emplace_back(t);
        }
        std::sort(plan.begin(), plan.end());
        expect_within_bounds(key, plan);
    }));
}

TEST(fixed_window, the_bound_of_twice_the_limit_is_reached) {
    key_under key;
    EXPECT_TRUE(key.take(midnight + 10s - 1ns, 3));
    EXPECT_TRUE(key.take(midnight + 10s, 3));
}

} // namespace
