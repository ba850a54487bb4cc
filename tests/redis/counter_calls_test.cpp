// What becomes of a decision where memory runs out after the server has counted.

#include <weir/counter_storage.hpp>
#include <weir/decision.hpp>
#include <weir/handler.hpp>
#include <weir/quota/fixed_window.hpp>
#include <weir/quota/step.hpp>
#include <weir/redis.hpp>
#include <weir/redis/client.hpp>
#include <weir/redis/core.hpp>
#include <weir/redis/counter_calls.hpp>
#include <weir/redis/handler_context.hpp>
#include <weir/redis/reply.hpp>

#include "allocations.hpp"
#include "support/redis_server.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

namespace {

using weir::counter_space;
using weir::decision;
using weir::fixed_window;
using weir::peek_step;
using weir::redis_backend;
using weir::take_step;
using weir::time_point;
using weir::detail::redis::counter_answer;
using weir::detail::redis::error_log;
using weir::detail::redis::handler_context;
using weir::detail::redis::reply;
using weir::detail::redis::result;
using weir::tests::every_lack_of_memory;
using weir::tests::fresh_database;
using weir::tests::scarce_memory;
using namespace std::chrono_literals;

using take = take_step<fixed_window>;

constexpr fixed_window quota{5, 60s};

const counter_space space{"limiter", "limiter:fixed_window:60000000000", 1};

/// The replies to a take that found no key.
result first_take() {
    const reply created{.type = reply::kind::status, .text = "OK"};
    const auto number = [](std::int64_t n) {
        return reply{.type = reply::kind::integer, .integer = n};
    };
    const reply nothing{};
    return {
        {},
        {created, reply{.type = reply::kind::array, .elements = {number(1), nothing, number(1)}}}};
}

TEST(counter_calls, tell_a_callback_what_the_server_decided_where_there_is_no_memory_left) {
    const auto handlers =
        std::make_shared<handler_context>(weir::run_inline, std::make_shared<error_log>());
    const auto lacks = every_lack_of_memory([&](std::size_t granted) {
        std::optional<decision> told;
        std::error_code error;
        counter_answer<take> finish{handlers, [&](const decision& d, std::error_code ec) {
                                        told = d;
                                        error = ec;
                                    }};
        finish.question.emplace("weir:", space, "k", take{quota}, time_point{1h});
        const result replies = first_take();
        bool refused = false;
        {
            const scarce_memory scarce{granted};
            finish(replies);
            refused = scarce.refused();
        }
        EXPECT_TRUE(told && told->allowed);
        EXPECT_EQ(told ? told->remaining : -1, 4);
        EXPECT_FALSE(error) << error.message();
        return refused;
    });
    EXPECT_GT(lacks, 0U) << "nothing was asked for afterwards";
}

TEST(counter_calls, tell_their_caller_what_the_server_decided_or_do_not_ask_it) {
    const auto database = fresh_database();
    const redis_backend backend{{.uri = database.uri(), .timeout = 10s}};
    ASSERT_TRUE(backend.wait_until_connected(60s));
    const time_point now = backend.now();
    every_lack_of_memory([&](std::size_t granted) {
        const std::string key = "key " + std::to_string(granted);
        std::error_code ec;
        bool told = true;
        bool refused = false;
        {
            const scarce_memory scarce{granted};
            try {
                static_cast<void>(backend.update(space, key, take{quota}, now, ec));
            } catch (const std::bad_alloc&) {
                told = false;
            }
            refused = scarce.refused();
        }
        std::error_code ignored;
        const decision left =
            backend.update(space, key, peek_step<fixed_window>{quota}, now, ignored);
        if (!told) {
            EXPECT_EQ(left.remaining, 5) << "a decision was taken and lost, at " << granted;
        } else if (!ec) {
            EXPECT_EQ(left.remaining, 4);
        }
        return refused;
    });
}

} // namespace
