// What the store of a cache does where the server refuses a part of it.

#include <weir/cache.hpp>
#include <weir/codec.hpp>
#include <weir/error.hpp>
#include <weir/redis.hpp>
#include <weir/storage.hpp>

#include "support/eventually.hpp"
#include "support/raw_redis.hpp"
#include "support/redis_server.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <future>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace {

/// One that says "stay" cannot be moved.
struct stubborn {
    explicit stubborn(std::string t) : text{std::move(t)} {}
    stubborn(const stubborn&) = delete;
    stubborn(stubborn&& other) : text{std::move(other.text)} {
        if (text == "stay") {
            throw std::length_error{"no room to move"};
        }
    }
    std::string text;
};

} // namespace

template<>
struct weir::codec<stubborn> {
    static void encode(const stubborn& value, std::string& out) { out += value.text; }
    static std::optional<stubborn> decode(std::string_view bytes) {
        return std::optional<stubborn>{std::in_place, std::string{bytes}};
    }
};

namespace {

using weir::errc;
using weir::found;
using weir::lease_token;
using weir::leased;
using weir::lifetime;
using weir::make_value;
using weir::redis_backend;
using weir::store_options;
using weir::tests::eventually;
using weir::tests::fresh_database;
using weir::tests::raw_redis;
using weir::tests::redis_server;
using namespace std::chrono_literals;

using store = weir::detail::redis::redis_store<std::string>;

constexpr lifetime an_hour{.ttl = 1h, .grace = 0s};

redis_backend backend_for(const std::string& uri) {
    weir::redis_options o;
    o.uri = uri;
    o.timeout = 10s;
    return redis_backend{o};
}

/// A server, and a backend whose user may not do everything.
class restricted_store : public testing::Test {
protected:
    /// @param permissions  as ACL SETUSER takes them
    template<class... Words>
    store store_for(const Words&... permissions) {
        admin.command("ACL", "SETUSER", "app", "reset", "on", ">secret", permissions...);
        std::string uri = server.uri();
        uri.insert(uri.find("//") + 2, "app:secret@");
        backend = std::make_unique<redis_backend>(backend_for(uri));
        return backend->values<std::string>("page", store_options{});
    }

    [[nodiscard]] bool holds(std::string_view key) { return admin.command("EXISTS", key) == 1; }

