// allow_async: what allow answers, without waiting for the backend.

#include "contract/breakable_backend.hpp"
#include "support/late_backend.hpp"

#include <weir/memory.hpp>
#include <weir/quota/fixed_window.hpp>
#include <weir/rate_limiter.hpp>
#include <weir/testing.hpp>

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

using namespace std::chrono_literals;

namespace {

using weir::decider;
using weir::decision;
using weir::reason;

using memory_backend = weir::basic_memory_backend<weir::manual_clock>;
using failing = weir::failing_backend<memory_backend>;
using late = weir_tests::late_backend<failing>;
static_assert(weir::async_backend<late>);
static_assert(!weir::in_process_backend<late>);

/// A failing_backend without its asynchronous form: calls on it can only be waited for.
class waiting_backend {
public:
    explicit waiting_backend(failing inside) : inside_{std::move(inside)} {}

    [[nodiscard]] weir::time_point now() const noexcept { return inside_.now(); }

    template<weir::counter_step Step>
    typename Step::result_type update(const weir::counter_space& space, std::string_view key,
                                      const Step& step, weir::time_point now, std::error_code& ec) {
        return inside_.update(space, key, step, now, ec);
    }

private:
    failing inside_;
};
static_assert(!weir::async_backend<waiting_backend>);

/// Limiters on every kind of backend, and both faces of them.
template<class Limiter>
class each_async_limiter : public testing::Test {
protected:
    weir::manual_clock clock;
    failing backend{memory_backend{clock}};
    late late_one{backend};

    /// A limiter on the backend of its type, and where that can be chosen on a late one.
    Limiter make(weir::fixed_window quota, weir::on_failure then = weir::on_failure::deny) {
        const weir::limiter_options options{.remember_denials = 0s};
        if constexpr (std::is_constructible_v<Limiter, late, weir::fixed_window, weir::on_failure,
                                              weir::limiter_options>) {
            return Limiter{late_one, quota, then, options};
        } else {
            return Limiter{waiting_backend{backend}, quota, then, options};
        }
    }

