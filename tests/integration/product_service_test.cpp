/// The example service, from outside: what it promises over HTTP.

#include "intruder.hpp"
#include "running_service.hpp"

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <future>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace integration;

bool is_problem(const reply& answer, int status) {
    return answer.status == status && answer.header("Content-Type") == "application/problem+json" &&
           answer.json().at("status") == status && answer.json().at("title").is_string() &&
           answer.json().at("detail").is_string();
}

std::int64_t add_product(const running_service& service, const std::string& body = lamp) {
    const reply added = service.request("POST", "/products", admin, body);
    EXPECT_EQ(added.status, 201) << added.body;
    const auto id = added.json().at("id").get<std::int64_t>();
    EXPECT_EQ(added.header("Location"), "/products/" + std::to_string(id));
    return id;
}

std::string product_path(std::int64_t id) {
    return "/products/" + std::to_string(id);
}

// ---- limits ----------------------------------------------------------------------------------

TEST(limits, of_25_quick_searches_20_are_answered_and_5_denied) {
    const running_service service;
    service.in_one_window(10);
    EXPECT_EQ(admitted(20, [&] { return service.get("/search?q=lamp"); }), 20);
    EXPECT_EQ(admitted(5, [&] { return service.get("/search?q=lamp"); }), 0);
}

TEST(limits, a_denied_search_says_when_to_come_back_and_why) {
    const running_service service{{{"SEARCH_PER_MINUTE", "1"}}};
    service.in_one_window(10);
    EXPECT_EQ(service.get("/search?q=lamp").status, 200);
    const reply denied = service.get("/search?q=lamp");

    ASSERT_TRUE(is_problem(denied, 429)) << denied.status << denied.body;
    const std::string seconds = denied.header("Retry-After");
    EXPECT_EQ(denied.header("RateLimit"), "\"search\";r=0;t=" + seconds);
    EXPECT_EQ(denied.header("RateLimit-Policy"), R"("search";q=1;w=60)");
    EXPECT_EQ(denied.header("Cache-Control"), "no-store");
    EXPECT_GE(std::stoi(seconds), 1);
    EXPECT_LE(std::stoi(seconds), 60);
    EXPECT_EQ(denied.json().at("type"),
              "https://iana.org/assignments/http-problem-types#quota-exceeded");
    EXPECT_EQ(denied.json().at("violated-policies"), nlohmann::json::array({"search"}));
}

TEST(limits, each_tier_has_its_own) {
    const running_service service;
    EXPECT_EQ(service.get("/products/1").header("RateLimit-Policy"), R"("anonymous";q=20;w=60)");
    EXPECT_EQ(service.get("/products/1", alice).header("RateLimit-Policy"), R"("user";q=200;w=60)");
    EXPECT_EQ(service.get("/products/1", admin).header("RateLimit-Policy"),
              R"("admin";q=1000;w=60)");
    EXPECT_EQ(service.get("/search?q=lamp", admin).header("RateLimit-Policy"),
              R"("search";q=20;w=60)");
}

TEST(limits, a_client_is_denied_after_exactly_the_limit_of_its_tier) {
    const running_service service{{{"ANONYMOUS_PER_MINUTE", "3"}, {"USER_PER_MINUTE", "5"}}};
    service.in_one_window(10);
    EXPECT_EQ(admitted(10, [&] { return service.get("/products/1"); }), 3);
    EXPECT_EQ(admitted(10, [&] { return service.get("/products/1", alice); }), 5);
    EXPECT_EQ(admitted(10, [&] { return service.get("/products/1", bob); }), 5);
}

TEST(limits, hold_for_clients_that_ask_at_the_same_time) {
    const running_service service;
    service.in_one_window(10);
    std::vector<std::future<int>> clients;
    for (int i = 0; i < 6; ++i) {
        clients.push_back(std::async(std::launch::async, [&] {
            return admitted(10, [&] { return service.get("/search?q=lamp"); });
        }));
    }
    int passed = 0;
    for (std::future<int>& client : clients) {
        passed += client.get();
    }
    EXPECT_EQ(passed, 20);
}

