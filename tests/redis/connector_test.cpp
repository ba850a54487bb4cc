#include <weir/error.hpp>
#include <weir/redis/address.hpp>
#include <weir/redis/connector.hpp>
#include <weir/redis/core.hpp>
#include <weir/redis/preparation.hpp>
#include <weir/redis/uri.hpp>

#include "allocations.hpp"
#include "support/eventually.hpp"
#include "support/file_descriptor.hpp"
#include "support/name_service.hpp"
#include "support/scripted_server.hpp"
#include "support/sockets.hpp"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <future>
#include <iterator>
#include <memory>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using weir::errc;
using weir::detail::parse_redis_uri;
using weir::detail::redis_address;
using weir::detail::redis::client_core;
using weir::detail::redis::client_settings;
using weir::detail::redis::connector;
using weir::detail::redis::login;
using weir::detail::redis::steady_time;
using weir::tests::command_words;
using weir::tests::eventually;
using weir::tests::every_lack_of_memory;
using weir::tests::file_descriptor;
using weir::tests::listening_place;
using weir::tests::name_service;
using weir::tests::named;
using weir::tests::scarce_memory;
using weir::tests::script;
using weir::tests::scripted_server;
using weir::tests::transport;
namespace play = weir::tests::play;
using namespace std::chrono_literals;
using namespace std::string_literals;

