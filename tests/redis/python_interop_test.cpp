// A Python service on the same Redis server: it reads what weir wrote, writes what weir reads, and
// invalidates what weir computes. It does so as Python programs do, with redis-py and json, and knows
// of weir only the names of keys.

#include <weir/json.hpp>
#include <weir/redis.hpp>
#include <weir/weir.hpp>

#include "support/eventually.hpp"
#include "support/python_redis.hpp"
#include "support/raw_redis.hpp"
#include "support/redis_server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace weir::tests;
using testing::AllOf;
using testing::ElementsAre;
using testing::Ge;
using testing::IsEmpty;
using testing::Le;
using weir::cache_status;

struct size {
    std::string label;
    double length = 0;

    friend bool operator==(const size&, const size&) = default;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(size, label, length)

struct product {
    std::string name{};
    std::int64_t cents = 0;
    bool in_stock = false;
    std::vector<size> sizes{};
    std::map<std::string, std::vector<int>> ratings{};

    friend bool operator==(const product&, const product&) = default;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(product, name, cents, in_stock, sizes, ratings)

const product peg{"Wäscheklammer 洗濯ばさみ 🧺 \"\\/\n",
                  4900,
                  true,
                  {{"short", 0.1}, {"long", 1e300}},
                  {{"alice", {5, 4}}, {"bob", {}}}};

/// The same as a Python program would have it.
constexpr std::string_view peg_in_python = R"(
peg = {"name": "Wäscheklammer 洗濯ばさみ 🧺 \"\\/\n", "cents": 4900, "in_stock": True,
       "sizes": [{"label": "short", "length": 0.1}, {"label": "long", "length": 1e300}],
       "ratings": {"alice": [5, 4], "bob": []}}
)";

class python_interop : public testing::Test {
protected:
    /// What the script prints; it must end well.
    std::string python(std::string_view script, const std::vector<std::string>& arguments = {}) {
        const python_result result =
            run_python(database.uri(), std::string{peg_in_python} + std::string{script}, arguments);
        EXPECT_EQ(result.status, 0) << result.errors;
        return result.output;
    }

    [[nodiscard]] std::chrono::milliseconds left_of(std::string_view name) {
        return std::chrono::milliseconds{referee.command("PTTL", name).integer};
    }

    template<class Value>
    [[nodiscard]] weir::cache<Value> cache(std::string_view name, weir::cache_options options) {
        return {backend, name, options};
    }

