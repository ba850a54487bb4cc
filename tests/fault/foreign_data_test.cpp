// Keys of weir's that hold what somebody else put there.

#include "service.hpp"
#include "support/raw_redis.hpp"
#include "support/redis_server.hpp"

#include <weir/error.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace {

using namespace weir::tests;
using ::testing::StartsWith;
using weir::cache_status;
using weir::decider;
using weir::errc;
using weir::reason;

const std::error_code wrong_type = make_error_code(errc::wrong_type);

class foreign_data : public testing::Test {
protected:
    /// The counter of a client who has taken one permit.
    std::string counter_of(const std::string& client) {
        EXPECT_TRUE(s.denying.allow(client));
        return admin.keys("weir:rl:denying:*:" + client).at(0);
    }

    redis_server server;
    raw_redis admin{server.uri()};
    service s{{.uri = server.uri(), .timeout = very_long}};
};

TEST_F(foreign_data, of_another_type_in_the_place_of_a_counter_is_an_error_for_its_client_only) {
    const std::string counter = counter_of("k");
    admin.command("DEL", counter);
    admin.command("LPUSH", counter, "v");
    EXPECT_EQ(s.denying.allow("k").error(), wrong_type);
    EXPECT_EQ(s.denying.allow("k").reason, reason::backend_failed);
    EXPECT_EQ(s.denying.peek("k").error(), wrong_type);
    EXPECT_THAT(s.backend.stats().last_error, StartsWith("WRONGTYPE"));
    std::error_code ec;
    s.denying.give_back("k", 1, ec);
    EXPECT_EQ(ec, wrong_type);
    EXPECT_EQ(s.denying.allow("other").decided_by, decider::backend);
    s.denying.forget("k");
    EXPECT_TRUE(s.denying.allow("k"));
    EXPECT_EQ(s.backend.stats().connections_lost, 0U);
}

TEST_F(foreign_data, that_is_no_count_in_the_place_of_a_counter_ends_with_it) {
    const std::string counter = counter_of("k");
    for (const std::string text : {"", "no number", "\x7f", "123"}) {
        admin.command("SET", counter, text, "EX", 1000);
        const weir::decision d = s.denying.allow("k");
        EXPECT_FALSE(d.error()) << d;
        EXPECT_GE(d.remaining, 0);
        s.denying.forget("k");
        EXPECT_EQ(s.denying.peek("k").remaining, usual_quota.limit);
    }
}

TEST_F(foreign_data, of_another_type_in_the_place_of_a_value_is_none_and_can_be_replaced) {
    admin.command("LPUSH", "weir:page:k", "v");
    EXPECT_EQ(s.pages.get("k").status(), cache_status::miss);
    EXPECT_FALSE(s.pages.get("k").error());
    const auto made = s.pages.get_or_compute("k", [] { return std::string{"computed"}; });
    ASSERT_TRUE(made);
    EXPECT_EQ(*made, "computed");
    s.pages.put("k", "put");
    EXPECT_EQ(*s.pages.get("k"), "put");
    EXPECT_EQ(s.backend.stats().connections_lost, 0U);
}

} // namespace
