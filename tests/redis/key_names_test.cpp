#include <weir/redis/key_names.hpp>

#include <weir/contract/suite.hpp>

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <limits>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace {

using weir::contract::awkward_keys;
using weir::contract::shown;
using weir::detail::value_names;
using namespace std::chrono_literals;
using namespace std::string_literals;

const value_names products{"weir:", "product"};

std::string value_name(std::string_view key, const value_names& names = products) {
    std::string name;
    names.append_value(name, key);
    return name;
}

std::string lease_name(std::string_view key, const value_names& names = products) {
    std::string name;
    names.append_lease(name, key);
    return name;
}

std::string counter_name(std::string_view key, std::string_view limiter = "login",
                         std::chrono::nanoseconds window = 1min, std::int64_t index = 7) {
    std::string name;
    weir::detail::append_counter_name(name, "weir:", limiter, window, index, key);
    return name;
}

// ---- the names that README promises --------------------------------------------------------

TEST(key_names, a_value_is_stored_under_its_cache_and_key) {
    EXPECT_EQ(value_name("42"), "weir:product:42");
    EXPECT_EQ(value_name(""), "weir:product:");
    EXPECT_EQ(value_name("user:7/ü*?[x]"), "weir:product:user:7/ü*?[x]");
    EXPECT_EQ(value_name("a b{c}%\n\x7f"), "weir:product:a%20b%7Bc%7D%25%0A%7F");
    EXPECT_EQ(value_name("42", value_names{"", "product"}), "product:42");
}

TEST(key_names, a_lease_wraps_the_name_of_its_value) {
    EXPECT_EQ(lease_name("42"), "{weir:product:42}:lease");
    EXPECT_EQ(lease_name("a}b"), "{weir:product:a%7Db}:lease");
}

TEST(key_names, a_counter_tells_limiter_window_and_key) {
    EXPECT_EQ(counter_name("203.0.113.7", "20-60s", 60s, 28'391'234),
              "weir:rl:20-60s:60000000000:28391234:203.0.113.7");
    EXPECT_EQ(counter_name("", "l", 1s, -1), "weir:rl:l:1000000000:-1:");
    EXPECT_EQ(counter_name("k", "l", 1ns, std::numeric_limits<std::int64_t>::min()),
              "weir:rl:l:1:-9223372036854775808:k");
}

TEST(key_names, are_appended_to_what_is_there) {
    std::string out = "before ";
    products.append_value(out, "42");
    out += ' ';
    products.append_lease(out, "42");
    EXPECT_EQ(out, "before weir:product:42 {weir:product:42}:lease");
}

// ---- no two things have one name -----------------------------------------------------------

TEST(key_names, awkward_keys_and_kinds_all_get_different_names) {
    const value_names other{"weir:", "product_list"};
    std::map<std::string, std::string> owners;
    const auto expect_new = [&owners](const std::string& name, const std::string& owner) {
        const auto [there, is_new] = owners.try_emplace(name, owner);
        EXPECT_TRUE(is_new) << shown(name) << " is " << there->second << " and " << owner;
    };
    for (const std::string& key : awkward_keys()) {
        expect_new(value_name(key), "the value of " + shown(key));
        expect_new(value_name(key, other), "the value in another cache of " + shown(key));
        expect_new(lease_name(key), "the lease of " + shown(key));
        expect_new(lease_name(key, other), "the lease in another cache of " + shown(key));
        expect_new(counter_name(key), "the counter of " + shown(key));
        expect_new(counter_name(key, "product"), "the counter in another limiter of " + shown(key));
        expect_new(counter_name(key, "login", 1min, 8), "the next window of " + shown(key));
        expect_new(counter_name(key, "login", 1min + 1ns), "another window of " + shown(key));
    }
}

TEST(key_names, no_byte_of_a_key_can_end_a_line_or_an_argument) {
    for (const std::string& key : awkward_keys()) {
        const std::string name = value_name(key);
        EXPECT_EQ(std::count_if(name.begin(), name.end(),
                                [](unsigned char c) { return c < 0x21 || c == 0x7f; }),
                  0)
            << shown(key);
        EXPECT_LE(name.size(), "weir:product:"s.size() + 512) << shown(key);
    }
}

/// What a cluster takes for the slot: the part between the first `{` and the next `}`, if there is
/// one with something in it; otherwise the whole name.
std::string_view hash_tag(std::string_view name) {
    const std::size_t open = name.find('{');
    const std::size_t close = open == std::string_view::npos ? open : name.find('}', open);
    return close == std::string_view::npos || close == open + 1
               ? name
               : name.substr(open + 1, close - open - 1);
}

TEST(key_names, a_lease_is_in_the_slot_of_its_value_whatever_the_key) {
    for (const std::string& key : awkward_keys()) {
        EXPECT_EQ(hash_tag(lease_name(key)), hash_tag(value_name(key))) << shown(key);
        EXPECT_EQ(hash_tag(value_name(key)), value_name(key)) << shown(key);
        EXPECT_EQ(hash_tag(counter_name(key)), counter_name(key)) << shown(key);
    }
}

// ---- which names a glob is about -----------------------------------------------------------

TEST(key_names, the_pattern_for_scan_is_the_literal_beginning_of_the_glob) {
    EXPECT_EQ(products.value_pattern("user:7:*"), "weir:product:user:7:*");
    EXPECT_EQ(products.value_pattern("*"), "weir:product:*");
    EXPECT_EQ(products.value_pattern("a{b?c*"), "weir:product:a%7Bb*");
    EXPECT_EQ(products.lease_pattern("user:7:*"), "{weir:product:user:7:*}:lease");
}

TEST(key_names, what_is_special_in_a_glob_and_not_in_a_key_is_escaped_for_scan) {
    EXPECT_EQ(products.value_pattern(R"(a\*b\?[x]c)"), R"(weir:product:a\*b\?*)");
    EXPECT_EQ((value_names{"a*[b]?\\:", "c"}.value_pattern("*")), R"(a\*\[b]\?\\:c:*)");
}

TEST(key_names, a_glob_chooses_among_the_names_of_its_own_cache) {
    EXPECT_TRUE(products.value_matches("user:*", "weir:product:user:7"));
    EXPECT_FALSE(products.value_matches("user:*", "weir:product:admin:7"));
    EXPECT_FALSE(products.value_matches("*", "weir:product_list:7"));
    EXPECT_FALSE(products.value_matches("*", "other:weir:product:7"));
    EXPECT_FALSE(products.value_matches("*", "{weir:product:7}:lease"));
    EXPECT_FALSE(products.value_matches("*", "weir:rl:product:60000000000:7:k"));
    EXPECT_TRUE(products.lease_matches("user:*", "{weir:product:user:7}:lease"));
    EXPECT_FALSE(products.lease_matches("user:*", "{weir:product:admin:7}:lease"));
    EXPECT_FALSE(products.lease_matches("*", "weir:product:7"));
    EXPECT_FALSE(products.lease_matches("*", "{weir:product:7"));
    EXPECT_FALSE(products.lease_matches("*", "weir:product:7}:lease"));
    EXPECT_FALSE(products.lease_matches("*", "}:lease"));
}

TEST(key_names, names_that_other_programs_made_up_belong_to_no_key) {
    EXPECT_FALSE(products.value_matches("*", "weir:product:a b"));
    EXPECT_FALSE(products.value_matches("*", "weir:product:%7b"));
    EXPECT_FALSE(products.value_matches("*", "weir:product:%"));
}

/// Short keys of few letters, so that globs match many of them; some lengthened beyond the limit.
rc::Gen<std::string> keys() {
    const auto letters =
        rc::gen::resize(6, rc::gen::container<std::string>(rc::gen::elementOf("ab{% *"s)));
    return rc::gen::apply(
        [](const std::string& begin, int filling, const std::string& end) {
            return begin + std::string(static_cast<std::size_t>(filling), 'a') + end;
        },
        letters, rc::gen::element(0, 0, 0, 250, 256, 508, 512, 600), letters);
}

rc::Gen<std::string> globs() {
    const auto text =
        rc::gen::resize(6, rc::gen::container<std::vector<std::string>>(rc::gen::element(
                               "a"s, "b"s, "{"s, "%"s, " "s, "*"s, "?"s, "[ab]"s, "[^a]"s, R"(\*)"s,
                               R"(\)"s, std::string(254, 'a'), std::string(257, 'a'))));
    return rc::gen::map(text, [](const std::vector<std::string>& pieces) {
        std::string glob;
        for (const std::string& piece : pieces) {
            glob += piece;
        }
        return glob;
    });
}

TEST(key_names, whatever_a_glob_matches_is_found_and_nothing_else_unless_it_was_shortened) {
    EXPECT_TRUE(rc::check([] {
        const auto some_keys = *rc::gen::container<std::vector<std::string>>(20, keys());
        const auto some_globs = *rc::gen::container<std::vector<std::string>>(20, globs());
        for (const std::string& key : some_keys) {
            const std::string value = value_name(key);
            const std::string lease = lease_name(key);
            const bool shortened = value.find("%~") != std::string::npos;
            for (const std::string& glob : some_globs) {
                RC_LOG() << "glob " << glob << ", key " << key << "\n";
                const bool matches = weir::glob_matches(glob, key);
                const bool found = weir::glob_matches(products.value_pattern(glob), value) &&
                                   products.value_matches(glob, value);
                RC_ASSERT(!matches || found);
                RC_ASSERT(!found || matches || shortened);
                RC_ASSERT(found == (weir::glob_matches(products.lease_pattern(glob), lease) &&
                                    products.lease_matches(glob, lease)));
            }
        }
    }));
}

// ---- prefixes ------------------------------------------------------------------------------

TEST(key_prefix, printable_bytes_are_valid_and_none_at_all) {
    for (const std::string& prefix :
         {""s, "weir:"s, "a/b*[c]?\\~:"s, "!"s, "~"s, std::string(64, 'p')}) {
        EXPECT_NO_THROW(weir::detail::validate_key_prefix("prefix", prefix)) << prefix;
    }
    EXPECT_NO_THROW(weir::detail::validate_key_prefix("prefix", "weir:"));
}

TEST(key_prefix, others_are_refused_with_what_it_must_be) {
    for (const std::string& prefix : {" "s, "a b"s, "a%"s, "{a"s, "a}"s, "a\n"s, "\0"s, "\x7f"s,
                                      "\xc3\xbc"s, std::string(65, 'p')}) {
        EXPECT_THROW(weir::detail::validate_key_prefix("prefix", prefix), std::invalid_argument)
            << prefix;
    }
    try {
        weir::detail::validate_key_prefix("weir::redis_options: prefix", "{app}");
        FAIL();
    } catch (const std::invalid_argument& refused) {
        EXPECT_STREQ(refused.what(),
                     "weir::redis_options: prefix is \"{app}\"; it must be 0 to 64 bytes of "
                     "printable ASCII without space, `%`, `{` and `}`");
    }
}

} // namespace
