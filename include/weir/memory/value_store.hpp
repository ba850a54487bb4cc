#ifndef WEIR_MEMORY_VALUE_STORE_HPP
#define WEIR_MEMORY_VALUE_STORE_HPP

#include <weir/detail/hash.hpp>
#include <weir/handler.hpp>
#include <weir/memory/value_table.hpp>
#include <weir/stats.hpp>
#include <weir/storage.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace weir::detail {

/// Hashes keys under a secret of its own.
struct keyed_hash {
    std::uint64_t seed = random_seed();

    [[nodiscard]] std::uint64_t operator()(std::string_view key) const noexcept {
        return hash_bytes(key, seed);
    }
};

/// The entries of one cache in the memory of this process: a handle whose copies refer to one state.
///
/// Reads take no lock and wait for nobody. Writes take a short lock of one of the shards, over which
/// keys are spread by their hash. Nothing but std::bad_alloc is thrown, by writes and
/// `get_or_lease`; the store is then as before.
///
/// Bounds: `capacity` entries and `max_bytes` bytes, values as value_weight has them, keys, and
/// `overhead` for each entry. With neither, `default_capacity`; with `max_bytes` alone, one entry
/// per 128 bytes of it. Tables are sized for the capacity when the store is made and never grow;
/// nodes are made as they are needed, up to about 4 times the capacity if users hold values that
/// long after their eviction. Each shard has its part of the bounds, so an entry larger than that
/// part is not kept.
template<class V, class Hash = keyed_hash>
class memory_store {
public:
    static constexpr std::size_t default_capacity = 65'536;
    /// Most entries that `max_bytes` alone makes room for; more take a `capacity`.
    static constexpr std::size_t most_by_bytes = std::size_t{1} << 24;

    explicit memory_store(const store_options& options, const Hash& hash = {})
        : state_{std::make_shared<state>(options, hash)} {}

    /// Where the entry of one key is. Cheap to copy; valid for this store.
    struct place {
        value_table<V, Hash>* shard;
        std::uint64_t hash;
    };

    /// Finds out where the entry of `key` is, and begins to fetch it from memory: what the caller
    /// does next, such as reading the clock, hides part of a cache miss.
    [[nodiscard]] place locate(std::string_view key) const noexcept {
        const place at = find(key);
        at.shard->prefetch(at.hash);
        return at;
    }

    [[nodiscard]] found<V> get_at(const place& at, std::string_view key,
                                  time_point now) const noexcept {
        return at.shard->get(key, at.hash, now);
    }

    found<V> get(std::string_view key, time_point now, std::error_code& ec) const noexcept {
        ec.clear();
        const place at = find(key);
        return at.shard->get(key, at.hash, now);
    }

    /// Looks the keys up a few at a time, so that their cache misses overlap.
    std::vector<found<V>> get_many(std::span<const std::string_view> keys, time_point now,
                                   std::error_code& ec) const {
        ec.clear();
        std::vector<found<V>> entries;
        entries.reserve(keys.size());
        while (!keys.empty()) {
            const auto some = keys.first(std::min<std::size_t>(keys.size(), 16));
            std::array<place, 16> places;
            std::transform(some.begin(), some.end(), places.begin(),
                           [&](std::string_view key) { return locate(key); });
            for (std::size_t i = 0; i < some.size(); ++i) {
                entries.push_back(get_at(places[i], some[i], now));
            }
            keys = keys.subspan(some.size());
        }
        return entries;
    }

    /// `get`, and `done` called before it returns.
    void get_async(std::string_view key, time_point now,
                   handler<found<V>, std::error_code> done) const noexcept {
        done(get_at(find(key), key, now), {});
    }

    template<class F>
    bool visit(std::string_view key, time_point now, F&& f) const {
        const place at = find(key);
        return at.shard->visit(key, at.hash, now, std::forward<F>(f));
    }

    /// Makes a value for `key` where it will be kept. `put` and its like then store it as it is;
    /// a value made otherwise is moved, or linked to if others hold it.
    template<class... Args>
        requires std::constructible_from<V, Args...>
    [[nodiscard]] value_ref<V> make(std::string_view key, Args&&... args) const {
        return find(key).shard->make(std::forward<Args>(args)...);
    }

    void put(std::string_view key, value_ref<V> value, const lifetime& keep, time_point now,
             std::error_code& ec) const {
        ec.clear();
        const place at = find(key);
        at.shard->put(key, at.hash, std::move(value), keep, now);
    }

