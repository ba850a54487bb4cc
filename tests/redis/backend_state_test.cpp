#include <weir/error.hpp>
#include <weir/handler.hpp>
#include <weir/redis/backend_state.hpp>
#include <weir/redis/reply.hpp>
#include <weir/redis_options.hpp>

#include "allocations.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <future>
#include <limits>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using weir::errc;
using weir::handler;
using weir::redis_options;
using weir::detail::redis::error_log;
using weir::detail::redis::handler_context;
using weir::detail::redis::reply;
using weir::tests::every_lack_of_memory;
using weir::tests::scarce_memory;
using namespace std::chrono_literals;

// ---- options -----------------------------------------------------------------------------------

/// What is said of options that are refused; empty if they are fine.
std::string refusal(const std::function<void(redis_options&)>& change) {
    redis_options o;
    change(o);
    try {
        weir::detail::redis::validate(o);
    } catch (const std::invalid_argument& refused) {
        return refused.what();
    }
    return {};
}

TEST(redis_options, are_fine_as_they_are) {
    EXPECT_EQ(refusal([](redis_options&) {}), "");
}

TEST(redis_options, are_refused_with_their_name_value_and_range) {
    EXPECT_EQ(refusal([](redis_options& o) { o.timeout = 999us; }),
              "weir::redis_options: timeout is 999000ns; it must be from 1ms to 1 minute");
    EXPECT_EQ(refusal([](redis_options& o) { o.connections = 17; }),
              "weir::redis_options: connections is 17; it must be from 1 to 16");
}

TEST(redis_options, are_taken_to_the_ends_of_their_ranges_and_not_beyond) {
    struct range {
        const char* name;
        std::function<void(redis_options&, bool beyond)> least;
        std::function<void(redis_options&, bool beyond)> most;
    };
    const auto duration = [](const char* name, auto member, std::chrono::nanoseconds least,
                             std::chrono::nanoseconds most) {
        return range{
            name, [=](redis_options& o, bool beyond) { o.*member = beyond ? least - 1ns : least; },
            [=](redis_options& o, bool beyond) { o.*member = beyond ? most + 1ns : most; }};
    };
    const auto number = [](const char* name, auto member, std::size_t least, std::size_t most) {
        return range{name,
                     [=](redis_options& o, bool beyond) { o.*member = beyond ? least - 1 : least; },
                     [=](redis_options& o, bool beyond) { o.*member = beyond ? most + 1 : most; }};
    };
    for (const range& r :
         {duration("timeout", &redis_options::timeout, 1ms, 1min),
          duration("connect_timeout", &redis_options::connect_timeout, 1ms, 1min),
          duration("heartbeat", &redis_options::heartbeat, 10ms, 1h),
          number("connections", &redis_options::connections, 1, 16),
          number("max_value_bytes", &redis_options::max_value_bytes, 1, std::size_t{512} << 20),
          number("max_reply_bytes", &redis_options::max_reply_bytes, 1024, std::size_t{1} << 30),
          number("max_queued", &redis_options::max_queued, 1, 1'000'000)}) {
        const auto named =
            AllOf(StartsWith("weir::redis_options: "), HasSubstr(r.name), HasSubstr("it must be"));
        EXPECT_EQ(refusal([&](redis_options& o) {
                      o.max_value_bytes = 1;
                      r.least(o, false);
                  }),
                  "");
        EXPECT_EQ(refusal([&](redis_options& o) {
                      o.max_reply_bytes = std::size_t{1} << 30;
                      r.most(o, false);
                  }),
                  "");
        EXPECT_THAT(refusal([&](redis_options& o) { r.least(o, true); }), named);
        EXPECT_THAT(refusal([&](redis_options& o) { r.most(o, true); }), named);
    }
}

TEST(redis_options, take_no_values_that_could_be_stored_and_not_be_read) {
    EXPECT_EQ(refusal([](redis_options& o) { o.max_value_bytes = o.max_reply_bytes = 5000; }), "");
    EXPECT_EQ(refusal([](redis_options& o) {
                  o.max_value_bytes = 5001;
                  o.max_reply_bytes = 5000;
              }),
              "weir::redis_options: max_value_bytes is 5001; it must not exceed max_reply_bytes, "
              "which is 5000: what is stored must be readable");
}

