#include <weir/decision.hpp>
#include <weir/error.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <set>
#include <string>
#include <system_error>

namespace {

using weir::decision;
using weir::reason;
using namespace std::chrono_literals;

constexpr reason every_reason[] = {reason::within_limit, reason::over_limit, reason::impossible,
                                   reason::backend_failed, reason::invalid};

constexpr decision made(bool allowed, reason why) {
    decision d;
    d.allowed = allowed;
    d.reason = why;
    return d;
}

static_assert(made(true, reason::within_limit));
static_assert(!made(false, reason::over_limit));
static_assert(weir::http_status(made(true, reason::within_limit)) == 200);
static_assert(weir::http_status(made(false, reason::over_limit)) == 429);
static_assert(weir::http_status(made(false, reason::impossible)) == 400);
static_assert(weir::http_status(made(false, reason::invalid)) == 400);
static_assert(weir::http_status(made(false, reason::backend_failed)) == 503);
static_assert(weir::http_status(made(true, reason::backend_failed)) == 200);

TEST(decision, one_that_nobody_made_is_a_denial) {
    const decision d;
    EXPECT_FALSE(d);
    EXPECT_EQ(d.reason, reason::invalid);
    EXPECT_FALSE(d.error());
}

TEST(decision, does_not_convert_to_a_number_by_accident) {
    static_assert(!std::is_convertible_v<decision, bool>);
    static_assert(!std::is_convertible_v<decision, int>);
}

TEST(decision, keeps_the_error_that_was_set) {
    decision d;
    d.set_error(weir::errc::timeout);
    EXPECT_EQ(d.error(), weir::errc::timeout);
    const decision copy = d;
    EXPECT_EQ(copy.error(), weir::errc::timeout);
    d.set_error(std::make_error_code(std::errc::not_enough_memory));
    EXPECT_EQ(d.error(), std::errc::not_enough_memory);
}

TEST(decision, never_is_later_than_any_window) {
    EXPECT_GT(weir::never, std::chrono::hours{24 * 3650});
}

TEST(reason, every_reason_has_a_text_of_its_own) {
    std::set<std::string> texts;
    for (const reason r : every_reason) {
        EXPECT_TRUE(texts.insert(std::string{to_string(r)}).second) << to_string(r);
    }
    EXPECT_EQ(texts.count("unknown"), 0U);
    EXPECT_EQ(to_string(static_cast<reason>(200)), "unknown");
}

TEST(decision, shows_itself_in_one_line) {
    decision d = made(false, reason::over_limit);
    d.limit = 20;
    d.retry_after = 17s;
    d.reset_after = 18s;
    EXPECT_EQ(to_string(d), "denied: over_limit, limit 20, remaining 0, retry after 17000000000ns, "
                            "reset after 18000000000ns");
    EXPECT_EQ(::testing::PrintToString(d), to_string(d));
}

TEST(decision, shows_what_is_out_of_the_ordinary) {
    decision d = made(true, reason::backend_failed);
    d.decided_by = weir::decider::local;
    d.set_error(weir::errc::timeout);
    EXPECT_NE(to_string(d).find("decided locally"), std::string::npos) << to_string(d);
    EXPECT_NE(to_string(d).find(make_error_code(weir::errc::timeout).message()), std::string::npos)
        << to_string(d);
    decision impossible = made(false, reason::impossible);
    impossible.retry_after = weir::never;
    EXPECT_NE(to_string(impossible).find("retry never"), std::string::npos);
}

} // namespace
