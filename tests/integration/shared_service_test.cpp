/// Two instances of the example service on one Redis server: what they share, and how they do
/// without it.

#include "intruder.hpp"
#include "running_service.hpp"
#include "support/eventually.hpp"
#include "support/raw_redis.hpp"
#include "support/redis_server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <cstdint>
#include <future>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace integration;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using weir::tests::eventually;
using weir::tests::raw_redis;
using weir::tests::redis_server;

environment with(environment settings, const std::string& name, const std::string& value) {
    settings[name] = value;
    return settings;
}

/// Two instances on one Redis server and one database.
struct two_instances {
    explicit two_instances(const environment& settings = {})
        : first{with(settings, "REDIS_URL", redis.uri())},
          second{with(with(settings, "REDIS_URL", redis.uri()), "DATABASE", first.database())} {}

    redis_server redis;
    running_service first;
    running_service second;
};

/// Whether a request of the administrator's, who has enough of them, is counted.
bool counts(const running_service& service) {
    const reply answer = service.get("/products/1", admin);
    EXPECT_EQ(answer.status, 200) << answer.body;
    return answer.was_counted();
}

std::string health(const running_service& service) {
    const reply answer = service.get("/healthz");
    EXPECT_EQ(answer.status, 200) << answer.body;
    return answer.json().at("status").get<std::string>();
}

/// The page of a list that shows product 42.
const std::string page_of_42 = "/products?category=lighting&page=3";

// ---- limits ----------------------------------------------------------------------------------

TEST(shared_limits, of_25_searches_over_two_instances_20_are_answered_and_5_denied) {
    const two_instances services;
    services.first.in_one_window(10);
    bool to_first = false;
    const auto search = [&] {
        to_first = !to_first;
        return (to_first ? services.first : services.second).get("/search?q=lamp");
    };
    EXPECT_EQ(admitted(20, search), 20);
    EXPECT_EQ(admitted(5, search), 0);
}

TEST(shared_limits, hold_for_clients_that_ask_both_instances_at_the_same_time) {
    const two_instances services;
    services.first.in_one_window(10);
    std::vector<std::future<int>> clients;
    for (const running_service* service : {&services.first, &services.second}) {
        for (int i = 0; i < 3; ++i) {
            clients.push_back(std::async(std::launch::async, [service] {
                return admitted(10, [&] { return service->get("/search?q=lamp"); });
            }));
        }
    }
    int passed = 0;
    for (std::future<int>& client : clients) {
        passed += client.get();
    }
    EXPECT_EQ(passed, 20);
}

// ---- caches ----------------------------------------------------------------------------------

TEST(shared_caches, what_one_instance_computed_is_a_hit_in_the_other) {
    const two_instances services;
    for (const char* path : {"/products/42", "/products?category=audio&page=2", "/reports/sales",
                             "/me/cart", "/products/99999"}) {
        const reply first = services.first.get(path, alice);
        EXPECT_EQ(first.cache(), "miss") << path;
        // The value is on its way when its answer is given.
        reply second;
        EXPECT_TRUE(eventually([&] {
            second = services.second.get(path, alice);
            return second.cache() == "hit";
        })) << path;
        EXPECT_EQ(second.status, first.status) << path;
        EXPECT_EQ(second.body, first.body);
    }
}

TEST(shared_caches, an_update_through_one_instance_is_seen_through_the_other_at_once) {
    const two_instances services;
    for (const std::string& path :
         {std::string{"/products/42"}, page_of_42, std::string{"/products/43"}}) {
        services.first.get(path);
        EXPECT_TRUE(eventually([&] { return services.second.get(path, admin).cache() == "hit"; }))
            << path;
    }
    const std::string report = services.second.get("/reports/sales").body;

    ASSERT_EQ(services.first.request("PUT", "/products/42", admin, lamp).status, 200);

    EXPECT_EQ(services.second.get("/products/42").json().at("name"), "Brass Lamp");
    EXPECT_THAT(services.second.get(page_of_42).body, HasSubstr("Brass Lamp"));
    EXPECT_NE(services.second.get("/reports/sales").body, report);
    EXPECT_EQ(services.second.get("/products/43").cache(), "hit") << "it did not change";
}

