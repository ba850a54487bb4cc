#ifndef WEIR_TESTS_SUPPORT_ROLE_HPP
#define WEIR_TESTS_SUPPORT_ROLE_HPP

/// What a test program does instead of running its tests when a test starts it once more, to see
/// what becomes of it.
///
///     const role aborting{"aborting", [] { std::abort(); }};      // at namespace scope
///
///     TEST(...) {
///         child_process other{play_role("aborting", directory.path())};

#include "child_process.hpp"

#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>

namespace weir::tests {

class role {
public:
    /// Before main: plays the role and ends the program, if that was started for it.
    role(std::string_view name, void (*play)()) {
        const char* wanted = std::getenv("WEIR_TEST_ROLE");
        if (wanted != nullptr && wanted == name) {
            play();
            std::exit(0);
        }
    }
};

/// This program in a role, in a directory where its `output`, its `errors` and its temporary files
/// go: one that is killed leaves nothing behind.
[[nodiscard]] inline child_process::program play_role(const std::string& name,
                                                      const std::filesystem::path& directory) {
    return {.arguments = {"/usr/bin/env", "WEIR_TEST_ROLE=" + name, "TMPDIR=" + directory.string(),
                          std::filesystem::read_symlink("/proc/self/exe").string()},
            .directory = directory,
            .output = directory / "output",
            .errors = directory / "errors"};
}

} // namespace weir::tests

#endif
