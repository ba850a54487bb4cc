// How often a cache of weir's has what is asked for, beside an LRU of the same capacity.
//
//     hit_ratio [FOLDER]      the folder of the traces; default: $WEIR_TRACES
//
// A trace is a file NAME.u32 of little-endian 32-bit keys, one per access. Each cell is the mean of
// several runs under different hash seeds, in percent. Ends with the mean difference over all cells
// and the worst cell.

#include <weir/detail/hash.hpp>
#include <weir/memory/value_store.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <list>
#include <string>
#include <string_view>
#include <system_error>
#include <unordered_map>
#include <vector>

namespace {

using namespace std::chrono_literals;

using trace = std::vector<std::uint32_t>;

struct cells {
    std::string_view name;
    std::vector<std::size_t> capacities;
};

const std::vector<cells> all_cells = {
    {"2_pools", {100, 450, 1000}},
    {"arc-oltp", {250, 500, 1000, 2000, 5000, 8192}},
    {"cloudPhysicsIO", {500, 2000, 10000}},
    {"corda-vault", {512, 1024, 4096}},
    {"cpp", {20, 100, 300}},
    {"cs", {200, 500, 1000}},
    {"gli", {250, 500, 1000, 2000}},
    {"loop", {256, 512, 768}},
    {"multi1", {500, 1000}},
    {"multi2", {500, 1500}},
    {"multi3", {500, 2000}},
    {"ps", {200, 1000}},
    {"sprite", {100, 500, 1000}},
    {"web07", {100, 1000, 4000}},
    {"zigzag", {500, 1000}},
};

trace read(const std::filesystem::path& file) {
    std::ifstream in{file, std::ios::binary};
    trace keys(in ? std::filesystem::file_size(file) / 4 : 0);
    for (std::uint32_t& key : keys) {
        unsigned char bytes[4] = {};
        in.read(reinterpret_cast<char*>(bytes), 4);
        key = static_cast<std::uint32_t>(bytes[0]) | static_cast<std::uint32_t>(bytes[1]) << 8 |
              static_cast<std::uint32_t>(bytes[2]) << 16 |
              static_cast<std::uint32_t>(bytes[3]) << 24;
    }
    return keys;
}

double percent(std::size_t hits, const trace& keys) {
    return 100.0 * static_cast<double>(hits) / static_cast<double>(keys.size());
}

double lru(const trace& keys, std::size_t capacity) {
    std::list<std::uint32_t> recent;
    std::unordered_map<std::uint32_t, std::list<std::uint32_t>::iterator> index;
    std::size_t hits = 0;
    for (const std::uint32_t key : keys) {
        if (const auto at = index.find(key); at != index.end()) {
            ++hits;
            recent.splice(recent.begin(), recent, at->second);
            continue;
        }
        if (recent.size() == capacity) {
            index.erase(recent.back());
            recent.pop_back();
        }
        recent.push_front(key);
        index[key] = recent.begin();
    }
    return percent(hits, keys);
}

double weir_cache(const trace& keys, std::size_t capacity, std::uint64_t seed) {
    const weir::detail::memory_store<std::uint32_t> store{{capacity, 0},
                                                          weir::detail::keyed_hash{seed}};
    const weir::time_point now{1h};
    std::error_code ec;
    std::size_t hits = 0;
    for (const std::uint32_t key : keys) {
        const std::string_view text{reinterpret_cast<const char*>(&key), sizeof key};
        if (store.get(text, now, ec).present) {
            ++hits;
        } else {
            store.put(text, store.make(text, key), {1h, 0s}, now, ec);
        }
    }
    return percent(hits, keys);
}

} // namespace

int main(int argc, char** argv) {
    constexpr std::uint64_t seeds = 20;
    const char* from_environment = std::getenv("WEIR_TRACES");
    const char* folder = argc > 1 ? argv[1] : from_environment;
    if (folder == nullptr) {
        std::fputs("usage: hit_ratio FOLDER   (or set WEIR_TRACES)\n", stderr);
        return 2;
    }
    std::printf("%-16s %8s %8s %8s %8s\n", "trace", "capacity", "LRU", "weir", "diff");
    double sum = 0;
    double worst = 100;
    int count = 0;
    std::string worst_cell;
    for (const cells& row : all_cells) {
        const trace keys = read(std::filesystem::path{folder} / (std::string{row.name} + ".u32"));
        if (keys.empty()) {
            std::fprintf(stderr, "no trace %s in %s\n", std::string{row.name}.c_str(), folder);
            return 1;
        }
        for (const std::size_t capacity : row.capacities) {
            const double base = lru(keys, capacity);
            double mean = 0;
            for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
                mean += weir_cache(keys, capacity, weir::detail::mix(seed)) /
                        static_cast<double>(seeds);
            }
            const double difference = mean - base;
            std::printf("%-16s %8zu %8.2f %8.2f %+8.2f\n", std::string{row.name}.c_str(), capacity,
                        base, mean, difference);
            sum += difference;
            ++count;
            if (difference < worst) {
                worst = difference;
                worst_cell = std::string{row.name} + "@" + std::to_string(capacity);
            }
        }
    }
    std::printf("mean difference %+.2f over %d cells, worst %+.2f (%s)\n", sum / count, count,
                worst, worst_cell.c_str());
}
