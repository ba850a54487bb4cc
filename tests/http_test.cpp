#include <weir/http.hpp>

#include <weir/error.hpp>
#include <weir/quota/fixed_window.hpp>

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace {

using namespace std::chrono_literals;
using weir::applied_quota;
using weir::decision;
using weir::reason;

constexpr decision allowed(std::int64_t remaining, std::chrono::nanoseconds reset_after) {
    decision d;
    d.allowed = true;
    d.reason = reason::within_limit;
    d.limit = 20;
    d.remaining = remaining;
    d.reset_after = reset_after;
    return d;
}

constexpr decision denied(std::chrono::nanoseconds retry_after,
                          std::chrono::nanoseconds reset_after) {
    decision d;
    d.reason = reason::over_limit;
    d.limit = 20;
    d.retry_after = retry_after;
    d.reset_after = reset_after;
    return d;
}

constexpr decision impossible() {
    decision d;
    d.reason = reason::impossible;
    d.limit = 20;
    d.remaining = 12;
    d.retry_after = weir::never;
    d.reset_after = 30s;
    return d;
}

decision backend_failed(bool let_through) {
    decision d;
    d.allowed = let_through;
    d.reason = reason::backend_failed;
    d.decided_by = weir::decider::local;
    d.set_error(weir::errc::timeout);
    return d;
}

template<class... Applied>
std::string policies(const Applied&... applied) {
    return weir::rate_limit_policy_field(std::array<applied_quota, sizeof...(Applied)>{applied...});
}

template<class... Applied>
std::string limits(const Applied&... applied) {
    return weir::rate_limit_field(std::array<applied_quota, sizeof...(Applied)>{applied...});
}

template<class... Applied>
std::string problem(const Applied&... applied) {
    return weir::problem_json(std::array<applied_quota, sizeof...(Applied)>{applied...});
}

applied_quota named(std::string_view name, const decision& d = allowed(5, 30s)) {
    return {name, weir::per_minute(20), d};
}

/// A String of RFC 9651: printable ASCII in quotes, with `\` only before `"` and `\`.
bool is_sf_string(std::string_view text) {
    if (text.size() < 2 || text.front() != '"' || text.back() != '"') {
        return false;
    }
    text = text.substr(1, text.size() - 2);
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto byte = static_cast<unsigned char>(text[i]);
        if (byte < 0x20 || byte > 0x7e || text[i] == '"') {
            return false;
        }
        if (text[i] == '\\' && (++i == text.size() || (text[i] != '"' && text[i] != '\\'))) {
            return false;
        }
    }
    return true;
}

// ---- Retry-After -----------------------------------------------------------------------------

static_assert(weir::retry_after_seconds(denied(17s, 17s)) == 17);

TEST(retry_after_seconds, a_nanosecond_over_a_second_is_two_seconds) {
    EXPECT_EQ(weir::retry_after_seconds(denied(1s + 1ns, 1s + 1ns)), 2);
    EXPECT_EQ(weir::retry_after_seconds(denied(1s, 1s)), 1);
}

TEST(retry_after_seconds, a_nanosecond_is_one_second) {
    EXPECT_EQ(weir::retry_after_seconds(denied(1ns, 1ns)), 1);
}

TEST(retry_after_seconds, is_never_zero_when_denied) {
    EXPECT_EQ(weir::retry_after_seconds(denied(0ns, 0ns)), 1);
}

TEST(retry_after_seconds, is_never_before_the_moment_at_which_the_request_is_allowed) {
    for (auto wait = 1ns; wait < 100h; wait = wait * 3 + 7ns) {
        const auto told = weir::retry_after_seconds(denied(wait, wait));
        ASSERT_TRUE(told);
        EXPECT_GE(std::chrono::seconds{*told}, wait);
        EXPECT_LT(std::chrono::seconds{*told}, wait + 1s);
    }
}

TEST(retry_after_seconds, says_nothing_about_a_request_that_is_allowed) {
    EXPECT_EQ(weir::retry_after_seconds(allowed(0, 30s)), std::nullopt);
}

TEST(retry_after_seconds, says_nothing_about_a_request_that_can_never_be_allowed) {
    EXPECT_EQ(weir::retry_after_seconds(impossible()), std::nullopt);
}

