#include <weir/redis/uri.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using weir::detail::parse_redis_uri;
using weir::detail::redis_address;
using namespace std::string_literals;

/// What the parser says of a URI that it refuses.
std::string refusal(std::string_view uri) {
    try {
        static_cast<void>(parse_redis_uri(uri));
    } catch (const std::invalid_argument& refused) {
        return refused.what();
    }
    return "accepted";
}

// ---- redis:// ------------------------------------------------------------------------------

TEST(redis_uri, a_host_is_enough) {
    EXPECT_EQ(parse_redis_uri("redis://localhost"), (redis_address{.host = "localhost"}));
    EXPECT_EQ(parse_redis_uri("redis://localhost/"), (redis_address{.host = "localhost"}));
    EXPECT_EQ(redis_address{}.port, 6379);
    EXPECT_EQ(redis_address{}.db, 0);
}

TEST(redis_uri, every_part_is_read) {
    EXPECT_EQ(parse_redis_uri("redis://app:secret@cache-1.example.com:6380/15"),
              (redis_address{.host = "cache-1.example.com",
                             .port = 6380,
                             .user = "app",
                             .password = "secret",
                             .db = 15}));
}

TEST(redis_uri, a_host_may_be_an_address_or_a_name_with_underscores) {
    EXPECT_EQ(parse_redis_uri("redis://127.0.0.1:1").host, "127.0.0.1");
    EXPECT_EQ(parse_redis_uri("redis://my_redis_1").host, "my_redis_1");
    EXPECT_EQ(parse_redis_uri("redis://" + std::string(253, 'a')).host, std::string(253, 'a'));
}

TEST(redis_uri, an_ipv6_address_stands_in_brackets) {
    EXPECT_EQ(parse_redis_uri("redis://[::1]").host, "::1");
    EXPECT_EQ(parse_redis_uri("redis://:pw@[2001:db8::7]:6380/2"),
              (redis_address{.host = "2001:db8::7", .port = 6380, .password = "pw", .db = 2}));
    EXPECT_EQ(parse_redis_uri("redis://[::ffff:10.0.0.1]").host, "::ffff:10.0.0.1");
}

TEST(redis_uri, a_password_may_stand_without_a_user_and_a_user_with_an_empty_one) {
    EXPECT_EQ(parse_redis_uri("redis://:secret@h"),
              (redis_address{.host = "h", .password = "secret"}));
    EXPECT_EQ(parse_redis_uri("redis://app:@h"), (redis_address{.host = "h", .user = "app"}));
    EXPECT_EQ(parse_redis_uri("redis://:@h"), (redis_address{.host = "h"}));
}

TEST(redis_uri, user_and_password_are_percent_decoded) {
    const redis_address address = parse_redis_uri("redis://a%3Ab%40c:%2f%3F%23%25%20%00%ff@h");
    EXPECT_EQ(address.user, "a:b@c");
    EXPECT_EQ(address.password, "/?#% \0\xff"s);
}

TEST(redis_uri, what_needs_no_encoding_may_stand_as_it_is) {
    const redis_address address = parse_redis_uri("redis://us+er:p:a@s+s=&!$\xc3\xbc@h");
    EXPECT_EQ(address.user, "us+er");
    EXPECT_EQ(address.password, "p:a@s+s=&!$\xc3\xbc");
}

TEST(redis_uri, the_database_may_be_an_option) {
    EXPECT_EQ(parse_redis_uri("redis://h?db=3").db, 3);
    EXPECT_EQ(parse_redis_uri("redis://h:1/?db=3"),
              (redis_address{.host = "h", .port = 1, .db = 3}));
    EXPECT_EQ(parse_redis_uri("redis://h/2147483647").db, 2147483647);
}

// ---- unix:// -------------------------------------------------------------------------------

TEST(redis_uri, a_unix_socket_is_a_path_and_perhaps_a_database) {
    EXPECT_EQ(parse_redis_uri("unix:///run/redis.sock"),
              (redis_address{.path = "/run/redis.sock"}));
    EXPECT_EQ(parse_redis_uri("unix:///run/redis.sock?db=2"),
              (redis_address{.path = "/run/redis.sock", .db = 2}));
}

