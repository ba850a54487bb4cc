#include <weir/testing.hpp>

#include "contract/breakable_backend.hpp"

#include <weir/memory.hpp>
#include <weir/quota/fixed_window.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <vector>

namespace {

using weir::errc;
using weir::failing_backend;
using weir::lease_token;
using weir::manual_clock;
using weir::time_point;
using namespace std::chrono_literals;

// ---- manual_clock --------------------------------------------------------------------------

static_assert(weir::clock_source<manual_clock>);

TEST(manual_clock, starts_at_the_beginning_of_2026_and_stands_still) {
    const manual_clock clock;
    const time_point start{std::chrono::sys_days{std::chrono::year{2026} / 1 / 1}};
    EXPECT_EQ(clock.now(), start);
    EXPECT_EQ(clock.now(), start);
    EXPECT_EQ(manual_clock{start + 1s}.now(), start + 1s);
}

TEST(manual_clock, starts_at_an_edge_of_days_and_of_what_divides_them) {
    EXPECT_EQ(manual_clock{}.now().time_since_epoch() % 24h, 0s);
}

TEST(manual_clock, copies_show_the_same_time) {
    const manual_clock clock;
    const manual_clock copy{clock}; // NOLINT(performance-unnecessary-copy-initialization)
    clock.advance(10s);
    EXPECT_EQ(copy.now(), manual_clock{}.now() + 10s);
    copy.advance(1ns);
    EXPECT_EQ(clock.now(), manual_clock{}.now() + 10s + 1ns);
}

TEST(manual_clock, two_clocks_have_nothing_to_do_with_each_other) {
    const manual_clock a;
    const manual_clock b;
    a.advance(1h);
    EXPECT_EQ(b.now(), manual_clock{}.now());
}

TEST(manual_clock, only_set_goes_back) {
    const manual_clock clock;
    const time_point start = clock.now();
    EXPECT_THROW(clock.advance(-1ns), std::invalid_argument);
    EXPECT_EQ(clock.now(), start);
    clock.set(start - 1h);
    EXPECT_EQ(clock.now(), start - 1h);
}

TEST(manual_clock, threads_that_advance_it_lose_no_time) {
    const manual_clock clock;
    std::vector<std::thread> threads;
    threads.reserve(4);
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([clock] {
            time_point last = clock.now();
            for (int j = 0; j < 1'000; ++j) {
                clock.advance(1ns);
                const time_point now = clock.now();
                EXPECT_GT(now, last);
                last = now;
            }
        });
    }
    for (std::thread& t : threads) {
        t.join();
    }
    EXPECT_EQ(clock.now(), manual_clock{}.now() + 4'000ns);
}

// ---- failing_backend -----------------------------------------------------------------------

using memory = weir::basic_memory_backend<manual_clock>;
using failing = failing_backend<memory>;
using store = weir::store_of<failing, std::string>;

static_assert(weir::explain_storage<failing>());
static_assert(!weir::in_process_backend<failing>);
static_assert(weir::registering_backend<failing>);
static_assert(weir::leasing_store<store, std::string>);
static_assert(weir::matching_store<store>);
static_assert(weir::hosting_store<store>);
static_assert(weir::async_backend<failing>);
static_assert(weir::async_store<store, std::string>);
static_assert(weir::batch_store<store, std::string>);
// A backend has no refinement that the one inside lacks.
static_assert(!weir::quota_checking_backend<failing>);
static_assert(!weir::deferring_store<store, std::string>);
using failing_over_all = failing_backend<weir_tests::breakable_backend>;
static_assert(weir::quota_checking_backend<failing_over_all>);
static_assert(weir::deferring_store<weir::store_of<failing_over_all, std::string>, std::string>);
// What cannot report a failure is not offered.
static_assert(!weir::locating_backend<failing>);
static_assert(!weir::visiting_store<store, std::string>);

/// A clock and nothing else.
struct bare_backend {
    time_point now() const noexcept { return {}; }
};
static_assert(weir::clocked_backend<failing_backend<bare_backend>>);
static_assert(!weir::counter_backend<failing_backend<bare_backend>>);
static_assert(!weir::opening_backend<failing_backend<bare_backend>, int>);

class failing_backend_test : public ::testing::Test {
protected:
    failing backend{memory{manual_clock{}}};
    store values = backend.values<std::string>("cache", {});
    const time_point now = backend.now();
    std::error_code ec;

