#include <weir/glob.hpp>

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace {

using weir::glob_matches;
using namespace std::string_view_literals;

// ---- the language, at compile time ---------------------------------------------------------

static_assert(glob_matches("", ""));
static_assert(!glob_matches("", "a"));
static_assert(!glob_matches("a", ""));
static_assert(glob_matches("*", ""));
static_assert(glob_matches("**", ""));
static_assert(!glob_matches("?", ""));
static_assert(glob_matches("user:*", "user:"));
static_assert(glob_matches("h?llo", "hallo"));
static_assert(glob_matches("h[ae]llo", "hello") && !glob_matches("h[ae]llo", "hillo"));
static_assert(glob_matches("h[^e]llo", "hallo") && !glob_matches("h[^e]llo", "hello"));
static_assert(glob_matches("h[a-b]llo", "hbllo") && !glob_matches("h[a-b]llo", "hcllo"));

TEST(glob_matches, a_glob_describes_the_whole_key_and_not_a_part_of_it) {
    EXPECT_TRUE(glob_matches("user:1", "user:1"));
    EXPECT_FALSE(glob_matches("user:1", "user:12"));
    EXPECT_FALSE(glob_matches("user:?", "user:12"));
    EXPECT_FALSE(glob_matches("ser:1", "user:1"));
    EXPECT_FALSE(glob_matches("user:12", "user:1"));
}

TEST(glob_matches, a_star_takes_as_few_or_as_many_bytes_as_the_rest_needs) {
    EXPECT_TRUE(glob_matches("*a*b", "xaxxb"));
    EXPECT_TRUE(glob_matches("*ab", "aaab"));
    EXPECT_TRUE(glob_matches("*aab*", "aaaab"));
    EXPECT_TRUE(glob_matches("a*bc*c", "abcbcc"));
    EXPECT_FALSE(glob_matches("*a*b", "ba"));
    EXPECT_FALSE(glob_matches("a*a", "a"));
}

TEST(glob_matches, stars_in_a_row_are_one_star) {
    EXPECT_TRUE(glob_matches("a***b", "ab"));
    EXPECT_TRUE(glob_matches("a***b", "axyzb"));
    EXPECT_TRUE(glob_matches("***", "anything"));
}

TEST(glob_matches, case_counts) {
    EXPECT_FALSE(glob_matches("ABC", "abc"));
    EXPECT_FALSE(glob_matches("[A-Z]", "b"));
}

TEST(glob_matches, a_backslash_takes_the_next_byte_literally) {
    EXPECT_TRUE(glob_matches(R"(\*)", "*"));
    EXPECT_FALSE(glob_matches(R"(\*)", "a"));
    EXPECT_TRUE(glob_matches(R"(\?\[\\)", R"(?[\)"));
    EXPECT_TRUE(glob_matches(R"(\a)", "a"));
}

TEST(glob_matches, a_backslash_at_the_end_stands_for_itself) {
    EXPECT_TRUE(glob_matches(R"(a\)", R"(a\)"));
    EXPECT_FALSE(glob_matches(R"(a\)", "a"));
    EXPECT_TRUE(glob_matches(R"([a\)", R"(\)"));
}

TEST(glob_matches, brackets_mix_bytes_and_ranges_and_escapes) {
    for (const char c : "adexz-]"sv) {
        EXPECT_TRUE(glob_matches(R"([ad-fxz\-\]])", std::string(1, c))) << c;
    }
    for (const char c : R"(bcgy\[)"sv) {
        EXPECT_FALSE(glob_matches(R"([ad-fxz\-\]])", std::string(1, c))) << c;
    }
}

TEST(glob_matches, a_range_may_run_backwards) {
    EXPECT_TRUE(glob_matches("[z-a]", "m"));
    EXPECT_FALSE(glob_matches("[z-a]", "M"));
}

TEST(glob_matches, an_unclosed_bracket_ends_with_the_glob) {
    EXPECT_TRUE(glob_matches("x[ab", "xa"));
    EXPECT_FALSE(glob_matches("x[ab", "xc"));
    EXPECT_FALSE(glob_matches("x[ab", "xab"));
    EXPECT_FALSE(glob_matches("[", "["));
    EXPECT_TRUE(glob_matches("[^", "x"));
    EXPECT_FALSE(glob_matches("[^", ""));
    EXPECT_TRUE(glob_matches("[a-", "-"));
}

TEST(glob_matches, the_byte_after_a_dash_ends_a_range_even_if_it_is_a_bracket) {
    EXPECT_TRUE(glob_matches("[a-]", "^"));
    EXPECT_TRUE(glob_matches("[a-]", "]"));
    EXPECT_FALSE(glob_matches("[a-]", "-"));
}

TEST(glob_matches, empty_brackets_match_nothing_and_negated_ones_any_byte) {
    EXPECT_FALSE(glob_matches("[]", "a"));
    EXPECT_FALSE(glob_matches("[]a]", "a]"));
    EXPECT_TRUE(glob_matches("[^]", "a"));
}

TEST(glob_matches, an_exclamation_mark_does_not_negate) {
    EXPECT_TRUE(glob_matches("[!a]", "a"));
    EXPECT_TRUE(glob_matches("[!a]", "!"));
}

TEST(glob_matches, keys_are_bytes) {
    EXPECT_TRUE(glob_matches("a?b"sv, "a\0b"sv));
    EXPECT_TRUE(glob_matches("a\0*"sv, "a\0xyz"sv));
    EXPECT_FALSE(glob_matches("a\0"sv, "a"sv));
    EXPECT_TRUE(glob_matches("*", "line\nbreak"));
    EXPECT_TRUE(glob_matches("[\x80-\xff]", "\xc3"));
    EXPECT_TRUE(glob_matches("[a-\xff]", "z"));
    EXPECT_FALSE(glob_matches("?", "\xc3\xbc"));
}

// The time of a matcher that backtracks to every star would be beyond the age of the universe.
TEST(glob_matches, a_hostile_glob_takes_no_more_than_glob_times_key_steps) {
    std::string glob;
    for (int i = 0; i < 1'000; ++i) {
        glob += "a*";
    }
    glob += "b";
    EXPECT_FALSE(glob_matches(glob, std::string(10'000, 'a')));
    EXPECT_TRUE(glob_matches(glob, std::string(10'000, 'a') + "b"));
    EXPECT_FALSE(glob_matches(std::string(2'000, '?') + "*b", std::string(100'000, 'a')));
}

TEST(glob_matches, a_glob_of_a_million_brackets_does_not_exhaust_the_stack) {
    std::string glob;
    for (int i = 0; i < 1'000'000; ++i) {
        glob += "*[";
    }
    EXPECT_FALSE(glob_matches(glob, "key"));
}

// ---- against the definition ----------------------------------------------------------------

/// The language as Redis' stringmatchlen spells it, one recursion per star.
bool matches_by_definition(std::string_view glob, std::string_view key) {
    if (glob.empty()) {
        return key.empty();
    }
    const char first = glob.front();
    if (first == '*') {
        return matches_by_definition(glob.substr(1), key) ||
               (!key.empty() && matches_by_definition(glob, key.substr(1)));
    }
    if (key.empty()) {
        return false;
    }
    const char c = key.front();
    key.remove_prefix(1);
    glob.remove_prefix(1);
    if (first == '?') {
        return matches_by_definition(glob, key);
    }
    if (first != '[') {
        char literal = first;
        if (first == '\\' && !glob.empty()) {
            literal = glob.front();
            glob.remove_prefix(1);
        }
        return literal == c && matches_by_definition(glob, key);
    }
    const bool negated = glob.starts_with('^');
    glob.remove_prefix(negated ? 1 : 0);
    std::string set;
    while (!glob.empty() && glob.front() != ']') {
        if (glob.front() == '\\' && glob.size() >= 2) {
            set += glob[1];
            glob.remove_prefix(2);
        } else if (glob.size() >= 3 && glob[1] == '-') {
            int low = static_cast<unsigned char>(glob[0]);
            int high = static_cast<unsigned char>(glob[2]);
            for (int byte = std::min(low, high); byte <= std::max(low, high); ++byte) {
                set += static_cast<char>(byte);
            }
            glob.remove_prefix(3);
        } else {
            set += glob.front();
            glob.remove_prefix(1);
        }
    }
    glob.remove_prefix(glob.empty() ? 0 : 1);
    return (set.find(c) != std::string::npos) != negated && matches_by_definition(glob, key);
}

/// Short, because the definition takes exponential time.
rc::Gen<std::string> text_of(std::string alphabet) {
    return rc::gen::resize(
        12, rc::gen::container<std::string>(rc::gen::elementOf(std::move(alphabet))));
}

/// Compares every pair of 20 globs and 20 keys.
void compare(const std::string& glob_alphabet, const std::string& key_alphabet) {
    using texts = std::vector<std::string>;
    const auto globs = *rc::gen::container<texts>(20, text_of(glob_alphabet));
    const auto keys = *rc::gen::container<texts>(20, text_of(key_alphabet));
    for (const std::string& glob : globs) {
        for (const std::string& key : keys) {
            RC_LOG() << "glob '" << glob << "', key '" << key << "'\n";
            RC_ASSERT(glob_matches(glob, key) == matches_by_definition(glob, key));
        }
    }
}

TEST(glob_matches, any_glob_and_key_match_exactly_if_the_definition_says_so) {
    EXPECT_TRUE(
        rc::check("small alphabets, so that many pairs match", [] { compare("ab*?*", "ab"); }));
    EXPECT_TRUE(rc::check("brackets and escapes in every state of repair",
                          [] { compare("ab*?[[]]^-\\", "abc]-\\^["); }));
    EXPECT_TRUE(rc::check("one bracket around any bytes", [](const std::string& inside) {
        for (int byte = 0; byte < 256; ++byte) {
            const std::string glob = "[" + inside + "]";
            const std::string key(1, static_cast<char>(byte));
            RC_ASSERT(glob_matches(glob, key) == matches_by_definition(glob, key));
        }
    }));
}

TEST(glob_matches, every_key_matches_itself_with_every_byte_escaped) {
    EXPECT_TRUE(rc::check([](const std::string& key) {
        std::string glob;
        for (const char c : key) {
            glob += '\\';
            glob += c;
        }
        RC_ASSERT(glob_matches(glob, key));
        RC_ASSERT(!glob_matches(glob, key + "x"));
    }));
}

TEST(glob_literal, describes_the_text_and_nothing_else) {
    using weir::glob_literal;
    EXPECT_TRUE(glob_matches(glob_literal("a*[b]?\\"), "a*[b]?\\"));
    EXPECT_FALSE(glob_matches(glob_literal("a*"), "ab"));
    EXPECT_FALSE(glob_matches(glob_literal("[ab]"), "a"));
    EXPECT_TRUE(rc::check([](const std::string& text, const std::string& other) {
        RC_ASSERT(glob_matches(glob_literal(text), text));
        RC_ASSERT(glob_matches(glob_literal(text), other) == (text == other));
    }));
}

} // namespace
