#include <weir/key.hpp>

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace {

using weir::key_view;
using weir::make_key;
using namespace std::string_literals;
using namespace std::string_view_literals;

template<class T>
concept makes_a_key = std::constructible_from<key_view, T> && std::convertible_to<T, key_view>;

// ---- what a key can be made from -----------------------------------------------------------

static_assert(makes_a_key<const char*>);
static_assert(makes_a_key<const char (&)[4]>);
static_assert(makes_a_key<std::string>);
static_assert(makes_a_key<const std::string&>);
static_assert(makes_a_key<std::string_view>);
static_assert(makes_a_key<key_view>);
static_assert(makes_a_key<short> && makes_a_key<unsigned short>);
static_assert(makes_a_key<int> && makes_a_key<unsigned>);
static_assert(makes_a_key<long> && makes_a_key<unsigned long>);
static_assert(makes_a_key<long long> && makes_a_key<unsigned long long>);
static_assert(makes_a_key<std::int8_t> && makes_a_key<std::uint8_t>);

enum unscoped { zero };
enum class scoped { zero };
struct unrelated {};

static_assert(!std::constructible_from<key_view, std::nullptr_t>);
static_assert(!std::constructible_from<key_view, bool>);
static_assert(!std::constructible_from<key_view, char>);
static_assert(!std::constructible_from<key_view, wchar_t>);
static_assert(!std::constructible_from<key_view, char8_t>);
static_assert(!std::constructible_from<key_view, char16_t>);
static_assert(!std::constructible_from<key_view, char32_t>);
static_assert(!std::constructible_from<key_view, float>);
static_assert(!std::constructible_from<key_view, double>);
static_assert(!std::constructible_from<key_view, long double>);
static_assert(!std::constructible_from<key_view, int*>);
static_assert(!std::constructible_from<key_view, const void*>);
static_assert(!std::constructible_from<key_view, unscoped>);
static_assert(!std::constructible_from<key_view, scoped>);
static_assert(!std::constructible_from<key_view, unrelated>);
static_assert(!std::constructible_from<key_view, std::optional<std::string>>);
static_assert(!std::constructible_from<key_view, std::vector<char>>);
static_assert(!std::constructible_from<key_view, std::u8string>);

template<class... Parts>
concept joinable = requires(const Parts&... parts) {
    make_key(parts...);
};

static_assert(joinable<int, std::string, const char*>);
static_assert(joinable<key_view>);
static_assert(!joinable<>);
static_assert(!joinable<int, double>);
static_assert(!joinable<bool>);
static_assert(!joinable<std::string, char>);
static_assert(!joinable<std::string, std::nullptr_t>);

static_assert(key_view{"abc"}.bytes() == "abc");
static_assert(key_view{-7}.bytes() == "-7");

TEST(key_view, an_integer_is_its_decimal_text) {
    EXPECT_EQ(key_view{0}.bytes(), "0");
    EXPECT_EQ(key_view{42}.bytes(), "42");
    EXPECT_EQ(key_view{-1}.bytes(), "-1");
    EXPECT_EQ(key_view{std::int8_t{-128}}.bytes(), "-128");
    EXPECT_EQ(key_view{std::uint8_t{255}}.bytes(), "255");
    EXPECT_EQ(key_view{std::numeric_limits<std::int64_t>::min()}.bytes(), "-9223372036854775808");
    EXPECT_EQ(key_view{std::numeric_limits<std::int64_t>::max()}.bytes(), "9223372036854775807");
    EXPECT_EQ(key_view{std::numeric_limits<std::uint64_t>::max()}.bytes(), "18446744073709551615");
}

TEST(key_view, every_integer_is_the_text_that_to_string_writes) {
    EXPECT_TRUE(rc::check(
        "signed", [](std::int64_t n) { RC_ASSERT(key_view{n}.bytes() == std::to_string(n)); }));
    EXPECT_TRUE(rc::check(
        "unsigned", [](std::uint64_t n) { RC_ASSERT(key_view{n}.bytes() == std::to_string(n)); }));
    EXPECT_TRUE(rc::check(
        "narrow", [](std::int16_t n) { RC_ASSERT(key_view{n}.bytes() == std::to_string(n)); }));
}

TEST(key_view, a_string_is_used_as_it_is) {
    EXPECT_EQ(key_view{""}.bytes(), "");
    EXPECT_EQ(key_view{"a:b%c"}.bytes(), "a:b%c");
    EXPECT_EQ(key_view{"a\0b"sv}.bytes(), "a\0b"sv);
    const std::string text = "text";
    EXPECT_EQ(key_view{text}.bytes().data(), text.data());
}

TEST(key_view, an_empty_view_without_bytes_is_the_empty_key) {
    const key_view none{std::string_view{}};
    EXPECT_EQ(none.bytes(), "");
    EXPECT_NE(none.bytes().data(), nullptr);
}

TEST(key_view, a_copy_of_an_integer_does_not_look_into_the_original) {
    std::optional<key_view> original{key_view{123}};
    const key_view copy = *original;
    original.emplace(key_view{456});
    EXPECT_EQ(copy.bytes(), "123");
}

TEST(make_key, joins_texts_with_colons) {
    EXPECT_EQ(make_key("user", 7, "cart"), "user:7:cart");
    EXPECT_EQ(make_key("user"s, "x"sv), "user:x");
    EXPECT_EQ(make_key("", ""), ":");
}

TEST(make_key, parts_count_by_their_text) {
    EXPECT_EQ(make_key(42), "42");
    EXPECT_EQ(make_key("42"), "42");
    EXPECT_EQ(make_key(42), key_view{42}.bytes());
    EXPECT_EQ(make_key(std::uint8_t{42}, -1L), make_key("42", "-1"));
}

TEST(make_key, what_would_be_taken_for_the_separator_is_encoded) {
    EXPECT_EQ(make_key("a:b"), "a%3Ab");
    EXPECT_EQ(make_key("a%3Ab"), "a%253Ab");
    EXPECT_NE(make_key("a", "b"), make_key("a:b"));
    EXPECT_NE(make_key("a:", "b"), make_key("a", ":b"));
    EXPECT_NE(make_key("a%3A", "b"), make_key("a:", "b"));
}

TEST(make_key, other_bytes_stay_as_they_are) {
    EXPECT_EQ(make_key("a\0b"sv, "\xff{}\n"), "a\0b:\xff{}\n"s);
}

using parts = std::vector<std::string>;

/// make_key over a list whose length is known at run time only.
std::string key_of(const parts& p) {
    switch (p.size()) {
    case 1:
        return make_key(p[0]);
    case 2:
        return make_key(p[0], p[1]);
    case 3:
        return make_key(p[0], p[1], p[2]);
    default:
        return make_key(p[0], p[1], p[2], p[3]);
    }
}

rc::Gen<parts> lists(rc::Gen<std::string> texts) {
    return rc::gen::mapcat(rc::gen::inRange<std::size_t>(1, 5), [texts](std::size_t count) {
        return rc::gen::container<parts>(count, texts);
    });
}

TEST(make_key, different_lists_of_parts_never_give_the_same_key) {
    const auto differ = [](const rc::Gen<std::string>& texts) {
        const auto all = *rc::gen::container<std::vector<parts>>(40, lists(texts));
        for (const parts& a : all) {
            for (const parts& b : all) {
                RC_ASSERT((key_of(a) == key_of(b)) == (a == b));
            }
        }
    };
    EXPECT_TRUE(rc::check("texts of separators and escapes", [&] {
        differ(rc::gen::resize(3, rc::gen::container<std::string>(rc::gen::elementOf(":%3A25a"s))));
    }));
    EXPECT_TRUE(rc::check("any texts", [&] { differ(rc::gen::arbitrary<std::string>()); }));
}

/// Takes a key apart again, which is what makes the encoding injective.
parts parts_of(std::string_view key) {
    parts found{""};
    for (std::size_t i = 0; i < key.size(); ++i) {
        if (key[i] == ':') {
            found.emplace_back();
        } else if (key[i] == '%') {
            found.back() += key.substr(i, 3) == "%3A" ? ':' : '%';
            i += 2;
        } else {
            found.back() += key[i];
        }
    }
    return found;
}

TEST(make_key, a_key_can_be_taken_apart_again) {
    EXPECT_TRUE(rc::check([] {
        const parts p =
            *lists(rc::gen::container<std::string>(rc::gen::elementOf(":%3A25a\0\xff"s)));
        RC_ASSERT(parts_of(key_of(p)) == p);
    }));
}

} // namespace
