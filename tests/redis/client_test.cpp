#include <weir/error.hpp>
#include <weir/redis/client.hpp>
#include <weir/redis/commands.hpp>
#include <weir/redis/uri.hpp>

#include "allocations.hpp"
#include "replies.hpp"
#include "requests.hpp"
#include "support/eventually.hpp"
#include "support/scripted_server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using weir::errc;
using weir::make_error_code;
using weir::detail::redis::client;
using weir::detail::redis::client_settings;
using weir::detail::redis::commands;
using weir::detail::redis::login;
using weir::detail::redis::result;
using weir::tests::bulk;
using weir::tests::command_words;
using weir::tests::eventually;
using weir::tests::every_lack_of_memory;
using weir::tests::scarce_memory;
using weir::tests::script;
using weir::tests::scripted_server;
using weir::tests::shown;
using weir::tests::transport;
using weir::tests::word;
namespace play = weir::tests::play;
using namespace std::chrono_literals;

/// Answers handshakes, heartbeats, and everything else with the command's own words, or with the size
/// of the first if that is long.
std::string echo(const command_words& command) {
    if (command[0] == "TIME") {
        return "*2\r\n$10\r\n1700000000\r\n$1\r\n5\r\n";
    }
    if (command[0] == "PING") {
        return bulk(command[1]);
    }
    if (command[0].size() > 1000) {
        return ':' + std::to_string(command[0].size()) + "\r\n";
    }
    std::string words;
    for (const std::string& w : command) {
        words += (words.empty() ? "" : " ") + w;
    }
    return bulk(words);
}

/// The same, but a command `WAIT` and what comes after it is not answered before `gate` opens.
class gated_echo {
public:
    std::string operator()(const command_words& command) const {
        if (command[0] == "WAIT") {
            gate_->wait();
        }
        return echo(command);
    }
    void open() { opens_->set_value(); }

private:
    std::shared_ptr<std::promise<void>> opens_ = std::make_shared<std::promise<void>>();
    std::shared_ptr<std::shared_future<void>> gate_ =
        std::make_shared<std::shared_future<void>>(opens_->get_future().share());
};

client_settings settings_for(const scripted_server& server) {
    client_settings s;
    s.to = weir::detail::parse_redis_uri(server.uri());
    s.timeout = 1min;
    s.connections = 1;
    s.heartbeat = 1h; // a connection that is asked for its pulse is not there for a caller
    return s;
}

std::string shown_result(const result& r) {
    if (r.error) {
        return r.error.message();
    }
    std::string all;
    for (const auto& reply : r.replies) {
        all += (all.empty() ? "" : " ") + shown(reply);
    }
    return all;
}

const std::string closed = make_error_code(errc::closed).message();

/// What callbacks were told, on whatever thread.
class callbacks {
public:
    [[nodiscard]] auto next() {
        return [this](const result& r) noexcept {
            const std::lock_guard lock{mutex_};
            told_.push_back(shown_result(r));
        };
    }
    [[nodiscard]] std::vector<std::string> told() const {
        const std::lock_guard lock{mutex_};
        return told_;
    }

private:
    mutable std::mutex mutex_;
    std::vector<std::string> told_;
};

void call_later(client& c, commands what, callbacks& told) {
    auto done = told.next();
    c.call_later(std::move(what), done);
}

/// Calls `f` on the I/O thread and waits until it has returned.
template<class F>
void on_io_thread(client& c, F f) {
    std::promise<void> done;
    auto run = [&](const result&) noexcept {
        f();
        done.set_value();
    };
    c.call_later(word("X"), run);
    done.get_future().wait();
}

/// Waits until callers serve themselves.
void wait_until_served(client& c) {
    EXPECT_TRUE(eventually([&] {
        EXPECT_FALSE(c.call(word("X")).error);
        return c.stats().own_calls != 0;
    }));
}

// ---- calls -------------------------------------------------------------------------------------

