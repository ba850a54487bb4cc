// Caches on a store without leases of its own: weir keeps them in the process.

#include "../examples/custom_backend.hpp"

#include <weir/cache.hpp>
#include <weir/testing.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <stdexcept>
#include <string>
#include <system_error>

using namespace std::chrono_literals;

namespace {

using backend_type = map_backend<weir::manual_clock>;
static_assert(!weir::leasing_store<map_store<std::string>, std::string>);

class cache_without_leases : public testing::Test {
protected:
    weir::manual_clock clock;
    backend_type backend{clock};
    weir::cache<std::string> texts{backend, "texts", {.ttl = 1min, .grace = 1min}};
    weir::cache<std::string> same{backend, "texts", {.ttl = 1min, .grace = 1min}};

    /// What is kept after `change` has overtaken a computation of "old".
    template<class Change>
    std::string overtaken_by(const Change& change) {
        const auto answer = texts.get_or_compute("k", [&] {
            change();
            return std::string{"old"};
        });
        EXPECT_EQ(*answer, "old");
        const auto kept = texts.get("k");
        const std::string text = kept ? *kept : "nothing";
        texts.invalidate("k");
        return text;
    }
};

TEST_F(cache_without_leases, computes_once_and_keeps) {
    EXPECT_EQ(*texts.get_or_compute("k", [] { return std::string{"v"}; }), "v");
    EXPECT_EQ(*texts.get_or_compute("k", [] { return std::string{"w"}; }), "v");
    EXPECT_EQ(*same.get("k"), "v");
    clock.advance(1min);
    EXPECT_EQ(*texts.get_or_compute("k", [] { return std::string{"w"}; }), "w");
}

TEST_F(cache_without_leases, a_computation_that_was_overtaken_is_not_stored) {
    EXPECT_EQ(overtaken_by([] {}), "old");
    EXPECT_EQ(overtaken_by([&] { texts.invalidate("k"); }), "nothing");
    EXPECT_EQ(overtaken_by([&] { texts.put("k", "new"); }), "new");
    EXPECT_EQ(overtaken_by([&] { texts.add("k", "new"); }), "new");
    EXPECT_EQ(overtaken_by([&] { texts.put("k", "new", 0s); }), "nothing");
    EXPECT_EQ(overtaken_by([&] { texts.invalidate("other"); }), "old");
}

TEST_F(cache_without_leases, an_invalidation_through_a_handle_opened_apart_overtakes_too) {
    EXPECT_EQ(overtaken_by([&] { same.invalidate("k"); }), "nothing");
    EXPECT_EQ(overtaken_by([&] { same.put("k", "new"); }), "new");
}

TEST_F(cache_without_leases, a_failed_computation_lets_the_next_one_store) {
    const auto failing = []() -> std::string { throw std::runtime_error{"down"}; };
    EXPECT_THROW(static_cast<void>(texts.get_or_compute("k", failing)), std::runtime_error);
    static_cast<void>(texts.get_or_compute("k", [] { return std::string{"v"}; }));
    EXPECT_TRUE(texts.get("k"));
    clock.advance(1min);
    EXPECT_EQ(texts.get_or_compute("k", failing).status(), weir::cache_status::stale);
    static_cast<void>(texts.get_or_compute("k", [] { return std::string{"w"}; }));
    EXPECT_EQ(*texts.get("k"), "w");
}

TEST_F(cache_without_leases, a_result_that_must_not_be_stored_supersedes_the_stale_one) {
    texts.put("k", "old");
    clock.advance(1min);
    const auto unkept = [] { return weir::expiring<std::string>{"v", 0s}; };
    EXPECT_EQ(*texts.get_or_compute("k", unkept), "v");
    const auto failing = []() -> std::string { throw std::runtime_error{"down"}; };
    EXPECT_THROW(static_cast<void>(texts.get_or_compute("k", failing)), std::runtime_error);
}

TEST_F(cache_without_leases, says_that_it_cannot_match) {
    std::error_code ec;
    EXPECT_EQ(texts.invalidate_matching("*", ec), 0);
    EXPECT_EQ(ec, std::errc::operation_not_supported);
    EXPECT_THROW(texts.clear(), std::system_error);
}

TEST_F(cache_without_leases, visit_shows_the_value) {
    texts.put("k", "v");
    std::string seen;
    EXPECT_TRUE(texts.visit("k", [&](const std::string& text) { seen = text; }));
    EXPECT_EQ(seen, "v");
}

} // namespace
