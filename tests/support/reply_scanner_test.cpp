// Where replies end, at every way to split them.

#include "reply_scanner.hpp"

#include <gtest/gtest.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace {

using weir::tests::reply_scanner;

/// The replies in `stream`, fed in pieces of `step` bytes; what is no whole reply is the last.
std::vector<std::string> replies(std::string_view stream, std::size_t step) {
    reply_scanner scanner;
    std::vector<std::string> result(1);
    while (!stream.empty()) {
        std::string_view piece = stream.substr(0, step);
        stream.remove_prefix(piece.size());
        while (!piece.empty()) {
            const std::size_t count = scanner.scan(piece);
            result.back() += piece.substr(0, count);
            piece.remove_prefix(count);
            if (scanner.is_between_replies()) {
                result.emplace_back();
            }
        }
    }
    return result;
}

TEST(reply_scanner, replies_end_where_they_end_however_they_are_split) {
    const std::vector<std::string> sent{
        "+OK\r\n",
        "-ERR no\r\n",
        ":-12\r\n",
        "$5\r\na\r\nbc\r\n",
        "$0\r\n\r\n",
        "$-1\r\n",
        "*0\r\n",
        "*-1\r\n",
        "*2\r\n*3\r\n:1\r\n$1\r\n*\r\n*0\r\n*1\r\n+x\r\n",
        ":3\r\n",
        "",
    };
    std::string stream;
    for (const std::string& reply : sent) {
        stream += reply;
    }
    for (std::size_t step = 1; step <= stream.size(); ++step) {
        EXPECT_EQ(replies(stream, step), sent) << "in pieces of " << step;
    }
}

TEST(reply_scanner, a_reply_that_is_not_whole_has_no_end) {
    for (const std::string_view part : {"+OK\r", "$3\r\nabc\r", "*2\r\n:1\r\n", "*1\r\n*1\r\n"}) {
        EXPECT_EQ(replies(part, 2).size(), 1U) << part;
    }
}

TEST(reply_scanner, after_other_bytes_there_are_no_more_replies) {
    for (const std::string_view start :
         {"HTTP/1.1 400\r\n", "$abc\r\n", "*99999999999999999999\r\n"}) {
        EXPECT_EQ(replies(std::string{start} + "+OK\r\n+OK\r\n", 3).size(), 1U) << start;
    }
}

} // namespace