TEST(client, answers_a_call_with_its_replies) {
    const scripted_server server{script{play::answer(echo)}};
    client c{settings_for(server)};
    commands two;
    two.add("a", 1);
    two.add("b");
    EXPECT_EQ(shown_result(c.call(two)), R"("a 1" "b")");
    EXPECT_EQ(shown_result(c.call(word("c"))), R"("c")");
}

TEST(client, calls_back_once_on_its_own_thread) {
    const scripted_server server{script{play::answer(echo)}};
    callbacks told;
    client c{settings_for(server)};
    call_later(c, word("a"), told);
    EXPECT_TRUE(eventually([&] { return told.told().size() == 1; }));
    EXPECT_THAT(told.told(), ElementsAre(R"("a")"));
    std::thread::id where;
    on_io_thread(c, [&] { where = std::this_thread::get_id(); });
    EXPECT_NE(where, std::this_thread::get_id());
}

TEST(client, refuses_to_wait_on_its_own_thread) {
    const scripted_server server{script{play::answer(echo)}};
    client c{settings_for(server)};
    std::string said;
    on_io_thread(c, [&] { said = shown_result(c.call(word("a"))); });
    EXPECT_EQ(said, make_error_code(errc::would_deadlock).message());
}

/// A server whose answers to many requests are all there before the client reads the first of them.
class many_answers {
public:
    static constexpr int count = 20;

    [[nodiscard]] client_settings settings() const { return settings_for(server_); }

    /// Sends the requests, and has `called(n)` called with the n-th of the answers.
    void ask(client& c, std::function<void(int)> called) {
        called_ = std::move(called);
        on_io_thread(c, [&] { // so that they are sent together
            auto answer_the_others = [this](const result&) noexcept {
                gate_.open();
                EXPECT_TRUE(has_come("last"));
            };
            c.call_later(word("first"), answer_the_others);
            for (int i = 0; i != count; ++i) {
                auto call = [this](const result& r) noexcept {
                    EXPECT_FALSE(r.error);
                    called_(++calls_);
                };
                c.call_later(word(i == 0 ? "WAIT" : "a"), call);
            }
            ask(c, "last");
        });
    }

    /// Sends a request whose answer does not matter.
    static void ask(client& c, const char* what) {
        auto nobody = [](const result&) noexcept {};
        c.call_later(word(what), nobody);
    }

    /// Waits until the server comes to this request, and so has answered those before it.
    [[nodiscard]] bool has_come(const std::string& what) const {
        return eventually([&] {
            const std::lock_guard lock{mutex_};
            return std::find(come_.begin(), come_.end(), what) != come_.end();
        });
    }

private:
    std::string answer(const command_words& command) {
        {
            const std::lock_guard lock{mutex_};
            come_.push_back(command[0]);
        }
        return gate_(command);
    }

    std::function<void(int)> called_;
    int calls_ = 0;
    mutable std::mutex mutex_;
    std::vector<std::string> come_;
    gated_echo gate_;
    /// Over a Unix socket each write can be read at once.
    scripted_server server_{
        script{play::answer([this](const command_words& command) { return answer(command); })},
        transport::unix_socket};
};

TEST(client, sends_what_the_first_callbacks_bring_before_it_calls_the_last) {
    many_answers answers;
    std::promise<bool> was_sent;
    client c{answers.settings()};
    answers.ask(c, [&](int n) {
        if (n == 1) {
            many_answers::ask(c, "next");
        } else if (n == many_answers::count) {
            was_sent.set_value(answers.has_come("next"));
        }
    });
    EXPECT_TRUE(was_sent.get_future().get());
}

TEST(client, ends_nothing_as_too_late_whose_reply_came_while_callbacks_ran) {
    many_answers answers;
    std::promise<std::error_code> told;
    std::chrono::steady_clock::time_point too_late;
    client_settings settings = answers.settings();
    settings.timeout = 2s;
    client c{settings};
    answers.ask(c, [&](int n) {
        if (n == 1) {
            auto done = [&](const result& r) noexcept { told.set_value(r.error); };
            c.call_later(word("next"), done);
            too_late = std::chrono::steady_clock::now() + settings.timeout;
        } else if (n == many_answers::count / 2) {
            EXPECT_TRUE(answers.has_come("next"));
            EXPECT_TRUE(eventually([&] { return std::chrono::steady_clock::now() > too_late; }));
        }
    });
    EXPECT_EQ(told.get_future().get(), std::error_code{});
}

