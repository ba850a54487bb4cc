// Servers come up, obey, and are gone after the test.

#include "redis_server.hpp"

#include "eventually.hpp"
#include "process_state.hpp"
#include "raw_redis.hpp"
#include "role.hpp"
#include "sockets.hpp"
#include "temporary_directory.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <list>
#include <mutex>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <sys/wait.h>
#include <system_error>
#include <thread>
#include <unistd.h>
#include <vector>

namespace {

using namespace weir::tests;
using namespace std::chrono_literals;
using testing::AnyOf;
using testing::HasSubstr;
using testing::StartsWith;
using testing::ThrowsMessage;

TEST(redis_server, it_answers_on_its_port_and_its_unix_socket_as_soon_as_it_is_made) {
    const redis_server server;
    EXPECT_EQ(raw_redis{server.uri()}.command("PING"), "PONG");
    EXPECT_EQ(raw_redis{server.unix_uri()}.command("PING"), "PONG");
}

TEST(redis_server, its_uris_name_the_database) {
    const redis_server server;
    EXPECT_EQ(server.uri(3), "redis://127.0.0.1:" + std::to_string(server.port()) + "/3");
    EXPECT_EQ(server.unix_uri(3), "unix://" + server.directory().string() + "/socket?db=3");
}

TEST(redis_server, it_is_the_process_that_was_started) {
    const redis_server server;
    EXPECT_EQ(raw_redis{server.uri()}.info_number("server", "process_id"), server.pid());
}

TEST(redis_server, it_stores_nothing_on_disk) {
    redis_server server;
    raw_redis{server.uri()}.command("SET", "k", "v");
    server.stop();
    for (const auto& file : std::filesystem::directory_iterator{server.directory()}) {
        EXPECT_THAT(file.path().filename().string(), AnyOf("log", "socket"));
    }
}

TEST(redis_server, arguments_of_the_test_win) {
    const redis_server server{{"--maxmemory", "12345678", "--databases", "3"}};
    raw_redis redis{server.uri()};
    EXPECT_EQ(redis.command("CONFIG", "GET", "maxmemory").elements.at(1), "12345678");
    EXPECT_TRUE(redis.ask("SELECT", 3).is_error());
}

TEST(redis_server, debug_commands_are_allowed) {
    const redis_server server;
    EXPECT_EQ(raw_redis{server.uri()}.command("DEBUG", "SLEEP", 0), "OK");
}

TEST(redis_server, one_that_asks_for_a_password_comes_up) {
    const redis_server server{{"--requirepass", "secret"}};
    EXPECT_EQ(raw_redis{server.uri()}.ask("PING").error_code(), "NOAUTH");
}

TEST(redis_server, those_started_at_the_same_time_have_ports_of_their_own) {
    constexpr int threads = 4;
    constexpr int each = 5;
    std::mutex mutex;
    std::list<redis_server> servers;
    std::vector<std::thread> starters;
    for (int i = 0; i < threads; ++i) {
        starters.emplace_back([&] {
            for (int j = 0; j < each; ++j) {
                std::list<redis_server> started(1);
                const std::lock_guard lock{mutex};
                servers.splice(servers.end(), started);
            }
        });
    }
    for (std::thread& starter : starters) {
        starter.join();
    }
    std::set<std::uint16_t> ports;
    for (const redis_server& server : servers) {
        ports.insert(server.port());
        EXPECT_EQ(raw_redis{server.uri()}.info_number("server", "process_id"), server.pid());
    }
    EXPECT_EQ(ports.size(), std::size_t{threads * each});
}

TEST(redis_server, a_killed_one_refuses_connections_and_answers_on_the_same_port_again) {
    redis_server server;
    const std::string uri = server.uri();
    raw_redis before{uri};
    before.command("SET", "k", "v");
    server.kill();
    EXPECT_FALSE(server.is_running());
    EXPECT_TRUE(before.wait_for_close());
    EXPECT_THROW(raw_redis{uri}, std::system_error);
    server.restart();
    EXPECT_TRUE(server.is_running());
    EXPECT_EQ(server.uri(), uri);
    EXPECT_TRUE(raw_redis{uri}.command("GET", "k").is_nil());
}

TEST(redis_server, one_that_runs_is_replaced_by_a_restart) {
    redis_server server;
    const pid_t first = server.pid();
    server.restart();
    EXPECT_NE(server.pid(), first);
    EXPECT_TRUE(has_ended(first));
    EXPECT_EQ(raw_redis{server.uri()}.info_number("server", "process_id"), server.pid());
}

TEST(redis_server, a_stopped_one_has_written_what_it_was_told_to_store) {
    redis_server server{{"--save", "3600 1"}};
    raw_redis{server.uri()}.command("SET", "k", "v");
    server.stop();
    EXPECT_FALSE(server.is_running());
    server.restart();
    EXPECT_EQ(raw_redis{server.uri()}.command("GET", "k"), "v");
}

TEST(redis_server, one_that_ended_by_itself_is_not_running) {
    redis_server server;
    EXPECT_TRUE(server.is_running());
    raw_redis{server.uri()}.send("SHUTDOWN");
    EXPECT_TRUE(eventually([&] { return !server.is_running(); }));
    server.restart();
    EXPECT_TRUE(server.is_running());
}

TEST(redis_server, a_paused_one_can_be_stopped) {
    redis_server server;
    server.pause();
    server.stop();
    EXPECT_FALSE(server.is_running());
}

TEST(redis_server, a_paused_one_answers_when_it_is_resumed_and_not_before) {
    const redis_server server;
    raw_redis redis{server.uri()};
    server.pause();
    redis.send("PING");
    EXPECT_TRUE(redis.is_silent(50ms));
    server.resume();
    EXPECT_EQ(redis.receive(), "PONG");
}

/// A server that takes two milliseconds for each key on its disk when it starts.
class slow_to_load : public testing::Test {
protected:
    void store_keys(int count) {
        raw_redis redis{server_.uri()};
        redis.command("DEBUG", "POPULATE", count);
        redis.command("SAVE");
    }

