// Limiters on a backend that processes may share remember its denials.

#include "support/late_backend.hpp"

#include <weir/memory.hpp>
#include <weir/quota/fixed_window.hpp>
#include <weir/rate_limiter.hpp>
#include <weir/testing.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

using namespace std::chrono_literals;
using testing::AllOf;
using testing::HasSubstr;

namespace {

using weir::decider;
using weir::decision;
using weir::reason;

using memory_backend = weir::basic_memory_backend<weir::manual_clock>;
using backend_type = weir::failing_backend<memory_backend>;

/// Both faces of a limiter, over the same backend, behave alike.
template<class Limiter>
class limiter_that_remembers : public testing::Test {
protected:
    weir::manual_clock clock;
    backend_type backend{memory_backend{clock}};

    Limiter make(weir::fixed_window quota = weir::per_minute(3),
                 weir::limiter_options options = {}) {
        return Limiter{backend, quota, weir::on_failure::deny, std::move(options)};
    }

    /// How many calls of the backend it takes to do `something`.
    template<class F>
    std::int64_t calls_of(const F& something) {
        const std::int64_t before = backend.calls();
        something();
        return backend.calls() - before;
    }
};

using faces =
    testing::Types<weir::rate_limiter, weir::basic_rate_limiter<weir::fixed_window, backend_type>>;
TYPED_TEST_SUITE(limiter_that_remembers, faces);

TYPED_TEST(limiter_that_remembers, repeats_a_denial_without_asking_the_backend) {
    const auto limiter = this->make();
    ASSERT_TRUE(limiter.allow("client", 3));
    const decision first = limiter.allow("client");
    EXPECT_EQ(first.decided_by, decider::backend);
    EXPECT_EQ(this->calls_of([&] {
        for (int i = 0; i < 100; ++i) {
            const decision again = limiter.allow("client");
            EXPECT_FALSE(again);
            EXPECT_EQ(again.reason, reason::over_limit);
            EXPECT_EQ(again.decided_by, decider::local);
            EXPECT_FALSE(again.error());
            EXPECT_EQ(again.limit, 3);
            EXPECT_EQ(again.remaining, 0);
            EXPECT_EQ(again.retry_after, 1min);
            EXPECT_EQ(weir::http_status(again), 429);
        }
    }),
              0);
}

TYPED_TEST(limiter_that_remembers, asks_again_after_a_second) {
    const auto limiter = this->make();
    ASSERT_TRUE(limiter.allow("client", 3));
    ASSERT_FALSE(limiter.allow("client"));
    this->clock.advance(1s - 1ns);
    const decision last = limiter.allow("client");
    EXPECT_EQ(last.decided_by, decider::local);
    EXPECT_EQ(last.retry_after, 59s + 1ns);
    EXPECT_EQ(last.reset_after, 59s + 1ns);
    this->clock.advance(1ns);
    EXPECT_EQ(limiter.allow("client").decided_by, decider::backend);
}

TYPED_TEST(limiter_that_remembers, denies_until_retry_after_and_allows_at_it) {
    const auto limiter = this->make(weir::per_minute(3), {.remember_denials = 1h});
    ASSERT_TRUE(limiter.allow("client", 3));
    const decision denied = limiter.allow("client");
    this->clock.advance(denied.retry_after - 1ns);
    EXPECT_EQ(limiter.allow("client").retry_after, 1ns);
    this->clock.advance(1ns);
    EXPECT_TRUE(limiter.allow("client"));
}

TYPED_TEST(limiter_that_remembers, whoever_asks_for_anything_else_is_answered_by_the_backend) {
    const auto limiter = this->make();
    ASSERT_TRUE(limiter.allow("client", 2));
    ASSERT_FALSE(limiter.allow("client", 2));
    EXPECT_TRUE(limiter.allow("client", 1));
    EXPECT_TRUE(limiter.allow("client", weir::per_minute(5), 2));
    EXPECT_TRUE(limiter.allow("client", weir::per_hour(3), 2));
    EXPECT_TRUE(limiter.allow("stranger", 2));
    EXPECT_EQ(limiter.allow("client", 2).decided_by, decider::local);
}

TYPED_TEST(limiter_that_remembers, denials_under_a_quota_of_the_call_are_remembered_too) {
    const auto limiter = this->make();
    const weir::fixed_window hourly = weir::per_hour(1);
    ASSERT_TRUE(limiter.allow("client", hourly));
    ASSERT_FALSE(limiter.allow("client", hourly));
    EXPECT_EQ(limiter.allow("client", hourly).decided_by, decider::local);
    EXPECT_EQ(limiter.allow("client", hourly).retry_after, 1h);
    limiter.forget("client", hourly);
    EXPECT_TRUE(limiter.allow("client", hourly));
}

TYPED_TEST(limiter_that_remembers, peeks_and_costs_of_nothing_always_ask) {
    const auto limiter = this->make();
    ASSERT_TRUE(limiter.allow("client", weir::per_minute(5), 5));
    ASSERT_FALSE(limiter.allow("client"));
    for (int i = 0; i < 2; ++i) {
        EXPECT_EQ(limiter.peek("client").decided_by, decider::backend);
        EXPECT_FALSE(limiter.allow("client", 0));
        EXPECT_EQ(limiter.allow("client", 0).decided_by, decider::backend);
    }
}

TYPED_TEST(limiter_that_remembers, what_is_impossible_is_not_remembered) {
    const auto limiter = this->make();
    for (int i = 0; i < 2; ++i) {
        EXPECT_EQ(limiter.allow("client", 4).reason, reason::impossible);
        EXPECT_EQ(limiter.allow("client", 4).decided_by, decider::backend);
    }
}

TYPED_TEST(limiter_that_remembers, forget_and_give_back_end_a_denial_at_once) {
    const auto limiter = this->make();
    const auto copy = limiter;
    ASSERT_TRUE(limiter.allow("client", 3));
    ASSERT_FALSE(limiter.allow("client"));
    copy.give_back("client");
    EXPECT_TRUE(limiter.allow("client"));
    ASSERT_FALSE(limiter.allow("client"));
    copy.forget("client");
    EXPECT_TRUE(limiter.allow("client", 3));
}

TYPED_TEST(limiter_that_remembers, a_pardon_elsewhere_is_noticed_within_the_time) {
    const auto limiter = this->make(weir::per_minute(3), {.name = "l", .remember_denials = 200ms});
    const auto apart = this->make(weir::per_minute(3), {.name = "l", .remember_denials = 200ms});
    ASSERT_TRUE(limiter.allow("client", 3));
    ASSERT_FALSE(limiter.allow("client"));
    apart.forget("client");
    EXPECT_FALSE(limiter.allow("client"));
    this->clock.advance(200ms);
    EXPECT_TRUE(limiter.allow("client"));
}

TYPED_TEST(limiter_that_remembers, remembers_nothing_if_it_is_told_so) {
    const auto limiter = this->make(weir::per_minute(3), {.remember_denials = 0s});
    ASSERT_TRUE(limiter.allow("client", 3));
    EXPECT_EQ(this->calls_of([&] {
        EXPECT_EQ(limiter.allow("client").decided_by, decider::backend);
        EXPECT_EQ(limiter.allow("client").decided_by, decider::backend);
    }),
              2);
}

TYPED_TEST(limiter_that_remembers, a_denial_is_not_repeated_to_an_earlier_reading_of_the_clock) {
    const auto limiter = this->make();
    const weir::time_point now = this->clock.now();
    ASSERT_TRUE(limiter.allow("client", 3, now + 10s));
    ASSERT_FALSE(limiter.allow("client", 1, now + 10s));
    EXPECT_EQ(limiter.allow("client", 1, now + 10s).decided_by, decider::local);
    EXPECT_EQ(limiter.allow("client", 1, now + 10s - 1ns).decided_by, decider::backend);
    EXPECT_EQ(limiter.allow("client", 1, now + 11s).decided_by, decider::backend);
}

TYPED_TEST(limiter_that_remembers, a_denial_that_is_known_stays_one_in_an_outage) {
    const auto limiter = this->make();
    ASSERT_TRUE(limiter.allow("client", 3));
    ASSERT_FALSE(limiter.allow("client"));
    this->backend.fail_with(weir::errc::unavailable);
    EXPECT_EQ(limiter.allow("client").reason, reason::over_limit);
    EXPECT_EQ(limiter.allow("stranger").reason, reason::backend_failed);
    this->clock.advance(1s);
    EXPECT_EQ(limiter.allow("client").reason, reason::backend_failed);
}

TYPED_TEST(limiter_that_remembers, a_denial_in_place_of_an_answer_is_not_remembered) {
    const TypeParam limiter{this->backend, weir::per_minute(1), weir::on_failure::local};
    this->backend.fail_with(weir::errc::unavailable);
    ASSERT_TRUE(limiter.allow("client"));
    ASSERT_EQ(limiter.allow("client").reason, reason::over_limit);
    this->backend.recover();
    EXPECT_TRUE(limiter.allow("client"));
}

TYPED_TEST(limiter_that_remembers, a_time_out_of_range_is_refused_with_value_and_range) {
    const auto message = [&](std::chrono::nanoseconds time) {
        try {
            this->make(weir::per_minute(3), {.remember_denials = time});
        } catch (const std::invalid_argument& error) {
            return std::string{error.what()};
        }
        return std::string{"not refused"};
    };
    EXPECT_THAT(message(-1ns), AllOf(HasSubstr("remember_denials is -1ns"), HasSubstr("to 1h")));
    EXPECT_THAT(message(1h + 1ns), HasSubstr("3600000000001ns"));
    EXPECT_EQ(message(1h), "not refused");
}

TEST(limiter_in_memory, remembers_no_denials) {
    const weir::manual_clock clock;
    const memory_backend memory{clock};
    const weir::rate_limiter limiter{memory, weir::per_minute(1), {.name = "l"}};
    const weir::rate_limiter apart{memory, weir::per_minute(1), {.name = "l"}};
    ASSERT_TRUE(limiter.allow("client"));
    ASSERT_FALSE(limiter.allow("client"));
    apart.forget("client");
    EXPECT_TRUE(limiter.allow("client"));
}

// ---- denials on their way ----------------------------------------------------------------------

class denial_on_its_way : public testing::Test {
protected:
    weir::manual_clock clock;
    weir_tests::late_backend<backend_type> backend{backend_type{memory_backend{clock}}};
    weir::rate_limiter limiter{backend, weir::per_minute(1), weir::on_failure::deny};
    std::optional<decision> answer;

