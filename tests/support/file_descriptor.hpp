#ifndef WEIR_TESTS_SUPPORT_FILE_DESCRIPTOR_HPP
#define WEIR_TESTS_SUPPORT_FILE_DESCRIPTOR_HPP

/// Files that are closed with the object that names them.

#include <cerrno>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace weir::tests {

class file_descriptor {
public:
    file_descriptor() = default;
    explicit file_descriptor(int number) noexcept : number_{number} {}
    file_descriptor(file_descriptor&& other) noexcept : number_{std::exchange(other.number_, -1)} {}
    file_descriptor& operator=(file_descriptor&& other) noexcept {
        file_descriptor{std::move(other)}.swap(*this);
        return *this;
    }
    ~file_descriptor() { close(); }

    void close() noexcept {
        if (is_open()) {
            ::close(std::exchange(number_, -1));
        }
    }

    void swap(file_descriptor& other) noexcept { std::swap(number_, other.number_); }

    [[nodiscard]] int get() const noexcept { return number_; }
    [[nodiscard]] bool is_open() const noexcept { return number_ >= 0; }

private:
    int number_ = -1;
};

[[noreturn]] inline void throw_errno(const char* what) {
    throw std::system_error{errno, std::generic_category(), what};
}

/// What `call` returns; errors are exceptions, calls that a signal broke off are made again.
template<class Call>
auto checked(const char* what, const Call& call) {
    for (;;) {
        const auto result = call();
        if (result >= 0) {
            return result;
        }
        if (errno != EINTR) {
            throw_errno(what);
        }
    }
}

} // namespace weir::tests

#endif
