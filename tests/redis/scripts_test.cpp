// The scripts, on a real server: that their digests are those of their texts, what they do, and that
// one that fails has changed nothing.

#include <weir/redis/commands.hpp>
#include <weir/redis/scripts.hpp>

#include "support/raw_redis.hpp"
#include "support/redis_server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using ::testing::IsEmpty;
using weir::detail::redis::add_script;
using weir::detail::redis::commands;
using weir::detail::redis::give_back_script;
using weir::detail::redis::put_if_leased_script;
using weir::detail::redis::release_script;
using weir::detail::redis::script;
using weir::tests::fresh_database;
using weir::tests::raw_redis;
using weir::tests::raw_reply;
using weir::tests::redis_server;
using namespace std::string_literals;

/// All keys, with what they hold and when they end.
using contents = std::map<std::string, std::pair<std::string, std::int64_t>>;

class scripts_test : public testing::Test {
protected:
    template<class... Parts>
    raw_reply run(const script& s, const Parts&... parts) {
        commands c;
        c.call(s, parts...);
        c.spell_out();
        redis.send_bytes(c.bytes());
        return redis.receive();
    }

    contents all() {
        contents found;
        for (const std::string& key : redis.keys()) {
            found[key] = {redis.command("DUMP", key).text,
                          redis.command("PEXPIRETIME", key).integer};
        }
        return found;
    }

    // ---- counters --------------------------------------------------------------------------

