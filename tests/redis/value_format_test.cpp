#include <weir/redis/value_format.hpp>

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <chrono>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace {

using weir::lifetime;
using weir::time_point;
using weir::detail::read_value;
using weir::detail::seen_value;
using weir::detail::value_kind;
using weir::detail::write_value;
using weir::detail::written_value;
using namespace std::chrono_literals;
using namespace std::string_literals;
using namespace std::string_view_literals;

constexpr time_point now{1'700'000'000'123ms};
constexpr lifetime no_grace{.ttl = 5min};
constexpr lifetime with_grace{.ttl = 5min, .grace = 1min};
constexpr std::optional<std::int64_t> not_asked{};

/// What is stored under the name.
std::string stored(std::optional<std::string_view> payload, const lifetime& keep,
                   std::chrono::nanoseconds usual_grace) {
    return write_value(payload, keep, usual_grace, now).head + std::string{payload.value_or("")};
}

// ---- the bytes -----------------------------------------------------------------------------

TEST(value_format, an_ordinary_value_is_its_payload_and_nothing_else) {
    EXPECT_EQ(stored(R"({"id":42})", no_grace, 0s), R"({"id":42})");
    EXPECT_EQ(stored("", no_grace, 0s), "");
    EXPECT_EQ(stored("\t[1]", no_grace, 0s), "\t[1]");
    EXPECT_EQ(stored("\xff", with_grace, 1min), "\xff");
}

TEST(value_format, nothing_is_one_byte) {
    EXPECT_EQ(stored(std::nullopt, no_grace, 0s), "\x01");
}

TEST(value_format, a_payload_that_looks_marked_gets_a_mark) {
    EXPECT_EQ(stored("\x01", no_grace, 0s), "\x02\x01");
    EXPECT_EQ(stored("\0"sv, no_grace, 0s), "\x02\0"s);
    EXPECT_EQ(stored("\x02text", no_grace, 0s), "\x02\x02text");
    EXPECT_EQ(stored("\x08", no_grace, 0s), "\x02\x08");
}

TEST(value_format, an_unusual_grace_puts_the_end_of_freshness_first) {
    EXPECT_EQ(stored("text", {.ttl = 1s, .grace = 1min}, 0s), "\x03"
                                                              "001700000001123text");
    EXPECT_EQ(stored("text", {.ttl = 1s}, 1min), "\x03"
                                                 "001700000001123text");
    EXPECT_EQ(stored(std::nullopt, {.ttl = 1s}, 1min), "\x03"
                                                       "001700000001123\x01");
    EXPECT_EQ(stored("\x05", {.ttl = 1s}, 1min), "\x03"
                                                 "001700000001123\x02\x05");
}

TEST(value_format, the_end_of_freshness_is_rounded_down_and_never_negative) {
    const lifetime keep{.ttl = 1'999'999ns};
    EXPECT_EQ(write_value("", keep, 1s, time_point{}).head, "\x03"
                                                            "000000000000001");
    EXPECT_EQ(write_value("", keep, 1s, time_point{-1h}).head, "\x03"
                                                               "000000000000000");
    EXPECT_EQ(write_value("", {.ttl = std::chrono::nanoseconds::max()}, 1s, now).head,
              "\x03"
              "009223372036854");
}

TEST(value_format, a_key_lives_for_its_ttl_and_its_grace) {
    EXPECT_EQ(write_value("", no_grace, 0s, now).expiry, 5min);
    EXPECT_EQ(write_value("", with_grace, 1min, now).expiry, 6min);
    EXPECT_EQ(write_value("", with_grace, 0s, now).expiry, 6min);
    EXPECT_EQ(write_value(std::nullopt, {.ttl = 30s}, 1min, now).expiry, 30s);
}

TEST(value_format, a_key_lives_for_whole_milliseconds_and_never_too_short) {
    EXPECT_EQ(write_value("", {.ttl = 1ns}, 0s, now).expiry, 1ms);
    EXPECT_EQ(write_value("", {.ttl = 1'000'001ns, .grace = 1ns}, 1ns, now).expiry, 3ms);
}

// ---- reading -------------------------------------------------------------------------------

TEST(value_format, what_other_programs_write_is_the_payload) {
    for (const std::string_view bytes :
         std::vector<std::string_view>{"", "text", "{\"id\": 42}", "42", "\n", "\xff\0\x01"sv}) {
        const seen_value seen = read_value(bytes, no_grace, not_asked, now);
        EXPECT_EQ(seen.kind, value_kind::payload) << bytes;
        EXPECT_EQ(seen.payload, bytes);
    }
}

TEST(value_format, what_is_no_version_of_the_format_is_unreadable) {
    for (const std::string_view bytes :
         {"\0"sv, "\x04"sv, "\x05text"sv, "\x08"sv, "\x01\x01"sv, "\x01text"sv, "\x03"sv,
          "\x03"
          "00170000000112"sv,
          "\x03"
          "-00000000000001"sv,
          "\x03"
          "+00000000000001"sv,
          "\x03"
          "0000000000000x1"sv,
          "\x03"
          " 00000000000001"sv,
          "\x03"
          "001700000001123\x03"
          "001700000001123text"sv,
          "\x03"
          "001700000001123\x07"sv}) {
        EXPECT_EQ(read_value(bytes, no_grace, not_asked, now).kind, value_kind::unreadable)
            << bytes;
    }
}

TEST(value_format, a_value_without_grace_read_by_a_plain_get_is_fresh_until_nobody_knows_when) {
    EXPECT_EQ(read_value("text", no_grace, not_asked, now).fresh_until, time_point::max());
}

TEST(value_format, freshness_is_what_is_left_beyond_the_grace) {
    EXPECT_EQ(read_value("text", with_grace, 90'000, now).fresh_until, now + 30s);
    EXPECT_EQ(read_value("text", with_grace, 60'000, now).fresh_until, now);
    EXPECT_EQ(read_value("text", with_grace, 10'000, now).fresh_until, now - 50s);
    EXPECT_EQ(read_value("\x01", with_grace, 90'000, now).fresh_until, now + 30s);
    EXPECT_EQ(read_value("text", no_grace, 90'000, now).fresh_until, now + 90s);
}

TEST(value_format, a_key_that_appeared_between_pttl_and_get_looks_expired) {
    EXPECT_EQ(read_value("text", with_grace, -2, now).fresh_until, now - 1min);
    EXPECT_EQ(read_value("text", with_grace, 0, now).fresh_until, now - 1min);
}

TEST(value_format, a_key_without_ttl_is_fresh_and_must_be_given_one) {
    const seen_value seen = read_value("text", with_grace, -1, now);
    EXPECT_TRUE(seen.needs_expiry);
    EXPECT_EQ(seen.fresh_until, now + 5min);
    EXPECT_EQ(read_value("text", {}, -1, now).fresh_until, time_point::max());
    EXPECT_TRUE(read_value("\x05unreadable", with_grace, -1, now).needs_expiry);
    for (const std::optional<std::int64_t> pttl : {not_asked, {-2}, {0}, {1}}) {
        EXPECT_FALSE(read_value("text", with_grace, pttl, now).needs_expiry);
    }
}

TEST(value_format, an_entry_that_tells_its_end_of_freshness_is_believed) {
    const std::string_view bytes = "\x03"
                                   "001700000001123text";
    for (const std::optional<std::int64_t> pttl : {not_asked, {-2}, {-1}, {0}, {600'000}}) {
        const seen_value seen = read_value(bytes, with_grace, pttl, now);
        EXPECT_EQ(seen.kind, value_kind::payload);
        EXPECT_EQ(seen.payload, "text");
        EXPECT_EQ(seen.fresh_until, now + 1s);
    }
    EXPECT_EQ(read_value(bytes, no_grace, not_asked, now).fresh_until, now + 1s);
}

TEST(value_format, times_beyond_the_axis_are_its_end) {
    EXPECT_EQ(read_value("\x03"
                         "999999999999999",
                         no_grace, not_asked, now)
                  .fresh_until,
              time_point{std::chrono::milliseconds{9'223'372'036'854}});
    const auto most = std::numeric_limits<std::int64_t>::max();
    EXPECT_EQ(read_value("text", no_grace, most, now).fresh_until, time_point::max());
    EXPECT_EQ(
        read_value("text", with_grace, std::numeric_limits<std::int64_t>::min(), now).fresh_until,
        now - 1min);
}

// ---- there and back ------------------------------------------------------------------------

/// Writes and reads at once, as on a server that is asked for the TTL.
seen_value there_and_back(std::optional<std::string_view> payload, const lifetime& keep,
                          const lifetime& usual, std::string& bytes) {
    const written_value written = write_value(payload, keep, usual.grace, now);
    bytes = written.head + std::string{payload.value_or("")};
    return read_value(bytes, usual, written.expiry.count(), now);
}

TEST(value_format, any_payload_reads_back_with_any_grace) {
    EXPECT_TRUE(rc::check([](const std::string& payload) {
        const lifetime keep{.ttl = std::chrono::milliseconds{*rc::gen::inRange(1, 1'000'000)},
                            .grace = *rc::gen::element(0s, 60s, 90s)};
        const lifetime usual{.ttl = 1s, .grace = *rc::gen::element(0s, 60s)};
        std::string bytes;
        const seen_value seen = there_and_back(payload, keep, usual, bytes);
        RC_ASSERT(seen.kind == value_kind::payload);
        RC_ASSERT(seen.payload == payload);
        RC_ASSERT(seen.fresh_until == now + keep.ttl);
        RC_ASSERT(!seen.needs_expiry);
        RC_ASSERT(there_and_back(std::nullopt, keep, usual, bytes).kind == value_kind::nothing);
        RC_ASSERT(there_and_back(std::nullopt, keep, usual, bytes).fresh_until == now + keep.ttl);
    }));
}

TEST(value_format, every_first_byte_reads_back) {
    for (int byte = 0; byte < 0x100; ++byte) {
        const std::string payload = static_cast<char>(byte) + "001700000001123"s;
        std::string bytes;
        EXPECT_EQ(there_and_back(payload, no_grace, no_grace, bytes).payload, payload) << byte;
        EXPECT_EQ(there_and_back(payload, no_grace, with_grace, bytes).payload, payload) << byte;
    }
}

TEST(value_format, any_bytes_are_read_or_not_and_the_payload_is_a_part_of_them) {
    EXPECT_TRUE(rc::check([](const std::string& tail) {
        const std::string bytes = *rc::gen::element(""s, "\x01"s, "\x02"s, "\x03"s,
                                                    "\x03"
                                                    "00"s) +
                                  tail;
        const auto pttl = *rc::gen::arbitrary<std::int64_t>();
        const seen_value seen = read_value(bytes, with_grace, pttl, now);
        RC_ASSERT(seen.payload.empty() || bytes.ends_with(seen.payload));
    }));
}

} // namespace
