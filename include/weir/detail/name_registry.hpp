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
    [[nodiscard]] Store open(std::string_view name, const store_options& options) {
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
            refuse_other_bounds(known, options);
            return *store;
        }
        Store store{options};
        entries_.push_back({std::string{name}, options, store});
        return store;
    }

private:
    struct entry {
        std::string name;
        store_options options;
        std::any store;
    };

    static void refuse_other_bounds(const entry& known, const store_options& options) {
        const auto text = [](const store_options& o) {
            return "capacity " + std::to_string(o.capacity) + " and max_bytes " +
                   std::to_string(o.max_bytes);
        };
        if (known.options.capacity != options.capacity ||
            known.options.max_bytes != options.max_bytes) {
            throw std::invalid_argument{"weir: the cache name \"" + known.name +
                                        "\" is in use with " + text(known.options) +
                                        "; it cannot be opened with " + text(options)};
        }
    }

    std::mutex mutex_;
    std::vector<entry> entries_;
};

} // namespace weir::detail

#endif
