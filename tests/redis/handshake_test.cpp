#include <weir/clock.hpp>
#include <weir/error.hpp>
#include <weir/redis/handshake.hpp>
#include <weir/redis/reply.hpp>

#include "replies.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using weir::errc;
using weir::time_point;
using weir::detail::redis::handshake;
using weir::detail::redis::introduction;
using weir::detail::redis::read_time;
using weir::detail::redis::reply;
using weir::detail::redis::reply_reader;
using weir::tests::bulk;
using namespace std::chrono_literals;

std::vector<reply> replies_of(std::string_view bytes) {
    std::vector<reply> all;
    reply_reader reader;
    EXPECT_FALSE(reader.feed(bytes, [&](reply&& r) { all.push_back(std::move(r)); }));
    return all;
}

/// What TIME answers.
std::string time_reply(std::string_view seconds, std::string_view microseconds) {
    return "*2\r\n" + bulk(seconds) + bulk(microseconds);
}

const std::string some_time = time_reply("1700000000", "123456");
constexpr time_point that_time{1'700'000'000s + 123'456us};

// ---- what is said ------------------------------------------------------------------------------

std::string said(const introduction& who) {
    std::string all;
    for (const std::string& command :
         weir::tests::read_whole(handshake{who}.said().bytes()).replies) {
        all += command;
    }
    return all;
}

TEST(handshake, asks_for_the_time_and_nothing_else_if_there_is_nothing_to_say) {
    EXPECT_EQ(said({}), R"(["TIME"])");
}

TEST(handshake, says_who_it_is_first_and_asks_for_the_time_last) {
    EXPECT_EQ(said({.user = "app", .password = "secret", .database = 3, .name = "weir"}),
              R"(["AUTH", "app", "secret"]["SELECT", "3"]["CLIENT", "SETNAME", "weir"]["TIME"])");
}

TEST(handshake, says_each_thing_only_where_there_is_something_to_say) {
    EXPECT_EQ(said({.password = "secret"}), R"(["AUTH", "secret"]["TIME"])");
    EXPECT_EQ(said({.user = "app"}), R"(["AUTH", "app", ""]["TIME"])");
    EXPECT_EQ(said({.database = 1}), R"(["SELECT", "1"]["TIME"])");
    EXPECT_EQ(said({.name = "weir"}), R"(["CLIENT", "SETNAME", "weir"]["TIME"])");
    EXPECT_EQ(said({.password = "secret", .database = 15}),
              R"(["AUTH", "secret"]["SELECT", "15"]["TIME"])");
}

TEST(handshake, passes_credentials_on_as_they_are) {
    const std::string odd = "p w\r\n\"$3\r\n%41";
    EXPECT_EQ(said({.user = odd, .password = odd}),
              "[\"AUTH\", \"" + odd + "\", \"" + odd + "\"][\"TIME\"]");
}

// ---- what comes of it --------------------------------------------------------------------------

const introduction everything{.user = "app", .password = "secret", .database = 3, .name = "weir"};

handshake::verdict judge(const introduction& who, std::string_view bytes) {
    const std::vector<reply> replies = replies_of(bytes);
    return handshake{who}.judge(replies);
}

/// Every combination of what there may be to say.
std::vector<introduction> all_introductions() {
    std::vector<introduction> all;
    for (int bits = 0; bits != 16; ++bits) {
        all.push_back({.user = (bits & 1) != 0 ? "app" : "",
                       .password = (bits & 2) != 0 ? "secret" : "",
                       .database = (bits & 4) != 0 ? 3 : 0,
                       .name = (bits & 8) != 0 ? "weir" : ""});
    }
    return all;
}

/// `+OK` for all commands but the last, which asks for the time.
std::string all_well(const introduction& who) {
    return weir::tests::repeated(handshake{who}.said().count() - 1, "+OK\r\n") + some_time;
}

TEST(handshake, is_done_when_all_is_well) {
    for (const introduction& who : all_introductions()) {
        const handshake::verdict v = judge(who, all_well(who));
        EXPECT_FALSE(v.error);
        EXPECT_EQ(v.text, "");
        EXPECT_EQ(v.time, that_time);
    }
}

TEST(handshake, fails_if_the_server_hangs_up_half_way) {
    for (const introduction& who : all_introductions()) {
        const std::vector<reply> replies = replies_of(all_well(who));
        for (std::size_t count = 0; count != replies.size(); ++count) {
            const handshake::verdict v = handshake{who}.judge(std::span{replies}.first(count));
            EXPECT_EQ(v.error, errc::unavailable);
            EXPECT_EQ(v.text, "the server hung up");
            EXPECT_EQ(v.time, std::nullopt);
        }
    }
}

struct refusal {
    const char* text;
    errc meaning;
};

TEST(handshake, fails_if_the_server_says_in_place_of_the_first_reply_that_it_does_not_want_us) {
    for (const refusal& r :
         {refusal{"ERR max number of clients reached", errc::rejected},
          refusal{"DENIED Redis is running in protected mode because ...", errc::not_permitted}}) {
        for (const introduction& who : all_introductions()) {
            const handshake::verdict v = judge(who, '-' + std::string{r.text} + "\r\n");
            EXPECT_EQ(v.error, r.meaning);
            EXPECT_EQ(v.text, r.text);
        }
    }
}

