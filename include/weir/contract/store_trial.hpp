#ifndef WEIR_CONTRACT_STORE_TRIAL_HPP
#define WEIR_CONTRACT_STORE_TRIAL_HPP

/// What the checks of stores of values are written with.

#include <weir/contract/pending_answer.hpp>
#include <weir/contract/sample.hpp>
#include <weir/contract/suite.hpp>
#include <weir/storage.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace weir::contract {

inline constexpr lifetime an_hour{1h};

/// The operations of a store of samples, at the backend's time, in few words.
template<class B, class V>
class sample_store {
public:
    using raw_type = store_of<B, V>;

    explicit sample_store(B backend, std::string_view name = "contract")
        : backend_{std::move(backend)}, store_{backend_.template values<V>(name, {})} {}

    void put(std::string_view key, int n, const lifetime& keep = an_hour) {
        put(key, sampled(n), keep, now());
    }
    void put(std::string_view key, value_ref<V> value, const lifetime& keep, time_point at) {
        std::error_code ec = detail::left_over_error();
        store_.put(key, std::move(value), keep, at, ec);
        detail::expect_success(ec, "put");
    }
    bool add(std::string_view key, int n, const lifetime& keep = an_hour) {
        std::error_code ec = detail::left_over_error();
        const bool added = store_.add(key, sampled(n), keep, now(), ec);
        detail::expect_success(ec, "add");
        return added;
    }
    bool erase(std::string_view key) {
        std::error_code ec = detail::left_over_error();
        const bool erased = store_.erase(key, now(), ec);
        detail::expect_success(ec, "erase");
        return erased;
    }
    found<V> get(std::string_view key) { return get(key, now()); }
    found<V> get(std::string_view key, time_point at) {
        std::error_code ec = detail::left_over_error();
        found<V> entry = store_.get(key, at, ec);
        detail::expect_success(ec, "get");
        return entry;
    }

    /// What `get` finds, as a text: "absent", "nothing", "7", or "stale 7" in the grace of 7.
    std::string at(std::string_view key) { return text(get(key)); }

    [[nodiscard]] std::string text(const found<V>& entry) {
        if (!entry.present) {
            return entry.value ? "absent, and a value" : "absent";
        }
        const std::string value =
            entry.value ? std::to_string(sample<V>::number(*entry.value)) : "nothing";
        return now() < entry.fresh_until ? value : "stale " + value;
    }

    leased<V> get_or_lease(std::string_view key) requires leasing_store<raw_type, V> {
        std::error_code ec = detail::left_over_error();
        leased<V> answer = store_.get_or_lease(key, now(), ec);
        detail::expect_success(ec, "get_or_lease");
        return answer;
    }
    /// The lease of a key that is absent.
    lease_token lease(std::string_view key) requires leasing_store<raw_type, V> {
        const leased<V> answer = get_or_lease(key);
        EXPECT_NE(answer.lease, lease_token::none) << "no lease of " << shown(key);
        return answer.lease;
    }
    bool put_if_leased(std::string_view key, int n, lease_token lease,
                       const lifetime& keep = an_hour) requires leasing_store<raw_type, V> {
        std::error_code ec = detail::left_over_error();
        const bool stored = store_.put_if_leased(key, sampled(n), keep, lease, now(), ec);
        detail::expect_success(ec, "put_if_leased");
        return stored;
    }
    void release(std::string_view key, lease_token lease) requires leasing_store<raw_type, V> {
        std::error_code ec = detail::left_over_error();
        store_.release(key, lease, ec);
        detail::expect_success(ec, "release");
    }

    std::vector<found<V>>
    get_many(const std::vector<std::string>& keys) requires batch_store<raw_type, V> {
        const std::vector<std::string_view> views{keys.begin(), keys.end()};
        std::error_code ec = detail::left_over_error();
        std::vector<found<V>> entries = store_.get_many(views, now(), ec);
        detail::expect_success(ec, "get_many");
        return entries;
    }

    pending_answer<found<V>> get_async(std::string_view key) requires async_store<raw_type, V> {
        pending_answer<found<V>> answer;
        store_.get_async(key, now(), answer.as_handler());
        return answer;
    }

    pending_answer<bool>
    put_if_leased_later(std::string_view key, int n, lease_token lease,
                        const lifetime& keep = an_hour) requires deferring_store<raw_type, V> {
        pending_answer<bool> answer;
        store_.put_if_leased_later(key, sampled(n), keep, lease, now(), answer.as_handler());
        return answer;
    }
    void release_later(std::string_view key,
                       lease_token lease) requires deferring_store<raw_type, V> {
        store_.release_later(key, lease);
    }

    std::int64_t erase_matching(std::string_view glob) requires matching_store<raw_type> {
        std::error_code ec = detail::left_over_error();
        const std::int64_t erased = store_.erase_matching(glob, now(), ec);
        detail::expect_success(ec, "erase_matching");
        return erased;
    }
    void clear() requires matching_store<raw_type> {
        std::error_code ec = detail::left_over_error();
        store_.clear(now(), ec);
        detail::expect_success(ec, "clear");
    }

    [[nodiscard]] raw_type& raw() noexcept { return store_; }
    [[nodiscard]] time_point now() const noexcept { return backend_.now(); }

    /// The null value for n < 0, sample n otherwise.
    [[nodiscard]] static value_ref<V> sampled(int n) {
        return n < 0 ? value_ref<V>{} : make_value<V>(sample<V>::make(n));
    }

private:
    B backend_;
    raw_type store_;
};

/// The `n` of a cached nothing.
inline constexpr int nothing = -1;

/// A backend under test with a store of values of V.
template<subject T, class V>
struct store_trial : trial<T> {
    using backend_type = typename trial<T>::backend_type;
    using value_type = V;
    /// A handle of a store of samples.
    using handle = sample_store<backend_type, V>;
    using raw_type = typename handle::raw_type;

    handle store{this->backend};
};

} // namespace weir::contract

#endif