TEST(client, calls_back_with_all_answers_although_the_first_callback_destroys_it) {
    many_answers answers;
    std::promise<void> all_told;
    auto c = std::make_unique<client>(answers.settings());
    answers.ask(*c, [&](int n) {
        if (n == 1) {
            c.reset();
        } else if (n == many_answers::count) {
            all_told.set_value();
        }
    });
    EXPECT_EQ(all_told.get_future().wait_for(1min), std::future_status::ready);
}

TEST(client, completes_what_is_on_its_way_when_it_is_destroyed) {
    gated_echo gate;
    const scripted_server server{script{play::answer(gate)}};
    callbacks told;
    {
        client c{settings_for(server)};
        EXPECT_TRUE(c.wait_until_connected(1min));
        call_later(c, word("WAIT"), told);
        EXPECT_TRUE(eventually([&] { return server.commands().back()[0] == "WAIT"; }));
        for (int i = 0; i != 10; ++i) {
            call_later(c, word("a"), told);
        }
    }
    EXPECT_THAT(told.told(), testing::SizeIs(11));
    EXPECT_THAT(told.told(), Each(closed));
    gate.open();
}

TEST(client, waits_for_its_first_connection_as_long_as_it_is_told_to) {
    gated_echo gate;
    const scripted_server server{
        script{play::answer([&](const command_words&) { return gate({"WAIT"}); })}};
    client_settings s = settings_for(server);
    s.connect_timeout = 1min;
    client c{std::move(s)};
    EXPECT_FALSE(c.wait_until_connected(0ns));
    EXPECT_FALSE(c.wait_until_connected(std::chrono::nanoseconds::min()));
    std::thread opener{[&] { gate.open(); }};
    EXPECT_TRUE(c.wait_until_connected(std::chrono::nanoseconds::max()));
    opener.join();
    EXPECT_TRUE(c.wait_until_connected(0ns));
}

TEST(client, counts_callbacks_that_were_too_late_among_the_timeouts) {
    gated_echo gate;
    const scripted_server server{script{play::answer(gate)}};
    client_settings s = settings_for(server);
    s.timeout = 20ms;
    callbacks told;
    client c{std::move(s)};
    ASSERT_TRUE(c.wait_until_connected(1min));
    call_later(c, word("WAIT"), told);
    EXPECT_TRUE(eventually([&] { return told.told().size() == 1; }));
    EXPECT_THAT(told.told(), ElementsAre(make_error_code(errc::timeout).message()));
    EXPECT_TRUE(eventually([&] { return c.stats().timeouts == 1; }));
    gate.open();
}

TEST(client, counts_callbacks_that_could_not_be_sent_in_time_among_the_timeouts) {
    const scripted_server server{script{play::wait_for_close()}};
    client_settings s = settings_for(server);
    s.timeout = 20ms;
    s.connect_timeout = 1min;
    callbacks told;
    client c{std::move(s)};
    call_later(c, word("a"), told);
    call_later(c, word("b"), told);
    EXPECT_TRUE(eventually([&] { return told.told().size() == 2; }));
    EXPECT_THAT(told.told(), Each(make_error_code(errc::not_sent).message()));
    EXPECT_EQ(c.stats().timeouts, 2U);
}

TEST(client, counts_the_connections_that_are_open_now) {
    const scripted_server server{
        std::vector<script>{{play::answer(2, echo)}, {play::answer(echo)}}};
    std::promise<void> goes_on;
    std::atomic<int> asked{0};
    client_settings s = settings_for(server);
    s.connect_timeout = 1min;
    s.logins = [&, waits = goes_on.get_future().share()] {
        if (++asked == 2) {
            waits.wait();
        }
        return login{};
    };
    client c{std::move(s)};
    EXPECT_EQ(shown_result(c.call(word("a"))), R"("a")"); // and the server hangs up now
    EXPECT_TRUE(eventually([&] { return c.stats().connections == 0; }));
    goes_on.set_value();
    EXPECT_TRUE(c.wait_until_connected(1min));
    EXPECT_EQ(c.stats().connections, 1U);
}

