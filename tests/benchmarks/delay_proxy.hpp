#ifndef WEIR_TESTS_BENCHMARKS_DELAY_PROXY_HPP
#define WEIR_TESTS_BENCHMARKS_DELAY_PROXY_HPP

/// A longer way to a server: a proxy that forwards everything so much later and does nothing else, as
/// it runs on the processors that are measured. (fault_proxy.hpp can do more, and costs more.)

#include "support/sockets.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <ctime>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <unordered_map>
#include <utility>

namespace weir::tests {

class delay_proxy {
public:
    /// Half of `round_trip` passes on either way. The proxy's own work comes on top, some 0.1 ms.
    delay_proxy(std::string_view server_uri, std::chrono::nanoseconds round_trip)
        : uri_{redis_uri::parse(server_uri)}, server_{uri_.where}, delay_{round_trip / 2} {
        uri_.where = place_.where();
        watch(listener_.get());
        watch(bell_.get());
        thread_ = std::thread{[this] { run(); }};
    }
    delay_proxy(const delay_proxy&) = delete;
    delay_proxy& operator=(const delay_proxy&) = delete;
    /// Ends all connections.
    ~delay_proxy() {
        static_cast<void>(eventfd_write(bell_.get(), 1));
        thread_.join();
    }

    /// The server's URI, with the proxy's place in it.
    [[nodiscard]] std::string uri() const { return uri_.text(); }

private:
    using clock = std::chrono::steady_clock;

    struct connection {
        file_descriptor client;
        file_descriptor server;
    };

    /// One direction of a connection, which is closed with the second of them.
    struct way {
        std::shared_ptr<connection> of;
        int from;
        int to;
    };

    struct portion {
        clock::time_point due;
        std::shared_ptr<way> on;
        /// Empty: the end.
        std::string bytes;
    };

    void run() {
        // Timers may be 50 us late otherwise.
        checked("prctl", [] { return prctl(PR_SET_TIMERSLACK, 1UL); });
        std::array<epoll_event, 64> events{};
        for (bool stopping = false; !stopping;) {
            const int count = wait(events);
            now_ = clock::now();
            for (int i = 0; i < count; ++i) {
                const int which = events[static_cast<std::size_t>(i)].data.fd;
                stopping = stopping || which == bell_.get();
                if (which == listener_.get()) {
                    accept_one();
                } else if (const auto found = ways_.find(which); found != ways_.end()) {
                    receive(found->second);
                }
            }
            forward();
        }
    }

    /// Until there are events, or the first portion is due.
    int wait(std::array<epoll_event, 64>& events) const {
        timespec left{};
        if (!held_.empty()) {
            const auto time = std::max(clock::duration{0}, held_.front().due - clock::now());
            const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(time);
            left.tv_sec = seconds.count();
            left.tv_nsec = (time - seconds).count();
        }
        return checked("epoll_pwait2", [&] {
            return epoll_pwait2(epoll_.get(), events.data(), static_cast<int>(events.size()),
                                held_.empty() ? nullptr : &left, nullptr);
        });
    }

    void accept_one() {
        file_descriptor client{accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC)};
        if (!client.is_open()) {
            return;
        }
        send_without_delay(client);
        file_descriptor server = connect_to(server_);
        send_without_delay(server);
        const auto made =
            std::make_shared<connection>(connection{std::move(client), std::move(server)});
        add(made, made->client.get(), made->server.get());
        add(made, made->server.get(), made->client.get());
    }

    void add(const std::shared_ptr<connection>& of, int from, int to) {
        ways_[from] = std::make_shared<way>(way{of, from, to});
        watch(from);
    }

    void watch(int descriptor) const {
        epoll_event event{};
        event.events = EPOLLIN;
        event.data.fd = descriptor;
        checked("epoll_ctl",
                [&] { return epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, descriptor, &event); });
    }

    void receive(std::shared_ptr<way> on) {
        const ssize_t count = recv(on->from, buffer_.data(), buffer_.size(), MSG_DONTWAIT);
        if (count <= 0) {
            epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, on->from, nullptr);
            ways_.erase(on->from);
        }
        const auto size = static_cast<std::size_t>(std::max<ssize_t>(count, 0));
        held_.push_back({now_ + delay_, std::move(on), std::string{buffer_.data(), size}});
    }

    /// What is due. All delays are the same, so the first that was held is the first to go.
    void forward() {
        for (; !held_.empty() && held_.front().due <= now_; held_.pop_front()) {
            const portion& p = held_.front();
            if (p.bytes.empty()) {
                shutdown(p.on->to, SHUT_WR);
            } else {
                // To a peer that is gone: then its own end will come, too.
                static_cast<void>(send(p.on->to, p.bytes.data(), p.bytes.size(), MSG_NOSIGNAL));
            }
        }
    }

    redis_uri uri_;
    const endpoint server_;
    const clock::duration delay_;
    const listening_place place_{transport::tcp};
    const file_descriptor listener_ = place_.listen();
    const file_descriptor bell_{checked("eventfd", [] { return eventfd(0, EFD_CLOEXEC); })};
    const file_descriptor epoll_{
        checked("epoll_create1", [] { return epoll_create1(EPOLL_CLOEXEC); })};

    // Of the proxy's thread.
    std::unordered_map<int, std::shared_ptr<way>> ways_; // by the descriptor they come from
    std::deque<portion> held_;
    /// Read once per turn.
    clock::time_point now_;
    std::array<char, std::size_t{64} * 1024> buffer_{};

    std::thread thread_;
};

} // namespace weir::tests

#endif
