// Names of servers that mean nothing, or whose meaning takes its time.

#include "service.hpp"
#include "support/eventually.hpp"
#include "support/name_service.hpp"
#include "support/redis_server.hpp"

#include <weir/error.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <netdb.h>
#include <string>
#include <string_view>

namespace {

using namespace std::chrono_literals;
using namespace weir::tests;
using ::testing::HasSubstr;
using weir::errc;

/// Shared with whoever is still asking when a test ends: nobody can stop a resolver.
using answerable = std::shared_ptr<std::atomic<bool>>;

answerable not_yet() {
    return std::make_shared<std::atomic<bool>>(false);
}

/// The same URI with a name in it.
std::string by_name(std::string uri) {
    constexpr std::string_view address = "127.0.0.1";
    return uri.replace(uri.find(address), address.size(), "the-server.example");
}

TEST(name_that_means_nothing, fails_calls_at_once_until_it_means_something) {
    const redis_server server;
    const answerable known = not_yet();
    const name_service names{[known](const std::string&) {
        return *known ? named{.addresses = {"127.0.0.1"}} : named{.error = EAI_AGAIN};
    }};
    const service s{{.uri = by_name(server.uri()), .timeout = very_long}};
    expect_failure(s, unavailable, true);
    EXPECT_THAT(s.backend.stats().last_error, HasSubstr("cannot resolve \"the-server.example\""));
    *known = true;
    s.expect_return();
    s.calls.expect_in_time();
}

TEST(name_that_takes_its_time, costs_the_deadline_and_not_more) {
    const redis_server server;
    const answerable known = not_yet();
    const name_service names{[known](const std::string&) {
        known->wait(false);
        return named{.addresses = {"127.0.0.1"}};
    }};
    const service s{{.uri = by_name(server.uri()), .timeout = 50ms, .connect_timeout = very_long}};
    expect_failure(s, make_error_code(errc::not_sent), true);
    *known = true;
    known->notify_all();
    s.expect_return();
    s.calls.expect_in_time();
}

TEST(name_that_takes_its_time, fails_calls_at_once_when_an_attempt_to_connect_has_taken_too_long) {
    const redis_server server;
    const answerable known = not_yet();
    const name_service names{[known](const std::string&) {
        known->wait(false);
        return named{.addresses = {"127.0.0.1"}};
    }};
    const service s{{.uri = by_name(server.uri()), .timeout = very_long, .connect_timeout = 50ms}};
    expect_failure(s, unavailable, true);
    *known = true;
    known->notify_all();
    s.expect_return();
    s.calls.expect_in_time();
}

TEST(name_that_takes_its_time, is_no_reason_to_wait_for_who_goes) {
    const answerable known = not_yet();
    const name_service names{[known](const std::string&) {
        known->wait(false);
        return named{.error = EAI_AGAIN};
    }};
    const auto begin = std::chrono::steady_clock::now();
    {
        const weir::redis_backend backend{"redis://the-server.example:6379"};
        EXPECT_FALSE(backend.wait_until_connected(1ms));
    }
    EXPECT_LT(std::chrono::steady_clock::now() - begin, patience);
    *known = true;
    known->notify_all();
}

} // namespace
