#ifndef WEIR_CACHED_HPP
#define WEIR_CACHED_HPP

/// What a cache answers: `cached<Value>`; and what a computation may answer: `expiring<Value>`.

#include <weir/value_ref.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string_view>
#include <system_error>
#include <utility>

namespace weir {

/// Where an answer of a cache comes from.
enum class cache_status : std::uint8_t {
    /// From the store, fresh.
    hit,
    /// From the store, past its time to live but within its grace, because the computation of a new
    /// value failed.
    stale,
    /// Computed just now, by this call or by one that it waited for.
    computed,
    /// There is nothing: the computation said so, now or earlier (see `from_store`). The answer is
    /// null.
    negative,
    /// `get` found no fresh entry. The answer is null.
    miss,
    /// `get` could not ask the store; `error()` says why. The answer is null.
    unavailable,
};

[[nodiscard]] constexpr std::string_view to_string(cache_status status) noexcept {
    switch (status) {
    case cache_status::hit:
        return "hit";
    case cache_status::stale:
        return "stale";
    case cache_status::computed:
        return "computed";
    case cache_status::negative:
        return "negative";
    case cache_status::miss:
        return "miss";
    case cache_status::unavailable:
        return "unavailable";
    }
    return "unknown";
}

/// The answer of a cache: like a pointer to a constant value, which may be null. It shares the value
/// with the cache (nothing is copied) and keeps it alive and in place after its eviction, and after
/// the end of the cache itself, for as long as this object lives: keep the `cached`, not a reference
/// into one that was a temporary (`for (auto& x : *cache.get(key))` is such a reference).
template<class Value>
class cached {
public:
    using element_type = const Value;

    /// Null, with the status `miss`.
    cached() noexcept = default;

    cached(value_ref<Value> value, cache_status status, std::chrono::nanoseconds expires_in,
           std::error_code error = {}, bool from_store = false) noexcept
        : value_{std::move(value)},
          expires_in_{expires_in},
          status_{status},
          from_store_{from_store} {
        if (error) {
            error_value_ = error.value();
            error_category_ = &error.category();
        }
    }

    [[nodiscard]] explicit operator bool() const noexcept { return value_ != nullptr; }
    /// Requires a value, as do `->` and every use of a null pointer.
    [[nodiscard]] const Value& operator*() const noexcept { return *value_; }
    [[nodiscard]] const Value* operator->() const noexcept { return value_.get(); }
    [[nodiscard]] const Value* get() const noexcept { return value_.get(); }

    [[nodiscard]] cache_status status() const noexcept { return status_; }

    /// True if this was in the store already (a hit, a stale value, a nothing that was known), and
    /// not computed for this answer.
    [[nodiscard]] bool from_store() const noexcept { return from_store_; }

    /// How much longer the entry is fresh, as of the call that returned this; zero when it is not in
    /// the store, or when the store does not tell. A value that was just computed may still be on
    /// its way to a store that nobody waits for (`deferring_store`).
    [[nodiscard]] std::chrono::nanoseconds expires_in() const noexcept { return expires_in_; }

    /// What the store reported when it could not be asked, or could not keep the computed value; of
    /// a `deferring_store` the latter is only counted, in `cache_stats`.
    [[nodiscard]] std::error_code error() const noexcept {
        return error_category_ == nullptr ? std::error_code{}
                                          : std::error_code{error_value_, *error_category_};
    }

    /// The value alone.
    [[nodiscard]] const value_ref<Value>& ref() const noexcept { return value_; }
    operator std::shared_ptr<const Value>() const { return value_; }

    friend bool operator==(const cached& answer, std::nullptr_t) noexcept {
        return answer.value_ == nullptr;
    }

private:
    value_ref<Value> value_;
    std::chrono::nanoseconds expires_in_{0};
    const std::error_category* error_category_ = nullptr;
    int error_value_ = 0;
    cache_status status_ = cache_status::miss;
    bool from_store_ = false;
};

/// What a computation returns to choose the time to live itself; ttl <= 0: do not store. A ttl above
/// ten years counts as ten years.
template<class Value>
struct expiring {
    Value value;
    std::chrono::nanoseconds ttl;
};
template<class Value>
expiring(Value, std::chrono::nanoseconds) -> expiring<Value>;

} // namespace weir

#endif
