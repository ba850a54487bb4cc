#ifndef WEIR_TESTS_SUPPORT_PROCESS_STATE_HPP
#define WEIR_TESTS_SUPPORT_PROCESS_STATE_HPP

/// What the kernel says about a process.

#include <cstddef>
#include <fstream>
#include <iterator>
#include <string>
#include <sys/types.h>

namespace weir::tests {

/// The letter of proc(5): `T` for stopped, `Z` for ended but not waited for; `-` if there is none.
[[nodiscard]] inline char process_state(pid_t pid) {
    std::ifstream file{"/proc/" + std::to_string(pid) + "/stat"};
    const std::string text{std::istreambuf_iterator<char>{file}, std::istreambuf_iterator<char>{}};
    const std::size_t name_end = text.rfind(')'); // a name may contain anything
    return name_end == std::string::npos ? '-' : text.at(name_end + 2);
}

[[nodiscard]] inline bool has_ended(pid_t pid) {
    const char state = process_state(pid);
    return state == '-' || state == 'Z' || state == 'X';
}

} // namespace weir::tests

#endif
