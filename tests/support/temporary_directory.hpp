#ifndef WEIR_TESTS_SUPPORT_TEMPORARY_DIRECTORY_HPP
#define WEIR_TESTS_SUPPORT_TEMPORARY_DIRECTORY_HPP

/// An empty directory that goes away with the object, but not with the copy of it that a process
/// forked from the test's has.

#include "file_descriptor.hpp"

#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <sys/types.h>
#include <system_error>
#include <unistd.h>

namespace weir::tests {

class temporary_directory {
public:
    temporary_directory() {
        // The name of a Unix socket has 107 bytes: a long TMPDIR gives way to /tmp.
        constexpr std::size_t longest_parent = 60;
        std::string name = std::filesystem::temp_directory_path().string();
        if (name.size() > longest_parent) {
            name = "/tmp";
        }
        name += "/weir-test.XXXXXX";
        if (mkdtemp(name.data()) == nullptr) {
            throw_errno("mkdtemp");
        }
        path_ = name;
    }
    temporary_directory(const temporary_directory&) = delete;
    temporary_directory& operator=(const temporary_directory&) = delete;
    ~temporary_directory() {
        if (getpid() == owner_) {
            std::error_code ignored;
            std::filesystem::remove_all(path_, ignored);
        }
    }

    [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

private:
    pid_t owner_ = getpid();
    std::filesystem::path path_;
};

} // namespace weir::tests

#endif