TEST(limits, what_is_refused_counts_too) {
    const running_service service{{{"ANONYMOUS_PER_MINUTE", "4"}}};
    service.in_one_window(10);
    EXPECT_EQ(service.get("/products/none").status, 400);
    EXPECT_EQ(service.get("/nothing/here").status, 404);
    EXPECT_EQ(service.get("/products/1", "guessed-token").status, 401);
    EXPECT_EQ(service.request("PATCH", "/products", nobody, "{}").status, 405);
    const reply denied = service.get("/products/1", "another-guess");
    EXPECT_EQ(denied.status, 429);
    EXPECT_EQ(denied.header("RateLimit-Policy"), R"("anonymous";q=4;w=60)");
}

TEST(limits, do_not_concern_stats_and_health) {
    const running_service service{{{"ANONYMOUS_PER_MINUTE", "1"}}};
    EXPECT_EQ(admitted(5, [&] { return service.get("/stats"); }), 5);
    const reply health = service.get("/healthz");
    EXPECT_EQ(health.status, 200);
    EXPECT_EQ(health.header("RateLimit"), "");
}

// ---- caches ----------------------------------------------------------------------------------

TEST(caches, a_product_a_list_and_the_report_come_from_the_cache_the_second_time) {
    const running_service service;
    for (const char* path : {"/products/42", "/products?category=audio&page=2", "/reports/sales"}) {
        const reply first = service.get(path);
        const reply second = service.get(path);
        EXPECT_EQ(first.status, 200) << first.body;
        EXPECT_EQ(first.cache(), "miss") << path;
        EXPECT_EQ(second.cache(), "hit") << path;
        EXPECT_EQ(first.body, second.body);
    }
}

TEST(caches, a_report_that_several_clients_ask_for_at_once_is_computed_once) {
    const running_service service;
    std::vector<std::future<reply>> clients;
    for (int i = 0; i < 8; ++i) {
        clients.push_back(
            std::async(std::launch::async, [&] { return service.get("/reports/sales"); }));
    }
    const reply first = clients.front().get();
    EXPECT_EQ(first.status, 200);
    for (std::size_t i = 1; i < clients.size(); ++i) {
        EXPECT_EQ(clients[i].get().body, first.body);
    }
    EXPECT_EQ(service.stat("/caches/sales_report/computations"), 1);
}

TEST(caches, an_update_changes_what_shows_the_product_and_nothing_else) {
    const running_service service;
    const std::array affected{"/products/42", "/products?category=lighting", "/products?page=1",
                              "/products?page=3", "/reports/sales"};
    const std::array unaffected{"/products/43", "/products?category=audio"};
    for (const char* path : affected) {
        EXPECT_EQ(service.get(path, alice).cache(), "miss");
    }
    for (const char* path : unaffected) {
        EXPECT_EQ(service.get(path, alice).cache(), "miss");
    }
    const std::string report = service.get("/reports/sales", alice).body;

    ASSERT_EQ(service.request("PUT", "/products/42", admin, lamp).status, 200);

    for (const char* path : affected) {
        EXPECT_EQ(service.get(path, alice).cache(), "miss") << path;
    }
    for (const char* path : unaffected) {
        EXPECT_EQ(service.get(path, alice).cache(), "hit") << path;
    }
    EXPECT_EQ(service.get("/products/42", alice).json().at("name"), "Brass Lamp");
    EXPECT_NE(service.get("/reports/sales", alice).body, report);
}

TEST(caches, a_new_description_leaves_lists_and_report_alone) {
    const running_service service;
    nlohmann::json product = service.get("/products/42").json();
    EXPECT_EQ(service.get("/products?category=lighting").cache(), "miss");
    EXPECT_EQ(service.get("/reports/sales").cache(), "miss");

    product.erase("id");
    product["description"] = "another one";
    ASSERT_EQ(service.request("PUT", "/products/42", admin, product.dump()).status, 200);

    EXPECT_EQ(service.get("/products/42").json().at("description"), "another one");
    EXPECT_EQ(service.get("/products?category=lighting").cache(), "hit");
    EXPECT_EQ(service.get("/reports/sales").cache(), "hit");
}