TEST(redis_options, take_a_client_name_without_spaces) {
    EXPECT_EQ(refusal([](redis_options& o) { o.client_name = ""; }), "");
    EXPECT_EQ(refusal([](redis_options& o) { o.client_name = std::string(64, '~'); }), "");
    for (const std::string& name :
         {std::string(65, 'n'), std::string{"a b"}, std::string{"a\n"}, std::string{"a\x7f"},
          std::string{"\xc3\xa4"}, std::string(1, '\0')}) {
        EXPECT_THAT(refusal([&](redis_options& o) { o.client_name = name; }),
                    HasSubstr("client_name"));
    }
}

// ---- where handlers run ------------------------------------------------------------------------

class context : public testing::Test {
protected:
    std::shared_ptr<error_log> errors = std::make_shared<error_log>();
};

TEST_F(context, runs_handlers_on_a_thread_of_its_own) {
    std::thread::id where;
    {
        handler_context c{{}, errors};
        c.run([&] { where = std::this_thread::get_id(); });
    }
    EXPECT_NE(where, std::thread::id{});
    EXPECT_NE(where, std::this_thread::get_id());
}

TEST_F(context, runs_handlers_where_the_user_wants_them) {
    std::vector<handler<>> handed_over;
    int ran = 0;
    handler_context c{[&](handler<> task) { handed_over.push_back(std::move(task)); }, errors};
    c.run([&] { ++ran; });
    c.run([&] { ++ran; });
    EXPECT_EQ(ran, 0);
    for (handler<>& task : handed_over) {
        task();
    }
    EXPECT_EQ(ran, 2);
    handler_context in_place{weir::run_inline, errors};
    in_place.run([&] { ++ran; });
    EXPECT_EQ(ran, 3);
}

TEST_F(context, runs_a_handler_here_where_there_is_no_room_for_it) {
    // Small ones and large ones, and so many that the queue needs another block.
    for (const bool large : {false, true}) {
        every_lack_of_memory([&](std::size_t granted) {
            std::atomic<int> ran{0};
            std::promise<void> goes_on;
            bool refused = false;
            {
                handler_context c{{}, errors};
                c.run([waits = goes_on.get_future().share()] { waits.wait(); });
                std::vector<std::shared_ptr<int>> owned(40, std::make_shared<int>(7));
                {
                    const scarce_memory scarce{granted};
                    for (std::shared_ptr<int>& value : owned) {
                        if (large) {
                            c.run([&ran, value = std::move(value), room = std::array<char, 100>{}] {
                                ran += *value + room[0];
                            });
                        } else {
                            c.run([&ran, value = std::move(value)] { ran += *value; });
                        }
                    }
                    refused = scarce.refused();
                }
                goes_on.set_value();
            }
            EXPECT_EQ(ran, 40 * 7);
            return refused;
        });
    }
}

// ---- errors ------------------------------------------------------------------------------------

TEST_F(context, keeps_what_the_server_said) {
    const handler_context c{{}, errors};
    EXPECT_EQ(c.error_of(reply{.type = reply::kind::error, .text = "OOM command not allowed"}),
              errc::rejected);
    EXPECT_EQ(errors->last(), "OOM command not allowed");
}

TEST_F(context, calls_a_reply_of_another_shape_no_reply) {
    const handler_context c{{}, errors};
    errors->note("before");
    EXPECT_EQ(c.error_of(reply{.type = reply::kind::integer, .integer = 1}), errc::protocol_error);
    EXPECT_EQ(c.error_of(reply{}), errc::protocol_error);
    EXPECT_EQ(errors->last(), "before");
}

TEST_F(context, keeps_the_words_before_where_there_is_no_memory_for_others) {
    errors->note("before");
    {
        const scarce_memory scarce{0};
        errors->note("something that is too long to be kept without memory");
    }
    EXPECT_EQ(errors->last(), "before");
}

} // namespace
