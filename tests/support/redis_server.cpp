#include "redis_server.hpp"

#include "eventually.hpp"
#include "raw_redis.hpp"

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace weir::tests {

namespace {

using namespace std::chrono_literals;

std::string server_program() {
    if (const char* name = std::getenv("WEIR_REDIS_SERVER"); name != nullptr && *name != '\0') {
        if (auto program = find_program(name)) {
            return *std::move(program);
        }
        throw std::runtime_error{"WEIR_REDIS_SERVER is \"" + std::string{name} +
                                 "\", which is no program that can be run"};
    }
    if (auto program = find_program("redis-server")) {
        return *std::move(program);
    }
    throw std::runtime_error{
        "there is no redis-server on PATH: install Redis or Valkey, or name the "
        "program in the environment variable WEIR_REDIS_SERVER"};
}

} // namespace

redis_server::redis_server(std::vector<std::string> arguments) : arguments_{std::move(arguments)} {
    // Only a stranger can have taken a reserved port.
    constexpr int strangers = 20;
    for (int i = 0; !start(readiness::loaded); ++i) {
        if (i == strangers) {
            throw std::runtime_error{"no free port for a Redis server; its log:\n" + log()};
        }
        port_ = reserved_port{};
    }
}

bool redis_server::start(readiness until) {
    // Options that Redis 7.0 to 8 and Valkey know.
    std::vector<std::string> line{server_program()};
    const auto set = [&line](const char* name, std::string value) {
        line.insert(line.end(), {name, std::move(value)});
    };
    set("--bind", "127.0.0.1");
    set("--port", std::to_string(port()));
    set("--unixsocket", socket_file());
    set("--unixsocketperm", "700");
    set("--dir", directory().string());
    set("--save", "");
    set("--appendonly", "no");
    set("--databases", std::to_string(databases));
    set("--enable-debug-command", "yes");
    line.insert(line.end(), arguments_.begin(), arguments_.end());

    const std::size_t printed_before = log().size();
    process_.emplace(child_process::program{.arguments = std::move(line),
                                            .directory = directory(),
                                            .output = log_file(),
                                            .errors = log_file()});
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (!is_ready(until)) {
        if (process_->wait_for(1ms)) {
            const std::string printed = log().substr(printed_before);
            if (printed.find("Address already in use") != std::string::npos) {
                return false;
            }
            throw std::runtime_error{"the Redis server ended with status " +
                                     std::to_string(process_->status().value()) +
                                     " before it answered; its log:\n" + printed};
        }
        if (std::chrono::steady_clock::now() > deadline) {
            throw std::runtime_error{"the Redis server did not answer; its log:\n" + log()};
        }
    }
    return true;
}

bool redis_server::is_ready(readiness until) const {
    // The Unix socket comes last, and no other server can have it.
    try {
        const raw_reply reply = raw_redis{unix_uri()}.ask("PING");
        return until == readiness::answers || reply.error_code() != "LOADING";
    } catch (const std::runtime_error&) {
        return false; // it does not listen yet, or ended
    }
}

std::string redis_server::uri(int database) const {
    return redis_uri{.where = {.port = port()}, .database = database}.text();
}

std::string redis_server::unix_uri(int database) const {
    return redis_uri{.where = {.path = socket_file()}, .database = database}.text();
}

std::string redis_server::log() const {
    std::ifstream file{log_file(), std::ios::binary};
    return {std::istreambuf_iterator<char>{file}, std::istreambuf_iterator<char>{}};
}

void redis_server::stop() {
    process_->send_signal(SIGTERM);
    process_->resume(); // it may be held
    if (!process_->wait_for(patience)) {
        process_->kill();
    }
}

void redis_server::restart(readiness until) {
    process_->kill();
    if (!start(until)) {
        throw std::runtime_error{"somebody took the port of a Redis server; its log:\n" + log()};
    }
}

redis_server& shared_server() {
    static redis_server server;
    return server;
}

database fresh_database() {
    static std::atomic<int> taken{0};
    constexpr int usable = redis_server::databases - 1; // number 0 is for those who name none
    const int number = taken.fetch_add(1, std::memory_order_relaxed) % usable + 1;
    database result{shared_server(), number};
    raw_redis{result.unix_uri()}.command("FLUSHDB");
    return result;
}

} // namespace weir::tests