TEST(redis_uri, credentials_for_a_unix_socket_stand_before_its_path) {
    EXPECT_EQ(
        parse_redis_uri("unix://app:sec%2Fret@/run/redis.sock?db=1"),
        (redis_address{.path = "/run/redis.sock", .user = "app", .password = "sec/ret", .db = 1}));
    EXPECT_EQ(parse_redis_uri("unix://:secret@/s"),
              (redis_address{.path = "/s", .password = "secret"}));
}

TEST(redis_uri, a_path_is_percent_decoded_and_may_hold_an_at_sign) {
    EXPECT_EQ(parse_redis_uri("unix:///run/redis@6379/my%20socket%3F").path,
              "/run/redis@6379/my socket?");
}

// ---- what is refused, and how --------------------------------------------------------------

TEST(redis_uri, other_schemes_are_refused_with_what_it_must_be) {
    EXPECT_EQ(refusal("http://h"),
              "weir: Redis URI: the scheme is `http`; it must be `redis://` or `unix://`");
    EXPECT_THAT(refusal("redis+sentinel://h"), HasSubstr("the scheme is `redis+sentinel`"));
    EXPECT_THAT(refusal("REDIS://h"), HasSubstr("the scheme is `REDIS`"));
    EXPECT_THAT(refusal("://h"), HasSubstr("the scheme cannot be read"));
    for (const std::string_view uri : {"", "localhost", "localhost:6379", "redis:h", "redis:/h"}) {
        EXPECT_THAT(refusal(uri), HasSubstr("must begin with `redis://` or `unix://`")) << uri;
    }
}

TEST(redis_uri, tls_is_refused_as_not_supported_yet) {
    EXPECT_THAT(refusal("rediss://h"), HasSubstr("TLS (`rediss://`) is not supported yet"));
}

TEST(redis_uri, a_missing_or_impossible_host_is_refused) {
    for (const std::string& uri : {"redis://"s, "redis:///0"s, "redis://:6379"s, "redis://u:p@"s,
                                   "redis://u:p@:1/0"s, "redis://a,b"s, "redis://%6c"s,
                                   "redis://h\xc3\xbc"s, "redis://" + std::string(254, 'a')}) {
        EXPECT_THAT(refusal(uri), HasSubstr("the host must be 1 to 253 letters, digits")) << uri;
    }
}

TEST(redis_uri, brackets_hold_an_ipv6_address_and_nothing_else) {
    for (const std::string_view uri :
         {"redis://[]", "redis://[::1", "redis://[h]", "redis://[127.0.0.1]", "redis://[::1::]",
          "redis://[fe80::1%25eth0]", "redis://[1:2:3:4:5:6:7:8:9]:1"}) {
        EXPECT_THAT(refusal(uri), HasSubstr("the host in brackets must be an IPv6 address")) << uri;
    }
    EXPECT_THAT(refusal("redis://[::1]x"), HasSubstr("behind the bracketed host"));
    EXPECT_THAT(refusal("redis://::1"), HasSubstr("the host must be"));
    EXPECT_THAT(refusal("redis://2001:db8::7:6379"),
                HasSubstr("an IPv6 address goes into brackets"));
}

TEST(redis_uri, a_port_that_is_no_port_is_refused_with_the_range) {
    for (const std::string_view port :
         {"", "0", "65536", "99999999999999999999", "-1", "+1", "6379x", "x", "0x10", "1.5"}) {
        EXPECT_EQ(refusal("redis://h:" + std::string{port}),
                  "weir: Redis URI: the port must be a number from 1 to 65535")
            << port;
    }
    EXPECT_EQ(parse_redis_uri("redis://h:65535").port, 65535);
}

TEST(redis_uri, a_database_that_is_none_is_refused_with_the_range) {
    for (const std::string_view db :
         {"-1", "-0", "+1", "x", "1x", "0/", "/0", "1/2", "2147483648", "99999999999999999999"}) {
        EXPECT_EQ(refusal("redis://h/" + std::string{db}),
                  "weir: Redis URI: the database must be a number from 0 to 2147483647")
            << db;
    }
    EXPECT_THAT(refusal("unix:///s?db="), HasSubstr("the database must be"));
    EXPECT_THAT(refusal("unix:///s?db"), HasSubstr("the database must be"));
    EXPECT_THAT(refusal("unix:///s?db==1"), HasSubstr("the database must be"));
}

