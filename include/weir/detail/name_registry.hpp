#ifndef WEIR_DETAIL_NAME_REGISTRY_HPP
#define WEIR_DETAIL_NAME_REGISTRY_HPP

/// Which names of limiters and caches are in use in a process, and for what. Asked only when one is
/// made.

#include <weir/storage.hpp>

#include <any>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace weir::detail {

class limiter_names {
public:
    /// Throws std::invalid_argument if `name` is in use with another shape.
    void claim(std::string_view name, std::string_view shape) {
        const std::lock_guard lock{mutex_};
        for (const entry& known : entries_) {
            if (known.name != name) {
                continue;
            }
            if (known.shape != shape) {
                throw std::invalid_argument{
                    "weir: the limiter name \"" + known.name + "\" is in use with " + known.shape +
                    "ns; it cannot be used with " + std::string{shape} + "ns as well"};
            }
            return;
        }
        entries_.push_back({std::string{name}, std::string{shape}});
    }

private:
    struct entry {
        std::string name;
        std::string shape;
    };

    std::mutex mutex_;
    std::vector<entry> entries_;
};

class cache_names {
public:
    /// Opens the store called `name`, or makes it. Throws std::invalid_argument if `name` is in use
    /// with another type of values or other bounds.
    template<class Store>
    [[nodiscard]] Store open(std::string_view name, const value_bounds& bounds) {
        const std::lock_guard lock{mutex_};
        for (const entry& known : entries_) {
            if (known.name != name) {
                continue;
            }
            const Store* const store = std::any_cast<Store>(&known.store);
            if (store == nullptr) {
                throw std::invalid_argument{"weir: the cache name \"" + known.name +
                                            "\" is in use with another type of values"};
            }
            refuse_other_bounds(known, bounds);
            return *store;
        }
        Store store{bounds};
        entries_.push_back({std::string{name}, bounds, store});
        return store;
    }

private:
    struct entry {
        std::string name;
        value_bounds bounds;
        std::any store;
    };

    static void refuse_other_bounds(const entry& known, const value_bounds& bounds) {
        const auto text = [](const value_bounds& b) {
            return "capacity " + std::to_string(b.capacity) + " and max_bytes " +
                   std::to_string(b.max_bytes);
        };
        if (known.bounds.capacity != bounds.capacity ||
            known.bounds.max_bytes != bounds.max_bytes) {
            throw std::invalid_argument{"weir: the cache name \"" + known.name +
                                        "\" is in use with " + text(known.bounds) +
                                        "; it cannot be opened with " + text(bounds)};
        }
    }

    std::mutex mutex_;
    std::vector<entry> entries_;
};

} // namespace weir::detail

#endif