    void SetUp() override {
        ASSERT_TRUE(limiter.allow("client"));
        limiter.allow_async("client", [this](const decision& d) { answer = d; });
        ASSERT_FALSE(answer);
    }
    void deliver() {
        backend.answers().deliver();
        ASSERT_TRUE(answer);
        EXPECT_EQ(answer->reason, reason::over_limit);
    }
};

TEST_F(denial_on_its_way, is_remembered_when_it_comes) {
    deliver();
    EXPECT_EQ(limiter.allow("client").decided_by, decider::local);
}

TEST_F(denial_on_its_way, is_not_remembered_after_a_pardon) {
    limiter.forget("client");
    deliver();
    EXPECT_TRUE(limiter.allow("client"));
}

TEST_F(denial_on_its_way, is_not_remembered_after_permits_were_given_back) {
    limiter.give_back("client");
    deliver();
    EXPECT_TRUE(limiter.allow("client"));
}

TEST_F(denial_on_its_way, is_not_remembered_after_a_pardon_that_may_have_been_applied) {
    std::error_code ec;
    weir::manual_clock other;
    const backend_type losing{memory_backend{other}};
    const weir_tests::late_backend<backend_type> late{losing};
    const weir::rate_limiter l{late, weir::per_minute(1), weir::on_failure::deny};
    ASSERT_TRUE(l.allow("client"));
    l.allow_async("client", [this](const decision& d) { answer = d; });
    losing.lose_answers();
    l.forget("client", ec);
    EXPECT_EQ(ec, weir::errc::timeout);
    losing.recover();
    late.answers().deliver();
    EXPECT_TRUE(l.allow("client"));
}

/// Lets something else happen before it applies what it is asked.
class interrupted_backend {
public:
    explicit interrupted_backend(backend_type inside) : inside_{std::move(inside)} {}

