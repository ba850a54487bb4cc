#include "fault_proxy.hpp"

#include "held_bytes.hpp"
#include "reply_scanner.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <deque>
#include <list>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <thread>
#include <unistd.h>
#include <utility>

namespace weir::tests {

namespace {

using clock = held_bytes::clock; // CLOCK_MONOTONIC, for the timer's sake
using time_point = clock::time_point;

constexpr time_point never = held_bytes::never;
constexpr std::size_t most_held = std::size_t{64} * 1024 * 1024;

/// What happens to all that flows one way.
struct way_rules {
    std::chrono::nanoseconds delay{0};
    bool stalled = false;
    bool unread = false;
    std::size_t trickle_bytes = 0; // 0: no trickle
    std::chrono::nanoseconds trickle_interval{0};
    std::optional<std::uint64_t> left_before_cut;
    ending cut = ending::reset;
};

struct link;

/// One of the two sockets of a connection through the proxy. Events come once per change (EPOLLET),
/// so these remember what the kernel said last.
struct side {
    explicit side(link& owner) : of{&owner} {}

    link* of;
    file_descriptor socket;
    bool readable = false;
    bool writable = false;
    bool hung_up = false;
};

/// What flows one way through a connection.
struct stream {
    held_bytes held;
    /// How it ended, after all that is held, and when that is to be told.
    std::optional<ending> end;
    time_point end_due = never;
    bool end_told = false;
    time_point next_trickle = time_point::min();

    [[nodiscard]] time_point next_due(const way_rules& rules) const {
        if (rules.stalled || end_told) {
            return never;
        }
        if (held.empty()) {
            return end_due;
        }
        return rules.trickle_bytes == 0 ? held.first_due()
                                        : std::max(held.first_due(), next_trickle);
    }
};

/// A connection through the proxy.
struct link {
    side client{*this};
    side server{*this};
    stream requests;
    stream replies;

    reply_scanner scanner;
    /// The beginning of a reply that is to be altered.
    bool altering = false;
    std::string part_of_reply;
    /// What comes after the reply that is half forwarded.
    std::string injected;

    /// Told its end: what the client still sends is thrown away.
    bool cut_off = false;
    bool dead = false;

    [[nodiscard]] bool is_over() const noexcept { return cut_off || dead; }
};

} // namespace

class fault_proxy::relay {
public:
    relay(endpoint server, transport over) : server_{std::move(server)}, place_{over} {
        watch(wake_, &wake_, EPOLLIN);
        watch(timer_, &timer_, EPOLLIN | EPOLLET);
        listen();
        thread_ = std::thread{[this] { run(); }};
    }

    ~relay() {
        change([this] { stopping_ = true; });
        thread_.join();
    }

    /// Runs `what` in the thread of the proxy, and returns when it has run.
    void change(const std::function<void()>& what) {
        const std::lock_guard one_at_a_time{callers_};
        std::unique_lock lock{mutex_};
        wanted_ = &what;
        const std::uint64_t one = 1;
        static_cast<void>(write(wake_.get(), &one, sizeof one));
        changed_.wait(lock, [this] { return wanted_ == nullptr; });
    }

    void change_rules(traffic of, const std::function<void(way_rules&)>& set) {
        change([&] {
            if (of != traffic::replies) {
                set(request_rules_);
            }
            if (of != traffic::requests) {
                set(reply_rules_);
            }
        });
    }

    [[nodiscard]] const endpoint& where() const noexcept { return place_.where(); }

    // What follows is for the thread of the proxy.

    void pass() {
        request_rules_ = {};
        reply_rules_ = {};
        alter_ = nullptr;
        alter_next_.clear();
        closing_new_.reset();
        for (link& each : links_) {
            stop_altering(each);
        }
        if (!listener_.is_open()) {
            listen();
        }
    }

    void refuse() {
        unwatch(listener_);
        listener_.close();
    }
    void close_new(ending how) { closing_new_ = how; }
    void alter(alteration what) { alter_ = std::move(what); }
    void alter_next(alteration what) { alter_next_.push_back(std::move(what)); }

    void inject(const std::string& bytes) {
        for (link& each : links_) {
            if (each.scanner.is_between_replies()) {
                each.replies.held.append(bytes, due(reply_rules_));
            } else {
                each.injected += bytes;
            }
        }
    }

    void drop(ending how) {
        for (link& each : links_) {
            cut(each, how);
        }
    }

    std::atomic<std::uint64_t> connections{0};
    std::atomic<std::uint64_t> open_connections{0};
    std::atomic<std::uint64_t> request_bytes{0};
    std::atomic<std::uint64_t> reply_bytes{0};
    std::atomic<std::uint64_t> cuts{0};

private:
    void listen() {
        listener_ = place_.listen();
        watch(listener_, &listener_, EPOLLIN);
    }

