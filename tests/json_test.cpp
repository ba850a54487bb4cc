#include <weir/json.hpp>

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace shop {

struct product {
    std::int64_t id = 0;
    std::string name;
    std::vector<std::string> tags;
    double price = 0;

    friend bool operator==(const product&, const product&) = default;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(product, id, name, tags, price)

/// Cannot be made without a name, so nlohmann needs a serialiser instead of from_json.
struct customer {
    explicit customer(std::string n) : name{std::move(n)} {}

    std::string name;
};

/// Its conversion is recursive, as that of most trees.
struct tree {
    std::vector<tree> branches;
};
inline void to_json(nlohmann::json& json, const tree& t) {
    json = nlohmann::json::array();
    for (const tree& branch : t.branches) {
        json.push_back(branch);
    }
}
inline void from_json(const nlohmann::json& json, tree& t) {
    for (const nlohmann::json& branch : json) {
        t.branches.push_back(branch.get<tree>());
    }
}

struct only_written {};
inline void to_json(nlohmann::json& json, const only_written&) {
    json = 1;
}

struct only_read {};
inline void from_json(const nlohmann::json&, only_read&) {}

struct picky {};
inline void to_json(nlohmann::json& json, const picky&) {
    json = "picky";
}
inline void from_json(const nlohmann::json&, picky&) {
    throw std::runtime_error{"not this one"};
}

struct packed {
    int number = 0;
};
inline void to_json(nlohmann::json& json, const packed& p) {
    json = p.number;
}
inline void from_json(const nlohmann::json& json, packed& p) {
    p.number = json.get<int>();
}

enum class colour { red, green };

struct unknown_to_json {};

} // namespace shop

template<>
struct nlohmann::adl_serializer<shop::customer> {
    static shop::customer from_json(const nlohmann::json& json) {
        return shop::customer{json.get<std::string>()};
    }
    static void to_json(nlohmann::json& json, const shop::customer& c) { json = c.name; }
};

template<>
struct weir::codec<shop::packed> {
    static void encode(const shop::packed& p, std::string& out) {
        out += static_cast<char>(p.number);
    }
    static std::optional<shop::packed> decode(std::string_view bytes) {
        return bytes.size() == 1 ? std::optional{shop::packed{bytes[0]}} : std::nullopt;
    }
};

namespace {

using shop::product;
using weir::codec;
using weir::has_codec;
using namespace std::string_literals;
using namespace std::string_view_literals;

// ---- what has a codec ----------------------------------------------------------------------

static_assert(has_codec<product> && has_codec<shop::customer> && has_codec<shop::tree>);
static_assert(has_codec<shop::colour>);
static_assert(has_codec<std::vector<product>> && has_codec<std::map<std::string, product>>);
static_assert(has_codec<std::vector<std::vector<int>>> && has_codec<std::array<double, 3>>);
static_assert(has_codec<std::pair<std::string, int>> && has_codec<std::vector<std::string>>);
static_assert(has_codec<nlohmann::json>);

static_assert(!has_codec<shop::only_written> && !has_codec<shop::only_read>);
static_assert(!has_codec<shop::unknown_to_json>);
static_assert(!has_codec<std::vector<shop::unknown_to_json>>);
static_assert(!has_codec<std::monostate>);
// What would point into text that is gone.
static_assert(!has_codec<std::string_view> && !has_codec<const char*>);
static_assert(!has_codec<std::string*> && !has_codec<const product*>);
// The same answer as without this header.
static_assert(!has_codec<char> && !has_codec<wchar_t> && !has_codec<char32_t>);

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

const product lamp{.id = 42, .name = "lamp \"π\"", .tags = {"light", ""}, .price = 0.1};

TEST(json_codec, writes_short_json_that_reads_back) {
    EXPECT_EQ(encoded(lamp), R"({"id":42,"name":"lamp \"π\"","price":0.1,"tags":["light",""]})");
    EXPECT_EQ(decoded<product>(encoded(lamp)), lamp);
}

TEST(json_codec, appends_and_leaves_what_was_there) {
    std::string out = "before ";
    codec<std::vector<int>>::encode({1, 2}, out);
    EXPECT_EQ(out, "before [1,2]");
}

// What json.dumps writes: spaces, escapes, any order, and members that are not asked for.
TEST(json_codec, reads_json_as_other_programs_write_it) {
    EXPECT_EQ(decoded<product>("{\"extra\": null, \"price\": 1e-1, \"id\": 42,\n\t\"name\": "
                               "\"lamp \\\"\\u03c0\\\"\", \"tags\": [\"light\", \"\"]} "),
              lamp);
}

TEST(json_codec, containers_and_nested_types_read_back) {
    const std::map<std::string, std::vector<product>> shelves{{"a", {lamp, lamp}}, {"", {}}};
    EXPECT_EQ((decoded<std::map<std::string, std::vector<product>>>(encoded(shelves))), shelves);
    const std::vector<std::pair<std::string, int>> pairs{{"x", 1}, {"y", -1}};
    EXPECT_EQ((decoded<std::vector<std::pair<std::string, int>>>(encoded(pairs))), pairs);
    EXPECT_EQ(decoded<shop::colour>(encoded(shop::colour::green)), shop::colour::green);
}

TEST(json_codec, a_type_without_default_constructor_reads_back) {
    const std::optional<shop::customer> customer =
        decoded<shop::customer>(encoded(shop::customer{"Ada"}));
    ASSERT_TRUE(customer);
    EXPECT_EQ(customer->name, "Ada");
}

TEST(json_codec, every_product_reads_back) {
    EXPECT_TRUE(rc::check([] {
        // RapidCheck's strings are of bytes; these are of code points below 0x80.
        const auto text = rc::gen::container<std::string>(rc::gen::inRange<char>(0, 127));
        const product p{.id = *rc::gen::arbitrary<std::int64_t>(),
                        .name = *text,
                        .tags = *rc::gen::container<std::vector<std::string>>(text),
                        .price = *rc::gen::arbitrary<double>()};
        RC_ASSERT(decoded<product>(encoded(p)) == p);
    }));
}

// ---- what is not read ----------------------------------------------------------------------

TEST(json_codec, text_that_is_not_json_is_not_read) {
    for (const std::string_view bytes :
         {"", " ", "{", "[1,2", "[1,2]]", "[1,2] x", "{id:1}", "nul", "[1,]", "\xff", "\"\xff\""}) {
        EXPECT_EQ(decoded<std::vector<int>>(bytes), std::nullopt) << bytes;
        EXPECT_EQ(decoded<nlohmann::json>(bytes), std::nullopt) << bytes;
    }
    EXPECT_EQ(decoded<std::vector<int>>("[1,2]\0"sv), std::nullopt);
}

TEST(json_codec, json_of_another_type_is_not_read) {
    for (const std::string_view bytes : {"null", "1", "\"text\"", "[]", "{}", R"({"id":"42"})",
                                         R"({"id":42,"name":null,"tags":[],"price":1})"}) {
        EXPECT_EQ(decoded<product>(bytes), std::nullopt) << bytes;
    }
}

TEST(json_codec, what_a_conversion_throws_of_its_own_passes_through) {
    EXPECT_THROW(static_cast<void>(decoded<shop::picky>("1")), std::runtime_error);
}

TEST(json_codec, any_bytes_are_read_or_not_and_nothing_else_happens) {
    EXPECT_TRUE(rc::check([](const std::string& bytes) {
        static_cast<void>(decoded<product>(bytes));
        static_cast<void>(decoded<nlohmann::json>(bytes));
    }));
}

// A million levels are 1 MB of text, and would be more stack than a thread has.
TEST(json_codec, deep_text_does_not_exhaust_the_stack) {
    const auto nested = [](std::size_t depth) {
        return std::string(depth, '[') + std::string(depth, ']');
    };
    EXPECT_TRUE(decoded<shop::tree>(nested(512)));
    EXPECT_FALSE(decoded<shop::tree>(nested(513)));
    EXPECT_FALSE(decoded<shop::tree>(nested(1'000'000)));
    EXPECT_FALSE(decoded<nlohmann::json>(nested(1'000'000)));
    EXPECT_FALSE(decoded<nlohmann::json>(std::string(1'000'000, '[')));
}

TEST(json_codec, brackets_in_strings_and_side_by_side_are_not_depth) {
    const std::string brackets = R"("\\\"[[[{{{)" + std::string(10'000, '[') + '"';
    EXPECT_EQ(decoded<nlohmann::json>(brackets), nlohmann::json::parse(brackets));
    std::string flat = "[";
    for (int i = 0; i < 10'000; ++i) {
        flat += "{\"a\":[]},";
    }
    flat += "1]";
    EXPECT_EQ(decoded<nlohmann::json>(flat).value().size(), 10'001U);
}

// ---- what is not written -------------------------------------------------------------------

TEST(json_codec, a_string_that_is_not_utf8_is_refused_and_nothing_is_appended) {
    std::string out = "before";
    EXPECT_THROW(codec<std::vector<std::string>>::encode({"fine", "\xff"}, out),
                 nlohmann::json::exception);
    EXPECT_EQ(out, "before");
}

TEST(json_codec, a_number_that_is_not_finite_is_not_read_back_as_one) {
    const std::vector<double> numbers{1, std::numeric_limits<double>::infinity()};
    EXPECT_EQ(encoded(numbers), "[1.0,null]");
    EXPECT_EQ(decoded<std::vector<double>>(encoded(numbers)), std::nullopt);
}

// ---- never another encoding ----------------------------------------------------------------

TEST(json_codec, strings_and_numbers_are_stored_as_without_it) {
    EXPECT_EQ(encoded("text"s), "text");
    EXPECT_EQ(encoded(true), "true");
    EXPECT_EQ(encoded(1.0), "1");
    EXPECT_EQ(encoded(std::int8_t{7}), "7");
}

TEST(json_codec, a_codec_of_ones_own_comes_first) {
    EXPECT_EQ(encoded(shop::packed{65}), "A");
}

} // namespace
