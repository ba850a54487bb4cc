#include <weir/storage.hpp>

#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

// A type for every way to miss the concept, named after the fault; what it does right it inherits
// from the minimal types. The test is that this file compiles.

namespace {

using weir::counter_space;
using weir::found;
using weir::handler;
using weir::lease_token;
using weir::leased;
using weir::lifetime;
using weir::store_options;
using weir::time_point;
using weir::value_ref;
using view = std::string_view;
using error = std::error_code;

// ---- the least that the concept asks for ---------------------------------------------------

struct minimal_clock {
    time_point now() const noexcept;
};

struct minimal_counters : minimal_clock {
    template<weir::counter_step S>
    typename S::result_type update(const counter_space&, view, const S&, time_point, error&);
};

template<class V>
struct minimal_store {
    found<V> get(view, time_point, error&);
    void put(view, value_ref<V>, const lifetime&, time_point, error&);
    bool add(view, value_ref<V>, const lifetime&, time_point, error&);
    bool erase(view, time_point, error&);
};

/// A backend whose stores are `Store`.
template<class Store>
struct backend_with : minimal_counters {
    template<class V>
    Store values(view, const store_options&);
};

using minimal = backend_with<minimal_store<std::string>>;

static_assert(weir::clocked_backend<minimal_clock>);
static_assert(weir::counter_backend<minimal_counters>);
static_assert(weir::value_store<minimal_store<int>, int>);
static_assert(weir::value_backend<minimal, std::string>);
static_assert(weir::storage_backend<minimal>);
static_assert(weir::explain_storage<minimal>());

// It has no refinement, and one half makes no whole.
static_assert(!weir::in_process_backend<minimal>);
static_assert(!weir::registering_backend<minimal>);
static_assert(!weir::locating_backend<minimal>);
static_assert(!weir::quota_checking_backend<minimal>);
static_assert(!weir::async_backend<minimal>);
static_assert(!weir::leasing_store<minimal_store<int>, int>);
static_assert(!weir::deferring_store<minimal_store<int>, int>);
static_assert(!weir::batch_store<minimal_store<int>, int>);
static_assert(!weir::async_store<minimal_store<int>, int>);
static_assert(!weir::matching_store<minimal_store<int>>);
static_assert(!weir::visiting_store<minimal_store<int>, int>);
static_assert(!weir::hosting_store<minimal_store<int>>);
static_assert(!weir::counter_backend<minimal_clock>);
static_assert(!weir::storage_backend<minimal_counters>);
static_assert(!weir::value_backend<minimal, int>); // its stores hold strings

// ---- the backend ---------------------------------------------------------------------------

struct not_copyable : minimal {
    not_copyable(const not_copyable&) = delete;
};
static_assert(!weir::clocked_backend<not_copyable>);
static_assert(!weir::storage_backend<not_copyable>);

struct without_now {
    template<weir::counter_step S>
    typename S::result_type update(const counter_space&, view, const S&, time_point, error&);
};
static_assert(!weir::counter_backend<without_now>);

struct now_may_throw : minimal {
    time_point now() const;
};
static_assert(!weir::counter_backend<now_may_throw>);

struct now_is_not_const : minimal {
    time_point now() noexcept;
};
static_assert(!weir::counter_backend<now_is_not_const>);

struct now_of_the_system_clock : minimal {
    std::chrono::system_clock::time_point now() const noexcept;
};
static_assert(std::same_as<std::chrono::system_clock::time_point, time_point> ||
              !weir::counter_backend<now_of_the_system_clock>);

struct now_of_the_steady_clock : minimal {
    std::chrono::steady_clock::time_point now() const noexcept;
};
static_assert(!weir::counter_backend<now_of_the_steady_clock>);

// ---- counters ------------------------------------------------------------------------------

struct without_update : minimal_clock {};
static_assert(!weir::counter_backend<without_update>);

struct update_without_now : minimal_clock {
    template<weir::counter_step S>
    typename S::result_type update(const counter_space&, view, const S&, error&);
};
static_assert(!weir::counter_backend<update_without_now>);

struct update_without_error_code : minimal_clock {
    template<weir::counter_step S>
    typename S::result_type update(const counter_space&, view, const S&, time_point);
};
static_assert(!weir::counter_backend<update_without_error_code>);

struct update_without_space : minimal_clock {
    template<weir::counter_step S>
    typename S::result_type update(view, const S&, time_point, error&);
};
static_assert(!weir::counter_backend<update_without_space>);

struct update_that_only_decides : minimal_clock {
    template<weir::counter_step S>
    weir::decision update(const counter_space&, view, const S&, time_point, error&);
};
static_assert(!weir::counter_backend<update_that_only_decides>);

struct update_that_returns_the_state : minimal_clock {
    template<weir::counter_step S>
    typename S::quota_type::state_type update(const counter_space&, view, const S&, time_point,
                                              error&);
};
static_assert(!weir::counter_backend<update_that_returns_the_state>);

struct update_of_changeable_keys : minimal_clock {
    template<weir::counter_step S>
    typename S::result_type update(const counter_space&, std::string&, const S&, time_point,
                                   error&);
};
static_assert(!weir::counter_backend<update_of_changeable_keys>);

// ---- values --------------------------------------------------------------------------------

using store = minimal_store<int>;

struct store_without_get {
    void put(view, value_ref<int>, const lifetime&, time_point, error&);
    bool add(view, value_ref<int>, const lifetime&, time_point, error&);
    bool erase(view, time_point, error&);
};
struct get_of_another_value : store {
    found<long> get(view, time_point, error&);
};
struct get_of_the_bare_value : store {
    value_ref<int> get(view, time_point, error&);
};
struct get_without_now : store {
    found<int> get(view, error&);
};
struct get_without_error_code : store {
    found<int> get(view, time_point);
};
static_assert(!weir::value_store<store_without_get, int>);
static_assert(!weir::value_store<get_of_another_value, int>);
static_assert(!weir::value_store<get_of_the_bare_value, int>);
static_assert(!weir::value_store<get_without_now, int>);
static_assert(!weir::value_store<get_without_error_code, int>);

struct store_without_put {
    found<int> get(view, time_point, error&);
    bool add(view, value_ref<int>, const lifetime&, time_point, error&);
    bool erase(view, time_point, error&);
};
struct put_without_lifetime : store {
    void put(view, value_ref<int>, time_point, error&);
};
struct put_with_a_bare_ttl : store {
    void put(view, value_ref<int>, std::chrono::nanoseconds, time_point, error&);
};
struct put_of_a_bare_value : store {
    void put(view, int, const lifetime&, time_point, error&);
};
struct put_that_answers : store {
    bool put(view, value_ref<int>, const lifetime&, time_point, error&);
};
struct put_without_error_code : store {
    void put(view, value_ref<int>, const lifetime&, time_point);
};
static_assert(!weir::value_store<store_without_put, int>);
static_assert(!weir::value_store<put_without_lifetime, int>);
static_assert(!weir::value_store<put_with_a_bare_ttl, int>);
static_assert(!weir::value_store<put_of_a_bare_value, int>);
static_assert(!weir::value_store<put_that_answers, int>);
static_assert(!weir::value_store<put_without_error_code, int>);

struct store_without_add {
    found<int> get(view, time_point, error&);
    void put(view, value_ref<int>, const lifetime&, time_point, error&);
    bool erase(view, time_point, error&);
};
struct add_that_does_not_answer : store {
    void add(view, value_ref<int>, const lifetime&, time_point, error&);
};
struct add_without_lifetime : store {
    bool add(view, value_ref<int>, time_point, error&);
};
static_assert(!weir::value_store<store_without_add, int>);
static_assert(!weir::value_store<add_that_does_not_answer, int>);
static_assert(!weir::value_store<add_without_lifetime, int>);

struct store_without_erase {
    found<int> get(view, time_point, error&);
    void put(view, value_ref<int>, const lifetime&, time_point, error&);
    bool add(view, value_ref<int>, const lifetime&, time_point, error&);
};
struct erase_that_counts : store {
    std::size_t erase(view, time_point, error&);
};
struct erase_without_now : store {
    bool erase(view, error&);
};
static_assert(!weir::value_store<store_without_erase, int>);
static_assert(!weir::value_store<erase_that_counts, int>);
static_assert(!weir::value_store<erase_without_now, int>);

struct store_that_cannot_be_copied : store {
    store_that_cannot_be_copied(const store_that_cannot_be_copied&) = delete;
};
static_assert(!weir::value_store<store_that_cannot_be_copied, int>);

struct backend_without_values : minimal_counters {};
struct values_without_options : minimal_counters {
    template<class V>
    minimal_store<V> values(view);
};
struct values_of_nothing : minimal_counters {
    template<class V>
    void values(view, const store_options&);
};
struct values_that_are_no_store : backend_with<store_without_get> {};
static_assert(!weir::value_backend<backend_without_values, int>);
static_assert(!weir::value_backend<values_without_options, int>);
static_assert(!weir::value_backend<values_of_nothing, int>);
static_assert(!weir::value_backend<values_that_are_no_store, int>);

// ---- refinements ---------------------------------------------------------------------------

struct process_local : minimal {
    static constexpr bool in_process = true;
};
struct out_of_process : minimal {
    static constexpr bool in_process = false;
};
static_assert(weir::in_process_backend<process_local>);
static_assert(!weir::in_process_backend<out_of_process>);

struct registering : minimal {
    void register_limiter(view name, view shape);
};
struct registering_without_shape : minimal {
    void register_limiter(view name);
};
static_assert(weir::registering_backend<registering>);
static_assert(!weir::registering_backend<registering_without_shape>);

struct locating : process_local {
    int locate(const counter_space&, view) noexcept;
    template<weir::counter_step S>
    typename S::result_type update_at(int, const S&, time_point) noexcept;
};
struct locating_out_of_process : locating {
    static constexpr bool in_process = false;
};
struct locating_without_update_at : process_local {
    int locate(const counter_space&, view) noexcept;
};
struct locate_may_throw : locating {
    int locate(const counter_space&, view);
};
struct update_at_may_throw : locating {
    template<weir::counter_step S>
    typename S::result_type update_at(int, const S&, time_point);
};
static_assert(weir::locating_backend<locating>);
static_assert(!weir::locating_backend<locating_out_of_process>);
static_assert(!weir::locating_backend<locating_without_update_at>);
static_assert(!weir::locating_backend<locate_may_throw>);
static_assert(!weir::locating_backend<update_at_may_throw>);

struct quota_checking : minimal {
    template<weir::quota Q>
    void validate_quota(const Q&) const;
    template<weir::quota Q>
    bool counts(const Q&) const noexcept;
};
struct quota_checking_without_counts : minimal {
    template<weir::quota Q>
    void validate_quota(const Q&) const;
};
struct quota_checking_without_validate_quota : minimal {
    template<weir::quota Q>
    bool counts(const Q&) const noexcept;
};
struct counts_may_throw : quota_checking {
    template<weir::quota Q>
    bool counts(const Q&) const;
};
struct counts_changes_the_backend : quota_checking {
    template<weir::quota Q>
    bool counts(const Q&) noexcept;
};
static_assert(weir::quota_checking_backend<quota_checking>);
static_assert(!weir::quota_checking_backend<quota_checking_without_counts>);
static_assert(!weir::quota_checking_backend<quota_checking_without_validate_quota>);
static_assert(!weir::quota_checking_backend<counts_may_throw>);
static_assert(!weir::quota_checking_backend<counts_changes_the_backend>);

struct async : minimal {
    template<weir::counter_step S>
    void update_async(const counter_space&, view, const S&, time_point,
                      handler<typename S::result_type, error>) noexcept;
};
struct update_async_may_throw : minimal {
    template<weir::counter_step S>
    void update_async(const counter_space&, view, const S&, time_point,
                      handler<typename S::result_type, error>);
};
struct update_async_that_only_decides : minimal {
    template<weir::counter_step S>
    void update_async(const counter_space&, view, const S&, time_point,
                      handler<weir::decision, error>) noexcept;
};
struct update_async_that_reports_no_error : minimal {
    template<weir::counter_step S>
    void update_async(const counter_space&, view, const S&, time_point,
                      handler<typename S::result_type>) noexcept;
};
struct update_async_with_a_handler_to_copy : minimal {
    template<weir::counter_step S>
    void update_async(const counter_space&, view, const S&, time_point,
                      std::function<void(typename S::result_type, error)>) noexcept;
};
static_assert(weir::async_backend<async>);
static_assert(!weir::async_backend<update_async_may_throw>);
static_assert(!weir::async_backend<update_async_that_only_decides>);
static_assert(!weir::async_backend<update_async_that_reports_no_error>);
static_assert(!weir::async_backend<update_async_with_a_handler_to_copy>);

struct leasing : store {
    leased<int> get_or_lease(view, time_point, error&);
    bool put_if_leased(view, value_ref<int>, const lifetime&, lease_token, time_point, error&);
    void release(view, lease_token, error&);
};
struct leasing_without_release : store {
    leased<int> get_or_lease(view, time_point, error&);
    bool put_if_leased(view, value_ref<int>, const lifetime&, lease_token, time_point, error&);
};
struct leasing_without_put_if_leased : store {
    leased<int> get_or_lease(view, time_point, error&);
    void release(view, lease_token, error&);
};
struct leasing_without_get_or_lease : store {
    bool put_if_leased(view, value_ref<int>, const lifetime&, lease_token, time_point, error&);
    void release(view, lease_token, error&);
};
struct get_or_lease_that_shows_no_entry : leasing {
    lease_token get_or_lease(view, time_point, error&);
};
struct put_if_leased_that_does_not_answer : leasing {
    void put_if_leased(view, value_ref<int>, const lifetime&, lease_token, time_point, error&);
};
struct put_if_leased_without_lease : leasing {
    bool put_if_leased(view, value_ref<int>, const lifetime&, time_point, error&);
};
struct leasing_of_no_store {
    leased<int> get_or_lease(view, time_point, error&);
    bool put_if_leased(view, value_ref<int>, const lifetime&, lease_token, time_point, error&);
    void release(view, lease_token, error&);
};
static_assert(weir::leasing_store<leasing, int>);
static_assert(!weir::leasing_store<leasing_without_release, int>);
static_assert(!weir::leasing_store<leasing_without_put_if_leased, int>);
static_assert(!weir::leasing_store<leasing_without_get_or_lease, int>);
static_assert(!weir::leasing_store<get_or_lease_that_shows_no_entry, int>);
static_assert(!weir::leasing_store<put_if_leased_that_does_not_answer, int>);
static_assert(!weir::leasing_store<put_if_leased_without_lease, int>);
static_assert(!weir::leasing_store<leasing_of_no_store, int>);

struct deferring : leasing {
    void put_if_leased_later(view, value_ref<int>, const lifetime&, lease_token, time_point,
                             handler<bool, error>) noexcept;
    void release_later(view, lease_token) noexcept;
};
struct deferring_without_release_later : leasing {
    void put_if_leased_later(view, value_ref<int>, const lifetime&, lease_token, time_point,
                             handler<bool, error>) noexcept;
};
struct deferring_without_put_if_leased_later : leasing {
    void release_later(view, lease_token) noexcept;
};
struct put_if_leased_later_that_does_not_answer : deferring {
    void put_if_leased_later(view, value_ref<int>, const lifetime&, lease_token,
                             time_point) noexcept;
};
struct put_if_leased_later_may_throw : deferring {
    void put_if_leased_later(view, value_ref<int>, const lifetime&, lease_token, time_point,
                             handler<bool, error>);
};
struct release_later_may_throw : deferring {
    void release_later(view, lease_token);
};
struct deferring_without_leases : store {
    void put_if_leased_later(view, value_ref<int>, const lifetime&, lease_token, time_point,
                             handler<bool, error>) noexcept;
    void release_later(view, lease_token) noexcept;
};
static_assert(weir::deferring_store<deferring, int>);
static_assert(!weir::deferring_store<deferring_without_release_later, int>);
static_assert(!weir::deferring_store<deferring_without_put_if_leased_later, int>);
static_assert(!weir::deferring_store<put_if_leased_later_that_does_not_answer, int>);
static_assert(!weir::deferring_store<put_if_leased_later_may_throw, int>);
static_assert(!weir::deferring_store<release_later_may_throw, int>);
static_assert(!weir::deferring_store<deferring_without_leases, int>);

struct batching : store {
    std::vector<found<int>> get_many(std::span<const view>, time_point, error&);
};
struct get_many_of_bare_values : store {
    std::vector<value_ref<int>> get_many(std::span<const view>, time_point, error&);
};
struct get_many_of_strings : store {
    std::vector<found<int>> get_many(std::span<const std::string>, time_point, error&);
};
struct get_many_without_now : store {
    std::vector<found<int>> get_many(std::span<const view>, error&);
};
static_assert(weir::batch_store<batching, int>);
static_assert(!weir::batch_store<get_many_of_bare_values, int>);
static_assert(!weir::batch_store<get_many_of_strings, int>);
static_assert(!weir::batch_store<get_many_without_now, int>);

struct reading_async : store {
    void get_async(view, time_point, handler<found<int>, error>) noexcept;
};
struct get_async_may_throw : store {
    void get_async(view, time_point, handler<found<int>, error>);
};
struct get_async_of_the_bare_value : store {
    void get_async(view, time_point, handler<value_ref<int>, error>) noexcept;
};
struct get_async_that_reports_no_error : store {
    void get_async(view, time_point, handler<found<int>>) noexcept;
};
static_assert(weir::async_store<reading_async, int>);
static_assert(!weir::async_store<get_async_may_throw, int>);
static_assert(!weir::async_store<get_async_of_the_bare_value, int>);
static_assert(!weir::async_store<get_async_that_reports_no_error, int>);

struct matching : store {
    std::int64_t erase_matching(view, time_point, error&);
    void clear(time_point, error&);
};
struct matching_without_clear : store {
    std::int64_t erase_matching(view, time_point, error&);
};
struct clearing_without_globs : store {
    void clear(time_point, error&);
};
struct erase_matching_that_does_not_count : matching {
    void erase_matching(view, time_point, error&);
};
struct clear_that_cannot_report : matching {
    void clear(time_point);
};
static_assert(weir::matching_store<matching>);
static_assert(!weir::matching_store<matching_without_clear>);
static_assert(!weir::matching_store<clearing_without_globs>);
static_assert(!weir::matching_store<erase_matching_that_does_not_count>);
static_assert(!weir::matching_store<clear_that_cannot_report>);

struct visiting : store {
    template<class F>
    bool visit(view, time_point, F&&);
};
struct visit_that_does_not_answer : store {
    template<class F>
    void visit(view, time_point, F&&);
};
struct visit_of_changeable_values : store {
    bool visit(view, time_point, void (*)(int&));
};
static_assert(weir::visiting_store<visiting, int>);
static_assert(!weir::visiting_store<visit_that_does_not_answer, int>);
static_assert(!weir::visiting_store<visit_of_changeable_values, int>);

struct hosting : store {
    std::shared_ptr<void> hosted(std::shared_ptr<void> (*)());
};
struct hosting_without_owning : store {
    void* hosted(std::shared_ptr<void> (*)());
};
static_assert(weir::hosting_store<hosting>);
static_assert(!weir::hosting_store<hosting_without_owning>);

// ---- the vocabulary ------------------------------------------------------------------------

TEST(storage, the_defaults_say_nothing_is_there) {
    EXPECT_FALSE(found<int>{}.present);
    EXPECT_EQ(found<int>{}.value, nullptr);
    EXPECT_FALSE(leased<int>{}.entry.present);
    EXPECT_EQ(leased<int>{}.lease, lease_token::none);
    EXPECT_EQ(lease_token{}, lease_token::none);
    EXPECT_EQ(store_options{}.capacity, 0U);
    EXPECT_EQ(store_options{}.max_bytes, 0U);
    EXPECT_EQ(store_options{}.usual.ttl.count(), 0);
    EXPECT_EQ(store_options{}.usual.grace.count(), 0);
    EXPECT_EQ(lifetime{}.grace.count(), 0);
}

} // namespace
