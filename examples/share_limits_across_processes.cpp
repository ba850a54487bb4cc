/// How do several processes share one limit?
///
/// By a backend that they share: here a Redis or Valkey server, whose address is in REDIS_URL. Two
/// processes send requests for one client at the same time, and together are allowed what one would
/// be. A backend may be used on both sides of a fork, as here; usually the processes are replicas of
/// one service that know nothing of each other.

#include <weir/redis.hpp>
#include <weir/weir.hpp>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <sys/wait.h>
#include <unistd.h>

namespace {

constexpr int failed = 255;

/// How many of 15 requests are allowed, or `failed`.
int ask(const weir::rate_limiter& limiter, const std::string& client) {
    int allowed = 0;
    for (int i = 0; i < 15; ++i) {
        const weir::decision d = limiter.allow(client);
        if (d.reason == weir::reason::backend_failed) {
            std::fprintf(stderr, "no Redis: %s\n", d.error().message().c_str());
            return failed;
        }
        allowed += d.allowed ? 1 : 0;
    }
    return allowed;
}

} // namespace

int main() {
    const char* const url = std::getenv("REDIS_URL");
    const weir::redis_backend redis{url != nullptr ? url : "redis://127.0.0.1:6379/0"};

    // Limiters of one name share their counts, whatever process they are in. What happens while the
    // server cannot be reached has to be said: here, requests pass.
    const weir::rate_limiter limiter{
        redis, weir::per_day(20), weir::on_failure::allow, {.name = "example"}};
    const std::string client = "client " + std::to_string(getpid()); // a new one in each run

    redis.wait_until_connected(std::chrono::seconds{10}); // and then fork, while no thread is busy
    const pid_t other = fork();
    redis.wait_until_connected(std::chrono::seconds{10}); // each has connections of its own
    const int allowed = ask(limiter, client);
    if (other == 0) {
        _exit(allowed); // not exit(), whose handlers are the other's
    }
    int status = 0;
    if (waitpid(other, &status, 0) != other || !WIFEXITED(status) ||
        WEXITSTATUS(status) == failed || allowed == failed) {
        return failed;
    }
    std::printf("of 30 requests to two processes %d were allowed\n", allowed + WEXITSTATUS(status));
    std::printf("the next one: %d\n", weir::http_status(limiter.allow(client)));
    limiter.forget(client); // a pardon, too, holds for all
    std::printf("after a pardon: %d\n", weir::http_status(limiter.allow(client)));
}

// prints: of 30 requests to two processes 20 were allowed
// prints: the next one: 429
// prints: after a pardon: 200