TEST(caches, a_product_that_changes_its_category_leaves_one_list_and_enters_another) {
    const running_service service;
    const std::int64_t id = add_product(service);
    const auto total = [&](const std::string& category) {
        return service.get("/products?category=" + category).json().at("total");
    };
    EXPECT_EQ(total("lighting"), 251);
    EXPECT_EQ(total("audio"), 250);

    nlohmann::json moved = nlohmann::json::parse(lamp);
    moved["category"] = "audio";
    ASSERT_EQ(service.request("PUT", product_path(id), admin, moved.dump()).status, 200);

    EXPECT_EQ(total("lighting"), 250);
    EXPECT_EQ(total("audio"), 251);
}

TEST(caches, that_there_is_no_such_product_is_remembered) {
    const running_service service;
    EXPECT_TRUE(is_problem(service.get("/products/99999"), 404));
    EXPECT_TRUE(is_problem(service.get("/products/99999"), 404));
    EXPECT_EQ(service.stat("/caches/product/computations"), 1);
}

TEST(caches, a_product_that_was_missing_is_found_as_soon_as_it_exists) {
    const running_service service;
    const std::int64_t last = add_product(service);
    EXPECT_EQ(service.get(product_path(last + 1)).status, 404);
    EXPECT_EQ(service.get("/products").json().at("total"), 3001);

    EXPECT_EQ(add_product(service), last + 1);

    EXPECT_EQ(service.get(product_path(last + 1)).status, 200);
    EXPECT_EQ(service.get("/products").json().at("total"), 3002);
}

TEST(caches, a_product_that_was_removed_is_gone_everywhere) {
    const running_service service;
    const std::int64_t id = add_product(service);
    EXPECT_EQ(service.get(product_path(id)).status, 200);
    EXPECT_EQ(service.get("/products").json().at("total"), 3001);

    EXPECT_EQ(service.request("DELETE", product_path(id), admin).status, 204);

    EXPECT_EQ(service.get(product_path(id)).status, 404);
    EXPECT_EQ(service.get("/products").json().at("total"), 3000);
    EXPECT_EQ(service.request("DELETE", product_path(id), admin).status, 404);
}

TEST(caches, an_old_answer_is_served_while_the_database_fails) {
    const running_service service{
        {{"PRODUCT_TTL", "50ms"}, {"GRACE", "1h"}, {"ANONYMOUS_PER_MINUTE", "100000"}}};
    const std::string before = service.get("/products/42").body;
    const intruder intruder{service.database()};
    intruder.execute("ALTER TABLE products RENAME TO elsewhere");

    reply answer;
    const auto deadline = std::chrono::steady_clock::now() + 60s;
    while (answer.cache() != "stale" && std::chrono::steady_clock::now() < deadline) {
        answer = service.get("/products/42");
        ASSERT_EQ(answer.status, 200) << answer.body;
    }
    EXPECT_EQ(answer.cache(), "stale");
    EXPECT_EQ(answer.body, before);
    EXPECT_TRUE(is_problem(service.get("/products/43"), 500)) << "nothing old to serve";
    EXPECT_EQ(service.get("/healthz").status, 500);

    intruder.execute("ALTER TABLE elsewhere RENAME TO products");
    EXPECT_EQ(service.get("/products/42").cache(), "miss");
    EXPECT_EQ(service.get("/products/43").status, 200);
}

// ---- carts -----------------------------------------------------------------------------------

TEST(carts, are_each_users_own) {
    const running_service service;
    ASSERT_EQ(service.request("PUT", "/me/cart/42", alice, R"({"quantity":2})").status, 200);
    ASSERT_EQ(service.request("PUT", "/me/cart/7", bob, R"({"quantity":1})").status, 200);

    const nlohmann::json hers = service.get("/me/cart", alice).json();
    const nlohmann::json his = service.get("/me/cart", bob).json();
    EXPECT_EQ(hers.at("user"), "alice");
    EXPECT_EQ(hers.at("items").size(), 1U);
    EXPECT_EQ(hers.at("items").at(0).at("product_id"), 42);
    EXPECT_EQ(his.at("items").size(), 1U);
    EXPECT_EQ(his.at("items").at(0).at("product_id"), 7);
    EXPECT_EQ(service.get("/me/cart").status, 401);
}