TEST(retry_after_seconds, says_nothing_about_a_failed_backend) {
    EXPECT_EQ(weir::retry_after_seconds(backend_failed(false)), std::nullopt);
    EXPECT_EQ(weir::retry_after_seconds(backend_failed(true)), std::nullopt);
}

TEST(retry_after_seconds, says_nothing_about_an_invalid_cost) {
    EXPECT_EQ(weir::retry_after_seconds(decision{}), std::nullopt);
}

// ---- RateLimit-Policy ------------------------------------------------------------------------

TEST(rate_limit_policy_field, states_the_limit_and_the_window_in_seconds) {
    EXPECT_EQ(policies(named("default")), R"("default";q=20;w=60)");
}

TEST(rate_limit_policy_field, joins_several_policies_into_one_list) {
    EXPECT_EQ(policies(applied_quota{"burst", weir::per_minute(100), allowed(1, 1s)},
                       applied_quota{"daily", weir::per_day(1000), allowed(1, 1s)}),
              R"("burst";q=100;w=60, "daily";q=1000;w=86400)");
}

TEST(rate_limit_policy_field, a_window_of_part_of_a_second_is_rounded_up) {
    const weir::fixed_window quota{.limit = 5, .window = 1500ms};
    EXPECT_EQ(policies(applied_quota{"burst", quota, allowed(1, 1s)}), R"("burst";q=5;w=2)");
}

TEST(rate_limit_policy_field, a_limit_of_zero_and_the_largest_limit_are_stated) {
    EXPECT_EQ(policies(applied_quota{"none", weir::per_second(0), impossible()}),
              R"("none";q=0;w=1)");
    EXPECT_EQ(policies(applied_quota{"all", weir::per_day(weir::fixed_window::max_limit),
                                     allowed(1, 1s)}),
              R"("all";q=4294967295;w=86400)");
}

TEST(rate_limit_policy_field, is_empty_without_policies) {
    EXPECT_EQ(weir::rate_limit_policy_field({}), "");
}