    void set_used(std::int64_t used) {
        redis.command("SET", "counter", std::string(8, '\0'), "PX", 100'000);
        redis.command("BITFIELD", "counter", "SET", "u63", 0, used);
    }
    std::int64_t used() {
        return redis.command("BITFIELD", "counter", "GET", "u63", 0).elements.at(0).integer;
    }

    // ---- values ----------------------------------------------------------------------------

    /// The time is 1000 ms, as far as the script knows.
    raw_reply put_if_leased(std::string_view token, std::string_view value, std::int64_t ttl = 5000,
                            std::int64_t grace = 200'000) {
        return run(put_if_leased_script, "value", "lease", token, value, std::to_string(ttl),
                   std::to_string(grace), "1000");
    }
    void lease(std::string_view token) { redis.command("SET", "lease", token, "PX", 100'000); }
    void value(std::string_view bytes, std::int64_t ttl) {
        redis.command("SET", "value", bytes, "PX", ttl);
    }
    bool leased() { return redis.command("EXISTS", "lease") == 1; }
    std::int64_t value_ttl() { return redis.command("PTTL", "value").integer; }

    raw_redis redis{fresh_database().uri()};
};

/// Of a time that had just begun when the key was written.
testing::Matcher<std::int64_t> nearly(std::int64_t milliseconds) {
    return testing::AllOf(testing::Gt(milliseconds - 60'000), testing::Le(milliseconds));
}

/// Bytes that say until when they are fresh, in milliseconds; the time is 1000.
std::string fresh_until(std::int64_t milliseconds, const std::string& bytes = "old") {
    const std::string digits = std::to_string(milliseconds);
    return std::string{"\x03"} + std::string(15 - digits.size(), '0') + digits + bytes;
}

TEST_F(scripts_test, have_the_digests_of_their_texts) {
    for (const script* const s :
         {&give_back_script, &add_script, &put_if_leased_script, &release_script}) {
        EXPECT_EQ(redis.command("SCRIPT", "LOAD", s->text), s->digest) << s->text;
    }
}

TEST_F(scripts_test, have_as_many_keys_as_they_say) {
    for (const script* const s :
         {&give_back_script, &add_script, &put_if_leased_script, &release_script}) {
        for (std::size_t number = 1; number <= 4; ++number) {
            const bool used =
                s->text.find("KEYS[" + std::to_string(number) + ']') != std::string_view::npos;
            EXPECT_EQ(used, number <= s->keys);
        }
    }
}

// ---- give_back ---------------------------------------------------------------------------------

TEST_F(scripts_test, give_back_returns_permits) {
    set_used(5);
    EXPECT_EQ(run(give_back_script, "counter", 3), 1);
    EXPECT_EQ(used(), 2);
    EXPECT_EQ(run(give_back_script, "counter", 2), 1);
    EXPECT_EQ(used(), 0);
}

TEST_F(scripts_test, give_back_returns_no_more_than_is_in_use) {
    set_used(5);
    EXPECT_EQ(run(give_back_script, "counter", 6), 1);
    EXPECT_EQ(used(), 0);
    EXPECT_EQ(run(give_back_script, "counter", 1), 0);
    EXPECT_EQ(used(), 0);
}

TEST_F(scripts_test, give_back_of_nothing_changes_nothing) {
    set_used(5);
    EXPECT_EQ(run(give_back_script, "counter", 0), 0);
    EXPECT_EQ(used(), 5);
}

TEST_F(scripts_test, give_back_makes_no_counter) {
    EXPECT_EQ(run(give_back_script, "counter", 3), 0);
    EXPECT_THAT(all(), IsEmpty());
}

TEST_F(scripts_test, give_back_leaves_the_end_of_the_counter_as_it_is) {
    set_used(5);
    const std::int64_t end = redis.command("PEXPIRETIME", "counter").integer;
    EXPECT_EQ(run(give_back_script, "counter", 3), 1);
    EXPECT_EQ(redis.command("PEXPIRETIME", "counter"), end);
}

TEST_F(scripts_test, give_back_counts_exactly_to_the_largest_limit) {
    constexpr std::int64_t most = std::int64_t{1} << 32;
    set_used(most - 1);
    EXPECT_EQ(run(give_back_script, "counter", 1), 1);
    EXPECT_EQ(used(), most - 2);
    EXPECT_EQ(run(give_back_script, "counter", most - 3), 1);
    EXPECT_EQ(used(), 1);
    EXPECT_EQ(run(give_back_script, "counter", most), 1);
    EXPECT_EQ(used(), 0);
}

// ---- add ---------------------------------------------------------------------------------------

TEST_F(scripts_test, add_stores_where_nothing_is_and_ends_the_lease) {
    lease("7");
    EXPECT_EQ(run(add_script, "value", "lease", "new\0\r\n"s, "90000"), 1);
    EXPECT_EQ(redis.command("GET", "value"), "new\0\r\n"s);
    EXPECT_THAT(value_ttl(), nearly(90'000));
    EXPECT_FALSE(leased());
}

TEST_F(scripts_test, add_changes_nothing_where_something_is) {
    lease("7");
    value("old", 100'000);
    const contents before = all();
    EXPECT_EQ(run(add_script, "value", "lease", "new", "90000"), 0);
    EXPECT_EQ(all(), before);
    redis.command("DEL", "value");
    redis.command("RPUSH", "value", "of another kind");
    const contents with_a_list = all();
    EXPECT_EQ(run(add_script, "value", "lease", "new", "90000"), 0);
    EXPECT_EQ(all(), with_a_list);
}

// ---- put_if_leased -----------------------------------------------------------------------------

TEST_F(scripts_test, put_if_leased_stores_under_the_lease_and_ends_it) {
    lease("7");
    EXPECT_EQ(put_if_leased("7", "new\0\r\n"s, 90'000), 1);
    EXPECT_EQ(redis.command("GET", "value"), "new\0\r\n"s);
    EXPECT_THAT(value_ttl(), nearly(90'000));
    EXPECT_FALSE(leased());
}

TEST_F(scripts_test, put_if_leased_changes_nothing_without_that_lease) {
    EXPECT_EQ(put_if_leased("7", "new"), 0);
    EXPECT_THAT(all(), IsEmpty());
    lease("8");
    value("stale", 100'000);
    const contents before = all();
    EXPECT_EQ(put_if_leased("7", "new"), 0);
    EXPECT_EQ(put_if_leased("", "new"), 0);
    EXPECT_EQ(put_if_leased("88", "new"), 0);
    EXPECT_EQ(put_if_leased("7", "", 0), 0);
    EXPECT_EQ(all(), before);
}

TEST_F(scripts_test, put_if_leased_replaces_what_is_stale) {
    lease("7");
    value("stale", 100'000); // no more than the grace is left
    EXPECT_EQ(put_if_leased("7", "new"), 1);
    EXPECT_EQ(redis.command("GET", "value"), "new");
    EXPECT_FALSE(leased());
}

TEST_F(scripts_test, put_if_leased_leaves_what_is_fresh_and_ends_the_lease) {
    for (const auto& [bytes, ttl, grace] : std::vector<std::tuple<std::string, int, int>>{
             {"fresh", 300'000, 200'000}, {"fresh", 300'000, 0}, {"", 300'000, 0}}) {
        lease("7");
        value(bytes, ttl);
        EXPECT_EQ(put_if_leased("7", "new", 5000, grace), 0);
        EXPECT_EQ(redis.command("GET", "value"), bytes);
        EXPECT_THAT(value_ttl(), nearly(ttl));
        EXPECT_FALSE(leased());
    }
}

TEST_F(scripts_test, put_if_leased_takes_what_never_ends_for_fresh) {
    lease("7");
    redis.command("SET", "value", "of another program");
    EXPECT_EQ(put_if_leased("7", "new"), 0);
    EXPECT_EQ(redis.command("GET", "value"), "of another program");
    EXPECT_FALSE(leased());
}

TEST_F(scripts_test, put_if_leased_believes_a_value_that_says_until_when_it_is_fresh) {
    lease("7");
    value(fresh_until(1001), 100'000); // by its TTL it would be stale
    EXPECT_EQ(put_if_leased("7", "new"), 0);
    EXPECT_EQ(redis.command("GET", "value"), fresh_until(1001));
    lease("7");
    value(fresh_until(1000), 300'000); // by its TTL it would be fresh
    EXPECT_EQ(put_if_leased("7", "new"), 1);
    EXPECT_EQ(redis.command("GET", "value"), "new");
}

TEST_F(scripts_test, put_if_leased_replaces_what_says_nothing_that_can_be_read) {
    for (const std::string& bytes : {"\x03"s, "\x03soon"s, "\x03" + std::string(15, 'x') + "old"}) {
        lease("7");
        value(bytes, 300'000);
        EXPECT_EQ(put_if_leased("7", "new"), 1) << bytes;
        EXPECT_EQ(redis.command("GET", "value"), "new");
    }
}

TEST_F(scripts_test, put_if_leased_removes_what_is_stale_if_there_is_nothing_to_store) {
    lease("7");
    value("stale", 100'000);
    EXPECT_EQ(put_if_leased("7", "", 0), 1);
    EXPECT_THAT(all(), IsEmpty());
    lease("7");
    EXPECT_EQ(put_if_leased("7", "", 0), 1);
    EXPECT_THAT(all(), IsEmpty());
}

TEST_F(scripts_test, put_if_leased_stores_once) {
    lease("7");
    EXPECT_EQ(put_if_leased("7", "first"), 1);
    EXPECT_EQ(put_if_leased("7", "again"), 0);
    EXPECT_EQ(redis.command("GET", "value"), "first");
}

// ---- release -----------------------------------------------------------------------------------

TEST_F(scripts_test, release_ends_that_lease_and_no_other) {
    lease("7");
    const contents before = all();
    EXPECT_EQ(run(release_script, "lease", "8"), 0);
    EXPECT_EQ(run(release_script, "lease", ""), 0);
    EXPECT_EQ(all(), before);
    EXPECT_EQ(run(release_script, "lease", "7"), 1);
    EXPECT_THAT(all(), IsEmpty());
    EXPECT_EQ(run(release_script, "lease", "7"), 0);
}

// ---- what fails has changed nothing ------------------------------------------------------------

TEST_F(scripts_test, a_key_of_another_kind_is_an_error_and_nothing_is_changed) {
    const auto fails = [&](const std::function<raw_reply()>& call) {
        const contents before = all();
        EXPECT_EQ(call().error_code(), "WRONGTYPE");
        EXPECT_EQ(all(), before);
    };
    redis.command("RPUSH", "counter", "1");
    fails([&] { return run(give_back_script, "counter", 1); });

    redis.command("RPUSH", "value", "of another kind");
    lease("7");
    fails([&] { return put_if_leased("7", "new"); });
    redis.command("PEXPIRE", "value", 100'000);
    fails([&] { return put_if_leased("7", "new"); });

    redis.command("DEL", "value", "lease");
    redis.command("RPUSH", "lease", "7");
    value("stale", 100'000);
    fails([&] { return put_if_leased("7", "new"); });
    fails([&] { return run(release_script, "lease", "7"); });
}

/// A server that refuses to write, in one of several ways.
struct unwilling {
    const char* code;
    std::function<void(raw_redis&)> begin;
    std::function<void(raw_redis&)> end;
};

TEST(scripts_on_an_unwilling_server, change_nothing) {
    redis_server server;
    const std::vector<unwilling> ways{
        {"OOM", [](raw_redis& r) { r.command("CONFIG", "SET", "maxmemory", 1); },
         [](raw_redis& r) { r.command("CONFIG", "SET", "maxmemory", 0); }},
        {"NOREPLICAS", [](raw_redis& r) { r.command("CONFIG", "SET", "min-replicas-to-write", 1); },
         [](raw_redis& r) { r.command("CONFIG", "SET", "min-replicas-to-write", 0); }},
        {"READONLY", [](raw_redis& r) { r.command("REPLICAOF", "127.0.0.1", 1); },
         [](raw_redis& r) { r.command("REPLICAOF", "NO", "ONE"); }}};
    raw_redis redis{server.uri()};
    const auto contents_now = [&] {
        contents found;
        for (const std::string& key : redis.keys()) {
            found[key] = {redis.command("DUMP", key).text,
                          redis.command("PEXPIRETIME", key).integer};
        }
        return found;
    };
    const auto ask = [&](commands c) {
        c.spell_out();
        redis.send_bytes(c.bytes());
        return redis.receive();
    };
    std::vector<commands> calls(4);
    calls[0].call(give_back_script, "counter", 3);
    calls[1].call(add_script, "absent", "lease", "new", "5000");
    calls[2].call(put_if_leased_script, "value", "lease", "7", "new", "5000", "200000", "1000");
    calls[3].call(put_if_leased_script, "absent", "lease", "7", "new", "5000", "0", "1000");
    for (const unwilling& way : ways) {
        redis.command("FLUSHALL");
        redis.command("SET", "counter", std::string(8, '\1'), "PX", 100'000);
        redis.command("SET", "lease", "7", "PX", 100'000);
        redis.command("SET", "value", "stale", "PX", 100'000);
        const contents before = contents_now();
        way.begin(redis);
        for (const commands& c : calls) {
            EXPECT_EQ(ask(c).error_code(), way.code) << c.bytes();
        }
        way.end(redis);
        EXPECT_EQ(contents_now(), before) << way.code;
        for (const commands& c : calls) {
            EXPECT_FALSE(ask(c).is_error());
        }
    }
}

} // namespace
