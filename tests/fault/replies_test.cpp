// Replies that are none, that are too large, or that are not those to what was asked.

#include "ledger.hpp"
#include "service.hpp"
#include "support/eventually.hpp"
#include "support/fault_proxy.hpp"
#include "support/raw_redis.hpp"
#include "support/redis_server.hpp"

#include <weir/error.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <ostream>
#include <string>

namespace {

using namespace std::chrono_literals;
using namespace weir::tests;
using weir::errc;

std::string repeated(const std::string& text, int times) {
    std::string all;
    for (int i = 0; i != times; ++i) {
        all += text;
    }
    return all;
}

struct malformed {
    std::string name;
    std::string bytes;
    errc error = errc::protocol_error;

    friend void PrintTo(const malformed& m, std::ostream* out) { *out << m.name; }
};

class malformed_replies : public testing::TestWithParam<malformed> {
protected:
    /// With no replies but those to what a test asks for.
    [[nodiscard]] weir::redis_options options() const {
        return {.uri = proxy.uri(), .timeout = very_long, .connections = 1, .heartbeat = 1h};
    }

    redis_server server;
    fault_proxy proxy{server.uri()};
    raw_redis referee{server.uri()};
};

INSTANTIATE_TEST_SUITE_P(
    such_as, malformed_replies,
    testing::Values(
        malformed{"of_a_web_server", "HTTP/1.1 400 Bad Request\r\n\r\n"},
        malformed{"an_empty_line", "\r\n"}, malformed{"zeros", std::string(100, '\0')},
        malformed{"a_number_with_zeros_before_it", ":007\r\n"},
        malformed{"a_number_with_a_plus", ":+5\r\n"}, malformed{"no_number", ":\r\n"},
        malformed{"too_large_a_number", ":9223372036854775808\r\n"},
        malformed{"an_endless_number", ":" + std::string(100, '1')},
        malformed{"an_endless_line", "+" + std::string(100'000, 'a')},
        malformed{"a_line_within_a_line", "+a\rb\r\n"},
        malformed{"a_string_with_another_end", "$3\r\nabcXX"},
        malformed{"a_string_of_a_negative_size", "$-2\r\n"},
        malformed{"a_string_of_no_size", "$abc\r\nabc\r\n"},
        malformed{"a_string_of_an_absurd_size", "$9223372036854775807\r\n", errc::reply_too_large},
        malformed{"an_array_of_a_negative_size", "*-2\r\n"},
        malformed{"an_array_of_an_absurd_size", "*2147483647\r\n", errc::reply_too_large},
        malformed{"arrays_in_arrays", repeated("*1\r\n", 100'000), errc::reply_too_large},
        malformed{"a_null_of_resp3", "_\r\n"}, malformed{"a_boolean", "#t\r\n"},
        malformed{"a_double", ",1.5\r\n"},
        malformed{"a_big_number", "(3492890328409238509324850943850943825024385\r\n"},
        malformed{"a_map", "%1\r\n+a\r\n+b\r\n"}, malformed{"a_set", "~1\r\n+a\r\n"},
        malformed{"an_attribute", "|1\r\n+a\r\n+b\r\n+c\r\n"},
        malformed{"a_push", ">2\r\n+invalidate\r\n*0\r\n"},
        malformed{"a_verbatim_string", "=7\r\ntxt:abc\r\n"}),
    [](const auto& p) { return p.param.name; });

TEST_P(malformed_replies, cost_one_connection_and_no_wrong_value) {
    const service s{options()};
    s.begin();
    ledger book;
    const auto malform = [&](std::string) { return GetParam().bytes; };
    const auto lost = [&] { return s.backend.stats().connections_lost; };
    std::uint64_t before = lost();
    proxy.alter_next_reply(malform);
    // What only reads may be asked again on another connection, once.
    const auto found = s.calls([&] { return s.pages.get(stored_key); });
    if (found) {
        EXPECT_EQ(*found, stored_value);
    } else {
        EXPECT_EQ(found.error(), make_error_code(GetParam().error));
    }
    EXPECT_TRUE(eventually([&] { return lost() == before + 1; }));
    ASSERT_TRUE(eventually([&] { return s.works(); }));

    before = lost();
    proxy.alter_next_reply(malform);
    const weir::decision d = book.take(s);
    EXPECT_EQ(d.error(), make_error_code(GetParam().error)) << d;
    EXPECT_TRUE(eventually([&] { return lost() == before + 1; }));
    ASSERT_TRUE(eventually([&] { return s.works(); }));
    book.settle(referee);
    s.calls.expect_in_time();
}

TEST_P(malformed_replies, to_every_command_are_an_error_before_the_deadline) {
    const service s{options()};
    s.begin();
    // But for those to handshakes.
    proxy.alter_replies([&](std::string reply) {
        return reply.starts_with("$") || reply.starts_with("*3") ? GetParam().bytes : reply;
    });
    const std::uint64_t made = s.backend.stats().connections_made;
    const std::error_code error = make_error_code(GetParam().error);
    EXPECT_EQ(s.calls([&] { return s.pages.get(stored_key); }).error(), error);
    ASSERT_TRUE(eventually([&] { return s.backend.stats().connections_made > made; }));
    EXPECT_EQ(s.calls([&] { return s.denying.allow("k"); }).error(), error);
    EXPECT_LE(s.backend.stats().connections_made, made + 4);
    proxy.pass();
    EXPECT_TRUE(eventually([&] { return s.works(); }));
    s.calls.expect_in_time();
}

TEST(large_reply, is_an_error_that_says_so) {
    const redis_server server;
    raw_redis admin{server.uri()};
    const service s{{.uri = server.uri(),
                     .timeout = very_long,
                     .max_value_bytes = 10'000,
                     .max_reply_bytes = 10'000}};
    s.begin();
    admin.command("SET", "weir:page:large", std::string(10'001, 'v'), "EX", 1000);
    const std::uint64_t made = s.backend.stats().connections_made;
    EXPECT_EQ(s.calls([&] { return s.pages.get("large"); }).error(), errc::reply_too_large);
    ASSERT_TRUE(eventually([&] { return s.works(); }));
    EXPECT_LE(s.backend.stats().connections_made, made + 2);
}

} // namespace
