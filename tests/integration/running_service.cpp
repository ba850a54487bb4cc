#include "running_service.hpp"

#include "support/eventually.hpp"

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace integration {

namespace {

using namespace std::chrono_literals;
using weir::tests::eventually;

/// Longer than that of other tests: the first start fills a database, which sanitizers slow down.
constexpr auto patience = 120s;

/// The service with `settings` as its whole environment.
std::vector<std::string> command(const environment& settings) {
    std::vector<std::string> words{weir::tests::find_program("env").value(), "-i"};
    for (const auto& [name, value] : settings) {
        words.push_back(name + "=" + value);
    }
    for (const char* name : {"ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS", "LD_LIBRARY_PATH"}) {
        if (const char* value = std::getenv(name)) {
            words.push_back(std::string{name} + "=" + value);
        }
    }
    words.emplace_back(PRODUCT_SERVICE);
    return words;
}

/// Waits until the service listens, and returns its port.
int wait_for_port(process& service) {
    constexpr std::string_view announcement = "listening on http://127.0.0.1:";
    std::string printed;
    const auto listens = [&] {
        printed = service.output();
        return printed.find(announcement) != std::string::npos && printed.ends_with('\n');
    };
    if (!eventually([&] { return listens() || service.has_ended(); }, patience) || !listens()) {
        throw std::runtime_error{"the service did not start; it printed:\n" + printed};
    }
    return std::stoi(printed.substr(printed.find(announcement) + announcement.size()));
}

/// Filled once per run of the tests, by the service itself.
const std::filesystem::path& filled_database() {
    static const temporary_directory directory;
    static const std::filesystem::path path = [] {
        std::filesystem::path file = directory.path() / "products.db";
        process service{{{"PORT", "0"}, {"DATABASE", file.string()}}};
        wait_for_port(service);
        service.send_signal(SIGTERM);
        if (service.wait() != 0) {
            throw std::runtime_error{"the service did not end well after its first start:\n" +
                                     service.output()};
        }
        return file;
    }();
    return path;
}

} // namespace

process::process(const environment& settings)
    : child_{{.arguments = command(settings),
              .directory = directory_.path(),
              .output = directory_.path() / "output",
              .errors = directory_.path() / "output"}} {}

std::string process::output() const {
    std::ifstream file{directory_.path() / "output", std::ios::binary};
    return {std::istreambuf_iterator<char>{file}, std::istreambuf_iterator<char>{}};
}

int process::wait() {
    if (!child_.wait_for(patience)) {
        throw std::runtime_error{"the service did not end; it printed:\n" + output()};
    }
    return child_.status().value();
}

std::string reply::header(const std::string& name) const {
    const auto found = headers.find(name);
    return found == headers.end() ? std::string{} : found->second;
}

environment running_service::prepare(environment settings) {
    settings.try_emplace("PORT", "0");
    const auto [entry, is_own] =
        settings.try_emplace("DATABASE", (directory_.path() / "products.db").string());
    database_ = entry->second;
    if (is_own) {
        std::filesystem::copy_file(filled_database(), database_);
    }
    return settings;
}

running_service::running_service(environment settings)
    : process_{prepare(std::move(settings))}, port_{wait_for_port(process_)} {}

reply running_service::request(const std::string& method, const std::string& path,
                               const std::string& token, const std::string& body) const {
    httplib::Client client{"127.0.0.1", port_};
    client.set_read_timeout(patience);
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
        throw std::runtime_error{method + " " + path + ": " + httplib::to_string(error) +
                                 "; the service printed:\n" + output()};
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