TEST(shared_caches, an_old_answer_of_another_instance_is_served_while_the_database_fails) {
    const two_instances services{{{"PRODUCT_TTL", "50ms"}}};
    const std::string before = services.first.get("/products/42", admin).body;
    const intruder intruder{services.first.database()};
    intruder.execute("ALTER TABLE products RENAME TO elsewhere");

    reply answer;
    EXPECT_TRUE(eventually([&] {
        answer = services.second.get("/products/42", admin);
        return answer.cache() == "stale";
    })) << answer.status
        << answer.body;
    EXPECT_EQ(answer.body, before);
}

TEST(shared_caches, are_json_in_redis_with_a_time_to_live) {
    const two_instances services;
    const nlohmann::json product = services.first.get("/products/42", alice).json();
    services.first.get(page_of_42, alice);
    services.second.request("PUT", "/me/cart/42", alice, R"({"quantity":2})");
    services.second.get("/reports/sales", alice);
    raw_redis redis{services.redis.uri()};
    EXPECT_TRUE(eventually([&] { return redis.keys("weir:*:*").size() == 5; }));

    const auto stored = [&](const char* name) {
        return nlohmann::json::parse(redis.command("GET", name).text);
    };
    EXPECT_EQ(stored("weir:product:42"), product);
    EXPECT_EQ(stored("weir:product_page:in:lighting:3:20").at("total"), 250);
    EXPECT_EQ(stored("weir:cart:alice:cart").at("items").size(), 1U);
    EXPECT_EQ(stored("weir:sales_report:all").at("bestsellers").size(), 10U);
    EXPECT_EQ(redis.keys("weir:rl:user:60000000000:*:user:alice").size(), 1U);
    EXPECT_THAT(redis.keys_without_ttl(), IsEmpty());
}

TEST(shared_caches, show_what_another_program_wrote) {
    const two_instances services;
    nlohmann::json product = services.first.get("/products/42").json();
    product["name"] = "Written by another program";
    // Five minutes of time to live, and the hour of grace.
    raw_redis{services.redis.uri()}.command("SETEX", "weir:product:42", 300 + 3600, product.dump());
    const reply answer = services.second.get("/products/42");
    EXPECT_EQ(answer.cache(), "hit");
    EXPECT_EQ(answer.json(), product);
}

TEST(shared_caches, count_what_they_cannot_read_and_replace_it) {
    const two_instances services;
    raw_redis{services.redis.uri()}.command("SETEX", "weir:product:42", 300 + 3600, R"({"id":42})");
    const reply answer = services.first.get("/products/42");
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.cache(), "miss");
    EXPECT_GE(services.first.stat("/caches/product/undecodable"), 1);
    EXPECT_EQ(services.first.get("/products/42").cache(), "hit");
    EXPECT_EQ(services.second.get("/products/42").body, answer.body);
}

// ---- without Redis ---------------------------------------------------------------------------

TEST(without_redis, both_instances_go_on_and_use_it_again_when_it_is_back) {
    two_instances services;
    EXPECT_TRUE(counts(services.first));
    EXPECT_TRUE(counts(services.second));
    services.redis.kill();
    for (const running_service* service : {&services.first, &services.second}) {
        EXPECT_EQ(admitted(30, [&] { return service->get("/search?q=lamp"); }), 30);
        EXPECT_EQ(service->get("/products/42").cache(), "miss");
        EXPECT_EQ(service->get("/products/42").cache(), "miss");
        EXPECT_EQ(health(*service), "degraded");
        EXPECT_THAT(service->output(), HasSubstr("requests pass uncounted: "));
    }
    ASSERT_EQ(services.first.request("PUT", "/products/42", admin, lamp).status, 200);
    EXPECT_EQ(services.second.get("/products/42").json().at("name"), "Brass Lamp");

    services.redis.restart();
    for (const running_service* service : {&services.first, &services.second}) {
        EXPECT_TRUE(eventually([&] { return counts(*service); }));
        EXPECT_TRUE(
            eventually([&] { return service->get("/products/42", admin).cache() == "hit"; }));
        EXPECT_EQ(health(*service), "ok");
        EXPECT_THAT(service->output(), HasSubstr("limits count again"));
    }
}

