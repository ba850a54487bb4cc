#include <weir/error.hpp>
#include <weir/redis/reply.hpp>
#include <weir/redis/reply_reader.hpp>

#include "allocations.hpp"
#include "replies.hpp"

#include <dlfcn.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <hiredis/read.h>
#include <rapidcheck.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <system_error>
#include <tuple>
#include <vector>

namespace {

/// By how many bytes the parser has moved what it had not parsed yet, on this thread.
thread_local std::size_t moved_by_parser = 0;

} // namespace

/// In front of the parser's own function of this name: counts what it costs.
extern "C" int redisReaderGetReply(redisReader* reader, void** reply) {
    static auto* const original =
        reinterpret_cast<decltype(&redisReaderGetReply)>(::dlsym(RTLD_NEXT, "redisReaderGetReply"));
    const std::size_t before = reader->len;
    const int result = original(reader, reply);
    moved_by_parser += reader->len < before ? reader->len : 0;
    return result;
}

namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using weir::errc;
using weir::make_error_code;
using weir::detail::redis::reply;
using weir::detail::redis::reply_limits;
using weir::detail::redis::reply_reader;
using weir::tests::allocations;
using weir::tests::bulk;
using weir::tests::every_lack_of_memory;
using weir::tests::read_in_pieces;
using weir::tests::read_split;
using weir::tests::read_whole;
using weir::tests::reading;
using weir::tests::recording_reader;
using weir::tests::repeated;
using weir::tests::scarce_memory;
using weir::tests::shown;
using namespace std::string_literals;

constexpr std::size_t slice = std::size_t{16} << 10;

/// The only reply of a stream, as text.
std::string only(std::string_view bytes) {
    const reading r = read_whole(bytes);
    EXPECT_FALSE(r.error) << r.error.message();
    EXPECT_THAT(r.replies, SizeIs(1));
    return r.replies.empty() ? std::string{} : r.replies[0];
}

/// The error that a stream ends with; none if it is fine as far as it goes.
std::error_code error_of(std::string_view bytes, const reply_limits& limits = {}) {
    return read_whole(bytes, limits).error;
}

// ---- what servers send -------------------------------------------------------------------------

TEST(reply_reader, reads_every_kind_of_reply) {
    EXPECT_EQ(only("+OK\r\n"), "+OK");
    EXPECT_EQ(only("-ERR unknown command\r\n"), "-ERR unknown command");
    EXPECT_EQ(only(":42\r\n"), ":42");
    EXPECT_EQ(only("$5\r\nhello\r\n"), "\"hello\"");
    EXPECT_EQ(only("*2\r\n+a\r\n:1\r\n"), "[+a, :1]");
}

TEST(reply_reader, reads_nil_in_both_spellings) {
    EXPECT_EQ(only("$-1\r\n"), "nil");
    EXPECT_EQ(only("*-1\r\n"), "nil");
    EXPECT_EQ(only("*3\r\n$-1\r\n*-1\r\n:1\r\n"), "[nil, nil, :1]");
}

TEST(reply_reader, tells_what_is_empty_from_nil) {
    EXPECT_EQ(only("+\r\n"), "+");
    EXPECT_EQ(only("-\r\n"), "-");
    EXPECT_EQ(only("$0\r\n\r\n"), "\"\"");
    EXPECT_EQ(only("*0\r\n"), "[]");
    EXPECT_EQ(only("*2\r\n*0\r\n$0\r\n\r\n"), "[[], \"\"]");
}

TEST(reply_reader, reads_integers_to_their_limits) {
    EXPECT_EQ(only(":0\r\n"), ":0");
    EXPECT_EQ(only(":-1\r\n"), ":-1");
    EXPECT_EQ(only(":9223372036854775807\r\n"), ":9223372036854775807");
    EXPECT_EQ(only(":-9223372036854775808\r\n"), ":-9223372036854775808");
}