    /// What `ask(handler)` was told, after everything was delivered.
    template<class Ask>
    decision told(const Ask& ask) {
        std::optional<decision> answer;
        int times = 0;
        ask([&](const decision& d) {
            answer = d;
            ++times;
        });
        late_one.answers().deliver();
        EXPECT_EQ(times, 1);
        return answer.value_or(decision{});
    }
};

using limiters =
    testing::Types<weir::rate_limiter, weir::basic_rate_limiter<weir::fixed_window, late>,
                   weir::basic_rate_limiter<weir::fixed_window, waiting_backend>>;
TYPED_TEST_SUITE(each_async_limiter, limiters);

TYPED_TEST(each_async_limiter, answers_as_allow_does) {
    const auto limiter = this->make(weir::per_minute(3));
    const auto same = this->make(weir::per_minute(3));
    for (const std::int64_t cost : {1, 4, 3, 0, 2, -1, 1}) {
        const decision sync = same.allow("sync", cost);
        const decision async =
            this->told([&](auto done) { limiter.allow_async("async", cost, done); });
        EXPECT_EQ(to_string(async), to_string(sync)) << cost;
    }
}

TYPED_TEST(each_async_limiter, takes_one_permit_unless_told_otherwise) {
    const auto limiter = this->make(weir::per_minute(3));
    EXPECT_EQ(this->told([&](auto done) { limiter.allow_async("client", done); }).remaining, 2);
    EXPECT_EQ(this->told([&](auto done) { limiter.allow_async(42, 2, done); }).remaining, 1);
    EXPECT_EQ(limiter.peek("client").remaining, 2);
    EXPECT_EQ(limiter.peek("42").remaining, 1);
}

TYPED_TEST(each_async_limiter, a_quota_of_the_call_spends_from_the_same_count) {
    const auto limiter = this->make(weir::per_minute(1));
    const auto ask = [&](weir::fixed_window quota, std::int64_t cost) {
        return this->told([&](auto done) { limiter.allow_async("client", quota, cost, done); });
    };
    EXPECT_EQ(ask(weir::per_minute(5), 2).remaining, 3);
    EXPECT_EQ(limiter.peek("client", weir::per_minute(5)).remaining, 3);
    EXPECT_EQ(ask(weir::per_hour(5), 4).remaining, 1);
    EXPECT_EQ(limiter.peek("client", weir::per_hour(5)).remaining, 1);
    EXPECT_EQ(ask(weir::per_minute(-1), 1).reason, reason::invalid);
    EXPECT_EQ(this->told([&](auto done) { limiter.allow_async("client", weir::per_hour(5), done); })
                  .remaining,
              0);
}

TYPED_TEST(each_async_limiter, on_failure_decides_while_the_backend_fails) {
    const auto denying = this->make(weir::per_minute(1), weir::on_failure::deny);
    const auto allowing = this->make(weir::per_minute(1), weir::on_failure::allow);
    const auto counting = this->make(weir::per_minute(1), weir::on_failure::local);
    const auto ask = [&](const auto& limiter) {
        return this->told([&](auto done) { limiter.allow_async("client", done); });
    };
    this->backend.fail_with(weir::errc::connection_lost);
    for (const decision& d : {ask(denying), ask(allowing)}) {
        EXPECT_EQ(d.reason, reason::backend_failed);
        EXPECT_EQ(d.decided_by, decider::local);
        EXPECT_EQ(d.error(), weir::errc::connection_lost);
        EXPECT_EQ(d.limit, 1);
    }
    EXPECT_FALSE(ask(denying));
    EXPECT_TRUE(ask(allowing));
    EXPECT_TRUE(ask(counting));
    const decision denied = ask(counting);
    EXPECT_EQ(denied.reason, reason::over_limit);
    EXPECT_EQ(denied.decided_by, decider::local);
    EXPECT_EQ(denied.error(), weir::errc::connection_lost);
}

TYPED_TEST(each_async_limiter, a_handler_may_capture_what_is_large_and_what_cannot_be_copied) {
    const auto limiter = this->make(weir::per_minute(3));
    std::int64_t remaining = 0;
    limiter.allow_async("client", [&remaining, large = std::array<std::int64_t, 20>{7},
                                   owned = std::make_unique<int>(1)](const decision& d) {
        remaining = d.remaining + large[0] + *owned;
    });
    this->late_one.answers().deliver();
    EXPECT_EQ(remaining, 2 + 7 + 1);
}

TYPED_TEST(each_async_limiter, a_handler_may_ask_again) {
    const auto limiter = this->make(weir::per_minute(3));
    std::vector<std::int64_t> seen;
    limiter.allow_async("client", [&](const decision& first) {
        seen.push_back(first.remaining);
        limiter.allow_async("client",
                            [&](const decision& second) { seen.push_back(second.remaining); });
    });
    this->late_one.answers().deliver();
    EXPECT_EQ(seen, (std::vector<std::int64_t>{2, 1}));
}

// ---- answers that come later -------------------------------------------------------------------

class limiter_with_late_answers : public testing::Test {
protected:
    weir::manual_clock clock;
    failing inside{memory_backend{clock}};
    late backend{inside};
    std::optional<weir::rate_limiter> limiter{
        weir::rate_limiter{backend, weir::per_minute(1), weir::on_failure::local}};
    std::vector<decision> answers;

