// Servers that want to know who asks, and do not let everybody do everything.

#include "service.hpp"
#include "support/eventually.hpp"
#include "support/raw_redis.hpp"
#include "support/redis_server.hpp"

#include <weir/error.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <string_view>

namespace {

using namespace std::chrono_literals;
using namespace weir::tests;
using ::testing::StartsWith;
using weir::decider;
using weir::errc;

const std::error_code not_permitted = make_error_code(errc::not_permitted);

/// The same URI, with who asks in it: `user:password`.
std::string as(const std::string& who, std::string uri) {
    return uri.insert(uri.find("//") + 2, who + '@');
}

TEST(server_with_a_password, fails_calls_without_it_at_once_and_says_why) {
    const redis_server server{{"--requirepass", "secret"}};
    const service s{{.uri = server.uri(), .timeout = very_long}};
    EXPECT_EQ(s.calls([&] { return s.denying.allow("k"); }).error(), not_permitted);
    expect_failure(s, not_permitted, true);
    EXPECT_THAT(s.backend.stats().last_error, StartsWith("NOAUTH"));
    s.calls.expect_in_time();
}

TEST(server_with_a_password, fails_calls_with_another_one_at_once_and_says_why) {
    const redis_server server{{"--requirepass", "secret"}};
    const service s{{.uri = as(":wrong", server.uri()), .timeout = very_long}};
    EXPECT_EQ(s.calls([&] { return s.denying.allow("k"); }).error(), not_permitted);
    expect_failure(s, not_permitted, true);
    EXPECT_THAT(s.backend.stats().last_error, StartsWith("WRONGPASS"));
    s.calls.expect_in_time();
}

TEST(password_that_changes, is_asked_for_again_and_used) {
    const redis_server server{{"--requirepass", "first"}};
    raw_redis admin{as(":first", server.uri())};
    std::atomic<const char*> password{"first"};
    std::atomic<int> asked{0};
    const service s{{.uri = server.uri(), .timeout = very_long, .credentials = [&] {
                         asked.fetch_add(1);
                         return weir::redis_credentials{.password = password.load()};
                     }}};
    s.begin();
    admin.command("CONFIG", "SET", "requirepass", "second");
    EXPECT_TRUE(s.works()); // who is in stays in
    admin.command("CLIENT", "KILL", "TYPE", "normal");
    ASSERT_TRUE(eventually([&] { return s.denying.allow("k").error() == not_permitted; }));
    EXPECT_THAT(s.backend.stats().last_error, StartsWith("WRONGPASS"));
    password.store("second");
    s.expect_return();
    EXPECT_GE(asked.load(), 3);
}

class user_with_few_permissions : public testing::Test {
protected:
    template<class... Rules>
    void set(const Rules&... rules) {
        admin.command("ACL", "SETUSER", "app", "on", ">secret", rules...);
    }

    redis_server server;
    raw_redis admin{server.uri()};
};

TEST_F(user_with_few_permissions, gets_what_he_may_have_and_an_error_for_the_rest) {
    set("~*", "+@all");
    const service s{
        {.uri = as("app:secret", server.uri()), .timeout = very_long, .heartbeat = 20ms}};
    s.begin();
    set("-@write", "-@scripting"); // for connections that are open, too
    expect_failure(s, not_permitted, false);
    EXPECT_THAT(s.backend.stats().last_error, StartsWith("NOPERM"));
    set("+@all");
    EXPECT_EQ(s.denying.allow("k").decided_by, decider::backend);
    EXPECT_EQ(s.backend.stats().connections_lost, 0U);
    s.calls.expect_in_time();
}

TEST_F(user_with_few_permissions, may_be_kept_from_single_keys) {
    set("~weir:page:*", "~{weir:page:*", "+@all");
    const service s{{.uri = as("app:secret", server.uri()), .timeout = very_long}};
    ASSERT_TRUE(s.backend.wait_until_connected(patience));
    s.pages.put(stored_key, stored_value);
    EXPECT_TRUE(s.pages.get(stored_key));
    EXPECT_EQ(s.denying.allow("k").error(), not_permitted);
    EXPECT_EQ(s.lasting.get(stored_key).error(), not_permitted);
    EXPECT_EQ(s.backend.stats().connections_lost, 0U);
}

TEST_F(user_with_few_permissions, who_may_call_scripts_only_is_told_by_them) {
    set("~*", "+@all", "-set", "-del", "-bitfield");
    const service s{{.uri = as("app:secret", server.uri()), .timeout = very_long}};
    ASSERT_TRUE(s.backend.wait_until_connected(patience));
    std::error_code ec;
    EXPECT_FALSE(s.pages.add("k", "v", ec));
    EXPECT_EQ(ec, not_permitted) << s.backend.stats().last_error;
}

TEST_F(user_with_few_permissions, who_is_deleted_is_told_so) {
    set("~*", "+@all");
    const service s{{.uri = as("app:secret", server.uri()), .timeout = very_long}};
    s.begin();
    admin.command("ACL", "DELUSER", "app");
    ASSERT_TRUE(eventually([&] { return s.denying.allow("k").error() == not_permitted; }));
    set("~*", "+@all");
    s.expect_return();
}

} // namespace