TEST(reply_reader, reads_strings_of_any_bytes) {
    std::string every_byte;
    for (int byte = 0; byte != 256; ++byte) {
        every_byte += static_cast<char>(byte);
    }
    for (const std::string& bytes : {"\0"s, "\r\n"s, "a\r\nb"s, "\r\n\r\n"s, "$3\r\nabc\r\n"s,
                                     "+OK\r\n\0-ERR\r\n"s, every_byte}) {
        EXPECT_EQ(only(bulk(bytes)), '"' + bytes + '"');
        EXPECT_EQ(only("*2\r\n" + bulk(bytes) + bulk(bytes)),
                  "[\"" + bytes + "\", \"" + bytes + "\"]");
    }
}

TEST(reply_reader, reads_arrays_in_arrays) {
    EXPECT_EQ(only("*2\r\n$1\r\n0\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n"), "[\"0\", [\"a\", \"b\"]]");
    EXPECT_EQ(only("*3\r\n*1\r\n*1\r\n:1\r\n*0\r\n*2\r\n-ERR\r\n*1\r\n$-1\r\n"),
              "[[[:1]], [], [-ERR, [nil]]]");
}

TEST(reply_reader, reads_many_replies_of_one_piece_in_their_order) {
    EXPECT_THAT(read_whole("+OK\r\n:1\r\n$1\r\nx\r\n*0\r\n$-1\r\n").replies,
                ElementsAre("+OK", ":1", "\"x\"", "[]", "nil"));
}

TEST(reply_reader, gives_the_code_of_an_error) {
    reply_reader reader;
    std::vector<std::string> codes;
    const std::error_code error =
        reader.feed("-WRONGTYPE Operation against a key\r\n-OOM\r\n-\r\n", [&](const reply& r) {
            EXPECT_TRUE(r.is_error());
            codes.emplace_back(r.code());
        });
    EXPECT_FALSE(error);
    EXPECT_THAT(codes, ElementsAre("WRONGTYPE", "OOM", ""));
}

// ---- in whatever pieces ------------------------------------------------------------------------

/// What a connection may bring: every kind, and whatever has an end that could be taken for another.
std::string long_stream() {
    std::string nested = ":7\r\n";
    for (int depth = 0; depth != 5; ++depth) {
        nested = "*2\r\n" + nested + "$-1\r\n";
    }
    return "+OK\r\n-ERR no\r\n:-9223372036854775808\r\n$-1\r\n*-1\r\n" + bulk("\r\n$1\r\n\0x"s) +
           bulk("") + "*0\r\n" + nested + "*3\r\n" + bulk("a") + "*2\r\n:1\r\n-OOM no\r\n" +
           bulk("b") + "+\r\n" + bulk(std::string(300, '\r')) + ":0\r\n";
}

TEST(reply_reader, reads_the_same_wherever_a_stream_is_split) {
    const std::string stream = long_stream();
    const reading whole = read_whole(stream);
    ASSERT_FALSE(whole.error);
    ASSERT_THAT(whole.replies, SizeIs(13));
    for (std::size_t at = 0; at <= stream.size(); ++at) {
        EXPECT_EQ(read_split(stream, at), whole) << "split at " << at;
    }
}

TEST(reply_reader, reads_the_same_in_pieces_of_any_size) {
    const std::string stream = long_stream();
    const reading whole = read_whole(stream);
    for (std::size_t piece = 1; piece <= stream.size(); ++piece) {
        EXPECT_EQ(read_in_pieces(stream, piece), whole) << "pieces of " << piece;
    }
}

TEST(reply_reader, reads_the_same_in_slices_of_16_kib_and_across_them) {
    // Replies whose ends fall on every place around the border of a slice.
    std::string stream;
    for (std::size_t size = 0; size != 60; ++size) {
        stream += bulk(std::string(slice - 30 + size, 'x')) + ":1\r\n";
    }
    const reading whole = read_whole(stream);
    ASSERT_FALSE(whole.error);
    ASSERT_THAT(whole.replies, SizeIs(120));
    EXPECT_EQ(read_in_pieces(stream, slice), whole);
    EXPECT_EQ(read_in_pieces(stream, slice - 1), whole);
    EXPECT_EQ(read_in_pieces(stream, slice + 1), whole);
    EXPECT_EQ(read_in_pieces(stream, 997), whole);
}