TEST(redis_uri, a_database_given_twice_is_refused) {
    for (const std::string_view uri :
         {"redis://h/1?db=1", "redis://h?db=1&db=1", "unix:///s?db=1&db=2"}) {
        EXPECT_THAT(refusal(uri), HasSubstr("the database is given twice")) << uri;
    }
}

TEST(redis_uri, an_unknown_option_is_refused_by_its_name) {
    EXPECT_EQ(refusal("redis://h?timeout=5s"),
              "weir: Redis URI: the option `timeout` is unknown; the only one is `db`");
    EXPECT_THAT(refusal("unix:///s?db=1&protocol=3"),
                HasSubstr("the option `protocol` is unknown"));
    EXPECT_THAT(refusal("unix:///s?DB=1"), HasSubstr("the option `DB` is unknown"));
    for (const std::string_view uri :
         {"unix:///s?", "unix:///s?db=1&", "unix:///s?%64b=1", "unix:///s?=1"}) {
        EXPECT_THAT(refusal(uri), HasSubstr("an option is unknown; the only one is `db`")) << uri;
    }
}

// To redis-cli and lettuce this is a password, to redis-py a user.
TEST(redis_uri, credentials_without_a_colon_are_refused_as_ambiguous) {
    for (const std::string_view uri : {"redis://secret@h", "redis://@h", "unix://secret@/s"}) {
        EXPECT_THAT(refusal(uri), HasSubstr("the part before the `@` has no `:`")) << uri;
    }
}

TEST(redis_uri, a_percent_sign_without_two_digits_is_refused_with_the_part_that_has_it) {
    EXPECT_THAT(refusal("redis://a%:p@h"), HasSubstr("a `%` in the user is not followed by"));
    EXPECT_THAT(refusal("redis://a:p%4@h"), HasSubstr("a `%` in the password is not followed by"));
    EXPECT_THAT(refusal("redis://a:p%4g@h"), HasSubstr("a `%` in the password is not followed by"));
    EXPECT_THAT(refusal("unix:///s%+1"), HasSubstr("a `%` in the path is not followed by"));
}

TEST(redis_uri, what_a_line_or_a_comment_leaves_behind_is_refused) {
    for (const std::string& uri : {"redis://h\n"s, " redis://h"s, "redis://h\r"s, "redis://h\0"s,
                                   "redis://:a b@h"s, "redis://h\x7f"s, "redis://h/0#prod"s}) {
        EXPECT_THAT(refusal(uri), HasSubstr("must be percent-encoded")) << uri;
    }
}

TEST(redis_uri, a_unix_uri_without_a_usable_path_is_refused) {
    for (const std::string& uri : {"unix://"s, "unix://:p@"s, "unix://?db=1"s, "unix:///a%00b"s,
                                   "unix:///" + std::string(107, 'a')}) {
        EXPECT_THAT(refusal(uri), HasSubstr("the path of a Unix socket must be 1 to 107 bytes"))
            << uri;
    }
    EXPECT_EQ(parse_redis_uri("unix:///" + std::string(106, 'a')).path.size(), 107U);
    for (const std::string_view uri :
         {"unix://run/redis.sock", "unix://localhost/s", "unix://u:p@h/s"}) {
        EXPECT_THAT(refusal(uri), HasSubstr("a Unix socket has no host")) << uri;
    }
}

// ---- passwords -----------------------------------------------------------------------------

TEST(redis_uri, a_password_that_should_be_encoded_is_refused_with_advice) {
    for (const std::string_view uri :
         {"redis://:se/cret@h", "redis://:se?cret@h", "redis://u:6379/secret@h:6379/0",
          "redis://u:p@h/0?db=1@secret", "unix://:se?cret@/s"}) {
        EXPECT_THAT(refusal(uri), HasSubstr("percent-encode `/`, `?` and `@` in user and password"))
            << uri;
    }
}

