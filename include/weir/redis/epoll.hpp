#ifndef WEIR_REDIS_EPOLL_HPP
#define WEIR_REDIS_EPOLL_HPP

#include <cerrno>
#include <cstdint>
#include <sys/epoll.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace weir::detail::redis {

/// A set of descriptors to be watched for events. Everything but `wait` may be called by any thread.
class epoll {
public:
    epoll() : fd_{::epoll_create1(EPOLL_CLOEXEC)} {
        if (fd_ < 0) {
            throw std::system_error{errno, std::system_category(), "weir: epoll_create1"};
        }
    }
    epoll(const epoll&) = delete;
    epoll& operator=(const epoll&) = delete;
    ~epoll() { close(); }

    void close() noexcept {
        if (fd_ >= 0) {
            ::close(std::exchange(fd_, -1));
        }
    }

    void add(int descriptor, std::uint32_t events, std::uint64_t tag) const noexcept {
        control(EPOLL_CTL_ADD, descriptor, events, tag);
    }
    void change(int descriptor, std::uint32_t events, std::uint64_t tag) const noexcept {
        control(EPOLL_CTL_MOD, descriptor, events, tag);
    }
    void remove(int descriptor) const noexcept { control(EPOLL_CTL_DEL, descriptor, 0, 0); }

    [[nodiscard]] int wait(::epoll_event* events, int room, int milliseconds) const noexcept {
        return ::epoll_wait(fd_, events, room, milliseconds);
    }

private:
    void control(int what, int descriptor, std::uint32_t events, std::uint64_t tag) const noexcept {
        ::epoll_event e{};
        e.events = events;
        e.data.u64 = tag;
        ::epoll_ctl(fd_, what, descriptor, &e);
    }

    int fd_;
};

} // namespace weir::detail::redis

#endif