TEST(reply_reader, gives_a_reply_with_its_last_byte_and_not_before) {
    const std::string stream = "+OK\r\n" + bulk("ab") + "*2\r\n:1\r\n" + bulk("\r\n");
    const std::vector<std::size_t> ends{5, 13, stream.size()};
    recording_reader reader;
    for (std::size_t fed = 1; fed <= stream.size(); ++fed) {
        ASSERT_TRUE(reader.feed(stream.substr(fed - 1, 1)));
        const auto complete =
            std::count_if(ends.begin(), ends.end(), [fed](std::size_t end) { return end <= fed; });
        EXPECT_EQ(reader.seen().replies.size(), static_cast<std::size_t>(complete))
            << "after " << fed << " bytes";
    }
}

TEST(reply_reader, takes_an_empty_piece_for_nothing) {
    recording_reader reader;
    EXPECT_TRUE(reader.feed(""));
    EXPECT_TRUE(reader.feed("$2\r\n"));
    EXPECT_TRUE(reader.feed(""));
    EXPECT_TRUE(reader.feed("ab\r\n"));
    EXPECT_THAT(reader.seen().replies, ElementsAre("\"ab\""));
}

/// Bytes that are likely to mean something to a reader.
rc::Gen<std::string> any_stream() {
    return rc::gen::map(
        rc::gen::container<std::vector<std::string>>(rc::gen::element(
            "+OK\r\n"s, "-ERR\r\n"s, ":12\r\n"s, "$-1\r\n"s, "$3\r\nabc\r\n"s, "$0\r\n\r\n"s,
            "*2\r\n"s, "*0\r\n"s, "*-1\r\n"s, "*1\r\n"s, "\r\n"s, "\r"s, "\n"s, "$"s, "1"s, "99"s,
            "-"s, "*"s, ":"s, "x"s, "%1\r\n"s, "_\r\n"s, "$40\r\n"s, "\0"s)),
        [](const std::vector<std::string>& parts) {
            std::string all;
            for (const std::string& part : parts) {
                all += part;
            }
            return all;
        });
}

TEST(reply_reader, makes_the_same_of_good_and_bad_streams_in_whatever_pieces) {
    constexpr reply_limits small{.bytes = 30, .elements = 6, .depth = 2};
    EXPECT_TRUE(rc::check([&] {
        const std::string stream = *any_stream() + "+";
        const std::size_t piece = *rc::gen::inRange<std::size_t>(1, stream.size() + 1);
        RC_ASSERT(read_in_pieces(stream, piece, small) == read_whole(stream, small));
        RC_ASSERT(read_split(stream, piece, small) == read_whole(stream, small));
    }));
}

// ---- much at once ------------------------------------------------------------------------------

