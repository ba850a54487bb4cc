/// What a check and a cached value of 1 KiB cost on Redis, beside what people write by hand with
/// hiredis: one blocking connection for each thread, and the same commands.
///
/// Starts a server of its own; all lines of one run ask the same one. Compare lines of one run, with
/// repetitions and random interleaving, because shared machines drift:
///
///     redis_benchmark --benchmark_filter='^(check|get)/' --benchmark_repetitions=5
///         --benchmark_enable_random_interleaving --benchmark_report_aggregates_only
///
///   check/weir/N         limiter.allow(key), N blocking threads, at most 4 connections
///   check/hiredis/N      the same two commands by hiredis, a connection for each of N threads
///   check/evalsha/N      a fixed window as a script, by hiredis
///   get/weir/N           cache.get(key), 1 KiB
///   get/hiredis/N        GET by hiredis
///   .../rtt/...          the same behind a proxy that adds 0.75 ms to a round trip
///   .../callbacks/N      allow_async and get_async, N of them on their way at any time
///   check/denied         a key that has to wait, asked again and again
///
/// Counters: p50_us and p99_us of a call (of each thread, averaged), server_us: processor time of the
/// server's commands for one operation, system_calls: of weir's connections for one operation.
/// `redis-benchmark -p <port> -P 1` and `-P 16` (a line at the start tells the port) show the ceiling,
/// redis_python_benchmark.py what a Python service reaches.

#include "delay_proxy.hpp"
#include "support/raw_redis.hpp"
#include "support/redis_server.hpp"

#include <weir/cache.hpp>
#include <weir/rate_limiter.hpp>
#include <weir/redis.hpp>

#include <benchmark/benchmark.h>
#include <hiredis/hiredis.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace std::chrono_literals;
using steady = std::chrono::steady_clock;

/// Never reached.
constexpr std::int64_t plenty = weir::fixed_window::max_limit;
constexpr std::size_t value_size = 1024;

// ---- the server -------------------------------------------------------------------------------

weir::tests::redis_server& server() {
    static weir::tests::redis_server only;
    return only;
}

weir::tests::delay_proxy& distant_server() {
    static weir::tests::delay_proxy only{server().uri(), 750us};
    return only;
}

std::string uri(bool distant) {
    return distant ? distant_server().uri() : server().uri();
}

/// Processor time of all of the server's commands so far.
std::chrono::microseconds server_time() {
    std::chrono::microseconds all{0};
    for (const auto& [name, statistics] : weir::tests::raw_redis{server().uri()}.commandstats()) {
        all += name == "info" || name == "hello" ? 0us : statistics.time;
    }
    return all;
}

// ---- measuring --------------------------------------------------------------------------------

/// The times of one thread's calls, and at the end two counters of them.
class latencies {
public:
    latencies() { times_.reserve(1 << 16); }

    void report(benchmark::State& state) {
        const auto at = [&](double part) {
            const auto nth = times_.begin() +
                             static_cast<std::ptrdiff_t>(part * static_cast<double>(times_.size()));
            std::nth_element(times_.begin(), nth, times_.end());
            return static_cast<double>(*nth) / 1000;
        };
        state.counters["p50_us"] = {at(0.50), benchmark::Counter::kAvgThreads};
        state.counters["p99_us"] = {at(0.99), benchmark::Counter::kAvgThreads};
    }

    template<class Call>
    void measure(const Call& call) {
        const steady::time_point begin = steady::now();
        call();
        times_.push_back(static_cast<std::uint32_t>((steady::now() - begin).count()));
    }

private:
    std::vector<std::uint32_t> times_;
};

/// Runs `Subject`, one object for all threads, whose `call(thread)` is measured.
template<class Subject>
void blocking(benchmark::State& state, bool distant) {
    static std::unique_ptr<Subject> subject;
    static std::chrono::microseconds before;
    if (state.thread_index() == 0) {
        subject = std::make_unique<Subject>(uri(distant), state.threads());
        before = server_time();
    }
    latencies times;
    for ([[maybe_unused]] auto _ : state) {
        times.measure([&] { subject->call(state.thread_index()); });
    }
    times.report(state);
    state.SetItemsProcessed(state.iterations());
    if (state.thread_index() == 0) {
        const auto operations = static_cast<double>(state.iterations() * state.threads());
        state.counters["server_us"] =
            static_cast<double>((server_time() - before).count()) / operations;
        subject->report(state, operations);
        subject.reset();
    }
}

[[noreturn]] void fail(const std::string& what) {
    std::fprintf(stderr, "redis_benchmark: %s\n", what.c_str());
    std::abort();
}

std::string key_of(int thread) {
    return "client " + std::to_string(thread);
}

// ---- weir -------------------------------------------------------------------------------------

class weir_subject {
public:
    explicit weir_subject(const std::string& address)
        : redis{{.uri = address, .timeout = 10s, .executor = weir::run_inline}} {
        if (!redis.wait_until_connected()) {
            fail("no connection");
        }
    }

    void report(benchmark::State& state, double operations) const {
        state.counters["system_calls"] =
            static_cast<double>(redis.stats().system_calls) / operations;
    }