    bool add(std::string_view key, value_ref<V> value, const lifetime& keep, time_point now,
             std::error_code& ec) const {
        ec.clear();
        const place at = find(key);
        return at.shard->add(key, at.hash, std::move(value), keep, now);
    }

    bool erase(std::string_view key, time_point now, std::error_code& ec) const {
        ec.clear();
        const place at = find(key);
        return at.shard->erase(key, at.hash, now);
    }

    leased<V> get_or_lease(std::string_view key, time_point now, std::error_code& ec) const {
        ec.clear();
        const place at = find(key);
        return at.shard->get_or_lease(key, at.hash, now);
    }

    bool put_if_leased(std::string_view key, value_ref<V> value, const lifetime& keep,
                       lease_token lease, time_point now, std::error_code& ec) const {
        ec.clear();
        const place at = find(key);
        return at.shard->put_if_leased(key, at.hash, std::move(value), keep, lease, now);
    }

    void release(std::string_view key, lease_token lease, std::error_code& ec) const {
        ec.clear();
        const place at = find(key);
        at.shard->release(key, at.hash, lease);
    }

    std::int64_t erase_matching(std::string_view glob, time_point now, std::error_code& ec) const {
        ec.clear();
        std::int64_t removed = 0;
        for (std::size_t i = 0; i < state_->shards; ++i) {
            removed += state_->tables[i].erase_matching(glob, now);
        }
        return removed;
    }

    void clear(time_point now, std::error_code& ec) const {
        ec.clear();
        for (std::size_t i = 0; i < state_->shards; ++i) {
            state_->tables[i].clear(now);
        }
    }

    template<class MakeGuest>
    std::shared_ptr<void> hosted(MakeGuest make_guest) const {
        const std::lock_guard lock{state_->hosting};
        if (state_->guest == nullptr) {
            state_->guest = make_guest();
        }
        return state_->guest;
    }

    [[nodiscard]] store_stats stats() const {
        store_stats all;
        for (std::size_t i = 0; i < state_->shards; ++i) {
            state_->tables[i].add_to(all);
        }
        return all;
    }

private:
    using table = value_table<V, Hash>;

    struct state {
        state(const store_options& options, const Hash& h);
        ~state();
        state(const state&) = delete;
        state& operator=(const state&) = delete;

        const Hash hash;
        std::size_t shards = 0;
        table* tables = nullptr;
        std::mutex hosting;
        std::shared_ptr<void> guest;
    };

    [[nodiscard]] place find(std::string_view key) const noexcept {
        const std::uint64_t hash = state_->hash(key);
        return {state_->tables + (hash >> 48 & (state_->shards - 1)), hash};
    }

    std::shared_ptr<state> state_;
};

/// About 4 shards per core, but none with less than 4096 entries: a small cache would lose hits to
/// the division. And none with so many that its numbers would leave no room for the hash.
[[nodiscard]] inline std::size_t shards_for(std::size_t capacity) {
    constexpr std::size_t least = 4096, most = std::size_t{1} << 22, at_most = std::size_t{1} << 16;
    const std::size_t cores = std::max(1U, std::thread::hardware_concurrency());
    const std::size_t wanted = std::max(std::min(4 * cores, capacity / least), capacity / most);
    return std::bit_floor(std::clamp<std::size_t>(wanted, 1, at_most));
}

template<class V, class Hash>
memory_store<V, Hash>::state::state(const store_options& options, const Hash& h) : hash{h} {
    const std::size_t by_bytes = std::clamp<std::size_t>(options.max_bytes / 128, 1, most_by_bytes);
    const std::size_t capacity = options.capacity != 0    ? options.capacity
                                 : options.max_bytes != 0 ? by_bytes
                                                          : default_capacity;
    const std::size_t count = shards_for(capacity);
    tables = std::allocator<table>{}.allocate(count);
    for (; shards < count; ++shards) {
        shard_bounds part;
        part.capacity = capacity / count + (shards < capacity % count ? 1 : 0);
        part.max_bytes = options.max_bytes / count;
        part.first_token = shards + 1;
        part.token_step = count;
        try {
            std::construct_at(tables + shards, part, hash);
        } catch (...) {
            std::destroy_n(tables, shards);
            std::allocator<table>{}.deallocate(tables, count);
            throw;
        }
    }
}

template<class V, class Hash>
memory_store<V, Hash>::state::~state() {
    std::destroy_n(tables, shards);
    std::allocator<table>{}.deallocate(tables, shards);
}

} // namespace weir::detail

#endif
