/// What one `allow` costs, beside what people write by hand: a map under a mutex, and 64 of them.
///
/// All subjects read the same real clock in each call, apply the same fixed window of a minute, and
/// are asked with the same prepared keys of 20 bytes. Compare lines of one run; absolute times
/// drift on shared machines. `items_per_second` is over all threads.
///
///     allow_benchmark --benchmark_filter=uniform --benchmark_repetitions=5

#include "workload.hpp"

#include <weir/memory.hpp>
#include <weir/quota/fixed_window.hpp>
#include <weir/rate_limiter.hpp>

#include <benchmark/benchmark.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <malloc.h>

namespace {

constexpr std::uint32_t uniform_keys = 100'000;
constexpr std::uint32_t zipf_keys = 1'000'000;
/// Never reached, so that every request is allowed; and reached at once.
constexpr std::int64_t plenty = weir::fixed_window::max_limit;
constexpr std::int64_t one = 1;

// ---- subjects -----------------------------------------------------------------------------------

class weir_limiter {
public:
    weir_limiter(std::size_t keys, std::int64_t limit)
        : backend_{{.counters = keys}}, limiter_{backend_, weir::per_minute(limit)} {}

    bool allow(std::string_view key) { return limiter_.allow(key).allowed; }

    [[nodiscard]] std::size_t bytes() const { return backend_.stats().bytes; }

private:
    weir::memory_backend backend_;
    weir::basic_rate_limiter<weir::fixed_window, weir::memory_backend> limiter_;
};

class erased_limiter {
public:
    erased_limiter(std::size_t keys, std::int64_t limit)
        : backend_{{.counters = keys}}, limiter_{backend_, weir::per_minute(limit)} {}

    bool allow(std::string_view key) { return limiter_.allow(key).allowed; }

    [[nodiscard]] std::size_t bytes() const { return backend_.stats().bytes; }

private:
    weir::memory_backend backend_;
    weir::rate_limiter limiter_;
};

/// `Shards` maps, each under its own mutex. A key is hashed once.
template<std::size_t Shards>
class mutex_maps {
public:
    mutex_maps(std::size_t keys, std::int64_t limit) : quota_{weir::per_minute(limit)} {
        for (shard& s : shards_) {
            s.states.reserve(keys / Shards);
        }
    }

    bool allow(std::string_view key) {
        const weir::time_point now = clock_.now();
        const hashed_key wanted{key, std::hash<std::string_view>{}(key)};
        shard& s = shards_[(wanted.hash >> 48) % Shards];
        const std::lock_guard lock{s.mutex};
        auto at = s.states.find(wanted);
        if (at == s.states.end()) {
            at = s.states.emplace(key, 0).first;
        }
        const auto outcome = quota_.take(at->second, 1, now, std::chrono::nanoseconds{0});
        if (outcome.write) {
            at->second = outcome.next;
        }
        return outcome.result.allowed;
    }

    [[nodiscard]] std::size_t bytes() const { return 0; }

private:
    struct hashed_key {
        std::string_view key;
        std::size_t hash;
    };

    struct hash {
        using is_transparent = void;
        std::size_t operator()(const hashed_key& k) const { return k.hash; }
        std::size_t operator()(const std::string& k) const {
            return std::hash<std::string_view>{}(k);
        }
    };

    struct equal {
        using is_transparent = void;
        bool operator()(const std::string& a, const std::string& b) const { return a == b; }
        bool operator()(const hashed_key& a, const std::string& b) const { return a.key == b; }
        bool operator()(const std::string& a, const hashed_key& b) const { return a == b.key; }
    };

    struct alignas(64) shard {
        std::mutex mutex;
        std::unordered_map<std::string, std::uint64_t, hash, equal> states;
    };

    weir::fixed_window quota_;
    weir::real_clock clock_;
    std::array<shard, Shards> shards_;
};

// ---- what they are asked ------------------------------------------------------------------------

/// A million requests. Their keys lie one after the other, as if just parsed: what is measured is
/// the limiter's cache misses, not those of finding the key to ask for.
class requests {
public:
    requests(const std::vector<std::string>& keys, const std::vector<std::uint32_t>& order) {
        for (const std::uint32_t index : order) {
            bytes_ += keys[index];
        }
    }

    static constexpr std::size_t count = std::size_t{1} << 20;

    [[nodiscard]] std::string_view operator[](std::size_t i) const {
        return {bytes_.data() + (i % count) * key_size, key_size};
    }

private:
    static constexpr std::size_t key_size = 20;

