#include <weir/redis/commands.hpp>
#include <weir/redis/scripts.hpp>

#include "replies.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using weir::detail::redis::commands;
using weir::detail::redis::script;
using weir::tests::bulk;
using namespace std::string_literals;
using namespace std::string_view_literals;

/// A command as a server reads it, from its parts.
std::string command(const std::vector<std::string>& parts) {
    std::string all = '*' + std::to_string(parts.size()) + "\r\n";
    for (const std::string& part : parts) {
        all += bulk(part);
    }
    return all;
}

template<class... Parts>
std::string encoded(const Parts&... parts) {
    commands c;
    c.add(parts...);
    return std::string{c.bytes()};
}

// ---- encoding ----------------------------------------------------------------------------------

TEST(commands, are_empty_at_first) {
    const commands c;
    EXPECT_EQ(c.bytes(), "");
    EXPECT_EQ(c.count(), 0U);
    EXPECT_FALSE(c.harmless);
    EXPECT_EQ(c.order, 0U);
    EXPECT_EQ(c.called_by_digest(), nullptr);
}

TEST(commands, travel_as_an_array_of_strings) {
    EXPECT_EQ(encoded("GET", "k"), "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n");
    EXPECT_EQ(encoded("PING"), "*1\r\n$4\r\nPING\r\n");
}

TEST(commands, take_strings_of_any_kind) {
    const std::string owned = "GET";
    EXPECT_EQ(encoded(owned, "a"sv, "b"), command({"GET", "a", "b"}));
    EXPECT_EQ(encoded("SET", ""), command({"SET", ""}));
}

TEST(commands, take_bytes_of_any_value) {
    const std::string binary = "\0\r\n$3\r\n\xff"s;
    EXPECT_EQ(encoded("SET", binary), command({"SET", binary}));
}

TEST(commands, write_integers_in_decimal_to_their_limits) {
    EXPECT_EQ(encoded(0, -1, 42), command({"0", "-1", "42"}));
    EXPECT_EQ(encoded(std::numeric_limits<std::int64_t>::max(),
                      std::numeric_limits<std::int64_t>::min(),
                      std::numeric_limits<std::uint64_t>::max()),
              command({"9223372036854775807", "-9223372036854775808", "18446744073709551615"}));
    EXPECT_EQ(encoded(std::numeric_limits<std::int8_t>::min(),
                      std::numeric_limits<std::uint16_t>::max(),
                      std::numeric_limits<std::int32_t>::min(), std::size_t{7}),
              command({"-128", "65535", "-2147483648", "7"}));
}