    void watch(const file_descriptor& file, void* what, unsigned events) const {
        epoll_event event{};
        event.events = events;
        event.data.ptr = what;
        checked("epoll_ctl",
                [&] { return epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, file.get(), &event); });
    }

    /// By hand, because a process forked from the test's may keep what is closed here open, and
    /// epoll would go on to tell of it.
    void unwatch(const file_descriptor& file) const {
        if (file.is_open()) {
            epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, file.get(), nullptr);
        }
    }

    void run() {
        bool more = false;
        while (!stopping_) {
            std::array<epoll_event, 64> events{};
            const int count = checked("epoll_wait", [&] {
                return epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()),
                                  more ? 0 : -1);
            });
            now_ = clock::now();
            for (int i = 0; i < count; ++i) {
                handle(events[static_cast<std::size_t>(i)]);
            }
            more = false;
            for (link& each : links_) {
                more |= advance(each);
            }
            links_.remove_if([](const link& each) { return each.dead; });
            open_connections.store(links_.size(), std::memory_order_relaxed);
            set_timer();
        }
    }

    void handle(const epoll_event& event) {
        if (event.data.ptr == &wake_) {
            make_change();
        } else if (event.data.ptr == &listener_) {
            accept_all();
        } else if (event.data.ptr != &timer_) {
            side& changed = *static_cast<side*>(event.data.ptr);
            constexpr unsigned broken = EPOLLHUP | EPOLLERR;
            changed.hung_up |= (event.events & (EPOLLRDHUP | broken)) != 0;
            changed.readable |= (event.events & (EPOLLIN | EPOLLRDHUP | broken)) != 0;
            changed.writable |= (event.events & (EPOLLOUT | broken)) != 0;
        }
    }

    void make_change() {
        std::uint64_t ignored = 0;
        static_cast<void>(read(wake_.get(), &ignored, sizeof ignored));
        const std::lock_guard lock{mutex_};
        if (wanted_ != nullptr) {
            (*wanted_)();
            wanted_ = nullptr;
            changed_.notify_all();
        }
    }

    void accept_all() {
        for (;;) {
            file_descriptor client{
                accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)};
            if (!client.is_open()) {
                return;
            }
            connections.fetch_add(1, std::memory_order_relaxed);
            if (closing_new_) {
                close(std::move(client), *closing_new_);
                continue;
            }
            send_without_delay(client);
            try {
                file_descriptor server = connect_to(server_, SOCK_NONBLOCK);
                link& added = links_.emplace_back();
                added.client.socket = std::move(client);
                added.server.socket = std::move(server);
                watch(added.client.socket, &added.client, all_events);
                watch(added.server.socket, &added.server, all_events);
            } catch (const std::system_error&) {
                close_with_reset(std::move(client)); // the server is not there
            }
        }
    }

    static void close(file_descriptor socket, ending how) {
        if (how == ending::reset) {
            close_with_reset(std::move(socket));
        }
    }

    void close(side& one, ending how) const {
        unwatch(one.socket);
        close(std::move(one.socket), how);
    }

    /// Forwards what can be forwarded now. Whether it stopped before the end, for the others' sake.
    bool advance(link& one) {
        constexpr int rounds = 32;
        bool moved = true;
        for (int i = 0; i < rounds && moved; ++i) {
            moved = read_some(one, one.client, one.requests, request_rules_);
            moved |= write_some(one, one.requests, one.server, request_rules_, request_bytes);
            moved |= read_some(one, one.server, one.replies, reply_rules_);
            moved |= write_some(one, one.replies, one.client, reply_rules_, reply_bytes);
        }
        while (one.cut_off && !one.dead && one.client.readable) {
            if (receive(one.client) == 0) {
                die(one, ending::finish);
            }
        }
        return moved;
    }

    /// How many bytes are in the buffer now; 0 at the end, which a reset is, too; nothing if none
    /// have come.
    std::optional<std::size_t> receive(side& from) {
        const ssize_t count = recv(from.socket.get(), buffer_.data(), buffer_.size(), 0);
        if (count < 0 && (errno == EAGAIN || errno == EINTR)) {
            from.readable = errno == EINTR;
            return std::nullopt;
        }
        if (count <= 0) {
            from.readable = false;
            return 0;
        }
        // Less than was asked for: all that there was, and the next will be told. The end was told
        // together with the bytes before it.
        const auto size = static_cast<std::size_t>(count);
        from.readable = size == buffer_.size() || from.hung_up;
        return size;
    }

    bool read_some(link& one, side& from, stream& into, const way_rules& rules) {
        if (one.is_over() || !from.readable || rules.unread || into.end ||
            into.held.size() >= most_held) {
            return false;
        }
        errno = 0;
        const std::optional<std::size_t> count = receive(from);
        if (!count) {
            return from.readable;
        }
        const time_point when = due(rules);
        if (*count == 0) {
            if (&into == &one.replies) {
                stop_altering(one);
            }
            into.end = errno == 0 ? ending::finish : ending::reset;
            into.end_due = when;
        } else if (&into == &one.replies) {
            take_replies(one, {buffer_.data(), *count}, when);
        } else {
            into.held.append({buffer_.data(), *count}, when);
        }
        return true;
    }

    [[nodiscard]] time_point due(const way_rules& rules) const {
        return rules.delay.count() == 0 ? time_point::min() : now_ + rules.delay;
    }

    void take_replies(link& one, std::string_view bytes, time_point when) {
        held_bytes& held = one.replies.held;
        while (!bytes.empty()) {
            if (one.scanner.is_between_replies()) {
                one.altering = alter_ || !alter_next_.empty();
            }
            const std::string_view piece = bytes.substr(0, one.scanner.scan(bytes));
            bytes.remove_prefix(piece.size());
            if (one.altering) {
                one.part_of_reply += piece;
            } else {
                held.append(piece, when);
            }
            if (one.scanner.is_between_replies()) {
                if (one.altering) {
                    held.append(altered(std::exchange(one.part_of_reply, {})), when);
                }
                held.append(std::exchange(one.injected, {}), when);
            }
        }
    }

    std::string altered(std::string reply) {
        if (!alter_next_.empty()) {
            const alteration next = std::move(alter_next_.front());
            alter_next_.pop_front();
            return next(std::move(reply));
        }
        return alter_ ? alter_(std::move(reply)) : reply;
    }

    static void stop_altering(link& one) {
        one.replies.held.append(std::exchange(one.part_of_reply, {}), time_point::min());
        one.altering = false;
    }

    bool write_some(link& one, stream& from, side& to, way_rules& rules,
                    std::atomic<std::uint64_t>& counter) {
        if (one.is_over() || !to.writable || rules.stalled || from.end_told) {
            return false;
        }
        const std::string_view ready = from.held.due(now_);
        if (ready.empty()) {
            return from.held.empty() && from.end && from.end_due <= now_ && tell_end(one, from, to);
        }
        if (rules.left_before_cut == 0) {
            rules.left_before_cut.reset();
            cuts.fetch_add(1, std::memory_order_relaxed);
            cut(one, rules.cut);
            return true;
        }
        if (rules.trickle_bytes > 0 && now_ < from.next_trickle) {
            return false;
        }
        std::size_t size = ready.size();
        if (rules.trickle_bytes > 0) {
            size = std::min(size, rules.trickle_bytes);
            from.next_trickle = now_ + rules.trickle_interval;
        }
        if (rules.left_before_cut) {
            size = static_cast<std::size_t>(std::min<std::uint64_t>(size, *rules.left_before_cut));
        }
        const ssize_t count = send(to.socket.get(), ready.data(), size, MSG_NOSIGNAL);
        if (count < 0) {
            to.writable = errno == EINTR;
            if (errno != EINTR && errno != EAGAIN) {
                die(one, ending::reset);
            }
            return to.writable;
        }
        const auto sent = static_cast<std::size_t>(count);
        from.held.remove_prefix(sent);
        counter.fetch_add(sent, std::memory_order_relaxed);
        if (rules.left_before_cut) {
            *rules.left_before_cut -= sent;
        }
        return true;
    }

    bool tell_end(link& one, stream& from, side& to) const {
        from.end_told = true;
        if (*from.end == ending::reset) {
            die(one, ending::reset);
        } else {
            shutdown(to.socket.get(), SHUT_WR);
            if (one.requests.end_told && one.replies.end_told) {
                die(one, ending::finish);
            }
        }
        return true;
    }

    /// Ends both halves of a connection. With an end instead of a reset the client's half must be
    /// read on: the kernel sends a reset for a socket that is closed with bytes unread.
    void cut(link& one, ending how) const {
        if (how == ending::reset) {
            die(one, ending::reset);
        } else if (!one.is_over()) {
            close(one.server, ending::finish);
            shutdown(one.client.socket.get(), SHUT_WR);
            one.cut_off = true;
        }
    }

    void die(link& one, ending how) const {
        close(one.server, how);
        close(one.client, how);
        one.dead = true;
    }

    void set_timer() {
        time_point next = never;
        for (const link& each : links_) {
            if (!each.is_over()) {
                if (each.server.writable) {
                    next = std::min(next, each.requests.next_due(request_rules_));
                }
                if (each.client.writable) {
                    next = std::min(next, each.replies.next_due(reply_rules_));
                }
            }
        }
        if (next == timer_set_to_ || next == never) {
            return; // a timer that rings for nothing does no harm
        }
        timer_set_to_ = next;
        const auto since_boot = std::max(next.time_since_epoch(), clock::duration{1});
        const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(since_boot);
        itimerspec when{};
        when.it_value.tv_sec = seconds.count();
        when.it_value.tv_nsec = (since_boot - seconds).count();
        timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &when, nullptr);
    }

    static constexpr unsigned all_events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;

    const endpoint server_;
    listening_place place_;

    std::mutex callers_;
    std::mutex mutex_; // of what follows
    std::condition_variable changed_;
    const std::function<void()>* wanted_ = nullptr;

    file_descriptor epoll_{checked("epoll_create", [] { return epoll_create1(EPOLL_CLOEXEC); })};
    file_descriptor wake_{
        checked("eventfd", [] { return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); })};
    file_descriptor timer_{checked(
        "timerfd", [] { return timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK); })};
    time_point timer_set_to_ = never;

    // Of the thread of the proxy.
    file_descriptor listener_;
    std::list<link> links_;
    way_rules request_rules_;
    way_rules reply_rules_;
    alteration alter_;
    std::deque<alteration> alter_next_;
    std::optional<ending> closing_new_;
    bool stopping_ = false;
    /// Read once per turn of the loop.
    time_point now_ = clock::now();
    std::array<char, std::size_t{64} * 1024> buffer_{};

    std::thread thread_;
};

