// What a cache costs per call, beside what people write themselves: a mutex around a map and a list
// (LRU), and oneTBB's concurrent_hash_map (which never evicts).
//
// A million keys of 20 bytes, asked for by Zipf's law (0.99); 100,000 entries; values of 64 bytes
// with a time to live on the real clock, which everybody reads once per call.
//
//   hit          get, keys that are there
//   get95_put5   of 20 calls one is a put, keys that are there
//   compute      get_or_compute over all million keys; the computation is a copy
//   hot1, hot64  get, one key and 64 keys, for all threads
//
// `entry_bytes`, printed first: what a full cache of a million entries takes beside keys and values.

#include <weir/cache.hpp>
#include <weir/memory.hpp>

#include "workload.hpp"

#include <benchmark/benchmark.h>
#include <malloc.h>
#include <tbb/concurrent_hash_map.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;

using value = std::array<char, 64>;

constexpr std::uint32_t key_count = 1'000'000;
constexpr std::size_t capacity = 100'000;
constexpr std::chrono::minutes ttl{10};

// ---- the contestants ---------------------------------------------------------------------------

template<class Cache>
class weir_cache {
public:
    bool get(const std::string& key, value& out) {
        if (const auto found = cache_.get(key)) {
            out[0] = (*found)[0];
            return true;
        }
        return false;
    }
    void put(const std::string& key, const value& v) { cache_.put(key, v); }
    void compute(const std::string& key, const value& v, value& out) {
        out[0] = (*cache_.get_or_compute(key, [&] { return v; }))[0];
    }

protected:
    weir::memory_backend memory_;
    Cache cache_{memory_, "benchmark", weir::cache_options{.ttl = ttl, .capacity = capacity}};
};

using basic = weir_cache<weir::basic_cache<value, weir::memory_backend>>;
using erased = weir_cache<weir::cache<value>>;

class visited : public basic {
public:
    bool get(const std::string& key, value& out) {
        return cache_.visit(key, [&](const value& v) { out[0] = v[0]; });
    }
};

/// The store alone, without the statistics and the flights of a cache.
class store {
public:
    bool get(const std::string& key, value& out) {
        if (const auto found = store_.get(key, clock_.now(), ec()); found.value) {
            out[0] = (*found.value)[0];
            return true;
        }
        return false;
    }
    void put(const std::string& key, const value& v) {
        store_.put(key, store_.make(key, v), {ttl, 0ns}, clock_.now(), ec());
    }
    void compute(const std::string& key, const value& v, value& out) {
        if (!get(key, out)) {
            put(key, v);
        }
    }

protected:
    static std::error_code& ec() {
        thread_local std::error_code code;
        return code;
    }
    weir::real_clock clock_;
    weir::detail::memory_store<value> store_{{capacity, 0}};
};

class store_visit : public store {
public:
    bool get(const std::string& key, value& out) {
        return store_.visit(key, clock_.now(), [&](const value& v) { out[0] = v[0]; });
    }
};

class mutex_lru {
public:
    bool get(const std::string& key, value& out) {
        const weir::time_point now = clock_.now();
        const std::lock_guard lock{mutex_};
        const auto at = index_.find(key);
        if (at == index_.end() || at->second->end <= now) {
            return false;
        }
        recent_.splice(recent_.begin(), recent_, at->second);
        out = at->second->content;
        return true;
    }
    void put(const std::string& key, const value& v) {
        const weir::time_point end = clock_.now() + ttl;
        const std::lock_guard lock{mutex_};
        if (const auto at = index_.find(key); at != index_.end()) {
            at->second->content = v;
            at->second->end = end;
            recent_.splice(recent_.begin(), recent_, at->second);
            return;
        }
        if (index_.size() == capacity) {
            index_.erase(recent_.back().key);
            recent_.pop_back();
        }
        recent_.push_front({key, v, end});
        index_.emplace(key, recent_.begin());
    }
    void compute(const std::string& key, const value& v, value& out) {
        if (!get(key, out)) {
            put(key, v);
        }
    }

private:
    struct entry {
        std::string key;
        value content;
        weir::time_point end;
    };
    weir::real_clock clock_;
    std::mutex mutex_;
    std::list<entry> recent_;
    std::unordered_map<std::string, std::list<entry>::iterator> index_;
};

class tbb_map {
public:
    bool get(const std::string& key, value& out) {
        const weir::time_point now = clock_.now();
        map::const_accessor at;
        if (!map_.find(at, key) || at->second.end <= now) {
            return false;
        }
        out = at->second.content;
        return true;
    }
    void put(const std::string& key, const value& v) {
        const weir::time_point end = clock_.now() + ttl;
        map::accessor at;
        map_.insert(at, key);
        at->second = {v, end};
    }
    void compute(const std::string& key, const value& v, value& out) {
        if (!get(key, out)) {
            put(key, v);
        }
    }

private:
    struct entry {
        value content;
        weir::time_point end;
    };
    using map = tbb::concurrent_hash_map<std::string, entry>;
    weir::real_clock clock_;
    map map_;
};

// ---- the work ----------------------------------------------------------------------------------

const std::vector<std::string>& keys() {
    static const std::vector<std::string> all = workload::make_keys(key_count);
    return all;
}

