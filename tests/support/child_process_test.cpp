// Children do what they are told, and never outlive the test.

#include "child_process.hpp"

#include "eventually.hpp"
#include "process_state.hpp"
#include "role.hpp"
#include "temporary_directory.hpp"

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <csignal>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <poll.h>
#include <string>
#include <sys/wait.h>
#include <system_error>
#include <thread>
#include <unistd.h>

namespace {

using namespace weir::tests;
using namespace std::chrono_literals;

child_process::program shell_in(const std::filesystem::path& directory, const std::string& text) {
    return {.arguments = {"/bin/sh", "-c", text},
            .directory = directory,
            .output = directory / "output",
            .errors = directory / "errors"};
}

const role starting_a_child{
    "starting a child in a thread that ends", [] {
        std::optional<child_process> child;
        std::thread{[&] { child.emplace(shell_in(".", "exec sleep 1000")); }}.join();
        if (!child->wait_for(0ms)) {
            std::ofstream{"pid"} << child->pid() << '\n' << std::flush;
        }
        pause(); // until killed
    }};

class child_process_test : public testing::Test {
protected:
    [[nodiscard]] child_process::program shell(const std::string& text) const {
        return shell_in(directory_.path(), text);
    }

    [[nodiscard]] std::string text_of(const char* file) const {
        std::ifstream stream{directory_.path() / file};
        return {std::istreambuf_iterator<char>{stream}, std::istreambuf_iterator<char>{}};
    }

    /// The number that a child printed, once it is there.
    [[nodiscard]] pid_t printed_pid() const {
        EXPECT_TRUE(eventually([&] { return text_of("pid").ends_with('\n'); }))
            << text_of("errors");
        return std::stoi("0" + text_of("pid"));
    }

    temporary_directory directory_;
};

TEST_F(child_process_test, what_it_prints_is_in_two_files) {
    child_process child{shell("pwd; echo complaint >&2")};
    ASSERT_TRUE(child.wait_for(patience));
    EXPECT_EQ(text_of("output"), std::filesystem::canonical(directory_.path()).string() + "\n");
    EXPECT_EQ(text_of("errors"), "complaint\n");
}

TEST_F(child_process_test, its_status_is_that_of_its_exit) {
    child_process child{shell("exit 7")};
    ASSERT_TRUE(child.wait_for(patience));
    EXPECT_EQ(child.status(), 7);
}

TEST_F(child_process_test, its_status_tells_the_signal_that_ended_it) {
    child_process child{shell("exec sleep 1000")};
    EXPECT_EQ(child.status(), std::nullopt);
    child.send_signal(SIGTERM);
    ASSERT_TRUE(child.wait_for(patience));
    EXPECT_EQ(child.status(), -SIGTERM);
}

TEST_F(child_process_test, who_waits_for_its_end_gives_up_after_the_limit) {
    child_process child{shell("exec sleep 1000")};
    EXPECT_FALSE(child.wait_for(0ms));
    EXPECT_FALSE(child.wait_for(1ms));
}

TEST_F(child_process_test, a_program_that_is_not_there_is_an_exception_that_names_it) {
    child_process::program missing = shell("");
    missing.arguments = {"/nowhere/program"};
    try {
        const child_process child{missing};
        FAIL() << "it started";
    } catch (const std::system_error& error) {
        EXPECT_STREQ(error.what(), "cannot run /nowhere/program: No such file or directory");
    }
}

TEST_F(child_process_test, a_paused_one_is_stopped_when_pause_returns) {
    const child_process child{shell("while :; do :; done")};
    for (int i = 0; i < 10; ++i) {
        child.pause();
        ASSERT_EQ(process_state(child.pid()), 'T');
        child.resume();
        ASSERT_TRUE(eventually([&] { return process_state(child.pid()) != 'T'; }));
    }
}

TEST_F(child_process_test, it_inherits_no_files) {
    std::array<int, 2> ends{};
    ASSERT_EQ(pipe2(ends.data(), 0), 0); // without O_CLOEXEC, as careless libraries have it
    const file_descriptor reader{ends[0]};
    file_descriptor writer{ends[1]};
    const child_process child{shell("exec sleep 1000")};
    writer.close();
    pollfd all_writers_closed{.fd = reader.get(), .events = POLLIN, .revents = 0};
    EXPECT_EQ(poll(&all_writers_closed, 1, 0), 1);
}

TEST_F(child_process_test, it_ends_with_its_object_even_when_paused) {
    std::optional<child_process> child{std::in_place, shell("exec sleep 1000")};
    const pid_t pid = child->pid();
    child->pause();
    child.reset();
    EXPECT_EQ(process_state(pid), '-');
}

TEST_F(child_process_test, its_own_children_end_with_its_object) {
    std::optional<child_process> child{std::in_place, shell("sleep 1000 & echo $! > pid; wait")};
    const pid_t grandchild = printed_pid();
    ASSERT_FALSE(has_ended(grandchild));
    child.reset();
    EXPECT_TRUE(eventually([&] { return has_ended(grandchild); }));
}

TEST_F(child_process_test, it_survives_the_copy_of_its_object_in_a_forked_process) {
    std::optional<child_process> child{std::in_place, shell("exec sleep 1000")};
    const pid_t forked = fork();
    if (forked == 0) {
        child.reset();
        _exit(0);
    }
    int status = -1;
    ASSERT_EQ(waitpid(forked, &status, 0), forked);
    EXPECT_EQ(status, 0);
    EXPECT_FALSE(child->wait_for(0ms));
}

TEST_F(child_process_test, it_ends_when_the_process_of_the_test_is_killed_but_not_with_a_thread) {
    child_process test{play_role("starting a child in a thread that ends", directory_.path())};
    const pid_t grandchild = printed_pid();
    ASSERT_FALSE(has_ended(grandchild));
    test.send_signal(SIGKILL);
    ASSERT_TRUE(test.wait_for(patience));
    EXPECT_TRUE(eventually([&] { return has_ended(grandchild); }));
}

TEST(find_program, what_has_a_slash_is_not_looked_for_on_the_path) {
    EXPECT_EQ(find_program("/bin/sh"), "/bin/sh");
    EXPECT_EQ(find_program("./sh"), std::nullopt);
}

TEST(find_program, a_name_is_looked_for_on_the_path) {
    const std::optional<std::string> found = find_program("sh");
    ASSERT_TRUE(found);
    EXPECT_TRUE(found->ends_with("/sh"));
    EXPECT_EQ(find_program("no-program-has-this-name"), std::nullopt);
}

TEST(find_program, what_may_not_be_run_is_no_program) {
    EXPECT_EQ(find_program("/etc/passwd"), std::nullopt);
    EXPECT_EQ(find_program("/usr"), std::nullopt);
}

} // namespace