TEST(commands, write_sizes_of_any_length) {
    for (const std::size_t size : {0U, 1U, 9U, 10U, 99U, 100U, 65'536U, 1'000'000U}) {
        const std::string part(size, 'v');
        EXPECT_EQ(encoded("SET", part), command({"SET", part}));
    }
}

TEST(commands, follow_each_other_in_the_order_in_which_they_were_added) {
    commands c;
    c.add("DEL", "lease");
    c.add("SET", "k", "v", "PX", 1000);
    EXPECT_EQ(c.bytes(), command({"DEL", "lease"}) + command({"SET", "k", "v", "PX", "1000"}));
    EXPECT_EQ(c.count(), 2U);
}

TEST(commands, may_be_written_part_by_part) {
    commands c;
    c.begin(3);
    c.part("MGET");
    c.part("a");
    c.part(7);
    c.add("PING");
    EXPECT_EQ(c.bytes(), command({"MGET", "a", "7"}) + command({"PING"}));
    EXPECT_EQ(c.count(), 2U);
}

TEST(commands, are_read_back_as_they_were_written) {
    EXPECT_TRUE(rc::check([](const std::vector<std::string>& parts) {
        commands c;
        c.begin(parts.size());
        for (const std::string& part : parts) {
            c.part(part);
        }
        const auto seen = weir::tests::read_whole(c.bytes());
        std::string shown;
        for (const std::string& part : parts) {
            shown += (shown.empty() ? "\"" : ", \"") + part + '"';
        }
        RC_ASSERT(!seen.error);
        RC_ASSERT(seen.replies == std::vector<std::string>{'[' + shown + ']'});
    }));
}

// ---- scripts -----------------------------------------------------------------------------------

constexpr script one_key{"return 1", "0123456789012345678901234567890123456789", 1};

TEST(commands, call_a_script_by_its_digest_with_the_number_of_its_keys) {
    commands c;
    c.call(one_key, "k", "argument", 5);
    EXPECT_EQ(c.bytes(),
              command({"EVALSHA", std::string{one_key.digest}, "1", "k", "argument", "5"}));
    EXPECT_EQ(c.count(), 1U);
    EXPECT_NE(c.called_by_digest(), nullptr);
}

TEST(commands, spell_a_script_out_in_the_place_of_its_digest) {
    commands c;
    c.call(one_key, "k", "argument", 5);
    c.spell_out();
    EXPECT_EQ(c.bytes(), command({"EVAL", "return 1", "1", "k", "argument", "5"}));
    EXPECT_EQ(c.count(), 1U);
    EXPECT_EQ(c.called_by_digest(), nullptr);
}

/// The call of a script with `argument`, so many times.
template<std::size_t... I>
commands call_with(const script& s, const std::string& argument, std::index_sequence<I...>) {
    commands c;
    c.call(s, (static_cast<void>(I), argument)...);
    return c;
}

template<std::size_t Count>
void spells_out(const script& s, const std::string& argument) {
    commands c = call_with(s, argument, std::make_index_sequence<Count>{});
    std::vector<std::string> parts{"EVALSHA", std::string{s.digest}, std::to_string(s.keys)};
    parts.insert(parts.end(), Count, argument);
    ASSERT_EQ(c.bytes(), command(parts));
    c.spell_out();
    parts[0] = "EVAL";
    parts[1] = s.text;
    EXPECT_EQ(c.bytes(), command(parts));
}

TEST(commands, spell_out_scripts_and_arguments_of_any_size) {
    // Around every number of digits that lengths and the count of parts, which are three more, have.
    for (const std::size_t text :
         {0U, 1U, 9U, 10U, 99U, 100U, 999U, 1000U, 9999U, 10'000U, 100'000U}) {
        const std::string body(text, 't');
        const std::string digest(40, 'd');
        for (const std::size_t keys : {0U, 9U, 10U, 100U}) {
            const script s{body, digest, keys};
            for (const std::size_t size : {0U, 1U, 9U, 10U, 99U, 100U, 7'000U}) {
                const std::string argument(size, '\n');
                spells_out<0>(s, argument);
                spells_out<1>(s, argument);
                spells_out<6>(s, argument);
                spells_out<7>(s, argument);
                spells_out<96>(s, argument);
                spells_out<97>(s, argument);
            }
        }
    }
}

TEST(commands, spell_out_leaves_the_arguments_as_they_are) {
    // Arguments that look like what is replaced, or are large.
    const std::string digest{one_key.digest};
    for (const std::string& argument : {"EVALSHA"s, digest, "\r\n"s, "$7\r\nEVALSHA\r\n"s,
                                        "*5\r\n"s, std::string(1'000'000, 'v'), "\0"s}) {
        commands c;
        c.call(one_key, "EVALSHA", argument, digest);
        c.spell_out();
        EXPECT_EQ(c.bytes(), command({"EVAL", "return 1", "1", "EVALSHA", argument, digest}));
    }
}

TEST(commands, spell_out_every_script_of_the_library) {
    for (const script* const s :
         {&weir::detail::redis::give_back_script, &weir::detail::redis::add_script,
          &weir::detail::redis::put_if_leased_script, &weir::detail::redis::release_script}) {
        commands c;
        c.call(*s, "key", "other");
        c.spell_out();
        EXPECT_EQ(c.bytes(),
                  command({"EVAL", std::string{s->text}, std::to_string(s->keys), "key", "other"}));
    }
}

TEST(commands, keep_all_that_is_said_of_them_when_they_are_moved) {
    commands c;
    c.harmless = true;
    c.order = 7;
    c.call(one_key, "k");
    const commands moved = std::move(c);
    EXPECT_TRUE(moved.harmless);
    EXPECT_EQ(moved.order, 7U);
    EXPECT_NE(moved.called_by_digest(), nullptr);
    EXPECT_EQ(moved.count(), 1U);
}

} // namespace
