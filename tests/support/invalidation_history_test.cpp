// The checker itself: it must see what is stale and must not see what is not.

#include "invalidation_history.hpp"

#include <gtest/gtest.h>

namespace {

using weir::tests::event;
using weir::tests::first_stale_read;

TEST(invalidation_history, a_read_below_a_returned_invalidation_is_stale) {
    const auto stale =
        first_stale_read({{event::invalidation, 0, 1, 2, 7}, {event::read, 0, 3, 4, 6}});
    ASSERT_TRUE(stale);
    EXPECT_EQ(stale->called, 3U);
}

TEST(invalidation_history, a_read_of_the_invalidated_version_or_a_newer_one_is_not) {
    EXPECT_FALSE(first_stale_read(
        {{event::invalidation, 0, 1, 2, 7}, {event::read, 0, 3, 4, 7}, {event::read, 0, 5, 6, 8}}));
}

TEST(invalidation_history, a_read_that_began_before_the_invalidation_returned_is_not) {
    EXPECT_FALSE(first_stale_read(
        {{event::read, 0, 1, 4, 6}, {event::invalidation, 0, 0, 2, 7}, {event::read, 0, 1, 9, 6}}));
}

TEST(invalidation_history, keys_are_judged_apart) {
    EXPECT_FALSE(first_stale_read({{event::invalidation, 0, 1, 2, 7}, {event::read, 1, 3, 4, 0}}));
}

TEST(invalidation_history, the_newest_of_several_invalidations_counts) {
    EXPECT_TRUE(first_stale_read({{event::invalidation, 0, 1, 6, 7},
                                  {event::invalidation, 0, 2, 3, 9},
                                  {event::read, 0, 7, 8, 8}}));
}

} // namespace
