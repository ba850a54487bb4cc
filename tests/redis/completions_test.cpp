#include <weir/redis/completions.hpp>
#include <weir/redis/request.hpp>

#include "requests.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <deque>
#include <string>
#include <vector>

namespace {

using ::testing::ElementsAre;
using weir::detail::redis::completions;
using weir::tests::diary;
using weir::tests::observed_request;
using weir::tests::word;

class completions_test : public testing::Test {
protected:
    void add(std::size_t count) {
        for (std::size_t i = 0; i != count; ++i) {
            const std::string name = std::to_string(requests.size() + 1);
            answered.add(&requests.emplace_back(seen, name, word(name)));
        }
    }

    /// How many each share completes, up to the last.
    std::vector<std::size_t> shares() {
        std::vector<std::size_t> sizes;
        for (bool more = true; more;) {
            const std::size_t before = seen.size();
            more = answered.complete_share();
            sizes.push_back(seen.size() - before);
        }
        return sizes;
    }

    diary seen;
    std::deque<observed_request> requests;
    completions answered;
};

TEST_F(completions_test, completes_in_the_order_in_which_they_came) {
    add(3);
    EXPECT_FALSE(answered.complete_share());
    EXPECT_THAT(seen, ElementsAre("1:", "2:", "3:"));
}

TEST_F(completions_test, completes_a_quarter_at_a_time) {
    add(64);
    EXPECT_THAT(shares(), ElementsAre(16, 16, 16, 16));
}

TEST_F(completions_test, completes_no_fewer_than_four_at_a_time) {
    add(9);
    EXPECT_THAT(shares(), ElementsAre(4, 4, 1));
}

TEST_F(completions_test, completes_no_more_than_32_at_a_time) {
    add(150);
    EXPECT_THAT(shares(), ElementsAre(32, 32, 32, 32, 22));
}

TEST_F(completions_test, has_no_more_shares_when_there_is_nothing) {
    EXPECT_THAT(shares(), ElementsAre(0));
}

TEST_F(completions_test, completes_what_comes_meanwhile_in_shares_of_the_same_size) {
    add(40);
    EXPECT_TRUE(answered.complete_share());
    add(1);
    EXPECT_THAT(shares(), ElementsAre(10, 10, 10, 1));
    EXPECT_EQ(seen.back(), "41:");
}

TEST_F(completions_test, completes_at_once_what_was_made_one_share) {
    add(64);
    answered.make_one_share();
    EXPECT_THAT(shares(), ElementsAre(64));
    add(64);
    EXPECT_THAT(shares(), ElementsAre(16, 16, 16, 16));
}

TEST_F(completions_test, makes_no_share_of_nothing) {
    answered.make_one_share();
    add(64);
    EXPECT_THAT(shares(), ElementsAre(16, 16, 16, 16));
}

TEST_F(completions_test, completes_all_in_the_end) {
    add(150);
    EXPECT_TRUE(answered.complete_share());
    answered.complete_all();
    EXPECT_EQ(seen.size(), 150U);
    EXPECT_FALSE(answered.complete_share());
    EXPECT_EQ(seen.size(), 150U);
}

} // namespace
