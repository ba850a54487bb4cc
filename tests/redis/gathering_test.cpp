#include <weir/redis/gathering.hpp>
#include <weir/redis/pipeline.hpp>
#include <weir/redis/request.hpp>

#include "replies.hpp"
#include "requests.hpp"

#include <gtest/gtest.h>

#include <chrono>

namespace {

using weir::detail::redis::gathering;
using weir::detail::redis::pipeline;
using weir::tests::bulk;
using weir::tests::diary;
using weir::tests::noon;
using weir::tests::observed_request;
using weir::tests::word;
using namespace std::chrono_literals;

class gathering_test : public testing::Test {
protected:
    gathering_test() {
        pipe.push(&asked, noon);
        pipe.wrote(pipe.unwritten().size());
    }

    /// Often enough to be believed.
    void replies_take(std::chrono::nanoseconds time) {
        for (int i = 0; i != 200; ++i) {
            gathers.replied(time);
        }
    }

    diary seen;
    observed_request asked{seen, "asked", word("asked")};
    observed_request next{seen, "next", word("next")};
    pipeline pipe;
    gathering gathers{{.per_caller = 10us, .at_most = 2ms}};
};

TEST_F(gathering_test, pays_for_many_callers_whose_replies_come_soon) {
    replies_take(100us);
    EXPECT_TRUE(gathers.pays(16, pipe));
}

TEST_F(gathering_test, does_not_pay_for_fewer_callers_than_twelve) {
    replies_take(10us);
    EXPECT_FALSE(gathers.pays(11, pipe));
    EXPECT_TRUE(gathers.pays(12, pipe));
}

TEST_F(gathering_test, pays_only_while_replies_take_no_longer_than_waking_all_callers) {
    replies_take(750us);
    EXPECT_FALSE(gathers.pays(16, pipe));
    EXPECT_FALSE(gathers.pays(64, pipe));
    EXPECT_TRUE(gathers.pays(256, pipe));
    replies_take(100us);
    EXPECT_TRUE(gathers.pays(16, pipe));
}

TEST_F(gathering_test, does_not_pay_where_replies_take_long_however_many_wait) {
    replies_take(1900us);
    EXPECT_TRUE(gathers.pays(1000, pipe));
    replies_take(2100us);
    EXPECT_FALSE(gathers.pays(1000, pipe));
}

TEST_F(gathering_test, does_not_pay_until_it_is_known_how_long_replies_take) {
    EXPECT_FALSE(gathers.pays(1000, pipe));
}

TEST_F(gathering_test, does_not_pay_after_a_reply_that_did_not_come) {
    replies_take(50us);
    gathers.missed();
    EXPECT_FALSE(gathers.pays(1000, pipe));
}

TEST_F(gathering_test, does_not_pay_where_no_reply_is_to_come) {
    replies_take(50us);
    EXPECT_FALSE(pipe.read(bulk("reply"), [](auto) {}));
    EXPECT_FALSE(gathers.pays(16, pipe));
}

TEST_F(gathering_test, does_not_pay_where_something_has_yet_to_be_written) {
    replies_take(50us);
    pipe.push(&next, noon);
    EXPECT_FALSE(gathers.pays(16, pipe));
}

} // namespace
