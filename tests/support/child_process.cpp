#include "child_process.hpp"

#include <array>
#include <cerrno>
#include <condition_variable>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <mutex>
#include <poll.h>
#include <stdexcept>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <system_error>
#include <thread>
#include <unistd.h>

namespace weir::tests {

namespace {

struct launched {
    pid_t pid = -1;
    int error = 0;
};

void redirect(const char* file, int flags, int to) {
    const int opened = open(file, flags | O_CLOEXEC, 0600);
    if (opened < 0 || dup2(opened, to) < 0) {
        _exit(127);
    }
}

/// What the child does between fork and exec: only what is safe while other threads of the parent
/// may hold any lock.
[[noreturn]] void become(const child_process::program& what, char* const* arguments, pid_t parent,
                         int report) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) {
        _exit(127); // the parent ended before the kernel knew what to do then
    }
    setpgid(0, 0);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    redirect("/dev/null", O_RDONLY, STDIN_FILENO);
    redirect(what.output.c_str(), O_WRONLY | O_CREAT | O_APPEND, STDOUT_FILENO);
    redirect(what.errors.c_str(), O_WRONLY | O_CREAT | O_APPEND, STDERR_FILENO);
    close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
    if (chdir(what.directory.c_str()) == 0) {
        execv(arguments[0], arguments);
    }
    const int error = errno;
    static_cast<void>(write(report, &error, sizeof error));
    _exit(127);
}

launched launch(const child_process::program& what) {
    std::vector<char*> arguments;
    for (const std::string& argument : what.arguments) {
        arguments.push_back(const_cast<char*>(argument.c_str()));
    }
    arguments.push_back(nullptr);
    std::array<int, 2> ends{};
    if (pipe2(ends.data(), O_CLOEXEC) != 0) {
        return {-1, errno};
    }
    const file_descriptor reader{ends[0]};
    file_descriptor writer{ends[1]};
    const pid_t parent = getpid();
    const pid_t child = fork();
    if (child == 0) {
        become(what, arguments.data(), parent, writer.get());
    }
    if (child < 0) {
        return {-1, errno};
    }
    writer.close(); // the child's end closes with its exec
    int error = 0;
    ssize_t count = 0;
    while ((count = read(reader.get(), &error, sizeof error)) < 0 && errno == EINTR) {
    }
    if (count == 0) {
        return {child, 0};
    }
    waitpid(child, nullptr, 0);
    return {-1, error};
}

/// The thread that starts all children. The kernel takes the end of the thread that forked, not of
/// the process, for the death of the parent; so that must be a thread that ends with the process.
class launcher {
public:
    /// Serves until after all static objects are gone that started children when they were made.
    static launcher& instance() {
        // Not destroyed: in a forked process, which has no such thread, its parts cannot be.
        static launcher& only = *new launcher;
        static const struct end {
            ~end() { only.finish(); }
        } at_exit;
        return only;
    }

    launched run(const child_process::program& what) {
        if (getpid() != owner_) {
            throw std::logic_error{"a process forked from a test's can start no programs"};
        }
        const std::lock_guard one_at_a_time{callers_};
        std::unique_lock lock{mutex_};
        wanted_ = &what;
        changed_.notify_all();
        changed_.wait(lock, [this] { return wanted_ == nullptr; });
        return result_;
    }

private:
    launcher() = default;

    void finish() {
        if (getpid() == owner_) {
            {
                const std::lock_guard lock{mutex_};
                finishing_ = true;
            }
            changed_.notify_all();
            thread_.join();
        }
    }

    void serve() {
        std::unique_lock lock{mutex_};
        for (;;) {
            changed_.wait(lock, [this] { return wanted_ != nullptr || finishing_; });
            if (finishing_) {
                return;
            }
            result_ = launch(*wanted_);
            wanted_ = nullptr;
            changed_.notify_all();
        }
    }

    const pid_t owner_ = getpid();
    std::mutex callers_;
    std::mutex mutex_; // of what follows
    std::condition_variable changed_;
    const child_process::program* wanted_ = nullptr;
    launched result_;
    bool finishing_ = false;

    std::thread thread_{[this] { serve(); }};
};

/// Waits for it.
int end_of(pid_t child) {
    int status = 0;
    checked("waitpid", [&] { return waitpid(child, &status, 0); });
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

} // namespace

std::optional<std::string> find_program(std::string_view name) {
    const auto runs = [](const std::string& path) {
        std::error_code ignored;
        return std::filesystem::is_regular_file(path, ignored) && access(path.c_str(), X_OK) == 0;
    };
    if (name.find('/') != std::string_view::npos) {
        std::string path{name};
        return runs(path) ? std::optional{path} : std::nullopt;
    }
    const char* variable = std::getenv("PATH");
    std::string_view folders = variable == nullptr ? "" : variable;
    while (!folders.empty()) {
        const std::string_view folder = folders.substr(0, folders.find(':'));
        folders.remove_prefix(folder.size());
        folders.remove_prefix(folders.empty() ? 0 : 1);
        std::string path = std::string{folder} + "/" + std::string{name};
        if (runs(path)) {
            return path;
        }
    }
    return std::nullopt;
}

child_process::child_process(const program& what) : parent_{getpid()} {
    const launched result = launcher::instance().run(what);
    if (result.pid < 0) {
        throw std::system_error{result.error, std::generic_category(),
                                "cannot run " + what.arguments.front()};
    }
    pid_ = result.pid;
    end_ = file_descriptor{static_cast<int>(syscall(SYS_pidfd_open, pid_, 0))};
    if (!end_.is_open()) {
        const int error = errno;
        kill();
        throw std::system_error{error, std::generic_category(), "pidfd_open"};
    }
}

child_process::~child_process() {
    if (getpid() == parent_) {
        kill();
    }
}

void child_process::send_signal(int signal) const {
    if (!status_) {
        ::kill(pid_, signal);
    }
}

void child_process::pause() const {
    send_signal(SIGSTOP);
    siginfo_t ignored{};
    checked("waitid", [&] {
        return waitid(P_PID, static_cast<id_t>(pid_), &ignored, WSTOPPED | WEXITED | WNOWAIT);
    });
}

void child_process::resume() const {
    send_signal(SIGCONT);
}

bool child_process::wait_for(std::chrono::milliseconds limit) {
    const auto deadline = std::chrono::steady_clock::now() + limit;
    while (!status_) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(
            deadline - std::chrono::steady_clock::now());
        pollfd ended{.fd = end_.get(), .events = POLLIN, .revents = 0};
        if (poll(&ended, 1, left.count() < 0 ? 0 : static_cast<int>(left.count())) == 1) {
            status_ = end_of(pid_);
        } else if (left.count() <= 0) {
            return false;
        }
    }
    return true;
}

void child_process::kill() {
    if (!status_) {
        ::kill(-pid_, SIGKILL);
        status_ = end_of(pid_);
    }
}

} // namespace weir::tests