// ---- a server that has become a replica ---------------------------------------------------------

std::string answer_of_replica(const command_words& command) {
    return command[0] == "SET" ? "-READONLY You can't write against a read only replica.\r\n"
                               : echo(command);
}

TEST(client, makes_a_connection_to_a_replica_anew_with_the_next_heartbeat) {
    const scripted_server server{
        std::vector<script>{{play::answer(answer_of_replica)}, {play::answer(echo)}}};
    client_settings s = settings_for(server);
    s.heartbeat = 10ms;
    client c{std::move(s)};
    const std::string refused = shown_result(c.call(word("SET")));
    EXPECT_EQ(refused, "-READONLY You can't write against a read only replica.");
    EXPECT_TRUE(eventually([&] { return shown_result(c.call(word("SET"))) == R"("SET")"; }));
    EXPECT_EQ(server.connections(), 2U);
}

TEST(client, makes_a_connection_to_a_replica_anew_no_more_often_than_there_are_heartbeats) {
    const scripted_server server{script{play::answer(answer_of_replica)}};
    client c{settings_for(server)}; // with an hour between them
    for (int i = 0; i != 100; ++i) {
        EXPECT_FALSE(c.call(word("SET")).error);
    }
    EXPECT_EQ(server.connections(), 1U);
}

// ---- without a server --------------------------------------------------------------------------

TEST(client, fails_calls_at_once_while_credentials_do_not_come) {
    const scripted_server server{
        std::vector<script>{{play::answer(3, echo)}, {play::answer(echo)}}};
    std::promise<void> goes_on;
    std::atomic<int> asked{0};
    client_settings s = settings_for(server);
    s.logins = [&, waits = goes_on.get_future().share()] {
        if (++asked == 2) {
            waits.wait();
        }
        return login{"app", "secret"};
    };
    s.connect_timeout = 20ms;
    client c{std::move(s)};
    EXPECT_EQ(shown_result(c.call(word("a"))), R"("a")"); // and the server hangs up now
    EXPECT_TRUE(eventually([&] { return asked == 2; }));
    // They would wait for a minute.
    EXPECT_EQ(c.call(word("a")).error, errc::unavailable);
    EXPECT_EQ(c.call(word("a")).error, errc::unavailable);
    goes_on.set_value();
    EXPECT_TRUE(c.wait_until_connected(1min));
    EXPECT_EQ(shown_result(c.call(word("a"))), R"("a")");
}

// ---- too much at once --------------------------------------------------------------------------

TEST(client, refuses_at_once_what_is_more_than_may_wait) {
    // Nobody answers the handshake, so that all requests wait.
    const scripted_server server{script{play::wait_for_close()}};
    client_settings s = settings_for(server);
    s.connect_timeout = 1min;
    s.max_queued = 3;
    callbacks waiting;
    callbacks refused;
    client c{std::move(s)};
    for (int i = 0; i != 3; ++i) {
        call_later(c, word("a"), waiting);
    }
    for (int i = 0; i != 100; ++i) {
        call_later(c, word("b"), refused);
    }
    EXPECT_TRUE(eventually([&] { return refused.told().size() == 100; }));
    EXPECT_THAT(refused.told(), Each(make_error_code(errc::overloaded).message()));
    EXPECT_THAT(waiting.told(), IsEmpty());
    EXPECT_EQ(c.call(word("b")).error, errc::overloaded);
}

// ---- without memory ----------------------------------------------------------------------------