fault_proxy::fault_proxy(std::string_view server_uri, transport over)
    : uri_{redis_uri::parse(server_uri)}, relay_{std::make_unique<relay>(uri_.where, over)} {
    uri_.where = relay_->where();
}

fault_proxy::~fault_proxy() = default;

std::string fault_proxy::uri() const {
    return uri_.text();
}

void fault_proxy::pass() {
    relay_->change([this] { relay_->pass(); });
}

void fault_proxy::delay(std::chrono::nanoseconds round_trip) {
    delay(traffic::both, round_trip / 2);
}

void fault_proxy::delay(traffic of, std::chrono::nanoseconds by) {
    relay_->change_rules(of, [by](way_rules& rules) { rules.delay = by; });
}

void fault_proxy::stall(traffic of) {
    relay_->change_rules(of, [](way_rules& rules) { rules.stalled = true; });
}

void fault_proxy::black_hole(traffic of) {
    relay_->change_rules(of, [](way_rules& rules) { rules.stalled = rules.unread = true; });
}

void fault_proxy::trickle(traffic of, std::size_t bytes, std::chrono::nanoseconds interval) {
    if (bytes == 0) {
        throw std::invalid_argument{"a trickle of 0 bytes is a stall"};
    }
    relay_->change_rules(of, [bytes, interval](way_rules& rules) {
        rules.trickle_bytes = bytes;
        rules.trickle_interval = interval;
    });
}

