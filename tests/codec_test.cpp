#include <weir/codec.hpp>

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

struct own_type {
    int number = 0;

    friend bool operator==(const own_type&, const own_type&) = default;
};

template<>
struct weir::codec<own_type> {
    static void encode(const own_type& value, std::string& out) {
        out += '#';
        weir::codec<int>::encode(value.number, out);
    }
    static std::optional<own_type> decode(std::string_view bytes) {
        if (!bytes.starts_with('#')) {
            return std::nullopt;
        }
        const std::optional<int> number = weir::codec<int>::decode(bytes.substr(1));
        return number ? std::optional{own_type{*number}} : std::nullopt;
    }
};

struct only_encodes {};

template<>
struct weir::codec<only_encodes> {
    static void encode(const only_encodes&, std::string&) {}
};

struct decodes_to_another_type {};

template<>
struct weir::codec<decodes_to_another_type> {
    static void encode(const decodes_to_another_type&, std::string&) {}
    static std::optional<int> decode(std::string_view) { return 0; }
};

namespace {

using weir::codec;
using weir::has_codec;
using namespace std::string_literals;
using namespace std::string_view_literals;

// ---- what has a codec ----------------------------------------------------------------------

static_assert(has_codec<std::string> && has_codec<bool>);
static_assert(has_codec<std::int8_t> && has_codec<std::uint8_t>);
static_assert(has_codec<short> && has_codec<unsigned short> && has_codec<int>);
static_assert(has_codec<unsigned> && has_codec<long> && has_codec<unsigned long>);
static_assert(has_codec<long long> && has_codec<unsigned long long>);
static_assert(has_codec<float> && has_codec<double> && has_codec<long double>);
static_assert(has_codec<own_type>);
static_assert(weir::explain_codec<std::string>() && weir::explain_codec<own_type>());

struct unrelated {};
enum class colour { red };

static_assert(!has_codec<char> && !has_codec<wchar_t> && !has_codec<char8_t>);
static_assert(!has_codec<char16_t> && !has_codec<char32_t>);
static_assert(!has_codec<unrelated> && !has_codec<colour> && !has_codec<std::vector<int>>);
static_assert(!has_codec<std::string_view> && !has_codec<const char*> && !has_codec<int*>);
static_assert(!has_codec<only_encodes>);
static_assert(!has_codec<decodes_to_another_type>);

template<class Value>
std::string encoded(const Value& value) {
    std::string out;
    codec<Value>::encode(value, out);
    return out;
}

template<class Value>
std::optional<Value> decoded(std::string_view bytes) {
    return codec<Value>::decode(bytes);
}

TEST(codec, appends_and_leaves_what_was_there) {
    std::string out = "before ";
    codec<std::string>::encode("text", out);
    codec<int>::encode(42, out);
    codec<bool>::encode(true, out);
    codec<double>::encode(0.5, out);
    codec<own_type>::encode({7}, out);
    EXPECT_EQ(out, "before text42true0.5#7");
}

// ---- strings -------------------------------------------------------------------------------

TEST(codec_of_strings, any_bytes_are_stored_as_they_are) {
    EXPECT_EQ(encoded("a\0\xff\"\n"s), "a\0\xff\"\n"s);
    EXPECT_EQ(encoded(""s), "");
    EXPECT_EQ(decoded<std::string>("a\0b"sv), "a\0b"s);
    EXPECT_EQ(decoded<std::string>(std::string_view{}), ""s);
}

// ---- truth values --------------------------------------------------------------------------

TEST(codec_of_bool, writes_and_reads_the_words_of_json) {
    EXPECT_EQ(encoded(true), "true");
    EXPECT_EQ(encoded(false), "false");
    EXPECT_EQ(decoded<bool>("true"), true);
    EXPECT_EQ(decoded<bool>("false"), false);
}

TEST(codec_of_bool, reads_nothing_else) {
    for (const std::string_view bytes : {"", "1", "0", "True", "TRUE", "true ", " false", "tru"}) {
        EXPECT_EQ(decoded<bool>(bytes), std::nullopt) << bytes;
    }
}

// ---- integers ------------------------------------------------------------------------------

TEST(codec_of_integers, writes_decimal_text) {
    EXPECT_EQ(encoded(0), "0");
    EXPECT_EQ(encoded(-17), "-17");
    EXPECT_EQ(encoded(std::numeric_limits<std::int64_t>::min()), "-9223372036854775808");
    EXPECT_EQ(encoded(std::numeric_limits<std::uint64_t>::max()), "18446744073709551615");
}

TEST(codec_of_integers, a_byte_is_a_number_and_not_a_character) {
    EXPECT_EQ(encoded(std::uint8_t{65}), "65");
    EXPECT_EQ(encoded(std::int8_t{-128}), "-128");
    EXPECT_EQ(decoded<std::uint8_t>("255"), std::uint8_t{255});
}

TEST(codec_of_integers, reads_the_whole_of_a_number_and_nothing_else) {
    for (const std::string_view bytes :
         {"", "-", "+1", " 1", "1 ", "1.0", "1e3", "0x10", "one", "1,000", "--1", "null"}) {
        EXPECT_EQ(decoded<int>(bytes), std::nullopt) << bytes;
    }
    EXPECT_EQ(decoded<int>("1\0"sv), std::nullopt);
}

TEST(codec_of_integers, a_number_that_does_not_fit_is_not_read) {
    EXPECT_EQ(decoded<std::int8_t>("127"), std::int8_t{127});
    EXPECT_EQ(decoded<std::int8_t>("128"), std::nullopt);
    EXPECT_EQ(decoded<std::uint8_t>("256"), std::nullopt);
    EXPECT_EQ(decoded<unsigned>("-1"), std::nullopt);
    EXPECT_EQ(decoded<std::int64_t>("9223372036854775808"), std::nullopt);
}

TEST(codec_of_integers, every_number_reads_back) {
    EXPECT_TRUE(rc::check("64 bits, signed", [](std::int64_t n) {
        RC_ASSERT(decoded<std::int64_t>(encoded(n)) == n);
    }));
    EXPECT_TRUE(rc::check("64 bits, unsigned", [](std::uint64_t n) {
        RC_ASSERT(decoded<std::uint64_t>(encoded(n)) == n);
    }));
    for (int n = std::numeric_limits<std::int16_t>::min();
         n <= std::numeric_limits<std::int16_t>::max(); ++n) {
        const auto narrow = static_cast<std::int16_t>(n);
        ASSERT_EQ(decoded<std::int16_t>(encoded(narrow)), narrow);
    }
}

// ---- floating point ------------------------------------------------------------------------

TEST(codec_of_floating_point, writes_the_shortest_text_that_reads_back) {
    EXPECT_EQ(encoded(0.1), "0.1");
    EXPECT_EQ(encoded(0.1F), "0.1");
    EXPECT_EQ(encoded(1.0), "1");
    EXPECT_EQ(encoded(1e22), "1e+22");
    EXPECT_EQ(encoded(5e-324), "5e-324");
    EXPECT_EQ(encoded(-0.0), "-0");
    EXPECT_EQ(encoded(std::numeric_limits<double>::max()), "1.7976931348623157e+308");
}

TEST(codec_of_floating_point, reads_every_spelling_of_json) {
    EXPECT_EQ(decoded<double>("1"), 1.0);
    EXPECT_EQ(decoded<double>("1.0"), 1.0);
    EXPECT_EQ(decoded<double>("-1.5E+2"), -150.0);
    EXPECT_EQ(decoded<double>("1e-3"), 0.001);
}

TEST(codec_of_floating_point, reads_the_whole_of_a_number_and_nothing_else) {
    for (const std::string_view bytes : {"", "+1", " 1", "1 ", "1,5", "1.5.5", "1e", "one", "."}) {
        EXPECT_EQ(decoded<double>(bytes), std::nullopt) << bytes;
    }
}

TEST(codec_of_floating_point, a_number_that_does_not_fit_is_not_read) {
    EXPECT_EQ(decoded<double>("1e999"), std::nullopt);
    EXPECT_EQ(decoded<float>("1e39"), std::nullopt);
}

// json.dumps of Python and, where it writes them at all, JavaScript use these words.
TEST(codec_of_floating_point, what_is_not_finite_has_the_words_that_python_reads) {
    constexpr double infinity = std::numeric_limits<double>::infinity();
    EXPECT_EQ(encoded(infinity), "Infinity");
    EXPECT_EQ(encoded(-infinity), "-Infinity");
    EXPECT_EQ(encoded(std::numeric_limits<float>::quiet_NaN()), "NaN");
    EXPECT_EQ(encoded(-std::numeric_limits<double>::quiet_NaN()), "NaN");
    EXPECT_EQ(decoded<double>("Infinity"), infinity);
    EXPECT_EQ(decoded<double>("-Infinity"), -infinity);
    EXPECT_TRUE(std::isnan(decoded<double>("NaN").value()));
}

TEST(codec_of_floating_point, the_ends_of_every_type_read_back) {
    const auto reads_back = []<class Float>(Float) {
        using limits = std::numeric_limits<Float>;
        for (const Float n : {limits::min(), limits::max(), limits::lowest(), limits::epsilon(),
                              Float{1} / Float{3}}) {
            EXPECT_EQ(decoded<Float>(encoded(n)), n) << encoded(n);
        }
    };
    reads_back(float{});
    reads_back(double{});
    reads_back(static_cast<long double>(0));
    constexpr double least = std::numeric_limits<double>::denorm_min();
    EXPECT_EQ(decoded<double>(encoded(least)), least);
}

TEST(codec_of_floating_point, every_number_reads_back) {
    EXPECT_TRUE(rc::check("any bits of a double", [](std::uint64_t bits) {
        const auto n = std::bit_cast<double>(bits);
        RC_ASSERT(decoded<double>(encoded(n)) == n || std::isnan(n));
    }));
    EXPECT_TRUE(rc::check("any bits of a float", [](std::uint32_t bits) {
        const auto n = std::bit_cast<float>(bits);
        RC_ASSERT(decoded<float>(encoded(n)) == n || std::isnan(n));
    }));
}

// ---- a type of one's own -------------------------------------------------------------------

TEST(codec_of_own_types, a_specialisation_is_used) {
    EXPECT_EQ(encoded(own_type{-7}), "#-7");
    EXPECT_EQ(decoded<own_type>("#-7"), own_type{-7});
    EXPECT_EQ(decoded<own_type>("-7"), std::nullopt);
}

} // namespace
