#include "python_redis.hpp"

#include "child_process.hpp"
#include "eventually.hpp"
#include "temporary_directory.hpp"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>

namespace weir::tests {

namespace {

std::string text_of(const std::filesystem::path& file) {
    std::ifstream stream{file, std::ios::binary};
    return {std::istreambuf_iterator<char>{stream}, std::istreambuf_iterator<char>{}};
}

python_result run(const std::vector<std::string>& command) {
    const temporary_directory directory;
    const std::filesystem::path output = directory.path() / "output";
    const std::filesystem::path errors = directory.path() / "errors";
    child_process child{
        {.arguments = command, .directory = directory.path(), .output = output, .errors = errors}};
    if (!child.wait_for(patience)) {
        throw std::runtime_error{"a Python script did not end; it printed:\n" + text_of(output) +
                                 text_of(errors)};
    }
    return {.status = *child.status(), .output = text_of(output), .errors = text_of(errors)};
}

std::string find_python() {
    for (const char* name : {"/usr/bin/python3", "python3"}) {
        if (const auto program = find_program(name)) {
            if (run({*program, "-c", "import redis"}).status == 0) {
                return *program;
            }
        }
    }
    throw std::runtime_error{
        "no python3 that can import redis: install Python 3 and its module redis "
        "(Debian: python3-redis)"};
}

} // namespace

python_result run_python(std::string_view uri, std::string_view script,
                         const std::vector<std::string>& arguments) {
    static const std::string python = find_python();
    constexpr const char* start =
        "import json, redis, sys, textwrap\n"
        "uri, script = sys.argv[1:3]\n"
        "del sys.argv[1:3]\n"
        "exec(compile(textwrap.dedent(script), 'script', 'exec'),\n"
        "     {'json': json, 'redis': redis, 'sys': sys, 'r': redis.Redis.from_url(uri)})\n";
    std::vector<std::string> command{
        python, "-B", "-c", start, std::string{uri}, std::string{script}};
    command.insert(command.end(), arguments.begin(), arguments.end());
    return run(command);
}

} // namespace weir::tests