TEST(carts, a_change_of_one_leaves_the_other_in_the_cache) {
    const running_service service;
    EXPECT_EQ(service.get("/me/cart", alice).cache(), "miss");
    EXPECT_EQ(service.get("/me/cart", bob).cache(), "miss");
    ASSERT_EQ(service.request("PUT", "/me/cart/42", alice, R"({"quantity":2})").status, 200);
    EXPECT_EQ(service.get("/me/cart", bob).cache(), "hit");
    EXPECT_EQ(service.get("/me/cart", alice).json().at("items").size(), 1U);

    EXPECT_EQ(service.request("DELETE", "/me/cart/42", alice).status, 204);
    EXPECT_EQ(service.request("DELETE", "/me/cart/42", alice).status, 404);
    EXPECT_EQ(service.get("/me/cart", alice).json().at("items").size(), 0U);
}

TEST(carts, show_a_new_price_at_once) {
    const running_service service;
    ASSERT_EQ(service.request("PUT", "/me/cart/42", alice, R"({"quantity":2})").status, 200);
    ASSERT_EQ(service.request("PUT", "/products/42", admin, lamp).status, 200);
    const reply cart = service.get("/me/cart", alice);
    EXPECT_EQ(cart.json().at("total_cents"), 9800);
    EXPECT_EQ(cart.cache(), "hit") << "the cart itself did not change";
}

TEST(carts, lose_a_product_that_is_removed) {
    const running_service service;
    const std::int64_t id = add_product(service);
    const std::string item = "/me/cart/" + std::to_string(id);
    ASSERT_EQ(service.request("PUT", item, alice, R"({"quantity":2})").status, 200);
    EXPECT_EQ(service.get("/me/cart", bob).cache(), "miss");

    ASSERT_EQ(service.request("DELETE", product_path(id), admin).status, 204);

    EXPECT_EQ(service.get("/me/cart", alice).json().at("items").size(), 0U);
    EXPECT_EQ(service.get("/me/cart", bob).cache(), "hit");
    EXPECT_EQ(service.request("PUT", item, alice, R"({"quantity":2})").status, 404);
}

TEST(carts, can_be_emptied) {
    const running_service service;
    ASSERT_EQ(service.request("PUT", "/me/cart/42", alice, R"({"quantity":99})").status, 200);
    EXPECT_EQ(service.request("DELETE", "/me/cart", alice).status, 204);
    EXPECT_EQ(service.get("/me/cart", alice).json().at("total_cents"), 0);
}

// ---- requests --------------------------------------------------------------------------------

TEST(requests, that_make_no_sense_get_a_400_that_says_why) {
    const running_service service{{{"ANONYMOUS_PER_MINUTE", "1000"}, {"SEARCH_PER_MINUTE", "100"}}};
    const auto with = [](const char* name, const nlohmann::json& value) {
        nlohmann::json product = nlohmann::json::parse(lamp);
        product[name] = value;
        return product.dump();
    };
    struct {
        std::string method, path, body, says;
    } const cases[]{
        {"GET", "/search", "", "\"q\""},
        {"GET", "/search?q=", "", "\"q\""},
        {"GET", "/search?q=" + std::string(101, 'x'), "", "\"q\""},
        {"GET", "/products/abc", "", "product id"},
        {"GET", "/products/0", "", "product id"},
        {"GET", "/products/-1", "", "product id"},
        {"GET", "/products/1.5", "", "product id"},
        {"GET", "/products/99999999999999999999", "", "product id"},
        {"GET", "/products?page=0", "", "\"page\""},
        {"GET", "/products?per_page=101", "", "\"per_page\""},
        {"GET", "/products?category=*", "", "\"category\""},
        {"POST", "/products", "", "not valid JSON"},
        {"POST", "/products", "{", "not valid JSON"},
        {"POST", "/products", "\"\xff\"", "not valid JSON"},
        {"POST", "/products", "[]", "must be a JSON object"},
        {"POST", "/products", "{}", "\"name\" is missing"},
        {"POST", "/products", with("name", ""), "\"name\""},
        {"POST", "/products", with("name", 5), "\"name\""},
        {"POST", "/products", with("name", std::string(201, 'x')), "\"name\""},
        {"POST", "/products", with("name", std::string(1, '\0')), "\"name\""},
        {"POST", "/products", with("category", "no-such"), "no category"},
        {"POST", "/products", with("price_cents", -1), "\"price_cents\""},
        {"POST", "/products", with("price_cents", 1.5), "\"price_cents\""},
        {"POST", "/products", with("price_cents", 18446744073709551615U), "\"price_cents\""},
        {"POST", "/products", with("stock", nullptr), "\"stock\""},
        {"POST", "/products", with("colour", "red"), "unknown member \"colour\""},
        {"PUT", "/products/42", with("stock", "7"), "\"stock\""},
        {"PUT", "/me/cart/42", R"({"quantity":0})", "\"quantity\""},
        {"PUT", "/me/cart/42", R"({"quantity":100})", "\"quantity\""},
    };
    for (const auto& each : cases) {
        const reply answer = service.request(each.method, each.path, admin, each.body);
        ASSERT_TRUE(is_problem(answer, 400)) << each.path << each.body << answer.body;
        const auto detail = answer.json().at("detail").get<std::string>();
        EXPECT_NE(detail.find(each.says), std::string::npos) << each.path << ": " << detail;
    }
    EXPECT_EQ(service.get("/products").json().at("total"), 3000) << "nothing was added";
}

