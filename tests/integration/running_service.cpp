#include "running_service.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <poll.h>
#include <stdexcept>
#include <string_view>
#include <sys/wait.h>
#include <system_error>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

namespace integration {

namespace {

using namespace std::chrono_literals;

constexpr int patience_ms = 120'000;

[[noreturn]] void fail(const char* what) {
    throw std::system_error{errno, std::generic_category(), what};
}

std::vector<std::string> as_strings(const environment& settings) {
    std::vector<std::string> strings;
    for (const auto& [name, value] : settings) {
        strings.push_back(name + "=" + value);
    }
    for (const char* name : {"ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS", "LD_LIBRARY_PATH"}) {
        if (const char* value = std::getenv(name)) {
            strings.push_back(std::string{name} + "=" + value);
        }
    }
    return strings;
}

/// Filled once per run of the tests, by the service itself.
const std::filesystem::path& filled_database() {
    static const temporary_directory directory;
    static const std::filesystem::path path = [] {
        std::filesystem::path file = directory.path() / "products.db";
        process service{{{"PORT", "0"}, {"DATABASE", file.string()}}};
        std::string line;
        while (line.find("listening on") == std::string::npos) {
            line = service.read_line();
            if (line.empty()) {
                throw std::runtime_error{"the service did not start: see its output"};
            }
        }
        service.send_signal(SIGTERM);
        if (service.wait() != 0) {
            throw std::runtime_error{"the service did not end well after its first start"};
        }
        return file;
    }();
    return path;
}

} // namespace

temporary_directory::temporary_directory() {
    std::string name = (std::filesystem::temp_directory_path() / "product_service.XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) {
        fail("mkdtemp");
    }
    path_ = name;
}

temporary_directory::~temporary_directory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

process::process(const environment& settings) {
    const std::vector<std::string> strings = as_strings(settings);
    std::vector<char*> variables;
    for (const std::string& variable : strings) {
        variables.push_back(const_cast<char*>(variable.c_str()));
    }
    variables.push_back(nullptr);
    std::string program = PRODUCT_SERVICE;
    std::array<char*, 2> arguments{program.data(), nullptr};

    std::array<int, 2> pipe{};
    if (pipe2(pipe.data(), O_CLOEXEC) != 0) {
        fail("pipe2");
    }
    pid_ = fork();
    if (pid_ == 0) {
        dup2(pipe[1], STDOUT_FILENO);
        dup2(pipe[1], STDERR_FILENO);
        execve(program.c_str(), arguments.data(), variables.data());
        _exit(127);
    }
    close(pipe[1]);
    output_ = pipe[0];
    if (pid_ < 0) {
        fail("fork");
    }
}

process::~process() {
    if (pid_ > 0) {
        kill(pid_, SIGKILL);
        waitpid(pid_, nullptr, 0);
    }
    close(output_);
}

bool process::read_more() const {
    pollfd readable{.fd = output_, .events = POLLIN, .revents = 0};
    if (poll(&readable, 1, patience_ms) != 1) {
        throw std::runtime_error{"the service printed nothing for two minutes"};
    }
    std::array<char, 4096> buffer{};
    const ssize_t count = read(output_, buffer.data(), buffer.size());
    if (count <= 0) {
        return false;
    }
    pending_.append(buffer.data(), static_cast<std::size_t>(count));
    return true;
}

std::string process::read_line() {
    while (pending_.find('\n') == std::string::npos && read_more()) {
    }
    const std::size_t end = std::min(pending_.find('\n'), pending_.size());
    std::string line = pending_.substr(0, end);
    pending_.erase(0, end + 1);
    return line;
}

std::string process::read_all() {
    while (read_more()) {
    }
    return std::exchange(pending_, {});
}

void process::send_signal(int signal) const {
    kill(pid_, signal);
}

void process::show_output() const {
    pollfd readable{.fd = output_, .events = POLLIN, .revents = 0};
    while (poll(&readable, 1, 1000) == 1 && read_more()) {
    }
    std::fputs(pending_.c_str(), stderr);
}

int process::wait() {
    pending_ = read_all();
    int status = 0;
    while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
    const int result = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
    if (result != 0) {
        show_output();
    }
    return result;
}

std::string reply::header(const std::string& name) const {
    const auto found = headers.find(name);
    return found == headers.end() ? std::string{} : found->second;
}

environment running_service::prepare(environment settings) const {
    std::filesystem::copy_file(filled_database(), database());
    settings.try_emplace("PORT", "0");
    settings.try_emplace("DATABASE", database());
    return settings;
}

running_service::running_service(environment settings) : process_{prepare(std::move(settings))} {
    for (;;) {
        const std::string line = process_.read_line();
        if (const std::size_t at = line.find("listening on"); at != std::string::npos) {
            port_ = std::stoi(line.substr(line.rfind(':') + 1));
            return;
        }
        if (line.empty()) {
            throw std::runtime_error{"the service did not start"};
        }
    }
}

std::string running_service::database() const {
    return (directory_.path() / "products.db").string();
}

reply running_service::request(const std::string& method, const std::string& path,
                               const std::string& token, const std::string& body) const {
    httplib::Client client{"127.0.0.1", port_};
    client.set_read_timeout(120s);
    httplib::Request request;
    request.method = method;
    request.path = path;
    request.body = body;
    if (!body.empty()) {
        request.set_header("Content-Type", "application/json");
    }
    if (!token.empty()) {
        request.set_header("Authorization", "Bearer " + token);
    }
    httplib::Response response;
    httplib::Error error = httplib::Error::Success;
    if (!client.send(request, response, error)) {
        process_.show_output();
        throw std::runtime_error{method + " " + path + ": " + httplib::to_string(error)};
    }
    return {response.status, response.headers, response.body};
}

std::int64_t running_service::stat(const std::string& pointer) const {
    return get("/stats").json().at(nlohmann::json::json_pointer{pointer}).get<std::int64_t>();
}

void running_service::in_one_window(int seconds) const {
    for (;;) {
        // All windows of the service begin with the minute. A request of the administrator's tells
        // how long this one lasts, and takes nothing from the clients under test.
        const std::string field = get("/products/1", admin).header("RateLimit");
        const int left = std::stoi(field.substr(field.find(";t=") + 3));
        if (left > seconds) {
            return;
        }
        // The service is another process on the real clock, which no manual clock can move; this
        // waits at most once, and only if the minute is nearly over.
        std::this_thread::sleep_for(std::chrono::seconds{left});
    }
}

int running_service::stop() {
    send_signal(SIGTERM);
    return wait();
}

} // namespace integration