TEST(rate_limit_policy_field, quotes_and_backslashes_in_names_are_escaped) {
    EXPECT_EQ(policies(named(R"(a"b\c)")), R"("a\"b\\c";q=20;w=60)");
}

TEST(rate_limit_policy_field, a_name_of_any_byte_is_a_valid_string) {
    for (int byte = 0; byte < 256; ++byte) {
        const std::string name{'a', static_cast<char>(byte), 'b'};
        const std::string field = policies(named(name));
        constexpr std::string_view parameters = ";q=20;w=60";
        ASSERT_TRUE(field.ends_with(parameters)) << field;
        EXPECT_TRUE(is_sf_string(field.substr(0, field.size() - parameters.size()))) << field;
    }
}

TEST(rate_limit_policy_field, a_line_break_in_a_name_cannot_start_another_field) {
    EXPECT_EQ(policies(named("a\r\nSet-Cookie: x")), R"("a%0D%0ASet-Cookie: x";q=20;w=60)");
}

// ---- RateLimit -------------------------------------------------------------------------------

TEST(rate_limit_field, states_what_remains_and_the_seconds_until_the_reset) {
    EXPECT_EQ(limits(named("default", allowed(5, 30s))), R"("default";r=5;t=30)");
}

TEST(rate_limit_field, rounds_the_reset_up) {
    EXPECT_EQ(limits(named("default", allowed(5, 29s + 1ns))), R"("default";r=5;t=30)");
    EXPECT_EQ(limits(named("default", allowed(20, 0ns))), R"("default";r=20;t=0)");
}

TEST(rate_limit_field, joins_several_policies_into_one_list) {
    EXPECT_EQ(limits(named("burst", allowed(5, 30s)), named("daily", allowed(900, 3600s))),
              R"("burst";r=5;t=30, "daily";r=900;t=3600)");
}

TEST(rate_limit_field, retry_after_is_never_earlier_than_t_and_t_never_too_early) {
    for (auto wait = 1ns; wait < 100h; wait = wait * 3 + 7ns) {
        const decision d = denied(wait, wait + 90s);
        const std::string seconds = std::to_string(weir::retry_after_seconds(d).value_or(-1));
        EXPECT_EQ(limits(named("default", d)), "\"default\";r=0;t=" + seconds);
    }
}

TEST(rate_limit_field, an_impossible_request_shows_the_standing_without_it) {
    EXPECT_EQ(limits(named("default", impossible())), R"("default";r=12;t=30)");
}

TEST(rate_limit_field, claims_nothing_that_a_failed_backend_did_not_say) {
    EXPECT_EQ(limits(named("default", backend_failed(false))), "");
    EXPECT_EQ(limits(named("default", backend_failed(true))), "");
    EXPECT_EQ(limits(named("burst", backend_failed(true)), named("daily")), R"("daily";r=5;t=30)");
}

TEST(rate_limit_field, shows_what_a_local_limiter_counted_while_the_backend_failed) {
    decision d = allowed(5, 30s);
    d.decided_by = weir::decider::local;
    d.set_error(weir::errc::unavailable);
    EXPECT_EQ(limits(named("default", d)), R"("default";r=5;t=30)");
}

TEST(rate_limit_field, claims_nothing_about_an_invalid_cost) {
    EXPECT_EQ(limits(named("default", decision{})), "");
}

// ---- problem+json ----------------------------------------------------------------------------

TEST(problem_json, a_request_over_the_limit_is_a_problem_of_type_quota_exceeded) {
    EXPECT_EQ(problem(named("search", denied(16s + 1ns, 16s + 1ns))),
              R"({"type":"https://iana.org/assignments/http-problem-types#quota-exceeded",)"
              R"("title":"Request cannot be satisfied as assigned quota has been exceeded",)"
              R"("status":429,)"
              R"("detail":"Denied by the policy \"search\", which allows 20 per 60 s. )"
              R"(Try again in 17 s.","violated-policies":["search"]})");
}

TEST(problem_json, names_every_denied_policy_and_no_other) {
    const std::string text = problem(named("burst"), named("hourly", denied(60s, 60s)),
                                     named("daily", denied(3600s, 3600s)));
    EXPECT_TRUE(text.ends_with(R"("violated-policies":["hourly","daily"]})")) << text;
    EXPECT_NE(text.find(R"(the policy \"hourly\")"), std::string::npos) << text;
}

TEST(problem_json, a_failed_backend_is_a_503_of_reduced_capacity) {
    const std::string text = problem(named("search", backend_failed(false)));
    EXPECT_NE(text.find(R"(#temporary-reduced-capacity",)"), std::string::npos) << text;
    EXPECT_NE(text.find(R"("status":503,)"), std::string::npos) << text;
}

TEST(problem_json, an_impossible_request_is_a_bad_request_without_a_time) {
    const std::string text = problem(named("search", impossible()));
    EXPECT_NE(text.find(R"("type":"about:blank","title":"Bad Request","status":400)"),
              std::string::npos)
        << text;
    EXPECT_EQ(text.find("Try again"), std::string::npos) << text;
}

TEST(problem_json, an_invalid_cost_is_a_bad_request) {
    EXPECT_NE(problem(named("search", decision{})).find(R"("status":400)"), std::string::npos);
}

TEST(problem_json, is_empty_when_nothing_is_denied) {
    EXPECT_EQ(problem(named("search")), "");
    EXPECT_EQ(problem(named("search", backend_failed(true))), "");
    EXPECT_EQ(weir::problem_json({}), "");
}

TEST(problem_json, the_status_is_that_of_http_status) {
    for (const decision& d : {denied(1s, 1s), impossible(), backend_failed(false), decision{}}) {
        const std::string status = "\"status\":" + std::to_string(weir::http_status(d)) + ",";
        EXPECT_NE(problem(named("search", d)).find(status), std::string::npos) << to_string(d);
    }
}

TEST(problem_json, a_name_of_any_byte_stays_inside_its_json_string) {
    for (int byte = 0; byte < 256; ++byte) {
        const std::string name{static_cast<char>(byte), '"', '}', '\\'};
        const std::string text = problem(named(name, denied(1s, 1s)));
        for (const char c : text) {
            const auto each = static_cast<unsigned char>(c);
            EXPECT_TRUE(each >= 0x20 && each <= 0x7e) << text;
        }
        EXPECT_TRUE(text.ends_with(R"(\"}\\"]})")) << text;
    }
}

} // namespace
