/// How do I limit each client to 20 requests a minute?

#include <weir/testing.hpp>
#include <weir/weir.hpp>

#include <chrono>
#include <iostream>
#include <string_view>

using namespace std::chrono_literals;

int main() {
    // A service writes `weir::memory_backend memory;`. Here the clock stands still until it is told
    // to move, so that the output is always the same.
    weir::manual_clock clock;
    weir::basic_memory_backend memory{clock};

    weir::rate_limiter limiter{memory, weir::per_minute(20)};

    const auto serve = [&](std::string_view client) {
        const weir::decision d = limiter.allow(client);
        std::cout << client << ": " << weir::http_status(d);
        if (d) {
            std::cout << ", " << d.remaining << " more\n";
        } else {
            std::cout << ", again in "
                      << std::chrono::ceil<std::chrono::seconds>(d.retry_after).count() << " s\n";
        }
        return d.allowed;
    };

    int served = 0;
    while (limiter.allow("203.0.113.7")) {
        ++served;
    }
    std::cout << "203.0.113.7 was served " << served << " times\n";
    serve("203.0.113.7");

    // Every client has a limit of its own.
    serve("198.51.100.4");

    // Some requests cost more. All permits are taken, or none.
    std::cout << "a request of 25 permits: " << to_string(limiter.allow("198.51.100.4", 25).reason)
              << '\n';

    // What was taken and not needed can be given back; looking costs nothing.
    limiter.give_back("198.51.100.4");
    std::cout << "198.51.100.4 has " << limiter.peek("198.51.100.4").remaining << " left\n";

    clock.advance(1min);
    serve("203.0.113.7");
}

// prints: 203.0.113.7 was served 20 times
// prints: 203.0.113.7: 429, again in 60 s
// prints: 198.51.100.4: 200, 19 more
// prints: a request of 25 permits: impossible
// prints: 198.51.100.4 has 20 left
// prints: 203.0.113.7: 200, 19 more
