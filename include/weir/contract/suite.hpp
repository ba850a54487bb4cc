#ifndef WEIR_CONTRACT_SUITE_HPP
#define WEIR_CONTRACT_SUITE_HPP

/// What the suites of counters.hpp and values.hpp have in common: lists of checks, how they become
/// GoogleTest tests, and how a check lets time pass. Needs GoogleTest; link weir::contract.

#include <weir/clock.hpp>
#include <weir/error.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <concepts>
#include <latch>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace weir::contract {

using namespace std::chrono_literals;
using std::chrono::nanoseconds;

/// A type that makes the backends to be tested. One object of it is made for every check.
///
/// | expression     | guarantee                                                                  |
/// |----------------|----------------------------------------------------------------------------|
/// | t.make()       | a new backend that is empty and shares nothing with those made before; room for at least 1,000 counters, and 1,000 entries in each store |
/// | t.advance(d)   | optional: moves the clock of all the backends it made by exactly d         |
///
/// Without `advance` the checks that need time to pass use short lifetimes and sleep, and allow the
/// backend's clock and expiry an error of `T::margin` (a std::chrono duration), if there is such a
/// member, else 50 ms.
template<class T>
concept subject = std::default_initializable<T> && requires(T t) {
    t.make();
};

template<subject T>
using backend_of = decltype(std::declval<T&>().make());

/// One duty as a test: a sentence that can be false, and what finds out. Failures are reported
/// through GoogleTest's EXPECT_ and ASSERT_.
template<class Trial>
struct check {
    std::string name;
    void (*run)(Trial&);
};

/// The checks of a suite.
template<class Trial>
class checks {
public:
    void add(std::string name, void (*run)(Trial&)) { list_.push_back({std::move(name), run}); }

    [[nodiscard]] auto begin() const noexcept { return list_.begin(); }
    [[nodiscard]] auto end() const noexcept { return list_.end(); }

private:
    std::vector<check<Trial>> list_;
};

namespace detail {

template<class Trial>
class check_test : public ::testing::Test {
public:
    explicit check_test(void (*run)(Trial&)) : run_{run} {}

private:
    void TestBody() override {
        Trial trial;
        run_(trial);
    }

    void (*run_)(Trial&);
};

/// Registers `list` as the tests of a suite of its own.
template<class Trial>
bool add_tests(const std::string& suite, const checks<Trial>& list) {
    for (const check<Trial>& c : list) {
        ::testing::RegisterTest(suite.c_str(), c.name.c_str(), nullptr, nullptr, __FILE__, __LINE__,
                                [run = c.run] { return new check_test<Trial>{run}; });
    }
    return true;
}

/// Every call starts with an error left over in `ec`, as callers' objects may, and must clear it.
[[nodiscard]] inline std::error_code left_over_error() {
    return make_error_code(errc::recursive_computation);
}

inline void expect_success(const std::error_code& ec, const char* call) {
    EXPECT_FALSE(ec) << call << " must clear the error code when it succeeds, but it holds: "
                     << ec.message();
}

/// Runs `work(0)` to `work(count - 1)`, each in a thread, all at the same time.
template<class Work>
void in_threads(int count, const Work& work) {
    std::latch start{count};
    std::vector<std::thread> threads;
    for (int i = 0; i < count; ++i) {
        threads.emplace_back([&start, &work, i] {
            start.arrive_and_wait();
            work(i);
        });
    }
    for (std::thread& t : threads) {
        t.join();
    }
}

} // namespace detail

/// A backend under test and its time.
template<subject T>
class trial {
public:
    using backend_type = backend_of<T>;

    /// True if time passes only when a check says so, to the nanosecond.
    static constexpr bool exact_time = requires(T t) { t.advance(1ns); };

    /// By how much the end of an entry may be off: not at all if time is exact.
    static constexpr nanoseconds margin = [] {
        if constexpr (exact_time) {
            return 0ns;
        } else if constexpr (requires { nanoseconds{T::margin}; }) {
            return nanoseconds{T::margin};
        } else {
            return nanoseconds{50ms};
        }
    }();

