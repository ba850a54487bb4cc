#include "scripted_server.hpp"

#include "raw_redis.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <list>
#include <mutex>
#include <poll.h>
#include <stdexcept>
#include <string_view>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <utility>

namespace weir::tests {

namespace {

/// Ends a script because its server ends: no failure.
struct server_ends {};

/// What the threads of a scripted server tell it.
class records {
public:
    void connected() {
        const std::lock_guard lock{mutex_};
        ++connections_;
    }
    void finished() {
        const std::lock_guard lock{mutex_};
        ++finished_;
    }
    void read(const command_words& command) {
        const std::lock_guard lock{mutex_};
        commands_.push_back(command);
    }
    void failed(std::string what) {
        const std::lock_guard lock{mutex_};
        failures_.push_back(std::move(what));
    }

    [[nodiscard]] std::size_t connections() const {
        const std::lock_guard lock{mutex_};
        return connections_;
    }
    [[nodiscard]] std::size_t finished_scripts() const {
        const std::lock_guard lock{mutex_};
        return finished_;
    }
    [[nodiscard]] std::vector<command_words> commands() const {
        const std::lock_guard lock{mutex_};
        return commands_;
    }
    [[nodiscard]] std::vector<std::string> failures() const {
        const std::lock_guard lock{mutex_};
        return failures_;
    }

private:
    mutable std::mutex mutex_;
    std::size_t connections_ = 0;
    std::size_t finished_ = 0;
    std::vector<command_words> commands_;
    std::vector<std::string> failures_;
};

/// Waits for `events` on `file`, or for `time` if it is given; throws server_ends if `stop` becomes
/// readable first.
void wait_for(int file, short events, int stop, const timespec* time = nullptr) {
    std::array<pollfd, 2> files{pollfd{.fd = stop, .events = POLLIN, .revents = 0},
                                pollfd{.fd = file, .events = events, .revents = 0}};
    checked("ppoll", [&] { return ppoll(files.data(), files.size(), time, nullptr); });
    if (files[0].revents != 0) {
        throw server_ends{};
    }
}

} // namespace

namespace play {

class connection {
public:
    connection(file_descriptor socket, int stop, records& notes)
        : socket_{std::move(socket)}, stop_{stop}, notes_{&notes} {}

    void send(std::string_view bytes) {
        while (!bytes.empty()) {
            const ssize_t count = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (count >= 0) {
                bytes.remove_prefix(static_cast<std::size_t>(count));
            } else if (errno == EAGAIN) {
                wait_for(socket_.get(), POLLOUT, stop_);
            } else if (errno != EINTR) {
                throw_errno("cannot send");
            }
        }
    }

    /// Reads at least one byte more; false at the end.
    bool receive_more() {
        for (;;) {
            const ssize_t count = recv(socket_.get(), buffer_.data(), buffer_.size(), 0);
            if (count > 0) {
                received_.append(buffer_.data(), static_cast<std::size_t>(count));
                return true;
            }
            if (count == 0 || errno == ECONNRESET) {
                return false;
            }
            if (errno == EAGAIN) {
                wait_for(socket_.get(), POLLIN, stop_);
            } else if (errno != EINTR) {
                throw_errno("cannot receive");
            }
        }
    }

    void take_bytes(std::size_t count) {
        while (received_.size() < count) {
            if (!receive_more()) {
                throw std::runtime_error{"expected " + std::to_string(count) + " bytes, got " +
                                         std::to_string(received_.size()) + " and the end"};
            }
        }
        received_.erase(0, count);
    }

    /// The next command; empty if the client closes where one could begin.
    command_words take_command() {
        if (received_.empty() && !receive_more()) {
            return {};
        }
        command_words words(take_size('*'));
        for (std::string& word : words) {
            const std::size_t size = take_size('$');
            while (received_.size() < size + 2) {
                more_of_a_command();
            }
            word = received_.substr(0, size);
            received_.erase(0, size + 2);
        }
        notes_->read(words);
        return words;
    }

    void ignore_until_close() {
        received_.clear();
        while (receive_more()) {
            received_.clear();
        }
    }

    void wait(std::chrono::nanoseconds time) const {
        const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(time);
        const timespec limit{.tv_sec = seconds.count(), .tv_nsec = (time - seconds).count()};
        wait_for(-1, 0, stop_, &limit);
    }

    void finish() const { shutdown(socket_.get(), SHUT_WR); }
    void reset() { close_with_reset(std::move(socket_)); }

private:
    void more_of_a_command() {
        if (!receive_more()) {
            throw std::runtime_error{"the end came in the middle of a command: " + received_};
        }
    }

    std::size_t take_size(char type) {
        std::size_t end = 0;
        while ((end = received_.find("\r\n")) == std::string::npos) {
            more_of_a_command();
        }
        std::size_t size = 0;
        if (received_.front() != type ||
            std::from_chars(&received_[1], &received_[end], size).ptr != &received_[end]) {
            throw std::runtime_error{"expected a command, got " + received_};
        }
        received_.erase(0, end + 2);
        return size;
    }