std::size_t open_descriptors() {
    const std::filesystem::directory_iterator all{"/proc/self/fd"};
    return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

/// A server that is content with whoever comes.
std::string content(const command_words& command) {
    return command[0] == "TIME" ? "*2\r\n$10\r\n1700000000\r\n$1\r\n5\r\n" : "+OK\r\n";
}

/// While it lives, there is no room for the stack of a new thread.
class scarce_threads {
public:
    scarce_threads() {
        ::pthread_getattr_default_np(&usual_);
        ::pthread_attr_t huge{};
        ::pthread_attr_init(&huge);
        ::pthread_attr_setstacksize(&huge, std::size_t{1} << 47);
        EXPECT_EQ(::pthread_setattr_default_np(&huge), 0);
        ::pthread_attr_destroy(&huge);
    }
    scarce_threads(const scarce_threads&) = delete;
    scarce_threads& operator=(const scarce_threads&) = delete;
    ~scarce_threads() {
        ::pthread_setattr_default_np(&usual_);
        ::pthread_attr_destroy(&usual_);
    }

private:
    ::pthread_attr_t usual_{};
};

client_settings settings_for(const redis_address& to) {
    client_settings s;
    s.to = to;
    return s;
}

/// A connector, and what the I/O thread would do with it.
class driven_connector {
public:
    explicit driven_connector(client_settings s) : core{std::move(s)}, c{core} {
        core.events.add(core.bell->descriptor(), EPOLLIN | EPOLLET, client_core::bell_tag);
    }

    /// What the I/O thread does with events, and then with the time.
    void turn(steady_time now, int milliseconds) {
        std::array<::epoll_event, 8> events{};
        const int n = core.events.wait(events.data(), 8, milliseconds);
        for (int i = 0; i < n; ++i) {
            const ::epoll_event& e = events.at(static_cast<std::size_t>(i));
            if (e.data.u64 == c.tag()) {
                c.handle(e.events, now);
            } else if (e.data.u64 != client_core::bell_tag) {
                ++strange_events;
            }
        }
        c.proceed(now);
    }

    /// Wants a connection, and goes on until there is one or none.
    void attempt(steady_time now) {
        c.want(now);
        EXPECT_TRUE(eventually([&] {
            if (c.at_work()) {
                turn(now, 1);
            }
            return !c.at_work();
        }));
        connection = c.take_connection();
        failure = c.take_failure();
        EXPECT_NE(connection.has_value(), failure.has_value());
    }

    /// The same now, whenever the last attempt was.
    void attempt() { attempt(std::max(std::chrono::steady_clock::now(), c.retry_at())); }

    client_core core;
    connector c;
    std::optional<connector::connection> connection;
    std::optional<connector::failure> failure;
    int strange_events = 0;
};

/// What an attempt to connect to a server that plays `each` ends with: what is wrong, or nothing.
std::string outcome_with(script each) {
    const scripted_server server{std::move(each)};
    driven_connector d{settings_for(parse_redis_uri(server.uri()))};
    d.attempt();
    if (d.connection) {
        return {};
    }
    EXPECT_FALSE(d.failure->error == std::error_code{});
    return d.failure->text + " (" + d.failure->error.message() + ')';
}

std::string with_meaning(std::string_view text, errc meaning) {
    return std::string{text} + " (" + make_error_code(meaning).message() + ')';
}

// ---- connections -------------------------------------------------------------------------------

class each_connector : public testing::TestWithParam<transport> {};

INSTANTIATE_TEST_SUITE_P(over, each_connector,
                         testing::Values(transport::tcp, transport::unix_socket),
                         [](const auto& over) {
                             return over.param == transport::tcp ? "tcp" : "unix";
                         });

TEST_P(each_connector, makes_a_connection_that_is_ready) {
    const scripted_server server{script{play::answer(content)}, GetParam()};
    driven_connector d{settings_for(parse_redis_uri(server.uri()))};
    EXPECT_FALSE(d.c.at_work());
    d.attempt();
    ASSERT_TRUE(d.connection);
    EXPECT_TRUE(d.connection->transport.is_open());
    EXPECT_TRUE(d.connection->pipe->idle());
    EXPECT_THAT(server.commands(), ElementsAre(command_words{"TIME"}));
    EXPECT_FALSE(d.c.take_connection());
}

TEST_P(each_connector, introduces_itself) {
    const scripted_server server{script{play::answer(content)}, GetParam()};
    redis_address to = parse_redis_uri(server.uri());
    to.user = "app";
    to.password = "secret";
    to.db = 3;
    client_settings s = settings_for(to);
    s.name = "weir";
    driven_connector d{std::move(s)};
    d.attempt();
    ASSERT_TRUE(d.connection);
    EXPECT_THAT(server.commands(),
                ElementsAre(command_words{"AUTH", "app", "secret"}, command_words{"SELECT", "3"},
                            command_words{"CLIENT", "SETNAME", "weir"}, command_words{"TIME"}));
}

TEST_P(each_connector, makes_one_connection_after_the_other) {
    const scripted_server server{script{play::answer(content)}, GetParam()};
    driven_connector d{settings_for(parse_redis_uri(server.uri()))};
    std::vector<connector::connection> made;
    for (int i = 0; i != 5; ++i) {
        d.attempt();
        ASSERT_TRUE(d.connection);
        made.push_back(*std::move(d.connection));
    }
    EXPECT_EQ(server.connections(), 5U);
}

TEST(connector, asks_the_server_what_time_it_is) {
    const scripted_server server{script{play::answer(content)}};
    driven_connector d{settings_for(parse_redis_uri(server.uri()))};
    EXPECT_LT(d.core.clock.error(), 0ns);
    d.attempt();
    EXPECT_GE(d.core.clock.error(), 0ns);
    EXPECT_LT(std::chrono::abs(d.core.clock.now().time_since_epoch() - 1'700'000'000s), 1h);
}

TEST(connector, takes_a_server_that_does_not_tell_the_time) {
    EXPECT_EQ(outcome_with({play::answer([](const command_words&) {
                  return "-LOADING Redis is loading the dataset in memory\r\n";
              })}),
              "");
}

TEST(connector, reads_replies_that_come_byte_by_byte) {
    script slow{play::expect_command()};
    for (const char byte : content({"TIME"})) {
        slow.push_back(play::send(std::string(1, byte)));
        slow.push_back(play::wait(1ms));
    }
    slow.push_back(play::wait_for_close());
    EXPECT_EQ(outcome_with(std::move(slow)), "");
}

TEST(connector, writes_an_introduction_that_takes_its_time) {
    const scripted_server server{script{play::wait(20ms), play::answer(content)}};
    redis_address to = parse_redis_uri(server.uri());
    to.password = std::string(8'000'000, 'p'); // more than a socket takes at once
    driven_connector d{settings_for(to)};
    d.attempt();
    ASSERT_TRUE(d.connection);
    EXPECT_EQ(server.commands().at(0).at(1).size(), to.password.size());
}

// ---- credentials and addresses -----------------------------------------------------------------

TEST(connector, asks_for_credentials_before_each_attempt) {
    const scripted_server server{script{play::answer(content)}};
    client_settings s = settings_for(parse_redis_uri(server.uri()));
    int asked = 0;
    s.logins = [&] { return login{"app", "secret " + std::to_string(++asked)}; };
    driven_connector d{std::move(s)};
    d.attempt();
    d.attempt();
    EXPECT_THAT(server.commands(),
                ElementsAre(command_words{"AUTH", "app", "secret 1"}, command_words{"TIME"},
                            command_words{"AUTH", "app", "secret 2"}, command_words{"TIME"}));
}

TEST(connector, says_why_there_are_no_credentials) {
    client_settings s = settings_for(redis_address{.host = "127.0.0.1", .port = 1});
    s.logins = []() -> login { throw std::runtime_error{"the vault is closed"}; };
    driven_connector d{std::move(s)};
    d.attempt();
    ASSERT_TRUE(d.failure);
    EXPECT_EQ(d.failure->error, errc::unavailable) << "the server has refused nothing";
    EXPECT_EQ(d.failure->text, "no credentials: the vault is closed");
}

TEST(connector, connects_as_nobody_else_when_the_credentials_cannot_be_asked_for) {
    const scripted_server server{script{play::answer(content)}};
    client_settings s = settings_for(parse_redis_uri(server.uri()));
    s.logins = [] { return login{"app", "secret"}; };
    driven_connector d{std::move(s)};
    d.attempt(); // so that it knows an address
    ASSERT_TRUE(d.connection);
    const steady_time now = std::max(std::chrono::steady_clock::now(), d.c.retry_at());
    {
        const scarce_threads none;
        d.c.want(now);
    }
    d.attempt(now);
    ASSERT_TRUE(d.failure);
    EXPECT_EQ(d.failure->error, errc::unavailable);
    EXPECT_THAT(d.failure->text, HasSubstr("no credentials: "));
    EXPECT_EQ(server.connections(), 1U);
}

TEST(connector, connects_as_the_user_of_the_uri_when_a_name_cannot_be_asked_for) {
    const scripted_server server{script{play::answer(content)}};
    const name_service names{[](const std::string&) { return named{.addresses = {"127.0.0.1"}}; }};
    redis_address to = parse_redis_uri(server.uri());
    to.host = "cache";
    to.user = "app";
    to.password = "secret";
    driven_connector d{settings_for(to)};
    d.attempt();
    ASSERT_TRUE(d.connection);
    const steady_time now = std::max(std::chrono::steady_clock::now(), d.c.retry_at());
    {
        const scarce_threads none;
        d.c.want(now);
    }
    d.attempt(now);
    ASSERT_TRUE(d.connection);
    const command_words introduction{"AUTH", "app", "secret"};
    EXPECT_THAT(server.commands(), ElementsAre(introduction, command_words{"TIME"}, introduction,
                                               command_words{"TIME"}));
}

TEST(connector, connects_as_nobody_else_after_a_lack_of_memory_for_the_credentials) {
    const scripted_server server{script{play::answer(content)}};
    client_settings s = settings_for(parse_redis_uri(server.uri()));
    std::optional<scarce_memory> scarce; // of the thread that asks
    bool lacks = false;
    s.logins = [&] {
        if (lacks) {
            scarce.emplace(0);
        }
        return login{"app", std::string(100, 's')};
    };
    driven_connector d{std::move(s)};
    d.attempt();
    ASSERT_TRUE(d.connection);
    lacks = true;
    d.attempt();
    ASSERT_TRUE(d.failure);
    EXPECT_EQ(d.failure->error, errc::unavailable);
    EXPECT_EQ(server.connections(), 1U);
}

TEST(connector, tries_every_address_of_a_name) {
    const scripted_server server{script{play::answer(content)}};
    // Nobody listens at the others.
    const name_service names{[](const std::string&) {
        return named{.addresses = {"127.0.0.3", "127.0.0.2", "127.0.0.1"}};
    }};
    redis_address to = parse_redis_uri(server.uri());
    to.host = "cache";
    driven_connector d{settings_for(to)};
    d.attempt();
    EXPECT_TRUE(d.connection) << d.failure->text;
}

TEST(connector, says_why_a_name_has_no_address) {
    const name_service names{[](const std::string&) { return named{.error = EAI_NONAME}; }};
    driven_connector d{settings_for(redis_address{.host = "cache"})};
    d.attempt();
    ASSERT_TRUE(d.failure);
    EXPECT_EQ(d.failure->error, errc::unavailable);
    EXPECT_THAT(d.failure->text, HasSubstr("cannot resolve \"cache\""));
}

TEST(connector, goes_on_with_the_addresses_that_it_knew_when_a_name_has_none) {
    const scripted_server server{script{play::answer(content)}};
    redis_address to = parse_redis_uri(server.uri());
    to.host = "cache";
    driven_connector d{settings_for(to)};
    {
        const name_service names{
            [](const std::string&) { return named{.addresses = {"127.0.0.1"}}; }};
        d.attempt();
        ASSERT_TRUE(d.connection);
    }
    const name_service names{[](const std::string&) { return named{.error = EAI_AGAIN}; }};
    d.attempt();
    EXPECT_TRUE(d.connection);
}

TEST(connector, says_when_the_credentials_do_not_come_and_waits_for_them) {
    const scripted_server server{script{play::answer(content)}};
    std::promise<void> goes_on;
    client_settings s = settings_for(parse_redis_uri(server.uri()));
    s.logins = [waits = goes_on.get_future().share()] {
        waits.wait();
        return login{"app", "secret"};
    };
    s.connect_timeout = 1min;
    driven_connector d{std::move(s)};
    const steady_time start = std::chrono::steady_clock::now();
    d.c.want(start);
    d.turn(start + 1min, 0);
    EXPECT_FALSE(d.c.take_failure());
    for (int minute = 1; minute != 4; ++minute) {
        d.turn(start + minute * (1min + 1ns), 0);
        const auto failure = d.c.take_failure();
        ASSERT_TRUE(failure);
        EXPECT_EQ(failure->error, errc::unavailable);
        EXPECT_THAT(failure->text, HasSubstr("within the connect_timeout"));
        d.turn(start + minute * (1min + 1ns), 0);
        EXPECT_FALSE(d.c.take_failure()) << "once each time";
        EXPECT_TRUE(d.c.at_work());
    }
    goes_on.set_value();
    d.attempt();
    EXPECT_TRUE(d.connection);
}

TEST(connector, goes_on_with_the_addresses_that_it_knew_when_a_name_takes_its_time) {
    const scripted_server server{script{play::answer(content)}};
    std::promise<void> goes_on;
    std::atomic<int> asked{0};
    std::atomic<int> told{0};
    const name_service names{[&, waits = goes_on.get_future().share()](const std::string&) {
        if (++asked == 2) {
            waits.wait();
        }
        ++told;
        return named{.addresses = {"127.0.0.1"}};
    }};
    redis_address to = parse_redis_uri(server.uri());
    to.host = "cache";
    client_settings s = settings_for(to);
    s.connect_timeout = 1min;
    driven_connector d{std::move(s)};
    d.attempt();
    ASSERT_TRUE(d.connection);
    const steady_time start = std::max(std::chrono::steady_clock::now(), d.c.retry_at());
    d.c.want(start);
    d.turn(start + 1min, 0);
    EXPECT_EQ(server.connections(), 1U);
    d.attempt(start + 1min + 1ns);
    EXPECT_TRUE(d.connection);
    EXPECT_EQ(server.connections(), 2U);
    goes_on.set_value();
    EXPECT_TRUE(eventually([&] { return told == 2; }));
}

// ---- failures ----------------------------------------------------------------------------------

TEST_P(each_connector, says_that_nobody_listens) {
    listening_place place{GetParam()};
    weir::tests::redis_uri uri;
    uri.where = place.where();
    driven_connector d{settings_for(parse_redis_uri(uri.text()))};
    d.attempt();
    ASSERT_TRUE(d.failure);
    EXPECT_EQ(d.failure->error, errc::unavailable);
    EXPECT_THAT(d.failure->text, HasSubstr("cannot connect: "));
}

TEST(connector, says_that_the_server_hung_up) {
    const std::string hung_up = with_meaning("the server hung up", errc::unavailable);
    EXPECT_EQ(outcome_with({play::expect_command()}), hung_up);
    EXPECT_EQ(outcome_with({play::expect_command(), play::send("*2\r\n$10\r\n17000")}), hung_up);
    EXPECT_EQ(outcome_with({play::expect_command(), play::reset()}), hung_up);
    EXPECT_EQ(outcome_with({play::expect_command(), play::send(content({"TIME"})), play::finish(),
                            play::wait(20ms)}),
              "")
        << "that it did so after all it had to say is for the link to find out";
}

TEST(connector, says_what_the_server_said_when_it_hung_up) {
    EXPECT_EQ(outcome_with({play::send("-ERR max number of clients reached\r\n"), play::finish(),
                            play::wait_for_close()}),
              with_meaning("ERR max number of clients reached", errc::rejected));
    EXPECT_EQ(outcome_with({play::send("-DENIED Redis is running in protected mode\r\n"),
                            play::finish(), play::wait_for_close()}),
              with_meaning("DENIED Redis is running in protected mode", errc::not_permitted));
}

TEST(connector, says_that_credentials_are_needed_or_wrong) {
    for (const char* const text :
         {"NOAUTH Authentication required.", "WRONGPASS invalid username-password pair"}) {
        EXPECT_EQ(outcome_with({play::answer(
                      [&](const command_words&) { return '-' + std::string{text} + "\r\n"; })}),
                  with_meaning(text, errc::not_permitted));
    }
}

TEST(connector, says_that_there_is_no_redis_server) {
    const std::string no_server =
        with_meaning("what answers there is no Redis server", errc::unavailable);
    for (const char* const bytes :
         {"HTTP/1.1 400 Bad Request\r\n\r\n", "SSH-2.0-OpenSSH_9.2\r\n", "220 mail\r\n", "\r\n"}) {
        EXPECT_EQ(outcome_with({play::send(bytes), play::wait_for_close()}), no_server);
    }
}

TEST(connector, does_not_take_a_connection_with_a_reply_too_many) {
    EXPECT_EQ(outcome_with({play::expect_command(), play::send(content({"TIME"}) + "+and more\r\n"),
                            play::wait_for_close()}),
              with_meaning("what answers there is no Redis server", errc::unavailable));
}

TEST(connector, tries_the_next_address_when_one_hangs_up) {
    const scripted_server server{std::vector<script>{
        {play::expect_command()}, {play::send("HTTP/1.1 400\r\n")}, {play::answer(content)}}};
    const name_service names{[](const std::string&) {
        return named{.addresses = {"127.0.0.1", "127.0.0.1", "127.0.0.1"}};
    }};
    redis_address to = parse_redis_uri(server.uri());
    to.host = "cache";
    driven_connector d{settings_for(to)};
    d.attempt();
    EXPECT_TRUE(d.connection) << d.failure->text;
    EXPECT_EQ(server.connections(), 3U);
}

TEST(connector, tries_no_other_address_when_one_refuses_the_credentials) {
    const scripted_server server{script{
        play::answer([](const command_words&) { return "-NOAUTH Authentication required.\r\n"; })}};
    const name_service names{[](const std::string&) {
        return named{.addresses = {"127.0.0.1", "127.0.0.1"}};
    }};
    redis_address to = parse_redis_uri(server.uri());
    to.host = "cache";
    driven_connector d{settings_for(to)};
    d.attempt();
    ASSERT_TRUE(d.failure);
    EXPECT_EQ(server.connections(), 1U);
}

TEST(connector, gives_an_address_up_that_does_not_answer_in_time) {
    const scripted_server server{script{play::expect_command(), play::wait_for_close()}};
    client_settings s = settings_for(parse_redis_uri(server.uri()));
    s.connect_timeout = 1min;
    driven_connector d{std::move(s)};
    const steady_time start = std::chrono::steady_clock::now();
    d.c.want(start);
    d.turn(start, 0);
    EXPECT_TRUE(eventually([&] {
        d.turn(start + 1min, 1);
        return server.commands().size() == 1;
    }));
    EXPECT_TRUE(d.c.at_work());
    d.turn(start + 1min + 1ns, 0);
    EXPECT_FALSE(d.c.at_work());
    const auto failure = d.c.take_failure();
    ASSERT_TRUE(failure);
    EXPECT_EQ(failure->error, errc::unavailable);
    EXPECT_EQ(failure->text, "no answer within the connect_timeout");
}

TEST(connector, counts_the_time_anew_for_each_address) {
    const scripted_server server{script{play::expect_command(), play::wait_for_close()}};
    const name_service names{[](const std::string&) {
        return named{.addresses = {"127.0.0.1", "127.0.0.1"}};
    }};
    redis_address to = parse_redis_uri(server.uri());
    to.host = "cache";
    client_settings s = settings_for(to);
    s.connect_timeout = 1min;
    driven_connector d{std::move(s)};
    const steady_time start = std::chrono::steady_clock::now();
    d.c.want(start);
    EXPECT_TRUE(eventually([&] {
        d.turn(start, 1);
        return server.commands().size() == 1;
    }));
    d.turn(start + 61s, 0);
    EXPECT_TRUE(eventually([&] {
        d.turn(start + 61s, 1);
        return server.commands().size() == 2;
    }));
    d.turn(start + 2min, 0);
    EXPECT_TRUE(d.c.at_work());
    d.turn(start + 122s, 0);
    EXPECT_FALSE(d.c.at_work());
}

// ---- after a failure ---------------------------------------------------------------------------

/// A connector that fails as often as it likes: nobody listens there.
class failing_connector : public testing::Test {
protected:
    listening_place place{transport::tcp};
    driven_connector d{
        settings_for(redis_address{.host = "127.0.0.1", .port = place.where().port})};
};

TEST_F(failing_connector, waits_before_it_tries_again) {
    steady_time now = std::chrono::steady_clock::now();
    for (int i = 0; i != 20; ++i) {
        d.attempt(now);
        ASSERT_TRUE(d.failure);
        if (d.c.retry_at() > now) {
            d.c.want(d.c.retry_at() - 1ns);
            EXPECT_FALSE(d.c.at_work());
        }
        now = d.c.retry_at();
    }
}

TEST_F(failing_connector, waits_for_a_random_time_that_may_be_longer_with_each_failure) {
    const steady_time now = std::chrono::steady_clock::now();
    std::vector<std::chrono::nanoseconds> longest(7, 0ns);
    for (int round = 0; round != 200; ++round) {
        connector c{d.core};
        for (std::chrono::nanoseconds& most : longest) {
            c.hold_back(now);
            EXPECT_GE(c.retry_at(), now);
            most = std::max(most, c.retry_at() - now);
        }
    }
    std::chrono::nanoseconds span = 20ms;
    for (const std::chrono::nanoseconds most : longest) {
        EXPECT_LT(most, span);
        EXPECT_GT(most, span / 2) << "of 200 that are drawn from all of it";
        span = std::min<std::chrono::nanoseconds>(2 * span, 500ms);
    }
}

TEST_F(failing_connector, is_as_patient_as_at_first_when_connections_last) {
    const steady_time now = std::chrono::steady_clock::now();
    for (int i = 0; i != 1000; ++i) {
        d.c.hold_back(now); // however often
    }
    d.c.trust();
    d.c.hold_back(now);
    EXPECT_LT(d.c.retry_at() - now, 20ms);
}

TEST_F(failing_connector, leaves_no_descriptor_and_no_event_behind) {
    d.attempt();
    const std::size_t before = open_descriptors();
    for (int i = 0; i != 20; ++i) {
        d.attempt();
        ASSERT_TRUE(d.failure);
        d.turn(std::chrono::steady_clock::now(), 0);
    }
    EXPECT_EQ(open_descriptors(), before);
    EXPECT_EQ(d.strange_events, 0);
}

TEST(connector, leaves_no_event_behind_that_a_copy_of_its_descriptor_would_keep_alive) {
    const scripted_server server{script{play::expect_command(), play::wait_for_close()}};
    client_settings s = settings_for(parse_redis_uri(server.uri()));
    driven_connector d{std::move(s)};
    const steady_time start = std::chrono::steady_clock::now();
    d.c.want(start);
    EXPECT_TRUE(eventually([&] {
        d.turn(start, 1);
        return server.commands().size() == 1;
    }));
    // As a process has it that is forked now.
    std::vector<file_descriptor> copies;
    for (int fd = 3; fd != 100; ++fd) {
        ::sockaddr_in peer{};
        ::socklen_t size = sizeof peer;
        if (::getpeername(fd, reinterpret_cast<::sockaddr*>(&peer), &size) == 0 &&
            peer.sin_family == AF_INET && ntohs(peer.sin_port) == server.where().port) {
            copies.emplace_back(::dup(fd));
        }
    }
    ASSERT_FALSE(copies.empty());
    d.turn(start + 1h, 0);
    EXPECT_FALSE(d.c.at_work());
    for (const file_descriptor& copy : copies) {
        ::shutdown(copy.get(), SHUT_RDWR);
    }
    d.turn(start + 1h, 1);
    EXPECT_EQ(d.strange_events, 0);
    EXPECT_EQ(d.c.tag(), connector::first_tag + 1) << "the tag of the attempt that failed";
    std::array<::epoll_event, 8> events{};
    EXPECT_LE(d.core.events.wait(events.data(), 8, 1), 0);
}

TEST(connector, fails_without_a_word_when_it_is_given_up) {
    const scripted_server server{script{play::expect_command(), play::wait_for_close()}};
    driven_connector d{settings_for(parse_redis_uri(server.uri()))};
    const steady_time now = std::chrono::steady_clock::now();
    d.c.want(now);
    d.turn(now, 0);
    d.c.give_up(now);
    EXPECT_FALSE(d.c.at_work());
    const auto failure = d.c.take_failure();
    ASSERT_TRUE(failure);
    EXPECT_EQ(failure->error, errc::unavailable);
    EXPECT_EQ(failure->text, "");
    EXPECT_GE(d.c.retry_at(), now);
}

TEST(connector, makes_a_connection_after_any_lack_of_memory) {
    const scripted_server server{script{play::answer(content)}};
    client_settings s = settings_for(parse_redis_uri(server.uri()));
    s.to.password = std::string(100, 'p');
    s.name = std::string(64, 'n');
    driven_connector d{std::move(s)};
    const std::size_t lacks = every_lack_of_memory([&](std::size_t granted) {
        const steady_time now = std::max(std::chrono::steady_clock::now(), d.c.retry_at());
        bool refused = false;
        {
            const scarce_memory scarce{granted};
            const auto connect = [&](const auto& work) {
                try {
                    work();
                } catch (const std::bad_alloc&) {
                    d.c.give_up(now);
                }
            };
            connect([&] { d.c.want(now); });
            for (int i = 0; i != 10'000 && d.c.at_work(); ++i) {
                connect([&] { d.turn(now, 1); });
            }
            refused = scarce.refused();
        }
        EXPECT_FALSE(d.c.at_work());
        EXPECT_EQ(d.c.take_failure().has_value(), refused);
        EXPECT_EQ(d.c.take_connection().has_value(), !refused);
        d.attempt();
        EXPECT_TRUE(d.connection);
        return refused;
    });
    EXPECT_GE(lacks, 5U);
}

} // namespace
