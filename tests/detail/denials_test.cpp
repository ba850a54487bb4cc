#include <weir/detail/denials.hpp>

#include <weir/clock.hpp>
#include <weir/decision.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace {

using weir::decider;
using weir::decision;
using weir::reason;
using weir::time_point;
using weir::detail::denials;
using namespace std::chrono_literals;

constexpr time_point start{std::chrono::sys_days{std::chrono::year{2026} / 1 / 1}};

decision denial(std::chrono::nanoseconds retry_after, std::int64_t remaining = 0) {
    decision answer;
    answer.reason = reason::over_limit;
    answer.limit = 3;
    answer.remaining = remaining;
    answer.retry_after = retry_after;
    answer.reset_after = retry_after + 1s;
    return answer;
}

class denials_test : public testing::Test {
protected:
    denials remembered{1s};

    denials::looked look(std::string_view key, time_point now = start,
                         std::string_view quota = "3 a minute", std::int64_t cost = 1,
                         std::chrono::nanoseconds shift = 0s) {
        return remembered.look(key, quota, 3, cost, shift, now);
    }
    std::optional<decision> recall(std::string_view key, time_point now = start) {
        return look(key, now).known;
    }
    void note(std::string_view key, const decision& answer, time_point now = start) {
        remembered.note(look(key, now).asked, now, answer);
    }
};

TEST_F(denials_test, nothing_is_known_at_first) {
    EXPECT_FALSE(recall("k"));
}

TEST_F(denials_test, a_denial_is_known_for_as_long_as_denials_are_remembered) {
    note("k", denial(1h));
    EXPECT_TRUE(recall("k"));
    EXPECT_TRUE(recall("k", start + 1s - 1ns));
    EXPECT_FALSE(recall("k", start + 1s));
}

TEST_F(denials_test, a_denial_is_known_until_its_retry_after_if_that_comes_first) {
    note("k", denial(10ms));
    EXPECT_TRUE(recall("k", start + 10ms - 1ns));
    EXPECT_FALSE(recall("k", start + 10ms));
}

TEST_F(denials_test, a_denial_is_not_known_to_a_reading_of_the_clock_from_before_it) {
    note("k", denial(1h));
    EXPECT_FALSE(recall("k", start - 1ns));
}

TEST_F(denials_test, a_denial_is_repeated_as_of_now) {
    note("k", denial(20s, 2));
    const std::optional<decision> known = recall("k", start + 300ms);
    ASSERT_TRUE(known);
    EXPECT_FALSE(known->allowed);
    EXPECT_EQ(known->reason, reason::over_limit);
    EXPECT_EQ(known->decided_by, decider::local);
    EXPECT_EQ(known->limit, 3);
    EXPECT_EQ(known->remaining, 2);
    EXPECT_EQ(known->retry_after, 20s - 300ms);
    EXPECT_EQ(known->reset_after, 21s - 300ms);
    EXPECT_FALSE(known->error());
}

TEST_F(denials_test, only_what_time_will_end_is_remembered) {
    decision allowed;
    allowed.allowed = true;
    allowed.reason = reason::within_limit;
    note("allowed", allowed);
    EXPECT_FALSE(recall("allowed"));
    decision impossible;
    impossible.reason = reason::impossible;
    impossible.retry_after = weir::never;
    note("impossible", impossible);
    EXPECT_FALSE(recall("impossible"));
    decision invalid;
    note("invalid", invalid);
    EXPECT_FALSE(recall("invalid"));
    decision failed;
    failed.reason = reason::backend_failed;
    note("failed", failed);
    EXPECT_FALSE(recall("failed"));
}

TEST_F(denials_test, whoever_asks_anything_else_is_not_denied) {
    note("k", denial(1h));
    EXPECT_FALSE(look("other").known);
    EXPECT_FALSE(look("").known);
    EXPECT_FALSE(look("k", start, "4 a minute").known);
    EXPECT_FALSE(look("k", start, "3 a minute", 2).known);
    EXPECT_FALSE(look("k", start, "3 a minute", 1, 1ns).known);
    EXPECT_TRUE(look("k", start, "3 a minute", 1, 0s).known);
}

TEST_F(denials_test, a_later_denial_takes_the_place_of_an_earlier_one) {
    note("k", denial(1h, 2));
    note("k", denial(1h, 1), start + 500ms);
    EXPECT_EQ(recall("k", start + 1400ms)->remaining, 1);
    EXPECT_FALSE(recall("k"));
}

TEST_F(denials_test, a_drop_ends_all_denials_of_the_key) {
    for (const std::int64_t cost : {1, 2, 3}) {
        for (const char* quota : {"3 a minute", "4 a minute"}) {
            remembered.note(look("k", start, quota, cost).asked, start, denial(1h));
        }
    }
    remembered.drop("k");
    for (const std::int64_t cost : {1, 2, 3}) {
        for (const char* quota : {"3 a minute", "4 a minute"}) {
            EXPECT_FALSE(look("k", start, quota, cost).known);
        }
    }
    note("k", denial(1h));
    EXPECT_TRUE(recall("k")) << "a drop is no ban on denials";
}

