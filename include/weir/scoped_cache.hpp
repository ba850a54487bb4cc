#ifndef WEIR_SCOPED_CACHE_HPP
#define WEIR_SCOPED_CACHE_HPP

/// `scoped_cache<Cache>`: the part of a cache that belongs to one user or tenant.

#include <weir/cache_operations.hpp>
#include <weir/glob.hpp>
#include <weir/handler.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace weir {

/// A view of a cache whose keys all begin with one scope; made by `cache.scoped(scope)`. All
/// operations of a cache, on the keys of this scope only. A handle, like the cache.
template<class Cache>
class scoped_cache : public cache_operations<scoped_cache<Cache>, typename Cache::value_type> {
public:
    using value_type = typename Cache::value_type;

    scoped_cache(Cache cache, key_view scope)
        : cache_{std::move(cache)}, prefix_{make_key(scope) + ':'} {}

private:
    friend class cache_operations<scoped_cache, value_type>;
    template<class>
    friend class scoped_cache;

    [[nodiscard]] std::string full(std::string_view key) const {
        std::string whole;
        whole.reserve(prefix_.size() + key.size());
        whole += prefix_;
        whole += key;
        return whole;
    }

    [[nodiscard]] std::chrono::nanoseconds ttl() const noexcept { return cache_.ttl(); }

    cached<value_type> find(std::string_view key) const { return cache_.find(full(key)); }

    std::vector<cached<value_type>> find_many(std::span<const std::string_view> keys) const {
        std::vector<std::string> whole;
        whole.reserve(keys.size());
        for (const std::string_view key : keys) {
            whole.push_back(full(key));
        }
        const std::vector<std::string_view> views{whole.begin(), whole.end()};
        return cache_.find_many(views);
    }

    void find_async(std::string_view key, handler<cached<value_type>> done) const {
        cache_.find_async(full(key), std::move(done));
    }

    template<class F>
    bool look_at(std::string_view key, F& look) const {
        return cache_.look_at(full(key), look);
    }

    template<class Run>
    cached<value_type> find_or_run(std::string_view key, const Run& run) const {
        return cache_.find_or_run(full(key), run);
    }

    value_ref<value_type> make(std::string_view key, value_type&& value) const {
        return cache_.make(full(key), std::move(value));
    }

    void store(std::string_view key, value_ref<value_type> value, std::chrono::nanoseconds ttl,
               std::error_code& ec) const {
        cache_.store(full(key), std::move(value), ttl, ec);
    }

    bool store_if_absent(std::string_view key, value_ref<value_type> value,
                         std::chrono::nanoseconds ttl, std::error_code& ec) const {
        return cache_.store_if_absent(full(key), std::move(value), ttl, ec);
    }

    bool remove(std::string_view key, std::error_code& ec) const {
        return cache_.remove(full(key), ec);
    }

    std::int64_t remove_matching(std::string_view glob, std::error_code& ec) const {
        std::string whole = glob_literal(prefix_);
        whole += glob;
        return cache_.remove_matching(whole, ec);
    }

    void remove_all(std::error_code& ec) const { static_cast<void>(remove_matching("*", ec)); }

    Cache cache_;
    std::string prefix_;
};

} // namespace weir

#endif
