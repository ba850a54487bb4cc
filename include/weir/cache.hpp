#ifndef WEIR_CACHE_HPP
#define WEIR_CACHE_HPP

/// Caches: `cache<Value>`, and `basic_cache<Value, Backend>` for those who count nanoseconds.
///
///     weir::memory_backend memory;
///     weir::cache<Product> products{memory, "product", {.ttl = 5min}};
///     auto p = products.get_or_compute("42", [&] { return db.find_product(42); });
///     db.update(42, changed);
///     products.invalidate("42");

#include <weir/basic_cache.hpp>
#include <weir/handler.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace weir {

/// A cache of `Value` on any backend, chosen where it is made: what to hold as a member. Costs one
/// virtual call more than the `basic_cache` inside.
template<class Value>
class cache : public cache_operations<cache<Value>, Value> {
public:
    using value_type = Value;

    /// Opens the cache called `name` on `backend`; see `basic_cache`.
    template<class Backend>
    cache(Backend backend, std::string_view name, cache_options options)
        : cache{basic_cache<Value, Backend>{std::move(backend), name, options}} {}

    /// The same cache as `inner`, with its backend's type forgotten.
    template<class Backend>
    cache(basic_cache<Value, Backend> inner)
        : cache_{std::make_shared<holder<Backend>>(std::move(inner))} {}

    /// What the cache did so far, over all its handles in this process.
    [[nodiscard]] cache_stats stats() const { return cache_->stats(); }

private:
    friend class cache_operations<cache, Value>;
    template<class>
    friend class scoped_cache;

    using viewer = detail::function_ref<void(const Value&)>;
    using runner = detail::value_computer<Value>;

    struct interface {
        interface() = default;
        interface(const interface&) = delete;
        interface& operator=(const interface&) = delete;
        virtual ~interface() = default;

        virtual cache_stats stats() const = 0;
        virtual std::chrono::nanoseconds ttl() const noexcept = 0;
        virtual cached<Value> find(std::string_view key) const = 0;
        virtual std::vector<cached<Value>>
        find_many(std::span<const std::string_view> keys) const = 0;
        virtual void find_async(std::string_view key, handler<cached<Value>> done) const = 0;
        virtual bool look_at(std::string_view key, viewer look) const = 0;
        virtual cached<Value> find_or_run(std::string_view key, runner run) const = 0;
        virtual value_ref<Value> make(std::string_view key, Value&& value) const = 0;
        virtual void store(std::string_view key, value_ref<Value> value,
                           std::chrono::nanoseconds ttl, std::error_code& ec) const = 0;
        virtual bool store_if_absent(std::string_view key, value_ref<Value> value,
                                     std::chrono::nanoseconds ttl, std::error_code& ec) const = 0;
        virtual bool remove(std::string_view key, std::error_code& ec) const = 0;
        virtual std::int64_t remove_matching(std::string_view glob, std::error_code& ec) const = 0;
        virtual void remove_all(std::error_code& ec) const = 0;
    };

    template<class Backend>
    struct holder final : interface {
        explicit holder(basic_cache<Value, Backend> c) : inner{std::move(c)} {}

        cache_stats stats() const override { return inner.stats(); }
        std::chrono::nanoseconds ttl() const noexcept override { return inner.ttl(); }
        cached<Value> find(std::string_view key) const override { return inner.find(key); }
        std::vector<cached<Value>>
        find_many(std::span<const std::string_view> keys) const override {
            return inner.find_many(keys);
        }
        void find_async(std::string_view key, handler<cached<Value>> done) const override {
            inner.find_async(key, std::move(done));
        }
        bool look_at(std::string_view key, viewer look) const override {
            return inner.look_at(key, look);
        }
        cached<Value> find_or_run(std::string_view key, runner run) const override {
            return inner.find_or_run(key, run);
        }
        value_ref<Value> make(std::string_view key, Value&& value) const override {
            return inner.make(key, std::move(value));
        }
        void store(std::string_view key, value_ref<Value> value, std::chrono::nanoseconds ttl,
                   std::error_code& ec) const override {
            inner.store(key, std::move(value), ttl, ec);
        }
        bool store_if_absent(std::string_view key, value_ref<Value> value,
                             std::chrono::nanoseconds ttl, std::error_code& ec) const override {
            return inner.store_if_absent(key, std::move(value), ttl, ec);
        }
        bool remove(std::string_view key, std::error_code& ec) const override {
            return inner.remove(key, ec);
        }
        std::int64_t remove_matching(std::string_view glob, std::error_code& ec) const override {
            return inner.remove_matching(glob, ec);
        }
        void remove_all(std::error_code& ec) const override { inner.remove_all(ec); }

        basic_cache<Value, Backend> inner;
    };

    std::chrono::nanoseconds ttl() const noexcept { return cache_->ttl(); }
    cached<Value> find(std::string_view key) const { return cache_->find(key); }
    std::vector<cached<Value>> find_many(std::span<const std::string_view> keys) const {
        return cache_->find_many(keys);
    }
    void find_async(std::string_view key, handler<cached<Value>> done) const {
        cache_->find_async(key, std::move(done));
    }
    template<class F>
    bool look_at(std::string_view key, F& look) const {
        return cache_->look_at(key, viewer{look});
    }
    template<class Run>
    cached<Value> find_or_run(std::string_view key, const Run& run) const {
        return cache_->find_or_run(key, runner{run});
    }
    value_ref<Value> make(std::string_view key, Value&& value) const {
        return cache_->make(key, std::move(value));
    }
    void store(std::string_view key, value_ref<Value> value, std::chrono::nanoseconds ttl,
               std::error_code& ec) const {
        cache_->store(key, std::move(value), ttl, ec);
    }
    bool store_if_absent(std::string_view key, value_ref<Value> value, std::chrono::nanoseconds ttl,
                         std::error_code& ec) const {
        return cache_->store_if_absent(key, std::move(value), ttl, ec);
    }
    bool remove(std::string_view key, std::error_code& ec) const { return cache_->remove(key, ec); }
    std::int64_t remove_matching(std::string_view glob, std::error_code& ec) const {
        return cache_->remove_matching(glob, ec);
    }
    void remove_all(std::error_code& ec) const { cache_->remove_all(ec); }

    std::shared_ptr<const interface> cache_;
};

} // namespace weir

#endif