TEST(client, loses_no_connection_to_a_caller_without_memory) {
    const scripted_server server{script{play::answer(echo)}};
    client c{settings_for(server)};
    wait_until_served(c);
    const commands large = word(std::string(100'000, 'v'));
    const std::size_t lacks = every_lack_of_memory([&](std::size_t granted) {
        commands what = large;
        std::optional<result> answer;
        bool refused = false;
        {
            const scarce_memory scarce{granted};
            try {
                answer.emplace(c.call(std::move(what)));
            } catch (const std::bad_alloc&) {
            }
            refused = scarce.refused();
        }
        EXPECT_EQ(answer.has_value(), !refused);
        EXPECT_EQ(answer ? shown_result(*answer) : ":100000", ":100000");
        // Callers still serve themselves over that connection.
        const auto own_calls = c.stats().own_calls;
        EXPECT_EQ(shown_result(c.call(word("a"))), R"("a")");
        EXPECT_EQ(c.stats().own_calls, own_calls + 1);
        return refused;
    });
    EXPECT_GE(lacks, 2U);
    EXPECT_EQ(server.connections(), 1U);
}

TEST(client, leaves_a_callback_as_it_was_if_there_is_no_memory_to_take_it) {
    const scripted_server server{script{play::answer(echo)}};
    client c{settings_for(server)};
    callbacks told;
    const std::size_t lacks = every_lack_of_memory([&](std::size_t granted) {
        const std::size_t before = told.told().size();
        commands what = word("a");
        auto done = [note = told.next(),
                     owned = std::make_unique<int>(7)](const result& r) noexcept {
            EXPECT_EQ(*owned, 7);
            note(r);
        };
        bool refused = false;
        {
            const scarce_memory scarce{granted};
            try {
                c.call_later(std::move(what), done);
            } catch (const std::bad_alloc&) {
                refused = scarce.refused();
            }
        }
        if (refused) {
            done({make_error_code(errc::not_sent), {}}); // all of it is still there
        }
        EXPECT_TRUE(eventually([&] { return told.told().size() == before + 1; }));
        return refused;
    });
    EXPECT_GE(lacks, 2U);
}

TEST(client, goes_on_after_its_own_thread_had_no_memory) {
    const scripted_server server{script{play::answer(echo)}};
    client_settings s = settings_for(server);
    s.heartbeat = 10ms;
    client c{std::move(s)};
    ASSERT_TRUE(c.wait_until_connected(1min));
    std::optional<scarce_memory> scarce;
    on_io_thread(c, [&] { scarce.emplace(0); });
    std::promise<std::error_code> told;
    auto done = [&](const result& r) noexcept { told.set_value(r.error); };
    c.call_later(word(std::string(1'000'000, 'v')), done);
    EXPECT_EQ(told.get_future().get(), std::errc::not_enough_memory);
    const std::uint64_t calls = c.stats().system_calls;
    EXPECT_TRUE(eventually([&] { return c.stats().system_calls > calls + 20; }))
        << "it stands still";
    on_io_thread(c, [&] { scarce.reset(); });
    EXPECT_EQ(shown_result(c.call(word(std::string(1'000'000, 'v')))), ":1000000");
    EXPECT_EQ(server.connections(), 1U);
}

// ---- large -------------------------------------------------------------------------------------

TEST(client, calls_a_large_script_that_the_server_does_not_know) {
    // More than a socket takes at once, from a server that takes its time to read.
    const std::string argument(8'000'000, 'v');
    const scripted_server server{script{play::answer([&](const command_words& command) {
        if (command[0] == "EVALSHA") {
            return std::string{"-NOSCRIPT No matching script.\r\n"};
        }
        return command[0] == "EVAL" ? ':' + std::to_string(command.back().size()) + "\r\n"
                                    : echo(command);
    })}};
    client c{settings_for(server)};
    wait_until_served(c);
    const auto own_calls = c.stats().own_calls;
    constexpr weir::detail::redis::script s{"return 1", "0123456789012345678901234567890123456789",
                                            0};
    for (int i = 0; i != 3; ++i) {
        commands call;
        call.call(s, argument);
        EXPECT_EQ(shown_result(c.call(std::move(call))), ":8000000");
    }
    EXPECT_EQ(c.stats().own_calls, own_calls + 3);
}

} // namespace