    weir::redis_backend redis;
};

class weir_check : public weir_subject {
public:
    weir_check(const std::string& address, int threads) : weir_subject{address} {
        for (int i = 0; i < threads; ++i) {
            keys_.push_back(key_of(i));
        }
    }
    void call(int thread) {
        if (!limiter.allow(keys_[static_cast<std::size_t>(thread)])) {
            fail("denied");
        }
    }

    weir::basic_rate_limiter<weir::fixed_window, weir::redis_backend> limiter{
        redis, weir::per_day(plenty), weir::on_failure::deny, {.name = "benchmark"}};

private:
    std::vector<std::string> keys_;
};

class weir_get : public weir_subject {
public:
    weir_get(const std::string& address, int) : weir_subject{address} {
        cache.put("k", std::string(value_size, 'v'));
    }
    void call(int) {
        if (cache.get("k")->size() != value_size) {
            fail("another value");
        }
    }

    weir::basic_cache<std::string, weir::redis_backend> cache{redis, "benchmark", {.ttl = 1h}};
};

// ---- hiredis ----------------------------------------------------------------------------------

struct free_context {
    void operator()(redisContext* c) const { redisFree(c); }
};
struct free_reply {
    void operator()(redisReply* r) const { freeReplyObject(r); }
};
using reply = std::unique_ptr<redisReply, free_reply>;

class hiredis_subject {
public:
    hiredis_subject(const std::string& address, int threads) {
        const std::size_t colon = address.rfind(':');
        const int port = std::stoi(address.substr(colon + 1));
        for (int i = 0; i < threads; ++i) {
            connections_.emplace_back(redisConnect("127.0.0.1", port));
            if (connections_.back() == nullptr || connections_.back()->err != 0) {
                fail("hiredis cannot connect");
            }
        }
    }

    static void report(benchmark::State&, double) {}

protected:
    [[nodiscard]] redisContext* on(int thread) const {
        return connections_[static_cast<std::size_t>(thread)].get();
    }
    [[nodiscard]] static reply next(redisContext* c) {
        void* r = nullptr;
        if (redisGetReply(c, &r) != REDIS_OK) {
            fail(c->errstr);
        }
        return reply{static_cast<redisReply*>(r)};
    }

private:
    std::vector<std::unique_ptr<redisContext, free_context>> connections_;
};

class hiredis_check : public hiredis_subject {
public:
    using hiredis_subject::hiredis_subject;

    void call(int thread) const {
        redisContext* const c = on(thread);
        const long long d = std::numeric_limits<std::int64_t>::max() - plenty;
        const std::string key = "hiredis:" + key_of(thread);
        redisAppendCommand(c, "SET %s %b PX 90000000 NX", key.c_str(), "\0\0\0\0\0\0\0\0",
                           std::size_t{8});
        redisAppendCommand(
            c, "BITFIELD %s OVERFLOW FAIL INCRBY u63 0 %lld INCRBY u63 0 -%lld GET u63 0",
            key.c_str(), d + 1, d);
        static_cast<void>(next(c));
        if (next(c)->element[0]->type != REDIS_REPLY_INTEGER) {
            fail("denied");
        }
    }
};

/// The fixed window that is found in most articles, made exact: check first, count then.
constexpr const char* window_script =
    "local used=tonumber(redis.call('GET',KEYS[1]) or 0) "
    "if used+tonumber(ARGV[2])>tonumber(ARGV[1]) then return {0,used,redis.call('PTTL',KEYS[1])} "
    "end "
    "used=redis.call('INCRBY',KEYS[1],ARGV[2]) "
    "local left=redis.call('PTTL',KEYS[1]) "
    "if left<0 then redis.call('PEXPIRE',KEYS[1],ARGV[3]) left=tonumber(ARGV[3]) end "
    "return {1,used,left}";

class hiredis_evalsha : public hiredis_subject {
public:
    hiredis_evalsha(const std::string& address, int threads) : hiredis_subject{address, threads} {
        const reply loaded{
            static_cast<redisReply*>(redisCommand(on(0), "SCRIPT LOAD %s", window_script))};
        digest_.assign(loaded->str, loaded->len);
    }

    void call(int thread) const {
        redisContext* const c = on(thread);
        const std::string key = "evalsha:" + key_of(thread);
        redisAppendCommand(c, "EVALSHA %s 1 %s %lld 1 86400000", digest_.c_str(), key.c_str(),
                           static_cast<long long>(plenty));
        if (next(c)->element[0]->integer != 1) {
            fail("denied");
        }
    }

private:
    std::string digest_;
};

class hiredis_get : public hiredis_subject {
public:
    hiredis_get(const std::string& address, int threads) : hiredis_subject{address, threads} {
        const std::string value(value_size, 'v');
        const reply stored{static_cast<redisReply*>(
            redisCommand(on(0), "SET hiredis:k %b", value.data(), value.size()))};
    }

    void call(int thread) const {
        redisContext* const c = on(thread);
        redisAppendCommand(c, "GET hiredis:k");
        if (next(c)->len != value_size) {
            fail("another value");
        }
    }
};