TEST(handshake, fails_if_the_credentials_are_refused) {
    for (
        const char* const text :
        {"WRONGPASS invalid username-password pair or user is disabled.",
         "ERR AUTH <password> called without any password configured for the default user. Are you "
         "sure your configuration is correct?",
         "ERR invalid password", "NOPERM this user has no permissions to run the 'auth' command"}) {
        const handshake::verdict v =
            judge({.password = "wrong"}, '-' + std::string{text} + "\r\n" + some_time);
        EXPECT_EQ(v.error, errc::not_permitted) << text;
        EXPECT_EQ(v.text, text);
    }
}

TEST(handshake, shows_the_refusal_of_the_credentials_and_not_what_follows_from_it) {
    const handshake::verdict v = judge(everything, "-WRONGPASS no\r\n-NOAUTH a\r\n-NOAUTH b\r\n"
                                                   "-NOAUTH c\r\n");
    EXPECT_EQ(v.error, errc::not_permitted);
    EXPECT_EQ(v.text, "WRONGPASS no");
}

TEST(handshake, fails_if_there_are_no_credentials_and_some_are_needed) {
    for (const introduction& who :
         {introduction{}, introduction{.database = 3}, introduction{.name = "weir"},
          introduction{.database = 3, .name = "weir"}}) {
        const handshake::verdict v =
            judge(who, weir::tests::repeated(handshake{who}.said().count(),
                                             "-NOAUTH Authentication required.\r\n"));
        EXPECT_EQ(v.error, errc::not_permitted);
        EXPECT_EQ(v.text, "NOAUTH Authentication required.");
    }
}

TEST(handshake, fails_if_there_is_no_such_database) {
    const handshake::verdict v =
        judge({.database = 99}, "-ERR DB index is out of range\r\n" + some_time);
    EXPECT_EQ(v.error, errc::rejected);
    EXPECT_EQ(v.text, "ERR DB index is out of range");
}

TEST(handshake, fails_if_the_database_may_not_be_chosen) {
    const handshake::verdict v =
        judge({.database = 3},
              "-NOPERM this user has no permissions to run the 'select' command\r\n" + some_time);
    EXPECT_EQ(v.error, errc::not_permitted);
}

TEST(handshake, does_without_a_name_and_the_time_where_there_is_no_permission) {
    const handshake::verdict v =
        judge(everything, "+OK\r\n+OK\r\n-NOPERM client\r\n-NOPERM time\r\n");
    EXPECT_FALSE(v.error);
    EXPECT_EQ(v.time, std::nullopt);
}

TEST(handshake, does_without_a_name_where_the_server_knows_no_names) {
    const handshake::verdict v =
        judge({.name = "weir"}, "-ERR unknown command 'CLIENT'\r\n" + some_time);
    EXPECT_FALSE(v.error);
    EXPECT_EQ(v.time, that_time);
}

TEST(handshake, is_done_with_a_server_that_has_not_got_round_to_serving) {
    for (const char* const text : {"-LOADING Redis is loading the dataset in memory\r\n",
                                   "-BUSY Redis is busy running a script.\r\n",
                                   "-MASTERDOWN Link with MASTER is down\r\n"}) {
        const handshake::verdict v = judge({.name = "weir"}, std::string{text} + std::string{text});
        EXPECT_FALSE(v.error) << text;
        EXPECT_EQ(v.time, std::nullopt);
    }
}

// ---- the time ----------------------------------------------------------------------------------

std::optional<time_point> time_of(std::string_view bytes) {
    return read_time(replies_of(bytes).at(0));
}

TEST(server_time, is_read_to_the_microsecond) {
    EXPECT_EQ(time_of(time_reply("1700000000", "123456")), that_time);
    EXPECT_EQ(time_of(time_reply("0", "0")), time_point{});
    EXPECT_EQ(time_of(time_reply("1700000000", "999999")), time_point{1'700'000'000s + 999'999us});
}

TEST(server_time, is_believed_to_the_year_2200) {
    EXPECT_EQ(time_of(time_reply("7258118399", "999999")), time_point{7'258'118'399s + 999'999us});
    EXPECT_EQ(time_of(time_reply("7258118400", "0")), std::nullopt);
    EXPECT_EQ(time_of(time_reply("9223372035", "999999")), std::nullopt);
    EXPECT_EQ(time_of(time_reply("9223372036854775807", "0")), std::nullopt);
    EXPECT_EQ(time_of(time_reply("9223372036854775808", "0")), std::nullopt);
}

TEST(server_time, is_not_read_from_other_replies) {
    for (const std::string& bytes :
         {std::string{"+OK\r\n"}, std::string{"-NOPERM no\r\n"}, std::string{":1700000000\r\n"},
          std::string{"$-1\r\n"}, std::string{"*0\r\n"}, "*1\r\n" + bulk("1700000000"),
          "*3\r\n" + bulk("1") + bulk("2") + bulk("3"), std::string{"*2\r\n:1700000000\r\n:0\r\n"},
          std::string{"*2\r\n*0\r\n$-1\r\n"}, time_reply("", "0"), time_reply("1700000000", ""),
          time_reply("-1", "0"), time_reply("1700000000", "-1"),
          time_reply("1700000000", "1000000"), time_reply("1700000000 ", "0"),
          time_reply(" 1700000000", "0"), time_reply("+1", "0"), time_reply("1.7e9", "0"),
          time_reply("0x10", "0")}) {
        EXPECT_EQ(time_of(bytes), std::nullopt) << bytes;
    }
}

} // namespace