    weir::tests::database database = fresh_database();
    weir::redis_backend backend = [this] {
        weir::redis_backend made{{.uri = database.uri(), .timeout = 10s}};
        EXPECT_TRUE(made.wait_until_connected(10s));
        return made;
    }();
    raw_redis referee{database.uri()};
};

constexpr auto nearly_all_of = [](std::chrono::milliseconds time) {
    return AllOf(Le(time), Ge(time - 60s)); // a slow machine is not the matter here
};

// ---- Python reads --------------------------------------------------------------------------------

TEST_F(python_interop, python_loads_the_object_that_weir_stored) {
    const auto products = cache<product>("product", {.ttl = 5min});
    products.put(42, peg);
    EXPECT_EQ(python(R"(
print(json.loads(r.get("weir:product:42")) == peg, 0 < r.ttl("weir:product:42") <= 300)
)"),
              "True True\n");
}

TEST_F(python_interop, python_loads_what_weir_computed) {
    const auto products = cache<product>("product", {.ttl = 5min, .grace = 10min});
    static_cast<void>(products.get_or_compute(42, [] { return peg; }));
    EXPECT_EQ(*products.get(42), peg); // it is there when it can be read
    EXPECT_EQ(python(R"(
print(json.loads(r.get("weir:product:42")) == peg, 840 < r.ttl("weir:product:42") <= 900)
)"),
              "True True\n");
}

TEST_F(python_interop, python_loads_lists_numbers_and_truth_values) {
    cache<std::vector<product>>("list", {.ttl = 5min}).put("all", {peg, peg});
    const auto integers = cache<std::int64_t>("int", {.ttl = 5min});
    integers.put("least", std::numeric_limits<std::int64_t>::min());
    integers.put("most", std::numeric_limits<std::int64_t>::max());
    const auto numbers = cache<double>("float", {.ttl = 5min});
    numbers.put("tenth", 0.1);
    numbers.put("large", 1.7976931348623157e308);
    numbers.put("small", 5e-324);
    numbers.put("no number", std::numeric_limits<double>::quiet_NaN());
    numbers.put("endless", -std::numeric_limits<double>::infinity());
    cache<bool>("flag", {.ttl = 5min}).put("on", true);
    EXPECT_EQ(python(R"(
value = lambda name: json.loads(r.get("weir:" + name))
assert value("list:all") == [peg, peg]
for name in ("int:least", "int:most", "float:tenth", "float:large", "float:small",
             "float:no%20number", "float:endless", "flag:on"):
    print(repr(value(name)))
)"),
              "-9223372036854775808\n9223372036854775807\n0.1\n1.7976931348623157e+308\n5e-324\n"
              "nan\n-inf\nTrue\n");
}

TEST_F(python_interop, python_gets_strings_as_they_are) {
    const auto pages = cache<std::string>("page", {.ttl = 5min});
    pages.put("home", "<p>Grüße</p>");
    pages.put("empty", "");
    EXPECT_EQ(python(R"(
print(r.get("weir:page:home").decode(), r.get("weir:page:empty"))
)"),
              "<p>Grüße</p> b''\n");
}

TEST_F(python_interop, python_reads_how_much_of_a_limit_is_used) {
    const weir::rate_limiter limiter{
        backend, weir::per_day(20), weir::on_failure::deny, {.name = "search"}};
    EXPECT_TRUE(limiter.allow("203.0.113.7", 3));
    EXPECT_EQ(python(R"(
(key,) = r.scan_iter("weir:rl:search:86400000000000:*:203.0.113.7")
print(int.from_bytes(r.get(key), "big") >> 1, r.bitfield(key).get("u63", 0).execute())
)"),
              "3 [3]\n");
}

// ---- Python writes -------------------------------------------------------------------------------

TEST_F(python_interop, weir_reads_the_object_that_python_stored) {
    const auto products = cache<product>("product", {.ttl = 5min});
    python(R"(
r.setex("weir:product:1", 300, json.dumps(peg))
r.setex("weir:product:2", 300, json.dumps(peg, ensure_ascii=False, indent=4, sort_keys=True))
r.setex("weir:product:3", 300, json.dumps({**peg, "colour": "red", "more": None}))
)");
    for (const int id : {1, 2, 3}) {
        const weir::cached<product> found = products.get(id);
        ASSERT_EQ(found.status(), cache_status::hit) << id;
        EXPECT_EQ(*found, peg) << id;
    }
    EXPECT_EQ(products.stats().store.undecodable, 0U);
}

TEST_F(python_interop, weir_reads_lists_numbers_truth_values_and_strings) {
    python(R"(
for name, value in {"list:all": [peg, peg], "int:most": 2**63 - 1, "int:least": -2**63,
                    "float:tenth": 0.1, "float:two": 2, "float:large": 1e22, "float:small": 5e-324,
                    "float:endless": float("inf"), "flag:on": True, "flag:off": False}.items():
    r.setex("weir:" + name, 300, json.dumps(value))
r.setex("weir:page:home", 300, "<p>Grüße</p>")
)");
    EXPECT_THAT(*cache<std::vector<product>>("list", {.ttl = 5min}).get("all"),
                ElementsAre(peg, peg));
    const auto integers = cache<std::int64_t>("int", {.ttl = 5min});
    EXPECT_EQ(*integers.get("most"), std::numeric_limits<std::int64_t>::max());
    EXPECT_EQ(*integers.get("least"), std::numeric_limits<std::int64_t>::min());
    const auto numbers = cache<double>("float", {.ttl = 5min});
    EXPECT_EQ(*numbers.get("tenth"), 0.1);
    EXPECT_EQ(*numbers.get("two"), 2.0);
    EXPECT_EQ(*numbers.get("large"), 1e22);
    EXPECT_EQ(*numbers.get("small"), 5e-324);
    EXPECT_EQ(*numbers.get("endless"), std::numeric_limits<double>::infinity());
    const auto flags = cache<bool>("flag", {.ttl = 5min});
    EXPECT_TRUE(*flags.get("on"));
    EXPECT_FALSE(*flags.get("off"));
    EXPECT_EQ(*cache<std::string>("page", {.ttl = 5min}).get("home"), "<p>Grüße</p>");
}

TEST_F(python_interop, a_value_of_python_s_ends_when_python_said) {
    const auto products = cache<product>("product", {.ttl = 5min});
    python(R"(r.psetex("weir:product:42", 1500, json.dumps(peg)))");
    EXPECT_LE(left_of("weir:product:42"), 1500ms);
    EXPECT_TRUE(eventually([&] { return products.get(42).status() == cache_status::miss; }));
}

TEST_F(python_interop, with_grace_python_adds_it_to_the_time_to_live) {
    const auto products = cache<product>("product", {.ttl = 5min, .grace = 10min});
    python(R"(r.setex("weir:product:42", 200 + 600, json.dumps(peg)))");
    const weir::cached<product> found = products.get(42);
    EXPECT_EQ(found.status(), cache_status::hit);
    EXPECT_THAT(found.expires_in(), nearly_all_of(200s));
}

TEST_F(python_interop, with_grace_what_python_stored_without_it_is_old_and_serves_in_need) {
    const auto products = cache<product>("product", {.ttl = 5min, .grace = 10min});
    python(R"(r.setex("weir:product:42", 300, json.dumps(peg)))");
    EXPECT_EQ(products.get(42).status(), cache_status::miss);
    const weir::cached<product> old =
        products.get_or_compute(42, []() -> product { throw std::runtime_error{"no database"}; });
    EXPECT_EQ(old.status(), cache_status::stale);
    EXPECT_EQ(*old, peg);

    const auto fresh = products.get_or_compute(42, [] { return product{.name = "fresh"}; });
    EXPECT_EQ(fresh.status(), cache_status::computed);
    EXPECT_EQ(products.get(42)->name, "fresh");
    EXPECT_THAT(left_of("weir:product:42"), nearly_all_of(15min));
}

TEST_F(python_interop, a_value_without_time_to_live_is_a_hit_and_with_grace_gets_one) {
    python(R"(
r.set("weir:product:42", json.dumps(peg))
r.set("weir:plain:42", json.dumps(peg))
)");
    const weir::cached<product> found =
        cache<product>("product", {.ttl = 5min, .grace = 10min}).get(42);
    EXPECT_EQ(found.status(), cache_status::hit);
    EXPECT_EQ(found.expires_in(), 5min);
    EXPECT_TRUE(eventually([&] { return left_of("weir:product:42") > 0ms; }));
    EXPECT_THAT(left_of("weir:product:42"), nearly_all_of(15min));

    // Without grace a hit is a plain GET, which does not tell.
    EXPECT_EQ(cache<product>("plain", {.ttl = 5min}).get(42).status(), cache_status::hit);
    EXPECT_EQ(referee.keys_without_ttl(), std::vector<std::string>{"weir:plain:42"});
}

// ---- what cannot be read -------------------------------------------------------------------------

TEST_F(python_interop, what_is_no_such_value_is_a_miss_and_counted) {
    const auto products = cache<product>("product", {.ttl = 5min});
    python(R"(
r.setex("weir:product:1", 300, "no JSON")
r.setex("weir:product:2", 300, json.dumps({"name": "too little"}))
r.setex("weir:product:3", 300, json.dumps(None))
r.setex("weir:product:4", 300, json.dumps({**peg, "cents": "a lot"}))
r.setex("weir:product:5", 300, b"\x07 of a version to come")
r.rpush("weir:product:6", json.dumps(peg))
)");
    for (const int id : {1, 2, 3, 4, 5, 6}) {
        const weir::cached<product> found = products.get(id);
        EXPECT_EQ(found.status(), cache_status::miss) << id;
        EXPECT_FALSE(found.error()) << id << ": " << found.error().message();
    }
    EXPECT_EQ(products.stats().store.undecodable, 6U);
    EXPECT_EQ(products.stats().backend_errors, 0U);
}

TEST_F(python_interop, what_cannot_be_read_is_replaced_by_what_is_computed) {
    const auto products = cache<product>("product", {.ttl = 5min});
    python(R"(
r.setex("weir:product:1", 300, "no JSON")
r.set("weir:product:2", json.dumps({"name": "too little"}))
r.rpush("weir:product:3", "a list, which is no value of another type but something else")
)");
    for (const int id : {1, 2, 3}) {
        static_cast<void>(products.get_or_compute(id, [] { return peg; }));
    }
    EXPECT_EQ(products.get(1).status(), cache_status::hit);
    EXPECT_EQ(products.get(2).status(), cache_status::hit);
    EXPECT_THAT(left_of("weir:product:2"), nearly_all_of(5min));
    EXPECT_EQ(products.get(3).status(), cache_status::miss);
    EXPECT_EQ(referee.command("TYPE", "weir:product:3"), "list");
}

// ---- a cached nothing ----------------------------------------------------------------------------

TEST_F(python_interop, a_cached_nothing_begins_with_a_byte_that_no_json_begins_with) {
    const auto nothing = []() -> std::optional<product> { return std::nullopt; };
    const auto plain = cache<product>("plain", {.ttl = 5min, .negative_ttl = 30s});
    const auto graceful =
        cache<product>("graceful", {.ttl = 5min, .grace = 10min, .negative_ttl = 30s});
    for (const auto& products : {plain, graceful}) {
        static_cast<void>(products.get_or_compute(7, nothing));
        EXPECT_EQ(products.get(7).status(), cache_status::negative);
    }
    EXPECT_EQ(python(R"(
def load(name):
    text = r.get(name)
    return None if text is None or text[:1] < b"\x09" else json.loads(text)

for name in ("weir:plain:7", "weir:graceful:7"):
    text = r.get(name)
    print(text[:1], text[-1:], len(text), load(name), 0 < r.ttl(name) <= 30)
)"),
              "b'\\x01' b'\\x01' 1 None True\n"
              "b'\\x03' b'\\x01' 17 None True\n");
}

TEST_F(python_interop, python_can_say_that_there_is_nothing) {
    python(R"(
r.setex("weir:plain:7", 30, b"\x01")
r.setex("weir:graceful:7", 30 + 600, b"\x01")
)");
    EXPECT_EQ(cache<product>("plain", {.ttl = 5min}).get(7).status(), cache_status::negative);
    EXPECT_EQ(cache<product>("graceful", {.ttl = 5min, .grace = 10min}).get(7).status(),
              cache_status::negative);
}

// ---- keys ----------------------------------------------------------------------------------------

/// How a Python program spells the name of a value.
constexpr std::string_view name_in_python = R"(
import hashlib, re

def name(cache, key):
    encoded = [re.sub(rb"[\x00-\x20%{}\x7f]", lambda m: b"%%%02X" % ord(m[0]), bytes([b]))
               for b in key]
    if len(b"".join(encoded)) > 512:
        while len(b"".join(encoded)) > 256:
            encoded.pop()
        encoded += [b"%~", hashlib.sha256(key).hexdigest().encode()]
    return b"weir:" + cache + b":" + b"".join(encoded)
)";