void fault_proxy::cut_after(traffic of, std::uint64_t bytes, ending how) {
    if (of == traffic::both) {
        throw std::invalid_argument{"cut_after counts the bytes of one way"};
    }
    relay_->change_rules(of, [bytes, how](way_rules& rules) {
        rules.left_before_cut = bytes;
        rules.cut = how;
    });
}

void fault_proxy::alter_replies(alteration alter) {
    relay_->change([&] { relay_->alter(std::move(alter)); });
}

void fault_proxy::alter_next_reply(alteration alter) {
    relay_->change([&] { relay_->alter_next(std::move(alter)); });
}

void fault_proxy::inject(std::string bytes) {
    relay_->change([&] { relay_->inject(bytes); });
}

void fault_proxy::refuse_connections() {
    relay_->change([this] { relay_->refuse(); });
}

void fault_proxy::close_new_connections(ending how) {
    relay_->change([this, how] { relay_->close_new(how); });
}

void fault_proxy::drop_connections(ending how) {
    relay_->change([this, how] { relay_->drop(how); });
}

std::uint64_t fault_proxy::connections() const noexcept {
    return relay_->connections.load(std::memory_order_relaxed);
}

std::uint64_t fault_proxy::bytes(traffic of) const noexcept {
    std::uint64_t result = 0;
    if (of != traffic::replies) {
        result += relay_->request_bytes.load(std::memory_order_relaxed);
    }
    if (of != traffic::requests) {
        result += relay_->reply_bytes.load(std::memory_order_relaxed);
    }
    return result;
}

std::uint64_t fault_proxy::cuts() const noexcept {
    return relay_->cuts.load(std::memory_order_relaxed);
}

std::uint64_t fault_proxy::open_connections() const noexcept {
    return relay_->open_connections.load(std::memory_order_relaxed);
}

} // namespace weir::tests