    redis_server server;
    raw_redis admin{server.uri()};
    std::unique_ptr<redis_backend> backend;
    std::error_code ec;
};

constexpr std::string_view value_name = "weir:page:k";
constexpr std::string_view lease_name = "{weir:page:k}:lease";

TEST_F(restricted_store, says_that_a_lease_could_not_be_ended) {
    const store s = store_for("+@all", "~weir:*"); // and not `~{weir:*`
    admin.command("SET", lease_name, 7, "PX", 100'000);
    admin.command("SET", value_name, "old", "PX", 100'000);
    EXPECT_FALSE(s.erase("k", backend->now(), ec));
    EXPECT_EQ(ec, errc::not_permitted);
    s.put("k", make_value<std::string>("new"), an_hour, backend->now(), ec);
    EXPECT_EQ(ec, errc::not_permitted);
    EXPECT_TRUE(holds(lease_name));
}

TEST_F(restricted_store, does_without_more_than_its_names) {
    const store s = store_for("+@all", "~weir:*", "~{weir:*");
    s.put("k", make_value<std::string>("v"), an_hour, backend->now(), ec);
    EXPECT_FALSE(ec) << ec.message();
    EXPECT_EQ(*s.get("k", backend->now(), ec).value, "v");
    EXPECT_TRUE(s.erase("k", backend->now(), ec));
    EXPECT_FALSE(ec) << ec.message();
    const leased<std::string> start = s.get_or_lease("k", backend->now(), ec);
    EXPECT_FALSE(ec) << ec.message();
    EXPECT_TRUE(s.put_if_leased("k", make_value<std::string>("w"), an_hour, start.lease,
                                backend->now(), ec));
    EXPECT_FALSE(ec) << ec.message();
    EXPECT_EQ(s.erase_matching("*", backend->now(), ec), 1);
    EXPECT_FALSE(ec) << ec.message();
}

TEST_F(restricted_store, gives_a_lease_back_if_it_could_not_look_for_the_value) {
    const store s = store_for("+@all", "~{weir:*"); // and not `~weir:*`
    const leased<std::string> nothing = s.get_or_lease("k", backend->now(), ec);
    EXPECT_EQ(ec, errc::not_permitted);
    EXPECT_EQ(nothing.lease, lease_token::none);
    EXPECT_TRUE(eventually([&] { return admin.calls("evalsha") + admin.calls("eval") >= 1; }));
    EXPECT_TRUE(eventually([&] { return !holds(lease_name); }));
}

class plain_store : public testing::Test {
protected:
    weir::tests::database database = fresh_database();
    redis_backend backend = backend_for(database.uri());
    store s = backend.values<std::string>("page", store_options{});
    raw_redis referee{database.uri()};
    std::error_code ec;
};

TEST_F(plain_store, stores_nothing_later_without_a_lease) {
    std::promise<std::pair<bool, std::error_code>> told;
    s.put_if_leased_later("k", make_value<std::string>("v"), an_hour, lease_token::none,
                          backend.now(), [&](bool stored, std::error_code error) {
                              told.set_value({stored, error});
                          });
    EXPECT_EQ(told.get_future().get(), std::pair(false, std::error_code{}));
    EXPECT_FALSE(s.put_if_leased("k", make_value<std::string>("v"), an_hour, lease_token::none,
                                 backend.now(), ec));
    EXPECT_FALSE(ec);
    EXPECT_TRUE(referee.keys().empty());
}

TEST_F(plain_store, leaves_no_key_behind_when_a_value_is_found_after_all) {
    s.put("k", make_value<std::string>("v"), an_hour, backend.now(), ec);
    const leased<std::string> found = s.get_or_lease("k", backend.now(), ec);
    EXPECT_EQ(*found.entry.value, "v");
    EXPECT_EQ(found.lease, lease_token::none);
    EXPECT_TRUE(eventually([&] { return referee.keys().size() == 1; }));
}

TEST_F(plain_store, replaces_what_cannot_be_read) {
    const auto numbers = backend.values<int>("page", store_options{});
    referee.command("SET", value_name, "no number"); // without a TTL, so it would stay for ever
    const leased<int> start = numbers.get_or_lease("k", backend.now(), ec);
    EXPECT_FALSE(start.entry.present);
    EXPECT_TRUE(
        numbers.put_if_leased("k", make_value<int>(7), an_hour, start.lease, backend.now(), ec));
    EXPECT_EQ(referee.command("GET", value_name), "7");
}

TEST_F(plain_store, leaves_alone_what_came_in_the_place_of_what_cannot_be_read) {
    const auto numbers = backend.values<int>("page", store_options{});
    referee.command("SET", value_name, "no number");
    const leased<int> start = numbers.get_or_lease("k", backend.now(), ec);
    referee.command("SET", value_name, "8", "PX", 100'000); // before it is removed, or after
    EXPECT_FALSE(
        numbers.put_if_leased("k", make_value<int>(7), an_hour, start.lease, backend.now(), ec));
    EXPECT_EQ(referee.command("GET", value_name), "8");
}

TEST_F(plain_store, leaves_alone_what_a_later_version_may_have_written) {
    for (const std::string_view later : {"\x04 in some form", "\x03 in another"}) {
        referee.command("SET", value_name, later, "PX", 100'000);
        const leased<std::string> start = s.get_or_lease("k", backend.now(), ec);
        EXPECT_FALSE(start.entry.present);
        s.release("k", start.lease, ec); // after what else was asked of the key
        EXPECT_EQ(referee.command("GET", value_name), later);
    }
    EXPECT_EQ(s.stats().undecodable, 2U);
}

TEST_F(plain_store, gets_more_keys_than_go_into_one_round_trip) {
    std::vector<std::string> names;
    for (int i = 0; i != 2500; ++i) {
        names.push_back(std::to_string(i));
        if (i % 2 == 0) {
            referee.command("SET", "weir:page:" + names.back(), "of " + names.back());
        }
    }
    const std::vector<std::string_view> keys{names.begin(), names.end()};
    const auto all = s.get_many(keys, backend.now(), ec);
    ASSERT_FALSE(ec) << ec.message();
    ASSERT_EQ(all.size(), 2500U);
    for (std::size_t i = 0; i != all.size(); ++i) {
        EXPECT_EQ(all[i].present, i % 2 == 0);
        EXPECT_TRUE(!all[i].present || *all[i].value == "of " + names[i]);
    }
}

TEST_F(plain_store, reports_a_value_that_refuses_to_be_moved) {
    referee.command("SET", value_name, "stay");
    const auto stubborns = backend.values<stubborn>("page", store_options{});
    std::promise<std::error_code> told;
    stubborns.get_async("k", backend.now(),
                        [&](const found<stubborn>& entry, std::error_code error) {
                            EXPECT_FALSE(entry.present);
                            told.set_value(error);
                        });
    EXPECT_EQ(told.get_future().get(), errc::unavailable);
}

TEST(many_values, may_be_larger_together_than_a_reply) {
    const auto database = fresh_database();
    weir::redis_options o;
    o.uri = database.uri();
    o.timeout = 10s;
    o.max_value_bytes = o.max_reply_bytes = 1024;
    const redis_backend backend{o};
    const weir::cache<std::string> pages{backend, "page", {.ttl = 1h}};
    for (const int key : {1, 2, 3}) {
        pages.put(key, std::string(900, 'v'));
    }
    for (const auto& page : pages.get_many({1, 2, 3})) {
        EXPECT_EQ(page.status(), weir::cache_status::hit);
    }
}

TEST_F(plain_store, does_not_replace_what_has_another_kind) {
    referee.command("RPUSH", value_name, "of another program");
    EXPECT_FALSE(s.get("k", backend.now(), ec).present);
    EXPECT_FALSE(ec) << "it counts as a value that cannot be read";
    EXPECT_EQ(s.stats().undecodable, 1U);
    const leased<std::string> start = s.get_or_lease("k", backend.now(), ec);
    EXPECT_FALSE(ec);
    EXPECT_FALSE(s.put_if_leased("k", make_value<std::string>("v"), an_hour, start.lease,
                                 backend.now(), ec));
    EXPECT_EQ(ec, errc::wrong_type);
    EXPECT_EQ(referee.command("TYPE", value_name), "list");
}

} // namespace