    weir::decision take() {
        return backend.update({"limiter", "limiter:fixed_window:60000000000", 1}, "k",
                              weir::take_step<weir::fixed_window>{weir::per_minute(3)}, now, ec);
    }
    void put(const std::string& value) {
        values.put("k", weir::make_value<std::string>(value), {1h}, now, ec);
    }
    std::string get() {
        const auto entry = values.get("k", now, ec);
        return entry.value ? *entry.value : "absent";
    }
};

TEST_F(failing_backend_test, does_what_the_one_inside_does_until_told_otherwise) {
    EXPECT_EQ(take().remaining, 2);
    EXPECT_FALSE(ec);
    put("one");
    EXPECT_EQ(get(), "one");
    EXPECT_FALSE(ec);
    EXPECT_TRUE(values.erase("k", now, ec));
}

TEST_F(failing_backend_test, fails_every_call_until_it_recovers_and_applies_none) {
    put("one");
    backend.fail_with(errc::unavailable);
    for (int i = 0; i < 3; ++i) {
        EXPECT_FALSE(take());
        EXPECT_EQ(ec, errc::unavailable);
    }
    put("two");
    EXPECT_EQ(ec, errc::unavailable);
    EXPECT_EQ(get(), "absent");
    EXPECT_EQ(ec, errc::unavailable);
    backend.recover();
    EXPECT_EQ(get(), "one");
    EXPECT_EQ(take().remaining, 2);
    EXPECT_FALSE(ec);
}

TEST_F(failing_backend_test, fails_as_many_calls_as_it_was_told_and_no_more) {
    backend.fail_next(2, errc::timeout);
    take();
    EXPECT_EQ(ec, errc::timeout);
    put("one");
    EXPECT_EQ(ec, errc::timeout);
    EXPECT_EQ(get(), "absent");
    EXPECT_FALSE(ec);
    EXPECT_EQ(take().remaining, 2);
}

TEST_F(failing_backend_test, may_apply_a_call_and_then_lose_the_answer) {
    backend.lose_answers();
    EXPECT_FALSE(take());
    EXPECT_EQ(ec, errc::timeout);
    put("one");
    EXPECT_EQ(ec, errc::timeout);
    backend.recover();
    EXPECT_EQ(get(), "one");
    EXPECT_EQ(take().remaining, 1) << "the take before was applied";
}

TEST_F(failing_backend_test, fails_every_operation_of_a_store) {
    backend.fail_with(errc::unavailable);
    const auto expect_failure = [&](const char* call) {
        EXPECT_EQ(ec, errc::unavailable) << call;
        ec.clear();
    };
    const auto value = weir::make_value<std::string>("v");
    EXPECT_FALSE(values.get("k", now, ec).present);
    expect_failure("get");
    values.put("k", value, {1h}, now, ec);
    expect_failure("put");
    EXPECT_FALSE(values.add("k", value, {1h}, now, ec));
    expect_failure("add");
    EXPECT_FALSE(values.erase("k", now, ec));
    expect_failure("erase");
    EXPECT_EQ(values.get_or_lease("k", now, ec).lease, lease_token::none);
    expect_failure("get_or_lease");
    EXPECT_FALSE(values.put_if_leased("k", value, {1h}, lease_token{1}, now, ec));
    expect_failure("put_if_leased");
    values.release("k", lease_token{1}, ec);
    expect_failure("release");
    EXPECT_EQ(values.erase_matching("*", now, ec), 0);
    expect_failure("erase_matching");
    values.clear(now, ec);
    expect_failure("clear");
    EXPECT_TRUE(values.get_many(std::vector<std::string_view>{"k"}, now, ec).empty());
    expect_failure("get_many");
    EXPECT_EQ(backend.calls(), 10);
}

/// What the handler of an asynchronous call was told, and how often.
template<class Result>
struct told {
    int times = 0;
    Result result{};
    std::error_code error;