    std::string bytes_;
};

const std::vector<std::string>& keys() {
    static const std::vector<std::string> all = workload::make_keys(zipf_keys);
    return all;
}

template<bool Zipf>
const requests& all_requests() {
    static const requests made{keys(),
                               Zipf ? workload::zipf_order(zipf_keys, 0.99, requests::count, 2)
                                    : workload::uniform_order(uniform_keys, requests::count, 1)};
    return made;
}

std::size_t heap_in_use() {
    return mallinfo2().uordblks + mallinfo2().hblkhd;
}

/// One subject for all threads of a benchmark, which has seen each key once.
template<class Subject>
struct prepared {
    prepared(std::uint32_t count, std::int64_t limit) {
        const std::size_t before = heap_in_use();
        subject = std::make_unique<Subject>(count, limit);
        for (std::uint32_t i = 0; i != count; ++i) {
            subject->allow(keys()[i]);
        }
        const std::size_t bytes = subject->bytes();
        bytes_per_key = static_cast<double>(bytes != 0 ? bytes : heap_in_use() - before) / count;
    }

    std::unique_ptr<Subject> subject;
    double bytes_per_key = 0;
};

template<class Subject>
std::unique_ptr<prepared<Subject>> shared_by_threads;

template<class Subject, std::int64_t Limit>
void hot_key(benchmark::State& state) {
    if (state.thread_index() == 0) {
        keys();
        shared_by_threads<Subject> = std::make_unique<prepared<Subject>>(1, Limit);
    }
    for (auto _ : state) {
        benchmark::DoNotOptimize(shared_by_threads<Subject>->subject->allow(keys()[0]));
    }
    state.SetItemsProcessed(state.iterations());
}

template<class Subject, bool Zipf>
void many_keys(benchmark::State& state) {
    if (state.thread_index() == 0) {
        all_requests<Zipf>();
        shared_by_threads<Subject> =
            std::make_unique<prepared<Subject>>(Zipf ? zipf_keys : uniform_keys, plenty);
    }
    // Threads begin at different requests.
    std::size_t next = static_cast<std::size_t>(state.thread_index()) * 99'991;
    for (auto _ : state) {
        benchmark::DoNotOptimize(
            shared_by_threads<Subject>->subject->allow(all_requests<Zipf>()[next++]));
    }
    state.SetItemsProcessed(state.iterations());
    if (state.thread_index() == 0) {
        state.counters["bytes_per_key"] = shared_by_threads<Subject>->bytes_per_key;
    }
}

void clock_read(benchmark::State& state) {
    const weir::real_clock clock;
    for (auto _ : state) {
        benchmark::DoNotOptimize(clock.now());
    }
    state.SetItemsProcessed(state.iterations());
}

void on_1_to_8_threads(benchmark::internal::Benchmark* b) {
    b->ThreadRange(1, 8)->UseRealTime();
}

using one_map = mutex_maps<1>;
using sharded_maps = mutex_maps<64>;

BENCHMARK(clock_read)->Apply(on_1_to_8_threads);
BENCHMARK(hot_key<weir_limiter, plenty>)->Name("hot_allowed/weir")->Apply(on_1_to_8_threads);
BENCHMARK(hot_key<erased_limiter, plenty>)->Name("hot_allowed/erased")->Apply(on_1_to_8_threads);
BENCHMARK(hot_key<one_map, plenty>)->Name("hot_allowed/mutex_map")->Apply(on_1_to_8_threads);
BENCHMARK(hot_key<sharded_maps, plenty>)->Name("hot_allowed/64_shards")->Apply(on_1_to_8_threads);
BENCHMARK(hot_key<weir_limiter, one>)->Name("hot_denied/weir")->Apply(on_1_to_8_threads);
BENCHMARK(hot_key<erased_limiter, one>)->Name("hot_denied/erased")->Apply(on_1_to_8_threads);
BENCHMARK(hot_key<one_map, one>)->Name("hot_denied/mutex_map")->Apply(on_1_to_8_threads);
BENCHMARK(hot_key<sharded_maps, one>)->Name("hot_denied/64_shards")->Apply(on_1_to_8_threads);
BENCHMARK(many_keys<weir_limiter, false>)->Name("uniform_100k/weir")->Apply(on_1_to_8_threads);
BENCHMARK(many_keys<erased_limiter, false>)->Name("uniform_100k/erased")->Apply(on_1_to_8_threads);
BENCHMARK(many_keys<one_map, false>)->Name("uniform_100k/mutex_map")->Apply(on_1_to_8_threads);
BENCHMARK(many_keys<sharded_maps, false>)->Name("uniform_100k/64_shards")->Apply(on_1_to_8_threads);
BENCHMARK(many_keys<weir_limiter, true>)->Name("zipf_1m/weir")->Apply(on_1_to_8_threads);
BENCHMARK(many_keys<erased_limiter, true>)->Name("zipf_1m/erased")->Apply(on_1_to_8_threads);
BENCHMARK(many_keys<one_map, true>)->Name("zipf_1m/mutex_map")->Apply(on_1_to_8_threads);
BENCHMARK(many_keys<sharded_maps, true>)->Name("zipf_1m/64_shards")->Apply(on_1_to_8_threads);

} // namespace

BENCHMARK_MAIN();