    void interrupt_once(std::function<void()> by) const { *interruption_ = std::move(by); }

    [[nodiscard]] weir::time_point now() const noexcept { return inside_.now(); }

    template<weir::counter_step Step>
    typename Step::result_type update(const weir::counter_space& space, std::string_view key,
                                      const Step& step, weir::time_point now, std::error_code& ec) {
        if (const auto interrupt = std::exchange(*interruption_, nullptr)) {
            interrupt();
        }
        return inside_.update(space, key, step, now, ec);
    }

private:
    backend_type inside_;
    std::shared_ptr<std::function<void()>> interruption_ =
        std::make_shared<std::function<void()>>();
};

TEST(denial_during_a_pardon, is_over_when_the_pardon_returns) {
    const weir::manual_clock clock;
    const interrupted_backend backend{backend_type{memory_backend{clock}}};
    const weir::rate_limiter limiter{backend, weir::per_minute(1), weir::on_failure::deny};
    const auto pardon = {+[](const weir::rate_limiter& l) { l.forget("client"); },
                         +[](const weir::rate_limiter& l) { l.give_back("client"); }};
    for (const auto& pardoned : pardon) {
        limiter.forget("client");
        ASSERT_TRUE(limiter.allow("client"));
        backend.interrupt_once([&] { EXPECT_FALSE(limiter.allow("client")); });
        pardoned(limiter);
        EXPECT_TRUE(limiter.allow("client"));
    }
}

} // namespace