    /// A lifetime short enough to wait for its end.
    static constexpr nanoseconds short_ttl = exact_time ? nanoseconds{10s} : 6 * margin;

    [[nodiscard]] backend_type make() { return subject_.make(); }

    [[nodiscard]] time_point now() { return backend.now(); }

    /// Lets time pass until the last moment at which an entry that ends at `end` must still be there.
    void wait_until_just_before(time_point end) {
        wait_until(exact_time ? end - 1ns : end - 2 * margin);
    }

    /// Lets time pass until an entry that ends at `end` must be gone.
    void wait_until_over(time_point end) { wait_until(end + margin); }

    /// Whether it is certain that `end` has not come, which on a real clock has to be asked after the
    /// call that the answer is about: the machine may have slept.
    [[nodiscard]] bool surely_before(time_point end) { return now() + margin < end; }

private:
    void wait_until(time_point when) {
        if constexpr (exact_time) {
            subject_.advance(when - now());
        } else {
            while (now() < when) {
                std::this_thread::sleep_for(1ms);
            }
        }
    }

    T subject_;

public:
    backend_type backend = subject_.make();
};

/// Keys that naive encodings, prefixes and lengths confuse: all different, byte by byte.
[[nodiscard]] inline std::vector<std::string> awkward_keys() {
    using namespace std::string_literals;
    std::vector<std::string> keys{""s,
                                  " "s,
                                  "\0"s,
                                  "\0\0"s,
                                  "k"s,
                                  "k\0"s,
                                  "k\0x"s,
                                  "\0k"s,
                                  "K"s,
                                  "k "s,
                                  " k"s,
                                  "k\n"s,
                                  "k\r\n"s,
                                  ":"s,
                                  "k:"s,
                                  ":k"s,
                                  "k:k"s,
                                  "k::k"s,
                                  "%"s,
                                  "%3A"s,
                                  "%3a"s,
                                  "%25"s,
                                  "%253A"s,
                                  "k%3Ak"s,
                                  "{"s,
                                  "{k}"s,
                                  "{}k"s,
                                  "k{}"s,
                                  "{k}:lease"s,
                                  "k:lease"s,
                                  "*"s,
                                  "k*"s,
                                  "?"s,
                                  "[k]"s,
                                  "\\"s,
                                  "\\k"s,
                                  "\x01"s,
                                  "\x7f"s,
                                  "\x80"s,
                                  "\xff"s,
                                  "\xff\xff"s,
                                  "\xc3\xbc"s,
                                  "contract"s,
                                  "contract:"s,
                                  "contract:k"s,
                                  "rl:contract"s,
                                  "42"s,
                                  "042"s,
                                  "contract:fixed_window:10000000000"s,
                                  "contract:fixed_window:10000000000:k"s,
                                  "rl:contract:10000000000:176:k"s,
                                  "GET"s,
                                  "\r\n*1\r\n$4\r\nPING\r\n"s};
    keys.push_back(std::string(512, 'x'));
    keys.push_back(std::string(513, 'x'));
    keys.push_back(std::string(1 << 20, 'x'));
    keys.push_back(std::string(1 << 20, 'x'));
    keys.back().front() = 'y';
    keys.push_back(std::string(1 << 20, 'x'));
    keys.back()[1 << 19] = 'y';
    keys.push_back(std::string(1 << 20, 'x'));
    keys.back().back() = 'y';
    keys.push_back(std::string(1 << 20, '\0'));
    return keys;
}

/// Enough of a key for a message.
[[nodiscard]] inline std::string shown(std::string_view key) {
    constexpr std::size_t most = 40;
    return ::testing::PrintToString(std::string{key.substr(0, most)}) +
           (key.size() > most ? "... of " + std::to_string(key.size()) + " bytes" : "");
}

} // namespace weir::contract

#endif