TEST(without_redis, what_changed_meanwhile_is_not_shown_as_it_was_by_who_changed_it) {
    two_instances services;
    services.first.get("/products/42");
    services.first.get(page_of_42);
    EXPECT_TRUE(
        eventually([&] { return services.second.get(page_of_42, admin).cache() == "hit"; }));
    raw_redis{services.redis.uri()}.command("SAVE"); // so that it comes back with what it had
    services.redis.kill();
    ASSERT_EQ(services.first.request("PUT", "/products/42", admin, lamp).status, 200);
    EXPECT_THAT(services.first.output(), HasSubstr("a change did not reach the caches: "));

    services.redis.restart();
    EXPECT_TRUE(eventually([&] { return counts(services.first); }));
    EXPECT_EQ(services.first.get("/products/42").json().at("name"), "Brass Lamp");
    EXPECT_THAT(services.first.get(page_of_42).body, HasSubstr("Brass Lamp"));
    EXPECT_EQ(services.second.get("/products/42").json().at("name"), "Brass Lamp");
    EXPECT_THAT(services.second.get(page_of_42).body, HasSubstr("Brass Lamp"));
}

TEST(without_redis, an_instance_starts_and_says_so_and_uses_it_once_it_comes) {
    redis_server redis;
    redis.kill();
    const running_service service{{{"REDIS_URL", redis.uri()}}};
    EXPECT_THAT(service.output(), HasSubstr("product_service: Redis cannot be used: "));
    EXPECT_FALSE(counts(service));
    EXPECT_EQ(service.get("/products/42").cache(), "miss");
    EXPECT_EQ(health(service), "degraded");
    EXPECT_FALSE(service.get("/stats").json().at("redis").at("connected").get<bool>());

    redis.restart();
    EXPECT_TRUE(eventually([&] { return counts(service); }));
    EXPECT_TRUE(eventually([&] { return service.get("/products/42", admin).cache() == "hit"; }));
    EXPECT_EQ(health(service), "ok");
    EXPECT_TRUE(service.get("/stats").json().at("redis").at("connected").get<bool>());
}

TEST(without_redis, an_instance_whose_password_is_wrong_says_so_and_serves) {
    const redis_server redis{{"--requirepass", "right"}};
    const std::string url = "redis://:mistaken@127.0.0.1:" + std::to_string(redis.port());
    const running_service service{{{"REDIS_URL", url}}};
    EXPECT_THAT(service.output(), HasSubstr("WRONGPASS"));
    EXPECT_FALSE(counts(service));
    EXPECT_THAT(service.get("/healthz").body, HasSubstr("WRONGPASS"));
    EXPECT_THAT(service.output() + service.get("/healthz").body + service.get("/stats").body,
                Not(HasSubstr("mistaken")));
}

TEST(without_redis, an_instance_ends_with_0_while_it_does_not_answer) {
    two_instances services;
    EXPECT_TRUE(counts(services.first));
    services.redis.pause();
    EXPECT_FALSE(counts(services.first)) << "it waited, and went on";
    EXPECT_EQ(services.first.stop(), 0) << services.first.output();
    services.redis.resume();
    EXPECT_EQ(services.second.stop(), 0) << services.second.output();
}

// ---- the setting -----------------------------------------------------------------------------

TEST(redis_url, that_cannot_be_used_is_explained_without_its_password) {
    for (const char* url : {"redis://user:se/cret@127.0.0.1", "redis://:secret@127.0.0.1:port",
                            "redis://secret@127.0.0.1", "rediss://:secret@127.0.0.1",
                            "redis://:secret@127.0.0.1/zero", "secret"}) {
        process service{{{"PORT", "0"}, {"REDIS_URL", url}}};
        EXPECT_EQ(service.wait(), 2) << url;
        EXPECT_THAT(service.output(), HasSubstr("product_service: REDIS_URL cannot be used: "));
        EXPECT_THAT(service.output(), Not(HasSubstr("cret"))) << url;
    }
}

TEST(redis_url, decides_what_the_stats_are_about) {
    const redis_server redis;
    const running_service shared{{{"REDIS_URL", redis.unix_uri()}}};
    const running_service alone;
    EXPECT_TRUE(counts(shared));
    EXPECT_TRUE(counts(alone));
    const nlohmann::json of_shared = shared.get("/stats").json();
    const nlohmann::json of_alone = alone.get("/stats").json();
    EXPECT_TRUE(of_shared.at("redis").at("connected").get<bool>());
    EXPECT_GE(of_shared.at("redis").at("clock_error_ns").get<std::int64_t>(), 0);
    EXPECT_FALSE(of_shared.contains("limiters"));
    EXPECT_TRUE(of_shared.at("caches").at("product").contains("undecodable"));
    EXPECT_GT(of_alone.at("limiters").at("capacity").get<std::int64_t>(), 0);
    EXPECT_FALSE(of_alone.contains("redis"));
    EXPECT_TRUE(of_alone.at("caches").at("product").contains("entries"));
}

} // namespace