TEST_F(python_interop, keys_have_the_same_names_on_both_sides) {
    const auto numbers = cache<int>("n", {.ttl = 5min});
    const std::vector<std::string> keys{"42",
                                        "",
                                        "in:garden:1",
                                        "a key with spaces",
                                        "100% {of} it",
                                        "Küche/厨房",
                                        std::string{"\0\n\x1f\x20\x7f\xff%7B", 10},
                                        weir::make_key("user:7", "50%"),
                                        std::string(512, 'x'),
                                        std::string(513, 'x'),
                                        "x" + std::string(200, '%')};
    std::string script{name_in_python};
    script += "for line in sys.argv[1:]:\n"
              "    number, key = line.split('=', 1)\n"
              "    key = bytes.fromhex(key)\n"
              "    assert r.get(name(b'n', key)) == number.encode(), (number, key)\n"
              "    r.setex(name(b'n', key), 300, int(number) + 100)\n";
    std::vector<std::string> arguments;
    for (std::size_t i = 0; i != keys.size(); ++i) {
        numbers.put(keys[i], static_cast<int>(i));
        std::string hex;
        for (const char c : keys[i]) {
            constexpr std::string_view digits = "0123456789abcdef";
            const auto byte = static_cast<unsigned char>(c);
            hex += {digits[byte >> 4], digits[byte & 15]};
        }
        arguments.push_back(std::to_string(i) + "=" + hex);
    }
    python(script, arguments);
    for (std::size_t i = 0; i != keys.size(); ++i) {
        EXPECT_EQ(*numbers.get(keys[i]), static_cast<int>(i) + 100) << i;
    }
    EXPECT_EQ(referee.keys().size(), keys.size());
}