// ---- callbacks --------------------------------------------------------------------------------

/// Keeps so many operations on their way; each that ends begins the next.
class juggler {
public:
    using begin_one = std::function<void(juggler&)>;

    /// Begins operations until `total` have ended, and waits for that.
    void run(std::int64_t total, int outstanding, const begin_one& begin) {
        begin_ = begin;
        left_to_begin_ = total - outstanding;
        left_to_end_ = total;
        ended_ = false;
        for (int i = 0; i < outstanding; ++i) {
            begin_(*this);
        }
        ended_.wait(false);
    }

    /// For the callback.
    void ended() {
        if (left_to_begin_.fetch_sub(1) > 0) {
            begin_(*this);
        }
        if (left_to_end_.fetch_sub(1) == 1) {
            ended_ = true;
            ended_.notify_one();
        }
    }

private:
    begin_one begin_;
    std::atomic<std::int64_t> left_to_begin_{0};
    std::atomic<std::int64_t> left_to_end_{0};
    std::atomic<bool> ended_{false};
};

template<class Subject>
void callbacks(benchmark::State& state, int outstanding, const auto& begin) {
    Subject subject{uri(false), 256};
    const std::chrono::microseconds before = server_time();
    juggler all;
    constexpr std::int64_t batch = 20'000;
    for ([[maybe_unused]] auto _ : state) {
        all.run(batch, outstanding, [&](juggler& j) { begin(subject, j); });
    }
    const auto operations = static_cast<double>(state.iterations() * batch);
    state.SetItemsProcessed(state.iterations() * batch);
    state.counters["server_us"] =
        static_cast<double>((server_time() - before).count()) / operations;
    subject.report(state, operations);
}

void check_callbacks(benchmark::State& state, int outstanding) {
    callbacks<weir_check>(state, outstanding, [](weir_check& subject, juggler& j) {
        subject.limiter.allow_async("client", [&j](const weir::decision& d) {
            if (!d) {
                fail("denied");
            }
            j.ended();
        });
    });
}

void get_callbacks(benchmark::State& state, int outstanding) {
    callbacks<weir_get>(state, outstanding, [](weir_get& subject, juggler& j) {
        subject.cache.get_async("k", [&j](const weir::cached<std::string>& answer) {
            if (answer->size() != value_size) {
                fail("another value");
            }
            j.ended();
        });
    });
}

// ---- an abuser --------------------------------------------------------------------------------

void check_denied(benchmark::State& state) {
    const weir_subject subject{uri(false)};
    const weir::rate_limiter limiter{
        subject.redis, weir::per_day(1), weir::on_failure::deny, {.name = "denied"}};
    limiter.forget("client");
    while (limiter.allow("client")) {
    }
    const std::int64_t before = weir::tests::raw_redis{server().uri()}.calls("bitfield");
    for ([[maybe_unused]] auto _ : state) {
        benchmark::DoNotOptimize(limiter.allow("client"));
    }
    state.SetItemsProcessed(state.iterations());
    state.counters["commands"] =
        static_cast<double>(weir::tests::raw_redis{server().uri()}.calls("bitfield") - before);
}

template<class Subject>
void add(const std::string& name, std::initializer_list<int> threads, bool distant = false) {
    for (const int n : threads) {
        benchmark::RegisterBenchmark(
            (name + (distant ? "/rtt/" : "/") + std::to_string(n)).c_str(),
            [distant](benchmark::State& state) { blocking<Subject>(state, distant); })
            ->Threads(n)
            ->UseRealTime()
            ->MinTime(0.5);
    }
}

void add_all() {
    add<weir_check>("check/weir", {1, 2, 4, 8, 16, 64});
    add<hiredis_check>("check/hiredis", {1, 2, 4, 8, 16, 64});
    add<hiredis_evalsha>("check/evalsha", {1, 16});
    add<weir_get>("get/weir", {1, 2, 4, 8, 16, 64});
    add<hiredis_get>("get/hiredis", {1, 2, 4, 8, 16, 64});
    constexpr bool distant = true;
    add<weir_check>("check/weir", {1, 16, 64}, distant);
    add<hiredis_check>("check/hiredis", {1, 16, 64}, distant);
    add<weir_get>("get/weir", {1, 16, 64}, distant);
    add<hiredis_get>("get/hiredis", {1, 16, 64}, distant);
    for (const int n : {16, 64, 256}) {
        benchmark::RegisterBenchmark(("check/callbacks/" + std::to_string(n)).c_str(),
                                     check_callbacks, n)
            ->UseRealTime()
            ->MinTime(0.5);
        benchmark::RegisterBenchmark(("get/callbacks/" + std::to_string(n)).c_str(), get_callbacks,
                                     n)
            ->UseRealTime()
            ->MinTime(0.5);
    }
    benchmark::RegisterBenchmark("check/denied", check_denied);
}

} // namespace

int main(int argc, char** argv) {
    add_all();
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) {
        return 1;
    }
    std::printf("server on port %d\n", int{server().port()});
    benchmark::RunSpecifiedBenchmarks();
}
