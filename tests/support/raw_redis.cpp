#include "raw_redis.hpp"

#include "sockets.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <ostream>
#include <poll.h>
#include <set>
#include <sys/socket.h>

namespace weir::tests {

namespace {

std::int64_t number_in(std::string_view text) {
    std::int64_t result = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), result);
    if (error != std::errc{} || end != text.data() + text.size()) {
        throw std::runtime_error{"not a number: " + std::string{text}};
    }
    return result;
}

/// The parts of `text` between `separator`, without the empty ones.
std::vector<std::string_view> split(std::string_view text, std::string_view separators) {
    std::vector<std::string_view> result;
    while (!text.empty()) {
        const std::size_t size = std::min(text.find_first_of(separators), text.size());
        if (size > 0) {
            result.push_back(text.substr(0, size));
        }
        text.remove_prefix(std::min(size + 1, text.size()));
    }
    return result;
}

/// The parts as `name<sign>value`; others are skipped.
std::map<std::string, std::string> fields(const std::vector<std::string_view>& parts, char sign) {
    std::map<std::string, std::string> result;
    for (const std::string_view part : parts) {
        if (const std::size_t at = part.find(sign); at != std::string_view::npos) {
            result.emplace(part.substr(0, at), part.substr(at + 1));
        }
    }
    return result;
}

} // namespace

std::string raw_reply::error_code() const {
    return is_error() ? text.substr(0, text.find(' ')) : std::string{};
}

std::ostream& operator<<(std::ostream& out, const raw_reply& reply) {
    switch (reply.kind) {
    case raw_reply::type::nil:
        return out << "(nil)";
    case raw_reply::type::status:
        return out << reply.text;
    case raw_reply::type::error:
        return out << "(error) " << reply.text;
    case raw_reply::type::integer:
        return out << "(integer) " << reply.integer;
    case raw_reply::type::string:
        return out << '"' << reply.text << '"';
    case raw_reply::type::array:
        break;
    }
    out << '[';
    const char* separator = "";
    for (const raw_reply& element : reply.elements) {
        out << separator << element;
        separator = ", ";
    }
    return out << ']';
}

std::string encode_command(const std::vector<std::string>& arguments) {
    std::string result;
    result.append("*").append(std::to_string(arguments.size())).append("\r\n");
    for (const std::string& argument : arguments) {
        result.append("$").append(std::to_string(argument.size())).append("\r\n");
        result.append(argument).append("\r\n");
    }
    return result;
}

raw_redis::raw_redis(std::string_view uri) {
    const redis_uri parsed = redis_uri::parse(uri);
    socket_ = connect_to(parsed.where);
    if (!parsed.user.empty()) {
        command("AUTH", parsed.user, parsed.password);
    } else if (!parsed.password.empty()) {
        command("AUTH", parsed.password);
    }
    if (parsed.database != 0) {
        command("SELECT", parsed.database);
    }
}

raw_reply raw_redis::command(const std::vector<std::string>& arguments) {
    send_bytes(encode_command(arguments));
    raw_reply reply = receive();
    if (reply.is_error()) {
        throw error_reply{arguments.front() + ": " + reply.text};
    }
    return reply;
}

bool raw_redis::is_ready_before(time_point deadline, short events) const {
    for (;;) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(
            deadline - std::chrono::steady_clock::now());
        pollfd ready{.fd = socket_.get(), .events = events, .revents = 0};
        if (poll(&ready, 1, static_cast<int>(std::max(left.count(), std::int64_t{0}))) == 1) {
            return true;
        }
        if (left.count() <= 0) {
            return false;
        }
    }
}

void raw_redis::wait(short events, time_point deadline) const {
    if (!is_ready_before(deadline, events)) {
        throw std::runtime_error{"the server did not answer in " + std::to_string(limit_.count()) +
                                 " ms"};
    }
}

bool raw_redis::is_silent(std::chrono::milliseconds time) const {
    return received_.empty() && !is_ready_before(std::chrono::steady_clock::now() + time, POLLIN);
}

void raw_redis::send_bytes(std::string_view bytes) {
    const auto deadline = std::chrono::steady_clock::now() + limit_;
    while (!bytes.empty()) {
        const ssize_t count =
            ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (count >= 0) {
            bytes.remove_prefix(static_cast<std::size_t>(count));
        } else if (errno == EAGAIN) {
            wait(POLLOUT, deadline);
        } else if (errno != EINTR) {
            throw_errno("send");
        }
    }
}

