#ifndef WEIR_TESTS_SUPPORT_PYTHON_REDIS_HPP
#define WEIR_TESTS_SUPPORT_PYTHON_REDIS_HPP

/// Python services that share a Redis server with weir, for tests of what they say to each other.
///
///     const python_result result = run_python(fresh_database().uri(), R"(
///     r.setex("weir:product:42", 300, json.dumps({"name": "Brass Lamp"}))
///     print(r.ttl("weir:product:42"))
///     )");
///     EXPECT_EQ(result.status, 0) << result.errors;
///     EXPECT_EQ(result.output, "300\n");

#include <string>
#include <string_view>
#include <vector>

namespace weir::tests {

struct python_result {
    /// The exit status, or minus the signal that ended it.
    int status = 0;
    std::string output;
    std::string errors;
};

/// Runs a Python 3 script to its end. The script finds the modules json, redis and sys imported, a
/// redis.Redis of the URI in `r`, and `arguments` from sys.argv[1] on; indentation that all its
/// lines share does not count. The interpreter is /usr/bin/python3, or python3 on PATH, whichever
/// has the module redis; throws std::runtime_error if neither has, or if the script does not end in
/// a minute.
[[nodiscard]] python_result run_python(std::string_view uri, std::string_view script,
                                       const std::vector<std::string>& arguments = {});

} // namespace weir::tests

#endif