    weir::handler<Result, std::error_code> as_handler() {
        return [this](Result r, std::error_code ec) {
            ++times;
            result = std::move(r);
            error = ec;
        };
    }
};

TEST_F(failing_backend_test, fails_what_does_not_wait_and_applies_none_of_it) {
    const auto take_async = [&] {
        told<weir::decision> answer;
        backend.update_async({"limiter", "limiter:fixed_window:60000000000", 1}, "k",
                             weir::take_step<weir::fixed_window>{weir::per_minute(3)}, now,
                             answer.as_handler());
        EXPECT_EQ(answer.times, 1);
        return answer;
    };
    const auto get_async = [&] {
        told<weir::found<std::string>> answer;
        values.get_async("k", now, answer.as_handler());
        EXPECT_EQ(answer.times, 1);
        return answer;
    };
    put("one");
    backend.fail_with(errc::unavailable);
    EXPECT_FALSE(take_async().result);
    EXPECT_EQ(take_async().error, errc::unavailable);
    EXPECT_FALSE(get_async().result.present);
    EXPECT_EQ(get_async().error, errc::unavailable);
    backend.recover();
    EXPECT_EQ(take_async().result.remaining, 2);
    EXPECT_EQ(*get_async().result.value, "one");
    EXPECT_FALSE(get_async().error);
    backend.lose_answers();
    EXPECT_FALSE(take_async().result);
    EXPECT_EQ(take_async().error, errc::timeout);
    EXPECT_FALSE(get_async().result.present);
    backend.recover();
    EXPECT_FALSE(take_async().result) << "the takes before were applied";
}

TEST(failing_backend_over_all, fails_what_is_deferred) {
    const manual_clock clock;
    const failing_over_all backend{{clock, {}}};
    auto values = failing_over_all{backend}.values<std::string>("cache", {});
    const time_point now = backend.now();
    std::error_code ec;
    const auto put_later = [&](lease_token lease) {
        told<bool> answer;
        values.put_if_leased_later("k", weir::make_value<std::string>("v"), {1h}, lease, now,
                                   answer.as_handler());
        EXPECT_EQ(answer.times, 1);
        return answer;
    };
    const lease_token lease = values.get_or_lease("k", now, ec).lease;
    backend.fail_with(errc::unavailable);
    EXPECT_FALSE(put_later(lease).result);
    EXPECT_EQ(put_later(lease).error, errc::unavailable);
    values.release_later("k", lease);
    backend.recover();
    EXPECT_FALSE(values.get("k", now, ec).present);
    EXPECT_EQ(values.get_or_lease("k", now, ec).lease, lease_token::none) << "it was released";
    backend.lose_answers();
    EXPECT_FALSE(put_later(lease).result);
    backend.recover();
    EXPECT_TRUE(values.get("k", now, ec).present) << "the put before was applied";
}

TEST(failing_backend_over_all, checks_quotas_as_the_one_inside_also_while_it_fails) {
    const failing_over_all backend{{manual_clock{}, {}}};
    backend.fail_with(errc::unavailable);
    EXPECT_TRUE(backend.counts(weir::per_minute(1)));
    EXPECT_NO_THROW(backend.validate_quota(weir::per_minute(1)));
    EXPECT_FALSE(backend.counts(weir::fixed_window{.limit = 1, .window = 1ms}));
    EXPECT_THROW(backend.validate_quota(weir::fixed_window{.limit = 1, .window = 1ms}),
                 std::invalid_argument);
    EXPECT_EQ(backend.calls(), 0);
}

TEST_F(failing_backend_test, copies_and_stores_fail_together) {
    const failing copy = backend;
    auto opened_late = backend.values<std::string>("other", {});
    copy.fail_with(errc::unavailable);
    take();
    EXPECT_EQ(ec, errc::unavailable);
    static_cast<void>(opened_late.get("k", now, ec));
    EXPECT_EQ(ec, errc::unavailable);
    backend.recover();
    EXPECT_EQ(copy.calls(), 2);
    static_cast<void>(opened_late.get("k", now, ec));
    EXPECT_FALSE(ec);
}

TEST_F(failing_backend_test, counts_the_calls_that_reach_it) {
    EXPECT_EQ(backend.calls(), 0);
    take();
    backend.fail_with(errc::timeout);
    take();
    static_cast<void>(get());
    EXPECT_EQ(backend.calls(), 3);
}

TEST_F(failing_backend_test, its_time_is_the_time_inside) {
    const manual_clock clock;
    const failing_backend other{memory{clock}};
    clock.advance(5s);
    EXPECT_EQ(other.now(), manual_clock{}.now() + 5s);
}

} // namespace
