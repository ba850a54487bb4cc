// Servers that are not ready for anybody, or not for one more.

#include "service.hpp"
#include "support/eventually.hpp"
#include "support/raw_redis.hpp"
#include "support/redis_server.hpp"

#include <weir/error.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <system_error>

namespace {

using namespace std::chrono_literals;
using namespace weir::tests;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using weir::errc;

TEST(server_that_loads_its_data, rejects_calls_until_it_is_ready) {
    // It takes a second, and looks at its clients after each key, which is larger than that.
    redis_server server{{"--key-load-delay", "1000", "--loading-process-events-interval-bytes",
                         "1024", "--rdbcompression", "no"}};
    {
        raw_redis admin{server.uri()};
        admin.command("DEBUG", "POPULATE", 1000, "key", 2000);
        admin.command("SAVE");
    }
    const service s{
        {.uri = server.uri(), .timeout = very_long, .connections = 1, .heartbeat = 20ms}};
    s.begin();
    server.kill();
    server.restart(redis_server::readiness::answers);
    const std::error_code rejected = make_error_code(errc::rejected);
    ASSERT_TRUE(eventually([&] { return s.denying.peek("k").error() == rejected; }));
    expect_failure(s, rejected, true);
    EXPECT_THAT(s.backend.stats().last_error, StartsWith("LOADING"));
    raw_redis admin{server.uri()};
    ASSERT_TRUE(eventually([&] { return admin.ask("PING") == "PONG"; }));
    s.expect_return();
    EXPECT_EQ(s.backend.stats().connections_lost, 1U);
    s.calls.expect_in_time();
}

TEST(server_with_as_many_clients_as_it_takes, serves_those_and_says_so_to_others) {
    const redis_server server;
    raw_redis admin{server.uri()};
    const service inside{{.uri = server.uri(), .timeout = very_long, .connections = 1}};
    inside.begin();
    admin.command("CONFIG", "SET", "maxclients", 2);
    const service outside{{.uri = server.uri(), .timeout = very_long}};
    const std::error_code error = outside.calls([&] { return outside.denying.allow("k"); }).error();
    EXPECT_EQ(error, errc::rejected);
    expect_failure(outside, error, true);
    EXPECT_THAT(outside.backend.stats().last_error, HasSubstr("max number of clients"));
    EXPECT_TRUE(inside.works());
    admin.command("CONFIG", "SET", "maxclients", 100);
    outside.expect_return();
    for (const service* const s : {&inside, &outside}) {
        s->calls.expect_in_time();
    }
    EXPECT_EQ(inside.backend.stats().connections_lost, 0U);
}

} // namespace