    file_descriptor socket_;
    int stop_;
    records* notes_;
    std::string received_;
    std::array<char, 16 * 1024> buffer_{};
};

namespace {

command_words next_command(connection& client) {
    command_words words = client.take_command();
    if (words.empty()) {
        throw std::runtime_error{"expected a command, got the end"};
    }
    return words;
}

std::string joined(const command_words& words) {
    std::string result;
    for (const std::string& word : words) {
        result += (result.empty() ? "" : " ") + word;
    }
    return result;
}

} // namespace

step expect_bytes(std::size_t count) {
    return [count](connection& client) { client.take_bytes(count); };
}

step expect_command() {
    return [](connection& client) { next_command(client); };
}

step expect_command(command_words words) {
    return [words = std::move(words)](connection& client) {
        if (const command_words got = next_command(client); got != words) {
            throw std::runtime_error{"expected " + joined(words) + ", got " + joined(got)};
        }
    };
}

step answer(std::function<std::string(const command_words&)> reply) {
    return [reply = std::move(reply)](connection& client) {
        for (;;) {
            const command_words command = client.take_command();
            if (command.empty()) {
                return;
            }
            client.send(reply(command));
        }
    };
}

step answer(std::size_t commands, std::function<std::string(const command_words&)> reply) {
    return [commands, reply = std::move(reply)](connection& client) {
        for (std::size_t i = 0; i < commands; ++i) {
            client.send(reply(next_command(client)));
        }
    };
}

step send(std::string bytes) {
    return [bytes = std::move(bytes)](connection& client) { client.send(bytes); };
}

step wait(std::chrono::nanoseconds time) {
    return [time](connection& client) { client.wait(time); };
}

step wait_for_close() {
    return [](connection& client) { client.ignore_until_close(); };
}

step finish() {
    return [](connection& client) { client.finish(); };
}

step reset() {
    return [](connection& client) { client.reset(); };
}

} // namespace play

class scripted_server::stage {
public:
    stage(std::vector<script> scripts, transport over)
        : scripts_{std::move(scripts)}, place_{over}, listener_{place_.listen()} {
        if (scripts_.empty()) {
            throw std::invalid_argument{"a scripted server needs a script"};
        }
        acceptor_ = std::thread{[this] { accept_all(); }};
    }

    ~stage() {
        const std::uint64_t one = 1;
        static_cast<void>(write(stop_.get(), &one, sizeof one));
        acceptor_.join();
        for (std::thread& each : actors_) {
            each.join();
        }
    }

    [[nodiscard]] const endpoint& where() const noexcept { return place_.where(); }
    [[nodiscard]] const records& notes() const noexcept { return notes_; }

private:
    void accept_all() {
        try {
            for (std::size_t number = 0;; ++number) {
                wait_for(listener_.get(), POLLIN, stop_.get());
                file_descriptor client{
                    accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)};
                if (client.is_open()) {
                    send_without_delay(client);
                    notes_.connected();
                    const script& part = scripts_[std::min(number, scripts_.size() - 1)];
                    actors_.emplace_back(
                        [this, number, &part, socket = std::move(client)]() mutable {
                            perform(number, part, std::move(socket));
                        });
                }
            }
        } catch (const server_ends&) {
        }
    }

    void perform(std::size_t number, const script& part, file_descriptor socket) {
        {
            play::connection client{std::move(socket), stop_.get(), notes_};
            try {
                for (const play::step& step : part) {
                    step(client);
                }
            } catch (const server_ends&) {
            } catch (const std::exception& error) {
                notes_.failed("connection " + std::to_string(number + 1) + ": " + error.what());
            }
        }
        notes_.finished();
    }

    const std::vector<script> scripts_;
    records notes_;
    listening_place place_;
    file_descriptor listener_;
    /// Readable from the end of the server on.
    file_descriptor stop_{checked("eventfd", [] { return eventfd(0, EFD_CLOEXEC); })};
    std::list<std::thread> actors_; // of the acceptor's thread, until that ended
    std::thread acceptor_;
};

scripted_server::scripted_server(script each, transport over)
    : scripted_server{std::vector<script>{std::move(each)}, over} {}

scripted_server::scripted_server(std::vector<script> in_turn, transport over)
    : stage_{std::make_unique<stage>(std::move(in_turn), over)} {}

scripted_server::~scripted_server() = default;

std::string scripted_server::uri() const {
    return redis_uri{.where = stage_->where()}.text();
}

const endpoint& scripted_server::where() const noexcept {
    return stage_->where();
}

std::size_t scripted_server::connections() const {
    return stage_->notes().connections();
}

std::size_t scripted_server::finished() const {
    return stage_->notes().finished_scripts();
}

std::vector<command_words> scripted_server::commands() const {
    return stage_->notes().commands();
}

std::vector<std::string> scripted_server::failures() const {
    return stage_->notes().failures();
}

} // namespace weir::tests
