// Bytes leave in their order, and not before their time.

#include "held_bytes.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

namespace {

using weir::tests::held_bytes;
using namespace std::chrono_literals;

constexpr held_bytes::time_point start{1h};

TEST(held_bytes, nothing_is_due_before_its_time) {
    held_bytes held;
    held.append("abc", start + 2ms);
    EXPECT_EQ(held.due(start + 2ms - 1ns), "");
    EXPECT_EQ(held.due(start + 2ms), "abc");
    EXPECT_EQ(held.size(), 3U);
}

TEST(held_bytes, what_came_later_is_due_later) {
    held_bytes held;
    held.append("abc", start + 1ms);
    held.append("def", start + 2ms);
    EXPECT_EQ(held.due(start + 1ms), "abc");
    EXPECT_EQ(held.due(start + 2ms), "abcdef");
}

TEST(held_bytes, what_came_later_is_not_due_earlier) {
    held_bytes held;
    held.append("slow", start + 9ms);
    held.append("fast", start);
    EXPECT_EQ(held.due(start + 1ms), "");
    EXPECT_EQ(held.due(start + 9ms), "slowfast");
}

TEST(held_bytes, the_first_due_time_is_told_and_none_when_it_is_empty) {
    held_bytes held;
    EXPECT_EQ(held.first_due(), held_bytes::never);
    held.append("", start);
    EXPECT_EQ(held.first_due(), held_bytes::never);
    held.append("a", start + 1ms);
    held.append("b", start + 2ms);
    EXPECT_EQ(held.first_due(), start + 1ms);
    EXPECT_EQ(held.due(start + 1ms), "a");
    EXPECT_LE(held.first_due(), start + 1ms) << "it is due and still there";
    held.remove_prefix(1);
    EXPECT_EQ(held.first_due(), start + 2ms);
}

TEST(held_bytes, all_bytes_come_out_as_they_went_in_however_much_is_taken_at_a_time) {
    for (std::size_t taken = 1; taken <= 7; ++taken) {
        held_bytes held;
        std::string in;
        std::string out;
        for (int i = 0; i < 100; ++i) {
            const std::string bytes = std::to_string(i) + ' ';
            in += bytes;
            held.append(bytes, start + std::chrono::milliseconds{i});
            const std::string_view due = held.due(start + std::chrono::milliseconds{i / 2});
            const std::string_view some = due.substr(0, taken);
            out += some;
            held.remove_prefix(some.size());
        }
        out += held.due(start + 1s);
        EXPECT_EQ(out, in);
    }
}

} // namespace
