#ifndef WEIR_TESTS_SUPPORT_CHILD_PROCESS_HPP
#define WEIR_TESTS_SUPPORT_CHILD_PROCESS_HPP

/// A program that runs beside the test and never outlives it.
///
///     child_process child{{.arguments = {find_program("sleep").value(), "1000"},
///                          .directory = directory.path(),
///                          .output = directory.path() / "output",
///                          .errors = directory.path() / "errors"}};
///     child.send_signal(SIGTERM);
///     EXPECT_TRUE(child.wait_for(10s));
///     EXPECT_EQ(child.status(), -SIGTERM);

#include "file_descriptor.hpp"

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace weir::tests {

/// Where the program of this name is: as it is if it contains a slash, else on PATH. Nothing if
/// there is none that may be run.
[[nodiscard]] std::optional<std::string> find_program(std::string_view name);

/// For one thread at a time.
///
/// The child inherits nothing but the environment: no files, no signal mask. It runs in a process
/// group of its own, which is killed with the object. If the test's process ends otherwise, by a
/// signal or by _exit, the kernel kills the child (its own children excepted). In a process forked
/// from the test's, the object does nothing.
class child_process {
public:
    struct program {
        /// The first is the program's path.
        std::vector<std::string> arguments;
        /// Where it runs.
        std::filesystem::path directory;
        /// What it prints is appended here.
        std::filesystem::path output;
        std::filesystem::path errors;
    };

    /// Throws std::system_error if the program cannot be run.
    explicit child_process(const program& what);
    child_process(const child_process&) = delete;
    child_process& operator=(const child_process&) = delete;
    ~child_process();

    [[nodiscard]] pid_t pid() const noexcept { return pid_; }

    void send_signal(int signal) const;

    /// Returns once the kernel has stopped the child, so that not one more instruction of it runs.
    void pause() const;
    void resume() const;

    /// Whether it has ended, be it only after a part of `limit`.
    [[nodiscard]] bool wait_for(std::chrono::milliseconds limit);

    /// Ends it the hard way and waits for its end.
    void kill();

    /// The exit status, or minus the signal that ended it; nothing while it runs.
    [[nodiscard]] std::optional<int> status() const noexcept { return status_; }

private:
    pid_t parent_;
    pid_t pid_;
    /// Readable when the child has ended.
    file_descriptor end_;
    std::optional<int> status_;
};

} // namespace weir::tests

#endif