TEST(requests, with_quotes_and_wildcards_are_just_text) {
    const running_service service;
    EXPECT_EQ(service.get("/search?q=%25").json().at("items").size(), 0U);
    EXPECT_EQ(service.get("/search?q='%20OR%201=1%20--").json().at("items").size(), 0U);
    EXPECT_EQ(service.get("/search?q=%FF%22").status, 200);
    EXPECT_GT(service.get("/search?q=lamp").json().at("items").size(), 0U);
}

TEST(requests, that_are_too_large_are_refused) {
    const running_service service;
    EXPECT_TRUE(
        is_problem(service.request("POST", "/products", admin, std::string(70'000, ' ')), 413));
    EXPECT_EQ(service.get("/products/1").status, 200);
}

TEST(requests, with_a_method_that_a_path_does_not_know_are_told_which_it_does) {
    const running_service service;
    const reply answer = service.request("DELETE", "/products", admin);
    EXPECT_TRUE(is_problem(answer, 405)) << answer.status << answer.body;
    EXPECT_EQ(answer.header("Allow"), "GET, POST");
}

TEST(requests, that_change_products_need_an_administrator) {
    const running_service service;
    EXPECT_TRUE(is_problem(service.request("POST", "/products", nobody, lamp), 401));
    EXPECT_TRUE(is_problem(service.request("POST", "/products", alice, lamp), 403));
    EXPECT_TRUE(is_problem(service.request("PUT", "/products/42", alice, lamp), 403));
    EXPECT_TRUE(is_problem(service.request("DELETE", "/products/42", alice), 403));
    EXPECT_EQ(service.get("/products/42").json().at("id"), 42);
    EXPECT_NE(service.get("/products/42").json().at("name"), "Brass Lamp");
}

TEST(requests, to_remove_a_product_that_was_sold_are_a_conflict) {
    const running_service service;
    EXPECT_TRUE(is_problem(service.request("DELETE", "/products/42", admin), 409));
    EXPECT_EQ(service.get("/products/42").status, 200);
}

TEST(requests, for_a_range_or_with_head_get_consistent_answers) {
    const running_service service;
    const reply head = service.request("HEAD", "/products/42");
    EXPECT_EQ(head.status, 200);
    EXPECT_EQ(head.body, "");
    httplib::Client client{"127.0.0.1", service.port()};
    const auto ranged = client.Get("/products/42", {{"Range", "bytes=5-100000"}});
    ASSERT_TRUE(ranged);
    EXPECT_EQ(ranged->status, 200);
    EXPECT_EQ(ranged->body, service.get("/products/42").body);
}

// ---- start and end ---------------------------------------------------------------------------

TEST(service, ends_with_0_on_sigterm_and_on_sigint) {
    for (const int signal : {SIGTERM, SIGINT}) {
        running_service service;
        EXPECT_EQ(service.get("/healthz").status, 200);
        service.send_signal(signal);
        EXPECT_EQ(service.wait(), 0) << service.output();
    }
}

TEST(service, finishes_a_request_that_is_in_progress_before_it_ends) {
    running_service service;
    const intruder intruder{service.database()};
    intruder.execute("BEGIN IMMEDIATE"); // Every other writer waits now.
    std::future<reply> change = std::async(
        std::launch::async, [&] { return service.request("PUT", "/products/42", admin, lamp); });
    const auto deadline = std::chrono::steady_clock::now() + 60s;
    while (service.stat("/requests/in_progress") < 2) { // The other one is the question itself.
        ASSERT_LT(std::chrono::steady_clock::now(), deadline);
    }
    service.send_signal(SIGTERM);
    intruder.execute("COMMIT");
    EXPECT_EQ(service.wait(), 0) << service.output();
    EXPECT_EQ(change.get().status, 200);
}

TEST(service, does_not_wait_for_idle_connections_longer_than_a_moment) {
    running_service service;
    httplib::Client idle{"127.0.0.1", service.port()};
    idle.set_keep_alive(true);
    ASSERT_TRUE(idle.Get("/healthz"));
    const auto start = std::chrono::steady_clock::now();
    EXPECT_EQ(service.stop(), 0) << service.output();
    EXPECT_LT(std::chrono::steady_clock::now() - start, 4s);
}

TEST(service, keeps_what_was_changed_over_a_restart) {
    const temporary_directory directory;
    const std::string database = (directory.path() / "products.db").string();
    std::int64_t id = 0;
    {
        running_service service;
        id = add_product(service);
        EXPECT_EQ(service.stop(), 0) << service.output();
        std::filesystem::copy_file(service.database(), database);
    }
    const running_service service{{{"DATABASE", database}}};
    EXPECT_EQ(service.get(product_path(id)).json().at("name"), "Brass Lamp");
    EXPECT_EQ(service.get("/products").json().at("total"), 3001);
}

/// What the service prints, and its exit status, when it should refuse to start.
std::pair<int, std::string> refuse(const environment& settings) {
    process service{settings};
    const int status = service.wait();
    return {status, service.output()};
}

TEST(service, refuses_settings_that_make_no_sense_and_names_them) {
    const std::pair<std::string, std::string> cases[]{
        {"PORT", "http"},
        {"PORT", "65536"},
        {"PORT", ""},
        {"THREADS", "0"},
        {"SEARCH_PER_MINUTE", "0"},
        {"USER_PER_MINUTE", "4294967296"},
        {"PRODUCT_TTL", "5"},
        {"PRODUCT_TTL", "0"},
        {"LIST_TTL", "5 min"},
        {"GRACE", "-1s"},
        {"REPORT_TTL", "9000h"},
        {"USER_TOKENS", "alice"},
        {"USER_TOKENS", "a=x,b=x"},
        {"DATABASE", ":memory:"},
        {"ADMIN_TOKENS", "a=demo-alice"},
        {"REDIS_URL", ""},
        {"REDIS_URL", "http://127.0.0.1"},
        {"REDIS_URL", "redis://127.0.0.1:port"},
    };
    for (const auto& [name, value] : cases) {
        const auto [status, output] = refuse({{name, value}});
        EXPECT_EQ(status, 2) << name << "=" << value;
        EXPECT_NE(output.find("product_service: " + name), std::string::npos) << output;
    }
}

TEST(service, says_so_if_it_cannot_listen_or_open_its_database) {
    const running_service first;
    const auto [busy, said] =
        refuse({{"PORT", std::to_string(first.port())}, {"DATABASE", first.database()}});
    EXPECT_EQ(busy, 1);
    EXPECT_NE(said.find("cannot listen"), std::string::npos) << said;

    const auto [lost, explained] = refuse({{"DATABASE", "/no/such/directory/products.db"}});
    EXPECT_EQ(lost, 1);
    EXPECT_NE(explained.find("/no/such/directory/products.db"), std::string::npos) << explained;
}

TEST(service, refuses_a_file_that_is_not_its_database) {
    const temporary_directory directory;
    const std::string path = (directory.path() / "notes.txt").string();
    std::ofstream{path} << std::string(4096, 'x');
    EXPECT_EQ(refuse({{"PORT", "0"}, {"DATABASE", path}}).first, 1);
    EXPECT_EQ(std::filesystem::file_size(path), 4096U) << "left as it was";
}

} // namespace