TEST_F(denials_test, a_drop_of_one_key_leaves_nearly_all_others) {
    int left = 0;
    for (int i = 0; i < 1'000; ++i) {
        note(std::to_string(i), denial(1h));
    }
    remembered.drop("k");
    for (int i = 0; i < 1'000; ++i) {
        left += recall(std::to_string(i)) ? 1 : 0;
    }
    EXPECT_GE(left, 990);
}

TEST_F(denials_test, a_denial_that_was_on_its_way_during_a_drop_is_not_noted) {
    const denials::looked before = look("k");
    remembered.drop("k");
    remembered.note(before.asked, start, denial(1h));
    EXPECT_FALSE(recall("k"));
    // The same where there is memory already.
    note("k", denial(1h));
    const denials::looked again = look("k");
    remembered.drop("k");
    remembered.note(again.asked, start, denial(1h));
    EXPECT_FALSE(recall("k"));
}

TEST_F(denials_test, a_flood_of_denied_keys_is_remembered_up_to_the_capacity_and_the_latest_first) {
    constexpr int flood = 4 * static_cast<int>(denials::capacity);
    for (int i = 0; i < flood; ++i) {
        note(std::to_string(i), denial(1h), start + std::chrono::nanoseconds{i});
    }
    const time_point now = start + std::chrono::nanoseconds{flood};
    std::size_t known = 0;
    std::size_t latest = 0;
    constexpr int few = static_cast<int>(denials::capacity) / 4;
    for (int i = 0; i < flood; ++i) {
        const bool is_known = recall(std::to_string(i), now).has_value();
        known += is_known ? 1 : 0;
        latest += is_known && i >= flood - few ? 1 : 0;
    }
    EXPECT_LE(known, denials::capacity);
    EXPECT_GE(known, denials::capacity * 99 / 100);
    EXPECT_GE(latest, static_cast<std::size_t>(few) * 99 / 100);
}

TEST_F(denials_test, what_is_over_makes_room_before_what_is_not) {
    for (int i = 0; i < static_cast<int>(denials::capacity); ++i) {
        note("short " + std::to_string(i), denial(1ms));
    }
    for (int i = 0; i < 1'000; ++i) {
        note("long " + std::to_string(i), denial(1h));
    }
    for (int i = 0; i < 8'000; ++i) {
        note("new " + std::to_string(i), denial(1h), start + 2ms);
    }
    int kept = 0;
    for (int i = 0; i < 1'000; ++i) {
        kept += recall("long " + std::to_string(i), start + 2ms) ? 1 : 0;
    }
    EXPECT_GE(kept, 990);
}

// ---- every interleaving of two who ask and one who forgets --------------------------------------

/// Two clients who look, ask and note, one pardon that has two steps, and in between everywhere a
/// look by somebody else. The backend denies all; its denials bear, as `remaining`, how many
/// pardons came before them.
class interleaved {
public:
    explicit interleaved(bool backend_first) : backend_first_{backend_first} {}

    /// Runs the steps of the actors in this order: 'a' and 'b' ask, 'f' forgets. False if a denial
    /// from before the pardon was known after it.
    bool run(std::string_view order) {
        bool sound = true;
        for (const char actor : order) {
            actor == 'f' ? forget() : ask(actor == 'a' ? 0 : 1);
            const std::optional<decision> known = look().known;
            sound = sound && !(forgets_done_ == 2 && known && known->remaining == 0);
        }
        return sound;
    }

private:
    struct client {
        int steps = 0;
        denials::looked seen;
        decision answer;
    };

    [[nodiscard]] denials::looked look() { return remembered_.look("k", "", 3, 1, 0s, start); }

    void ask(std::size_t which) {
        client& c = clients_[which];
        switch (c.steps++) {
        case 0:
            c.seen = look();
            break;
        case 1:
            c.answer = denial(1h, pardons_);
            break;
        default:
            remembered_.note(c.seen.asked, start, c.answer);
        }
    }

    void forget() {
        if ((forgets_done_++ == 0) == backend_first_) {
            ++pardons_;
        } else {
            remembered_.drop("k");
        }
    }

    bool backend_first_;
    denials remembered_{1h};
    client clients_[2];
    int forgets_done_ = 0;
    std::int64_t pardons_ = 0;
};

int unsound_interleavings(bool backend_first) {
    int unsound = 0;
    std::string order = "aaabbbff";
    do {
        unsound += interleaved{backend_first}.run(order) ? 0 : 1;
    } while (std::next_permutation(order.begin(), order.end()));
    return unsound;
}

TEST(denials_interleaved, after_a_pardon_no_denial_from_before_it_is_known) {
    EXPECT_EQ(unsound_interleavings(true), 0);
}

TEST(denials_interleaved, with_the_drop_before_the_backend_forgets_the_search_finds_one) {
    EXPECT_GT(unsound_interleavings(false), 0);
}

} // namespace