    redis_server server_{
        {"--key-load-delay", "2000", "--loading-process-events-interval-bytes", "1024"}};
};

TEST_F(slow_to_load, a_restart_can_wait_for_any_answer) {
    store_keys(10'000); // 20 seconds
    server_.restart(redis_server::readiness::answers);
    EXPECT_EQ(raw_redis{server_.uri()}.ask("GET", "key:0").error_code(), "LOADING");
}

TEST_F(slow_to_load, a_restart_waits_until_all_is_loaded) {
    store_keys(100); // 0.2 seconds
    server_.restart();
    EXPECT_EQ(raw_redis{server_.uri()}.command("DBSIZE"), 100);
}

TEST(redis_server_that_does_not_come_up, what_it_printed_is_in_the_exception) {
    const std::vector<std::string> wrong{"--no-such-option", "1"};
    EXPECT_THAT([&] { redis_server{wrong}; },
                ThrowsMessage<std::runtime_error>(HasSubstr("no-such-option")));
}

TEST(redis_server_that_does_not_come_up, a_port_that_stays_taken_is_an_exception) {
    const listening_place taken{transport::tcp};
    const file_descriptor listener = taken.listen();
    const std::vector<std::string> arguments{"--port", std::to_string(taken.where().port)};
    EXPECT_THAT([&] { redis_server{arguments}; },
                ThrowsMessage<std::runtime_error>(StartsWith("no free port for a Redis server")));
}

/// An environment variable that has its old value again afterwards.
class changed_variable {
public:
    changed_variable(const char* name, const char* value) : name_{name} {
        if (const char* old = std::getenv(name)) {
            old_ = old;
        }
        setenv(name, value, 1);
    }
    changed_variable(const changed_variable&) = delete;
    changed_variable& operator=(const changed_variable&) = delete;
    ~changed_variable() {
        if (old_) {
            setenv(name_, old_->c_str(), 1);
        } else {
            unsetenv(name_);
        }
    }

private:
    const char* name_;
    std::optional<std::string> old_;
};

TEST(redis_server_that_is_missing, the_exception_names_the_program_of_the_variable) {
    const changed_variable variable{"WEIR_REDIS_SERVER", "/nowhere/valkey-server"};
    EXPECT_THAT([] { redis_server{}; }, ThrowsMessage<std::runtime_error>(
                                            "WEIR_REDIS_SERVER is \"/nowhere/valkey-server\", "
                                            "which is no program that can be run"));
}

TEST(redis_server_that_is_missing, the_exception_says_what_to_do_when_none_is_on_the_path) {
    const changed_variable variable{"WEIR_REDIS_SERVER", ""};
    const changed_variable path{"PATH", "/nowhere:/proc"};
    EXPECT_THAT(
        [] { redis_server{}; },
        ThrowsMessage<std::runtime_error>(
            "there is no redis-server on PATH: install Redis or Valkey, or name the program "
            "in the environment variable WEIR_REDIS_SERVER"));
}

TEST(fresh_database, no_two_tests_get_the_same_one) {
    std::mutex mutex;
    std::set<int> numbers;
    std::vector<std::thread> tests;
    for (int i = 0; i < 4; ++i) {
        tests.emplace_back([&] {
            for (int j = 0; j < 10; ++j) {
                const int number = fresh_database().number();
                const std::lock_guard lock{mutex};
                numbers.insert(number);
            }
        });
    }
    for (std::thread& test : tests) {
        test.join();
    }
    EXPECT_EQ(numbers.size(), 40U);
    EXPECT_EQ(numbers.count(0), 0U);
}

TEST(fresh_database, one_that_comes_again_is_empty) {
    const database first = fresh_database();
    raw_redis{first.uri()}.command("SET", "k", "v");
    database again = fresh_database();
    while (again.number() != first.number()) {
        again = fresh_database();
    }
    EXPECT_EQ(raw_redis{again.uri()}.command("DBSIZE"), 0);
}

TEST(fresh_database, all_are_on_the_shared_server) {
    for (int i = 0; i < 3; ++i) {
        const database fresh = fresh_database();
        EXPECT_EQ(fresh.uri(), shared_server().uri(fresh.number()));
    }
}

TEST(shared_server, the_exit_of_a_forked_process_leaves_it_alone) {
    const std::string uri = shared_server().uri();
    const pid_t forked = fork();
    if (forked == 0) {
        std::exit(0); // NOLINT: with the destructors of static objects
    }
    int status = -1;
    ASSERT_EQ(waitpid(forked, &status, 0), forked);
    EXPECT_EQ(raw_redis{uri}.command("PING"), "PONG");
    EXPECT_TRUE(std::filesystem::exists(shared_server().directory()));
}

// --- However the process of a test ends, its server does, too ------------------------------------

/// Starts a server in a thread that ends, and tells where and which it is.
void start_and_tell() {
    std::thread{[] { static_cast<void>(shared_server()); }}.join();
    raw_redis{shared_server().uri()}.command("PING");
    std::ofstream{"directory"} << shared_server().directory().string();
    std::ofstream{"pid"} << shared_server().pid() << '\n' << std::flush;
}

const role lasting{"lasting", [] {
                       start_and_tell();
                       pause(); // until killed
                   }};
const role aborting{"aborting", [] {
                        start_and_tell();
                        std::abort();
                    }};
const role exiting{"exiting", [] {
                       start_and_tell();
                       std::exit(7); // NOLINT: with the destructors of static objects
                   }};

class end_of_a_test : public testing::Test {
protected:
    /// Starts this program in that role and returns its server's number.
    pid_t start(const std::string& role) {
        test_.emplace(play_role(role, directory_.path()));
        EXPECT_TRUE(eventually([&] { return text_of("pid").ends_with('\n'); }))
            << text_of("errors");
        return std::stoi("0" + text_of("pid"));
    }

    [[nodiscard]] std::string text_of(const char* name) const {
        std::ifstream file{directory_.path() / name};
        return {std::istreambuf_iterator<char>{file}, std::istreambuf_iterator<char>{}};
    }

    temporary_directory directory_;
    std::optional<child_process> test_;
};

TEST_F(end_of_a_test, the_server_ends_with_a_process_that_is_killed) {
    const pid_t server = start("lasting");
    ASSERT_FALSE(has_ended(server));
    test_->send_signal(SIGKILL);
    EXPECT_TRUE(eventually([&] { return has_ended(server); }));
}

TEST_F(end_of_a_test, the_server_ends_with_a_process_that_aborts) {
    const pid_t server = start("aborting");
    EXPECT_TRUE(eventually([&] { return has_ended(server); }));
}

TEST_F(end_of_a_test, the_server_and_its_directory_go_with_a_process_that_exits) {
    const pid_t server = start("exiting");
    ASSERT_TRUE(test_->wait_for(patience));
    EXPECT_EQ(test_->status(), 7);
    EXPECT_TRUE(has_ended(server));
    EXPECT_FALSE(std::filesystem::exists(text_of("directory")));
}

} // namespace
