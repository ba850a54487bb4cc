#include <weir/redis/key_glob.hpp>

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <string>
#include <string_view>

namespace {

using weir::detail::glob_matches_encoded;
using weir::detail::literal_beginning;
using weir::detail::may_match_longer;
using namespace std::string_literals;

static_assert(may_match_longer("abc", "ab"));
static_assert(may_match_longer("*", ""));
static_assert(!may_match_longer("abd", "abc"));

TEST(literal_beginning, ends_before_what_is_not_one_certain_byte) {
    EXPECT_EQ(literal_beginning("user:7:*"), "user:7:");
    EXPECT_EQ(literal_beginning("user:?"), "user:");
    EXPECT_EQ(literal_beginning("user:[0-9]"), "user:");
    EXPECT_EQ(literal_beginning("user"), "user");
    EXPECT_EQ(literal_beginning("*"), "");
    EXPECT_EQ(literal_beginning(""), "");
}

TEST(literal_beginning, has_escaped_bytes_without_their_escapes) {
    EXPECT_EQ(literal_beginning(R"(a\*b\?\[c\\\d*)"), R"(a*b?[c\d)");
    EXPECT_EQ(literal_beginning(R"(a\)"), R"(a\)");
}

const auto glob_text = [] {
    return rc::gen::container<std::string>(rc::gen::elementOf("ab*?[^]\\-"s));
};
const auto key_text = [] { return rc::gen::container<std::string>(rc::gen::elementOf("ab*["s)); };

TEST(literal_beginning, begins_every_key_that_the_glob_matches) {
    EXPECT_TRUE(rc::check([] {
        const std::string glob = *glob_text();
        const std::string beginning = literal_beginning(glob);
        const std::string key = beginning + *key_text();
        RC_ASSERT(weir::glob_matches(weir::glob_literal(beginning) + "*", key));
        const std::string other = *key_text();
        RC_ASSERT(!weir::glob_matches(glob, other) || other.starts_with(beginning));
    }));
}

TEST(may_match_longer, is_false_where_the_beginning_already_differs) {
    EXPECT_FALSE(may_match_longer("ab", "b"));
    EXPECT_FALSE(may_match_longer("[^a]b", "ab"));
    EXPECT_TRUE(may_match_longer("[^a]bc", "xb"));
    EXPECT_TRUE(may_match_longer("??*", "a"));
}

TEST(may_match_longer, is_false_where_the_glob_ends_with_or_before_the_beginning) {
    EXPECT_FALSE(may_match_longer("ab", "ab"));
    EXPECT_FALSE(may_match_longer("a", "ab"));
    EXPECT_FALSE(may_match_longer("", ""));
    EXPECT_TRUE(may_match_longer("ab*", "ab"));
}

TEST(may_match_longer, is_true_for_everything_behind_a_star) {
    EXPECT_TRUE(may_match_longer("a*b", "accc"));
    EXPECT_TRUE(may_match_longer("*b", "accc"));
    EXPECT_FALSE(may_match_longer("b*", "accc"));
}

TEST(may_match_longer, is_true_whenever_some_longer_key_matches) {
    EXPECT_TRUE(rc::check([] {
        const std::string glob = *glob_text();
        const std::string key = *key_text();
        for (std::size_t size = 0; size < key.size(); ++size) {
            RC_ASSERT(!weir::glob_matches(glob, key) ||
                      may_match_longer(glob, key.substr(0, size)));
        }
    }));
}

TEST(glob_matches_encoded, lays_the_glob_against_the_decoded_key) {
    EXPECT_TRUE(glob_matches_encoded("a?b", "a%7Bb"));
    EXPECT_TRUE(glob_matches_encoded("a[{x]b", "a%7Bb"));
    EXPECT_FALSE(glob_matches_encoded("a[^{]b", "a%7Bb"));
    EXPECT_TRUE(glob_matches_encoded("a\nb", "a%0Ab"));
    EXPECT_FALSE(glob_matches_encoded("a%7Bb", "a%7Bb"));
    EXPECT_TRUE(glob_matches_encoded("a%7Bb", "a%257Bb"));
}

TEST(glob_matches_encoded, matches_a_shortened_key_unless_its_beginning_excludes_it) {
    std::string name;
    weir::detail::append_encoded_key(name, "user:7:" + std::string(600, 'x'));
    EXPECT_TRUE(glob_matches_encoded("user:7:*", name));
    EXPECT_TRUE(glob_matches_encoded("*y", name));
    EXPECT_FALSE(glob_matches_encoded("user:8:*", name));
    EXPECT_FALSE(glob_matches_encoded("user:7:", name));
}

TEST(glob_matches_encoded, text_that_is_no_encoding_matches_nothing) {
    EXPECT_FALSE(glob_matches_encoded("*", "a b"));
    EXPECT_FALSE(glob_matches_encoded("*", "%7b"));
}

} // namespace