    void ask(std::int64_t cost = 1) {
        limiter->allow_async("client", cost, [this](const decision& d) { answers.push_back(d); });
    }
};

TEST_F(limiter_with_late_answers, the_call_returns_before_the_answer_comes) {
    ask();
    ask();
    EXPECT_TRUE(answers.empty());
    EXPECT_EQ(backend.answers().count(), 2U);
    backend.answers().deliver();
    ASSERT_EQ(answers.size(), 2U);
    EXPECT_TRUE(answers[0]);
    EXPECT_FALSE(answers[1]);
}

TEST_F(limiter_with_late_answers, a_denial_that_is_remembered_is_told_at_once) {
    ASSERT_TRUE(limiter->allow("client"));
    ASSERT_FALSE(limiter->allow("client"));
    ask();
    ASSERT_EQ(answers.size(), 1U);
    EXPECT_EQ(answers[0].reason, reason::over_limit);
    EXPECT_EQ(answers[0].decided_by, decider::local);
    EXPECT_EQ(backend.answers().count(), 0U);
}

TEST_F(limiter_with_late_answers, a_cost_that_makes_no_sense_is_told_at_once) {
    ask(-1);
    ASSERT_EQ(answers.size(), 1U);
    EXPECT_EQ(answers[0].reason, reason::invalid);
}

TEST_F(limiter_with_late_answers, the_limiter_may_be_gone_when_the_answer_comes) {
    inside.fail_with(weir::errc::timeout);
    ask();
    limiter.reset();
    backend.answers().deliver();
    ASSERT_EQ(answers.size(), 1U);
    EXPECT_TRUE(answers[0]) << "counted locally";
    EXPECT_EQ(answers[0].error(), weir::errc::timeout);
}

TEST_F(limiter_with_late_answers, a_backend_that_goes_answers_what_is_on_its_way) {
    {
        weir::rate_limiter brief{late{inside}, weir::per_minute(1), weir::on_failure::deny};
        brief.allow_async("client", [this](const decision& d) { answers.push_back(d); });
        EXPECT_TRUE(answers.empty());
    }
    ASSERT_EQ(answers.size(), 1U) << "an answer on its way keeps its backend";
    EXPECT_EQ(answers[0].error(), weir::errc::closed);
}

TEST(limiter_in_memory, tells_its_handler_before_the_call_returns) {
    const weir::manual_clock clock;
    const weir::rate_limiter limiter{memory_backend{clock}, weir::per_minute(1)};
    std::vector<bool> answers;
    for (int i = 0; i < 2; ++i) {
        limiter.allow_async("client", [&](const decision& d) { answers.push_back(d.allowed); });
    }
    EXPECT_EQ(answers, (std::vector<bool>{true, false}));
}

TEST(limiter_in_memory, a_handler_that_there_is_no_memory_for_throws_before_anything_is_asked) {
    struct too_large {
        static void* operator new(std::size_t) { throw std::bad_alloc{}; }
        static void operator delete(void*) {}
        void operator()(const decision&) const { ADD_FAILURE() << "it was called"; }
        std::array<char, 100> bytes{};
    };
    const weir::manual_clock clock;
    const weir::rate_limiter limiter{memory_backend{clock}, weir::per_minute(1)};
    EXPECT_THROW(limiter.allow_async("client", too_large{}), std::bad_alloc);
    EXPECT_EQ(limiter.peek("client").remaining, 1);
}

template<class L, class Cost>
concept takes_cost_async = requires(const L& limiter, Cost cost, void (*done)(decision)) {
    limiter.allow_async("client", cost, done);
};
static_assert(takes_cost_async<weir::rate_limiter, int>);
static_assert(!takes_cost_async<weir::rate_limiter, double>);

template<class L, class Done>
concept takes_handler = requires(const L& limiter, Done done) {
    limiter.allow_async("client", done);
};
static_assert(takes_handler<weir::rate_limiter, void (*)(decision)>);
static_assert(takes_handler<weir::rate_limiter, bool (*)(const decision&)>);
static_assert(!takes_handler<weir::rate_limiter, void (*)()>);
static_assert(!takes_handler<weir::rate_limiter, int>);

// ---- quotas that a backend cannot count --------------------------------------------------------

class limiter_on_a_backend_that_checks_quotas : public testing::Test {
protected:
    weir_tests::breakable_backend backend{weir::manual_clock{}, {}};
    static_assert(weir::quota_checking_backend<weir_tests::breakable_backend>);
    const weir::fixed_window too_short{.limit = 1, .window = 999ms};
};

TEST_F(limiter_on_a_backend_that_checks_quotas, cannot_be_made_with_one_that_does_not_count) {
    EXPECT_THROW((weir::rate_limiter{backend, too_short, {.name = "l"}}), std::invalid_argument);
    EXPECT_NO_THROW((weir::rate_limiter{backend, weir::per_second(1), {.name = "l"}}))
        << "the one that was refused took the name";
}

TEST_F(limiter_on_a_backend_that_checks_quotas, a_call_under_one_that_does_not_count_is_invalid) {
    const weir::rate_limiter limiter{backend, weir::per_second(1)};
    EXPECT_EQ(limiter.allow("client", too_short).reason, reason::invalid);
    EXPECT_EQ(limiter.peek("client", too_short).reason, reason::invalid);
    std::optional<decision> told;
    limiter.allow_async("client", too_short, [&](const decision& d) { told = d; });
    ASSERT_TRUE(told);
    EXPECT_EQ(told->reason, reason::invalid);
    std::error_code ec;
    limiter.give_back("client", too_short, 1, ec);
    EXPECT_EQ(ec, std::errc::invalid_argument);
    limiter.forget("client", too_short, ec);
    EXPECT_EQ(ec, std::errc::invalid_argument);
    EXPECT_TRUE(limiter.allow("client", weir::per_hour(1)));
}

} // namespace
