#ifndef WEIR_REDIS_WAKEUP_HPP
#define WEIR_REDIS_WAKEUP_HPP

#include <cerrno>
#include <cstdint>
#include <sys/eventfd.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace weir::detail::redis {

/// A descriptor that becomes readable, to wake a thread that waits for several.
class wakeup {
public:
    wakeup() : fd_{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)} {
        if (fd_ < 0) {
            throw std::system_error{errno, std::system_category(), "weir: eventfd"};
        }
    }
    wakeup(const wakeup&) = delete;
    wakeup& operator=(const wakeup&) = delete;
    ~wakeup() { close(); }

    void close() noexcept {
        if (fd_ >= 0) {
            ::close(std::exchange(fd_, -1));
        }
    }

    [[nodiscard]] int descriptor() const noexcept { return fd_; }

    /// Whoever listens edge-triggered is woken by each call, and need not read.
    void notify() const noexcept {
        const std::uint64_t one = 1;
        // Fails only if the counter is full, after 2^64 calls.
        [[maybe_unused]] const ::ssize_t n = ::write(fd_, &one, sizeof one);
    }

private:
    int fd_;
};

} // namespace weir::detail::redis

#endif