TEST(reply_reader, does_work_in_proportion_to_a_piece_of_many_megabytes) {
    // Of these replies the parser moves all that follows them, each time.
    const std::string stream = repeated(20'000, bulk(std::string(1'100, 'v')));
    std::size_t count = 0;
    reply_reader reader;
    const std::size_t before = moved_by_parser;
    ASSERT_FALSE(reader.feed(stream, [&](const reply& r) { count += r.text.size() == 1'100; }));
    EXPECT_EQ(count, 20'000U);
    EXPECT_GT(moved_by_parser, before) << "nothing is counted here";
    // A slice at most for each 1024 bytes that it has parsed.
    EXPECT_LE(moved_by_parser - before, stream.size() / 1024 * slice);
}

TEST(reply_reader, copies_a_long_string_once) {
    const std::string bytes(20'000'000, 'v');
    const std::string stream = bulk(bytes);
    reply_reader reader;
    const allocations seen;
    std::size_t size = 0;
    ASSERT_FALSE(reader.feed(stream, [&](const reply& r) { size = r.text.size(); }));
    EXPECT_EQ(size, bytes.size());
    EXPECT_LE(seen.bytes(), bytes.size() + 1000);
}

TEST(reply_reader, reads_any_number_of_replies_in_the_same_room) {
    reply_reader reader;
    std::size_t count = 0;
    const std::string stream = repeated(100, "*2\r\n" + bulk(std::string(40, 'k')) + ":1\r\n");
    const allocations seen;
    for (int round = 0; round != 1000; ++round) {
        ASSERT_FALSE(reader.feed(stream, [&](const reply& r) { count += r.elements.size(); }));
    }
    EXPECT_EQ(count, 200'000U);
    EXPECT_LE(seen.largest(), 1000U);
}

// ---- limits ------------------------------------------------------------------------------------

TEST(reply_reader, takes_strings_to_the_limit_of_bytes_and_not_beyond) {
    constexpr reply_limits limits{.bytes = 10};
    EXPECT_FALSE(error_of(bulk(std::string(10, 'x')), limits));
    EXPECT_EQ(error_of(bulk(std::string(11, 'x')), limits), errc::reply_too_large);
    EXPECT_FALSE(error_of("+0123456789\r\n", limits));
    EXPECT_EQ(error_of("+0123456789a\r\n", limits), errc::reply_too_large);
    EXPECT_EQ(error_of("-0123456789a\r\n", limits), errc::reply_too_large);
}

TEST(reply_reader, counts_the_bytes_of_all_elements_together) {
    constexpr reply_limits limits{.bytes = 10};
    EXPECT_FALSE(error_of("*2\r\n" + bulk("01234") + "*1\r\n" + bulk("56789"), limits));
    EXPECT_EQ(error_of("*2\r\n" + bulk("01234") + "*1\r\n" + bulk("56789a"), limits),
              errc::reply_too_large);
    EXPECT_EQ(error_of("*2\r\n" + bulk("01234") + "+56789a\r\n", limits), errc::reply_too_large);
}

TEST(reply_reader, takes_arrays_to_the_limit_of_elements_and_not_beyond) {
    constexpr reply_limits limits{.elements = 4};
    EXPECT_FALSE(error_of("*4\r\n:1\r\n:1\r\n:1\r\n:1\r\n", limits));
    EXPECT_EQ(error_of("*5\r\n", limits), errc::reply_too_large);
    EXPECT_FALSE(error_of("*2\r\n*2\r\n:1\r\n:1\r\n*0\r\n", limits));
    EXPECT_EQ(error_of("*2\r\n*2\r\n:1\r\n:1\r\n*1\r\n", limits), errc::reply_too_large);
}

TEST(reply_reader, takes_arrays_in_arrays_to_the_limit_of_depth_and_not_beyond) {
    EXPECT_FALSE(error_of(repeated(6, "*1\r\n") + ":1\r\n"));
    EXPECT_EQ(error_of(repeated(7, "*1\r\n")), errc::reply_too_large);
    EXPECT_EQ(error_of(repeated(6, "*1\r\n") + "*0\r\n"), errc::reply_too_large);
    EXPECT_EQ(error_of(repeated(2'000'000, "*1\r\n")), errc::reply_too_large);
    EXPECT_FALSE(error_of(repeated(6, "*2\r\n:1\r\n") + "*-1\r\n"));
}

TEST(reply_reader, counts_anew_for_every_reply) {
    constexpr reply_limits limits{.bytes = 10, .elements = 2, .depth = 1};
    const std::string one = "*2\r\n" + bulk("01234") + bulk("56789");
    const reading r = read_whole(repeated(50, one), limits);
    EXPECT_FALSE(r.error);
    EXPECT_THAT(r.replies, SizeIs(50));
}

TEST(reply_reader, refuses_a_string_too_long_as_soon_as_it_is_announced) {
    EXPECT_EQ(error_of("$67108865\r\n"), errc::reply_too_large);
    EXPECT_EQ(error_of("$9223372036854775807\r\n"), errc::reply_too_large);
    EXPECT_EQ(error_of("*2\r\n" + bulk("01234") + "$6\r\n", {.bytes = 10}), errc::reply_too_large);
    EXPECT_FALSE(error_of("$67108864\r\n"));
}

TEST(reply_reader, makes_no_room_for_arrays_that_it_refuses) {
    for (const char* const header :
         {"*262145\r\n", "*2147483647\r\n", "*9223372036854775807\r\n"}) {
        reply_reader reader;
        const allocations seen;
        EXPECT_TRUE(reader.feed(header, [](const reply&) {}));
        EXPECT_LT(seen.bytes(), 1000U);
    }
}

TEST(reply_reader, makes_room_for_an_announced_array_within_its_limit_only) {
    reply_reader reader;
    const allocations seen;
    EXPECT_FALSE(reader.feed("*262144\r\n", [](const reply&) {}));
    EXPECT_LE(seen.bytes(), (sizeof(reply) + 8) << 18);
}

/// How many bytes a reader takes of a stream without end, in such pieces, before it refuses them.
std::size_t taken_of_endless(std::string_view beginning, char more, std::size_t piece) {
    recording_reader reader;
    EXPECT_TRUE(reader.feed(beginning));
    const std::string next(piece, more);
    std::size_t taken = 0;
    while (taken < (std::size_t{1} << 20) && reader.feed(next)) {
        taken += piece;
    }
    EXPECT_EQ(reader.seen().error, errc::protocol_error) << beginning << more;
    EXPECT_THAT(reader.seen().replies, IsEmpty());
    return taken;
}

TEST(reply_reader, does_not_wait_for_the_end_of_an_endless_line) {
    for (const std::size_t piece : {std::size_t{1}, slice}) {
        EXPECT_LE(taken_of_endless("+", 'a', piece), slice + piece);
        EXPECT_LE(taken_of_endless("-ERR ", 'a', piece), slice + piece);
        EXPECT_LE(taken_of_endless("+", '\r', piece), slice + piece);
        EXPECT_LE(taken_of_endless(":", '1', piece), 22 + piece);
        EXPECT_LE(taken_of_endless("$", '0', piece), 22 + piece);
        EXPECT_LE(taken_of_endless("*", '9', piece), 22 + piece);
        EXPECT_LE(taken_of_endless("*2\r\n*1\r\n-", 'a', piece), slice + piece);
    }
}

TEST(reply_reader, takes_lines_to_16_kib_and_not_beyond) {
    const std::string longest = "-" + std::string(slice, 'e') + "\r\n";
    const std::string longer = "-" + std::string(slice + 1, 'e') + "\r\n";
    for (const std::size_t piece : {std::size_t{1}, std::size_t{1000}, slice, longer.size()}) {
        EXPECT_FALSE(read_in_pieces(longest, piece).error);
        EXPECT_EQ(read_in_pieces(longer, piece).error, errc::protocol_error);
    }
}

// ---- what no server sends ----------------------------------------------------------------------

class malformed : public testing::TestWithParam<const char*> {};

TEST_P(malformed, ends_the_stream_in_whatever_pieces) {
    const std::string_view bytes{GetParam()};
    for (const std::string& before : {""s, "*2\r\n:1\r\n"s, "*2\r\n*1\r\n"s}) {
        const std::string stream = before + std::string{bytes} + "+OK\r\n";
        for (std::size_t at = 0; at <= stream.size(); ++at) {
            const reading r = read_split(stream, at);
            EXPECT_EQ(r.error, errc::protocol_error) << "split at " << at;
            EXPECT_THAT(r.replies, IsEmpty());
        }
    }
}

TEST_P(malformed, does_not_take_away_what_came_before) {
    const reading r = read_whole("+OK\r\n:1\r\n"s + GetParam() + "+OK\r\n");
    EXPECT_EQ(r.error, errc::protocol_error);
    EXPECT_THAT(r.replies, ElementsAre("+OK", ":1"));
}

INSTANTIATE_TEST_SUITE_P(
    reply, malformed,
    testing::Values(
        // Not this protocol.
        "HTTP/1.1 400 Bad Request\r\n\r\n", "SSH-2.0-OpenSSH_9.2\r\n", "\x15\x03\x01", "\r\n", "\n",
        " +OK\r\n", "OK\r\n",
        // Integers.
        ":007\r\n", ":+5\r\n", ":-0\r\n", ":\r\n", ":-\r\n", ": 1\r\n", ":1 \r\n", ":1x\r\n",
        ":0x1\r\n", ":1.5\r\n", ":1\n\r\n", ":9223372036854775808\r\n", ":-9223372036854775809\r\n",
        ":99999999999999999999999999\r\n",
        // Lengths of strings.
        "$\r\n", "$-2\r\n", "$-0\r\n", "$+1\r\n", "$01\r\nx\r\n", "$x\r\n", "$1x\r\nx\r\n",
        "$1\nx\r\n", "$9223372036854775808\r\n", "$-9223372036854775808\r\n",
        // Ends of strings.
        "$3\r\nabcXX", "$3\r\nabc\rX", "$3\r\nabcX\n", "$3\r\nabcd\r\n",
        "$3\r\nab\r\n:", "$0\r\n+O",
        // Lengths of arrays.
        "*\r\n", "*-2\r\n", "*-0\r\n", "*+1\r\n", "*01\r\n", "*x\r\n", "*1x\r\n",
        "*9223372036854775808\r\n",
        // Lines.
        "+a\rb\r\n", "+a\nb\r\n", "-ERR a\nb\r\n", "+\r\r\n", "-\n\r\n",
        // RESP3, which nobody asked for.
        "_\r\n", "#t\r\n", "#f\r\n", ",1.5\r\n", ",inf\r\n", "(12345678901234567890\r\n",
        "=7\r\ntxt:abc\r\n", "=-1\r\n", "!5\r\nERR a\r\n", "%1\r\n+a\r\n:1\r\n", "%0\r\n",
        "%-1\r\n", "~1\r\n:1\r\n", "~0\r\n", ">2\r\n+message\r\n:1\r\n", ">0\r\n",
        "|1\r\n+a\r\n:1\r\n"));

TEST(reply_reader, keeps_to_its_word_after_an_error) {
    reply_reader reader;
    const auto nothing_comes = [](const reply& r) { ADD_FAILURE() << shown(r); };
    EXPECT_EQ(reader.feed("HTTP/1.1 400 Bad Request\r\n", nothing_comes), errc::protocol_error);
    EXPECT_EQ(reader.feed("+OK\r\n", nothing_comes), errc::protocol_error);
    EXPECT_EQ(reader.feed(":1\r\n", nothing_comes), errc::protocol_error);
}

TEST(reply_reader, keeps_to_its_word_after_a_reply_too_large) {
    reply_reader reader{{.bytes = 3}};
    const auto nothing_comes = [](const reply& r) { ADD_FAILURE() << shown(r); };
    EXPECT_EQ(reader.feed("*2\r\n$2\r\nab\r\n$2\r\ncd\r\n", nothing_comes), errc::reply_too_large);
    EXPECT_EQ(reader.feed("+OK\r\n", nothing_comes), errc::reply_too_large);
}

TEST(reply_reader, keeps_to_its_word_when_it_does_not_wait_for_the_end) {
    reply_reader reader{{.bytes = 3}};
    const auto nothing_comes = [](const reply& r) { ADD_FAILURE() << shown(r); };
    EXPECT_EQ(reader.feed("$4\r\n", nothing_comes), errc::reply_too_large);
    EXPECT_EQ(reader.feed("abcd\r\n+OK\r\n", nothing_comes), errc::reply_too_large);
}

// ---- without memory ----------------------------------------------------------------------------

TEST(reply_reader, a_reply_that_there_is_no_memory_for_may_have_been_an_answer) {
    const std::string stream =
        "*2\r\n" + bulk(std::string(100, 'x')) + "*2\r\n+" + std::string(100, 'y') + "\r\n:1\r\n";
    const std::size_t lacks = every_lack_of_memory([&](std::size_t granted) {
        reply_reader reader;
        std::error_code error;
        bool refused = false;
        bool complete = false;
        {
            const scarce_memory scarce{granted};
            error = reader.feed(stream, [&](const reply&) { complete = true; });
            refused = scarce.refused();
        }
        EXPECT_EQ(complete, !refused);
        EXPECT_EQ(weir::may_have_been_applied(error), refused) << error.message();
        return refused;
    });
    EXPECT_EQ(lacks, 4U);
}

} // namespace