TEST_F(python_interop, no_key_of_a_user_s_breaks_out_of_the_name) {
    cache<int>("n", {.ttl = 5min}).put("{x}:lease\n weir:other:1", 1);
    EXPECT_EQ(python("print(r.keys())"), "[b'weir:n:%7Bx%7D:lease%0A%20weir:other:1']\n");
}

// ---- invalidation --------------------------------------------------------------------------------

constexpr std::string_view invalidate_in_python =
    R"(r.delete("{weir:product:42}:lease", "weir:product:42"))";

TEST_F(python_interop, what_python_deletes_is_computed_afresh) {
    const auto products = cache<product>("product", {.ttl = 5min});
    products.put(42, peg);
    python(invalidate_in_python);
    EXPECT_EQ(products.get_or_compute(42, [] { return product{.name = "new"}; })->name, "new");
}

TEST_F(python_interop, a_computation_that_python_s_invalidation_overtakes_is_not_stored) {
    const auto products = cache<product>("product", {.ttl = 5min});
    const weir::cached<product> answer = products.get_or_compute(42, [&] {
        python(invalidate_in_python); // after this has read what it answers
        return product{.name = "old"};
    });
    EXPECT_EQ(answer->name, "old");
    EXPECT_EQ(products.get(42).status(), cache_status::miss);
    EXPECT_EQ(products.stats().not_stored, 1U);
    EXPECT_THAT(referee.keys(), IsEmpty());
}

TEST_F(python_interop, who_deletes_only_the_value_does_not_end_its_computation) {
    const auto products = cache<product>("product", {.ttl = 5min});
    static_cast<void>(products.get_or_compute(42, [&] {
        python(R"(r.delete("weir:product:42"))");
        return product{.name = "old"};
    }));
    EXPECT_EQ(products.get(42)->name, "old");
}

TEST_F(python_interop, a_value_that_python_stores_meanwhile_is_not_replaced) {
    for (const std::chrono::seconds grace : {0s, 600s}) {
        const std::string name = "product-" + std::to_string(grace.count());
        const auto products = cache<product>(name, {.ttl = 5min, .grace = grace});
        const weir::cached<product> answer = products.get_or_compute(42, [&] {
            python(R"(r.setex(f"weir:{sys.argv[1]}:42", 300 + int(sys.argv[2]), json.dumps(peg)))",
                   {name, std::to_string(grace.count())});
            return product{.name = "old"};
        });
        EXPECT_EQ(answer->name, "old");
        EXPECT_EQ(*products.get(42), peg);
        EXPECT_EQ(products.stats().not_stored, 1U);
    }
}

} // namespace