void raw_redis::receive_more(time_point deadline) {
    std::array<char, 16 * 1024> buffer; // NOLINT: filled by recv
    for (;;) {
        wait(POLLIN, deadline);
        const ssize_t count = recv(socket_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
        if (count > 0) {
            received_.append(buffer.data(), static_cast<std::size_t>(count));
            return;
        }
        if (count == 0) {
            throw std::runtime_error{"the server closed the connection"};
        }
        if (errno != EAGAIN && errno != EINTR) {
            throw_errno("recv");
        }
    }
}

std::string raw_redis::take_line(time_point deadline) {
    std::size_t end = 0;
    while ((end = received_.find("\r\n")) == std::string::npos) {
        receive_more(deadline);
    }
    std::string line = received_.substr(0, end);
    received_.erase(0, end + 2);
    return line;
}

raw_reply raw_redis::take_reply(time_point deadline) {
    const std::string line = take_line(deadline);
    const std::string_view rest = std::string_view{line}.substr(line.empty() ? 0 : 1);
    raw_reply reply;
    switch (line.empty() ? '\0' : line.front()) {
    case '+':
        reply.kind = raw_reply::type::status;
        reply.text = rest;
        return reply;
    case '-':
        reply.kind = raw_reply::type::error;
        reply.text = rest;
        return reply;
    case ':':
        reply.kind = raw_reply::type::integer;
        reply.integer = number_in(rest);
        return reply;
    case '$':
        if (const std::int64_t size = number_in(rest); size >= 0) {
            const auto length = static_cast<std::size_t>(size);
            while (received_.size() < length + 2) {
                receive_more(deadline);
            }
            reply.kind = raw_reply::type::string;
            reply.text = received_.substr(0, length);
            received_.erase(0, length + 2);
        }
        return reply;
    case '*':
        if (const std::int64_t size = number_in(rest); size >= 0) {
            reply.kind = raw_reply::type::array;
            for (std::int64_t i = 0; i < size; ++i) {
                reply.elements.push_back(take_reply(deadline));
            }
        }
        return reply;
    default:
        throw std::runtime_error{"not a reply: " + line};
    }
}

raw_reply raw_redis::receive() {
    return take_reply(std::chrono::steady_clock::now() + limit_);
}

bool raw_redis::wait_for_close() {
    const auto deadline = std::chrono::steady_clock::now() + limit_;
    char byte = 0;
    for (;;) {
        wait(POLLIN, deadline);
        const ssize_t count = recv(socket_.get(), &byte, 1, MSG_DONTWAIT);
        if (count >= 0 || (errno != EAGAIN && errno != EINTR)) {
            return count <= 0;
        }
    }
}

std::map<std::string, std::string> raw_redis::info(std::string_view section) {
    const raw_reply reply = command("INFO", section);
    return fields(split(reply.text, "\r\n"), ':');
}

std::int64_t raw_redis::info_number(std::string_view section, const std::string& name) {
    return number_in(info(section).at(name));
}

std::map<std::string, raw_redis::command_statistics> raw_redis::commandstats() {
    // cmdstat_get:calls=1,usec=5,usec_per_call=5.00,rejected_calls=0,failed_calls=0
    constexpr std::string_view prefix = "cmdstat_";
    std::map<std::string, command_statistics> result;
    for (const auto& [name, value] : info("commandstats")) {
        const auto numbers = fields(split(value, ","), '=');
        result[name.substr(prefix.size())] = {
            .calls = number_in(numbers.at("calls")),
            .time = std::chrono::microseconds{number_in(numbers.at("usec"))},
            .rejected = number_in(numbers.at("rejected_calls")),
            .failed = number_in(numbers.at("failed_calls"))};
    }
    return result;
}

std::int64_t raw_redis::calls(const std::string& command_name) {
    const auto statistics = commandstats();
    const auto found = statistics.find(command_name);
    return found == statistics.end() ? 0 : found->second.calls;
}

std::vector<std::map<std::string, std::string>> raw_redis::clients() {
    const raw_reply reply = command("CLIENT", "LIST");
    std::vector<std::map<std::string, std::string>> result;
    for (const std::string_view line : split(reply.text, "\n")) {
        result.push_back(fields(split(line, " "), '='));
    }
    return result;
}

std::vector<std::string> raw_redis::keys(std::string_view pattern) {
    std::set<std::string> result; // SCAN may return a key twice
    std::string cursor = "0";
    do {
        const raw_reply reply = command("SCAN", cursor, "MATCH", pattern, "COUNT", 1000);
        cursor = reply.elements.at(0).text;
        for (const raw_reply& key : reply.elements.at(1).elements) {
            result.insert(key.text);
        }
    } while (cursor != "0");
    return {result.begin(), result.end()};
}

std::vector<std::string> raw_redis::keys_without_ttl() {
    const std::vector<std::string> all = keys();
    std::string commands;
    for (const std::string& key : all) {
        commands += encode_command({"PTTL", key});
    }
    send_bytes(commands);
    std::vector<std::string> result;
    for (const std::string& key : all) {
        if (receive() == -1) {
            result.push_back(key);
        }
    }
    return result;
}

} // namespace weir::tests