TEST(redis_uri, a_refusal_does_not_show_a_password_without_a_host) {
    for (const std::string_view uri :
         {"redis://:hunter2", "redis://app:hunter2", "redis://:hunter2@", "redis://app:hunter2@/0",
          "redis://app:hunter/2", "unix://app:hunter2", "unix://:hunter2@", "app:hunter2@h"}) {
        EXPECT_THAT(refusal(uri), AllOf(Not(HasSubstr("hunter")), Not("accepted"))) << uri;
    }
}

/// URIs with something wrong beside the password, for which the first % stands.
// clang-format off
const std::vector<std::string> broken_uris{
    "redis://:%@h:port",    "redis://u:%@h:0",    "redis://u:%@",        "redis://u:%@h/x",
    "redis://u:%@h/1?db=2", "redis://u:%@h?db=x", "redis://u:%@h?x=%",   "redis://%@h",
    "redis://u:%@[h]",      "redis://u:%@[::1]x", "redis://u:%@h ",      "redis://u:%@h#",
    "redis://u:%%zz@h",     "redis://u:%@h:1:2",  "rediss://u:%@h",      "http://u:%@h",
    "u:%@h",                ":%@h:6379",          "unix://u:%@",         "unix://u:%@h/s",
    "unix://u:%@/s?db=x",   "unix://u:%@/s?x=1",  "unix://%@/s",         "unix://u:%@/%00"};
// clang-format on

TEST(redis_uri, a_refusal_never_shows_a_password) {
    // Letters that no sentence has in a row, and all that separates the parts of a URI.
    const auto piece = rc::gen::element("qzq"s, "qZj"s, "jqx"s);
    const auto separator = rc::gen::element(""s, "/"s, "?"s, "@"s, ":"s, "&"s, "="s, "%"s, "%41"s);
    EXPECT_TRUE(rc::check([&] {
        std::string password = *piece;
        for (int i = *rc::gen::inRange(0, 4); i > 0; --i) {
            password += *separator + *piece;
        }
        std::string uri = *rc::gen::elementOf(broken_uris);
        uri.replace(uri.find('%'), 1, password);
        const std::string said = refusal(uri);
        RC_LOG() << uri << "\n" << said << "\n";
        for (const char* const part : {"qzq", "qZj", "jqx"}) {
            RC_ASSERT(said.find(part) == std::string::npos);
        }
    }));
}

/// As any client's library does it.
std::string percent_encoded(std::string_view text) {
    std::string out;
    for (const char c : text) {
        constexpr std::string_view digits = "0123456789abcdef";
        const auto byte = static_cast<unsigned char>(c);
        out += {'%', digits[byte >> 4], digits[byte & 15]};
    }
    return out;
}

TEST(redis_uri, whatever_is_encoded_reads_back) {
    EXPECT_TRUE(rc::check([](const std::string& user, const std::string& password) {
        const auto port = *rc::gen::inRange<std::uint16_t>(1, 65535);
        const auto db = *rc::gen::inRange(0, 100'000);
        const std::string credentials =
            percent_encoded(user) + ':' + percent_encoded(password) + '@';
        RC_ASSERT(parse_redis_uri("redis://" + credentials + "h:" + std::to_string(port) + '/' +
                                  std::to_string(db)) ==
                  (redis_address{
                      .host = "h", .port = port, .user = user, .password = password, .db = db}));
        RC_ASSERT(parse_redis_uri("unix://" + credentials + "/s?db=" + std::to_string(db)) ==
                  (redis_address{.path = "/s", .user = user, .password = password, .db = db}));
    }));
}

TEST(redis_uri, any_text_is_read_or_refused_with_a_sentence) {
    const auto piece =
        rc::gen::element("redis"s, "unix"s, "://"s, "/"s, "?"s, "@"s, ":"s, "["s, "]"s, "::1"s,
                         "db"s, "="s, "&"s, "1"s, "70000"s, "%4"s, "h"s, "\xff"s);
    EXPECT_TRUE(rc::check([&] {
        std::string uri;
        for (const std::string& p : *rc::gen::container<std::vector<std::string>>(piece)) {
            uri += p;
        }
        const std::string said = refusal(uri);
        RC_ASSERT(said == "accepted" || said.starts_with("weir: Redis URI: "));
    }));
}

} // namespace
