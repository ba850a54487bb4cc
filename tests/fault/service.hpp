#ifndef WEIR_TESTS_FAULT_SERVICE_HPP
#define WEIR_TESTS_FAULT_SERVICE_HPP

/// What a user builds on a Redis server: limiters with every choice of what happens in a failure, and
/// caches. All that is asked of the server is timed.

#include "support/eventually.hpp"
#include "timed_calls.hpp"

#include <weir/redis.hpp>
#include <weir/weir.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <future>
#include <memory>
#include <ostream>
#include <string>
#include <string_view>
#include <system_error>

namespace weir::tests {

/// Of these tests: long windows, so that none ends in the middle of a test.
inline constexpr fixed_window usual_quota{.limit = 1'000'000, .window = std::chrono::hours{24}};

/// What was stored before there was any trouble.
inline const std::string stored_key = "stored";
inline const std::string stored_value = "the value that was stored";

/// There is no service, and no call waits for it.
inline const std::error_code unavailable = make_error_code(errc::unavailable);

/// Longer than any test: who waits for it is seen.
inline constexpr std::chrono::seconds very_long{50};

struct service {
    explicit service(const redis_options& options)
        : backend{options}, calls{options.timeout}, timeout{options.timeout} {}

    /// Waits for the connection, takes a permit of the client `k`, and stores the value.
    void begin() const {
        ASSERT_TRUE(backend.wait_until_connected(patience)) << backend.stats().last_error;
        ASSERT_TRUE(eventually([&] { return works(); })) << backend.stats().last_error;
        ASSERT_EQ(denying.allow("k").decided_by, decider::backend);
        pages.put(stored_key, stored_value);
    }

    /// Whether the server decides again, and is asked for values.
    [[nodiscard]] bool works() const {
        return denying.allow("whether it works").decided_by == decider::backend &&
               pages.get(stored_key).status() != cache_status::unavailable;
    }

    /// What hindered the server has just ended: it decides again within a second.
    void expect_return() const {
        const auto begin = std::chrono::steady_clock::now();
        ASSERT_TRUE(eventually([&] { return works(); })) << backend.stats().last_error;
        calls.expect_return_in_time(std::chrono::steady_clock::now() - begin);
    }

    [[nodiscard]] decision allow_later(const rate_limiter& limiter, std::string_view key) const {
        std::promise<decision> answer;
        limiter.allow_async(key, [&](const decision& d) { answer.set_value(d); });
        return answer.get_future().get();
    }

    [[nodiscard]] cached<std::string> get_later(std::string_view key) const {
        std::promise<cached<std::string>> answer;
        pages.get_async(key, [&](cached<std::string> c) { answer.set_value(std::move(c)); });
        return answer.get_future().get();
    }

    redis_backend backend;
    mutable timed_calls calls;
    const std::chrono::nanoseconds timeout;

    rate_limiter allowing{backend, usual_quota, on_failure::allow, {.name = "allowing"}};
    rate_limiter denying{backend, usual_quota, on_failure::deny, {.name = "denying"}};
    /// For a ledger.
    rate_limiter booked{backend, usual_quota, on_failure::deny, {.name = "booked"}};
    /// Of two requests a day, here and there.
    rate_limiter local{backend,
                       fixed_window{.limit = 2, .window = std::chrono::hours{24}},
                       on_failure::local,
                       {.name = "local"}};
    cache<std::string> pages{backend, "page", {.ttl = std::chrono::hours{1}}};
    cache<std::string> lasting{
        backend, "lasting", {.ttl = std::chrono::hours{1}, .grace = std::chrono::hours{1}}};
};

/// What every limiter and the cache must answer when the server fails them with `error`.
///
/// @param reads  whether it fails them, too, when they only read
inline void expect_failure(const service& s, std::error_code error, bool reads) {
    timed_calls& timed = s.calls;
    for (const bool later : {false, true}) {
        const auto allow = [&](const rate_limiter& limiter, std::string_view key) {
            return timed([&] { return later ? s.allow_later(limiter, key) : limiter.allow(key); });
        };
        const decision allowed = allow(s.allowing, "k");
        EXPECT_TRUE(allowed) << allowed;
        EXPECT_EQ(allowed.reason, reason::backend_failed);
        EXPECT_EQ(allowed.error(), error) << allowed;
        const decision denied = allow(s.denying, "k");
        EXPECT_FALSE(denied) << denied;
        EXPECT_EQ(http_status(denied), 503);
        EXPECT_EQ(denied.error(), error) << denied;
        const std::string_view client = later ? "one" : "another";
        for (const reason found :
             {reason::within_limit, reason::within_limit, reason::over_limit, reason::over_limit}) {
            const decision counted = allow(s.local, client);
            EXPECT_EQ(counted.reason, found) << counted;
            EXPECT_EQ(counted.error(), error) << counted;
        }
        for (const decision& d : {allowed, denied}) {
            EXPECT_EQ(d.decided_by, decider::local);
        }
        const auto found =
            timed([&] { return later ? s.get_later(stored_key) : s.pages.get(stored_key); });
        EXPECT_EQ(found.status(), reads ? cache_status::unavailable : cache_status::hit);
        EXPECT_EQ(found.error(), reads ? error : std::error_code{});
    }
    EXPECT_EQ(timed([&] { return s.denying.peek("k"); }).error(),
              reads ? error : std::error_code{});
    for (const auto& each : timed([&] { return s.pages.get_many({stored_key, "absent"}); })) {
        EXPECT_EQ(each.status() == cache_status::unavailable, reads);
        EXPECT_EQ(each.error(), reads ? error : std::error_code{});
    }
    const auto computed = timed(
        [&] { return s.pages.get_or_compute("absent", [] { return std::string{"computed"}; }); },
        2);
    ASSERT_TRUE(computed);
    EXPECT_EQ(*computed, "computed");
    EXPECT_EQ(computed.status(), cache_status::computed);
    EXPECT_EQ(computed.error(), error);
    std::error_code ec;
    timed([&] { s.denying.give_back("k", 1, ec); });
    EXPECT_EQ(ec, error);
    timed([&] { s.pages.put("other", "value", ec); });
    EXPECT_EQ(ec, error);
    timed([&] { static_cast<void>(s.pages.add("other", "value", ec)); });
    EXPECT_EQ(ec, error);
    try {
        timed([&] { s.pages.put("other", "value"); });
        ADD_FAILURE() << "a value was stored";
    } catch (const std::system_error& e) {
        EXPECT_EQ(e.code(), error);
    }
}

} // namespace weir::tests

#endif
