/// How do I test code that limits and caches, without sleeping?

#include <weir/testing.hpp>
#include <weir/weir.hpp>

#include <chrono>
#include <iostream>
#include <string>

using namespace std::chrono_literals;

/// The code to be tested takes its backend from outside, and so its time.
class login {
public:
    template<class Backend>
    explicit login(const Backend& backend)
        : attempts_{backend, weir::fixed_window{.limit = 3, .window = 1h}} {}

    /// True if `password` may be tried.
    bool try_for(const std::string& user) { return attempts_.allow(user).allowed; }

private:
    weir::rate_limiter attempts_;
};

int failures = 0;

void expect(bool condition, const char* sentence) {
    std::cout << (condition ? "ok: " : "FAILED: ") << sentence << '\n';
    failures += condition ? 0 : 1;
}

int main() {
    weir::manual_clock clock; // A handle, like the backend: both see the same time.
    weir::basic_memory_backend memory{clock};
    login login{memory};

    expect(login.try_for("alice") && login.try_for("alice") && login.try_for("alice"),
           "three attempts are allowed");
    expect(!login.try_for("alice"), "a fourth is denied");
    expect(login.try_for("bob"), "another user is not concerned");

    // The exact moment, from the answer of a limiter of the same kind.
    weir::rate_limiter limiter{memory, weir::fixed_window{.limit = 1, .window = 1h}};
    expect(limiter.allow("key").allowed, "the first is allowed");
    const auto wait = limiter.allow("key").retry_after;

    clock.advance(wait - 1ms);
    expect(!limiter.allow("key"), "a millisecond too early is too early");
    clock.advance(1ms);
    expect(limiter.allow("key").allowed, "the moment named is the moment");
    expect(login.try_for("alice"), "after the hour alice may try again");

    return failures;
}

// prints: ok: three attempts are allowed
// prints: ok: a fourth is denied
// prints: ok: another user is not concerned
// prints: ok: the first is allowed
// prints: ok: a millisecond too early is too early
// prints: ok: the moment named is the moment
// prints: ok: after the hour alice may try again