const std::vector<std::uint32_t>& zipf() {
    static const std::vector<std::uint32_t> order =
        workload::zipf_order(key_count, 0.99, std::size_t{1} << 22, 1);
    return order;
}

/// A contestant with the most popular keys in it, and the order in which they are asked for.
template<class Contestant>
struct table {
    explicit table(std::size_t popular) {
        value v{};
        std::vector<bool> in(key_count);
        std::size_t count = 0;
        for (const std::uint32_t i : zipf()) {
            if (!in[i] && count < popular) {
                in[i] = true;
                ++count;
                contestant.put(keys()[i], v);
            }
        }
        for (const std::uint32_t i : zipf()) {
            if (in[i] && contestant.get(keys()[i], v)) {
                order.push_back(i);
            }
        }
    }

    Contestant contestant;
    std::vector<std::uint32_t> order;
};

/// A service has just read the key that it asks for: it is in the cache of the processor.
inline void fetch_ahead(const std::vector<std::uint32_t>& order, std::size_t at) {
    if (at + 16 < order.size()) {
        __builtin_prefetch(&keys()[order[at + 16]]);
        __builtin_prefetch(keys()[order[at + 8]].data());
    }
}

template<class Contestant, class Call>
void run(benchmark::State& state, std::size_t popular, bool all_keys, Call call) {
    static std::unique_ptr<table<Contestant>> shared;
    if (state.thread_index() == 0) {
        shared = std::make_unique<table<Contestant>>(popular);
    }
    std::size_t at = static_cast<std::size_t>(state.thread_index()) * 524'287;
    value out{};
    std::size_t turn = 0;
    for (auto _ : state) {
        const std::vector<std::uint32_t>& order = all_keys ? zipf() : shared->order;
        at = at + 1 < order.size() ? at + 1 : 0;
        fetch_ahead(order, at);
        call(shared->contestant, keys()[order[at]], out, turn++);
        benchmark::DoNotOptimize(out);
    }
    state.SetItemsProcessed(state.iterations());
    if (state.thread_index() == 0) {
        shared.reset();
    }
}

template<class Contestant>
void hit(benchmark::State& state, std::size_t popular) {
    run<Contestant>(
        state, popular, false,
        [](Contestant& c, const std::string& key, value& out, std::size_t) { c.get(key, out); });
}

template<class Contestant>
void get95_put5(benchmark::State& state, std::size_t popular) {
    run<Contestant>(state, popular, false,
                    [](Contestant& c, const std::string& key, value& out, std::size_t turn) {
                        if (turn % 20 == 19) {
                            c.put(key, out);
                        } else {
                            c.get(key, out);
                        }
                    });
}

template<class Contestant>
void compute(benchmark::State& state, std::size_t popular) {
    run<Contestant>(state, popular, true,
                    [](Contestant& c, const std::string& key, value& out, std::size_t) {
                        c.compute(key, out, out);
                    });
}

template<class Contestant>
void add_benchmarks(const std::string& name) {
    const auto add = [&](const char* what, auto function, std::size_t popular) {
        benchmark::RegisterBenchmark((std::string{what} + "/" + name).c_str(), function, popular)
            ->Threads(1)
            ->Threads(2)
            ->Threads(4)
            ->Threads(8)
            ->UseRealTime();
    };
    add("hit", hit<Contestant>, capacity);
    add("get95_put5", get95_put5<Contestant>, capacity);
    add("compute", compute<Contestant>, capacity);
    add("hot1", hit<Contestant>, 1);
    add("hot64", hit<Contestant>, 64);
}

/// Bytes in use beside keys and values, per entry of a full store of a million small values.
template<std::size_t KeySize>
void print_overhead() {
    constexpr std::size_t entries = 1'000'000;
    using small = std::uint64_t;
    const auto in_use = [] {
        const auto info = mallinfo2();
        return info.uordblks + info.hblkhd;
    };
    const std::size_t before = in_use();
    const weir::detail::memory_store<small> s{{entries, 0}};
    const weir::time_point now{1h};
    std::error_code ec;
    for (std::size_t i = 0; i < 3 * entries; ++i) {
        std::string key = std::to_string(i);
        key.insert(0, KeySize - std::min(key.size(), KeySize), 'k');
        s.put(key, s.make(key, i), {1h, 0s}, now, ec);
    }
    const double stored = static_cast<double>(s.stats().entries);
    std::printf("entry_bytes: %.1f beside a key of %zu and a value of %zu bytes (%.0f entries)\n",
                static_cast<double>(in_use() - before) / stored - KeySize - sizeof(small), KeySize,
                sizeof(small), stored);
}

} // namespace

int main(int argc, char** argv) {
    benchmark::Initialize(&argc, argv);
    print_overhead<8>();
    print_overhead<16>();
    print_overhead<20>();
    print_overhead<36>();
    add_benchmarks<basic>("weir");
    add_benchmarks<erased>("weir_cache");
    add_benchmarks<visited>("weir_visit");
    add_benchmarks<store>("weir_store");
    add_benchmarks<store_visit>("weir_store_visit");
    add_benchmarks<mutex_lru>("mutex_lru");
    add_benchmarks<tbb_map>("tbb_hash_map");
    benchmark::RunSpecifiedBenchmarks();
}
