#include <weir/error.hpp>
#include <weir/redis/errors.hpp>
#include <weir/redis/reply.hpp>

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace {

using weir::errc;
using weir::detail::redis::meaning_of;
using weir::detail::redis::reply;

errc meaning_of_text(std::string_view text) {
    return meaning_of(reply{.type = reply::kind::error, .text = std::string{text}});
}

/// What a command inside a script said, as Redis 7 and Valkey pass it on.
std::string in_a_script(std::string_view text) {
    return std::string{text} +
           " script: d7956ba35efe235d73c27accb3a6f75d49a1ddd7, on @user_script:1.";
}

TEST(redis_errors, a_server_that_does_not_work_now_has_rejected_the_command) {
    for (const std::string_view text : {
             "LOADING Redis is loading the dataset in memory",
             "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN "
             "NOSAVE.",
             "OOM command not allowed when used memory > 'maxmemory'.",
             "READONLY You can't write against a read only replica.",
             "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to "
             "persist "
             "to disk. Commands that may modify the data set are disabled, because this instance "
             "is "
             "configured to report errors during writes if RDB snapshotting fails.",
             "NOREPLICAS Not enough good replicas to write.",
             "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
             "CLUSTERDOWN The cluster is down",
             "CLUSTERDOWN Hash slot not served",
             "MOVED 3999 127.0.0.1:6381",
             "ASK 3999 127.0.0.1:6381",
             "TRYAGAIN Multiple keys request during rehashing of slot",
             "CROSSSLOT Keys in request don't hash to the same slot",
             "NOSCRIPT No matching script. Please use EVAL.",
             "NOSCRIPT No matching script.",
             "ERR max number of clients reached",
             "ERR DB index is out of range",
             "ERR unknown command 'BITFIELD', with args beginning with: 'k' ",
             "ERR Protocol error: invalid bulk length",
             "",
         }) {
        EXPECT_EQ(meaning_of_text(text), errc::rejected) << text;
        EXPECT_EQ(meaning_of_text(in_a_script(text)), errc::rejected) << text;
    }
}

TEST(redis_errors, credentials_and_permissions_are_told_apart_from_the_rest) {
    for (const std::string_view text : {
             "ERR ACL failure in script: User app has no permissions to run the 'set' command",
             "NOAUTH Authentication required.",
             "WRONGPASS invalid username-password pair or user is disabled.",
             "NOPERM this user has no permissions to run the 'set' command",
             "NOPERM this user has no permissions to access one of the keys used as arguments",
             "DENIED Redis is running in protected mode because protected mode is enabled and no "
             "password is set for the default user.",
             "ERR The user executing the script can't run this command or subcommand",
             "ERR The user executing the script can't access at least one of the keys mentioned in "
             "the command arguments",
         }) {
        EXPECT_EQ(meaning_of_text(text), errc::not_permitted) << text;
        EXPECT_EQ(meaning_of_text(in_a_script(text)), errc::not_permitted) << text;
    }
}

TEST(redis_errors, a_key_of_another_kind_is_its_own_trouble_only) {
    for (const std::string_view text : {
             "WRONGTYPE Operation against a key holding the wrong kind of value",
             "ERR value is not an integer or out of range",
         }) {
        EXPECT_EQ(meaning_of_text(text), errc::wrong_type) << text;
        EXPECT_EQ(meaning_of_text(in_a_script(text)), errc::wrong_type) << text;
    }
}

TEST(redis_errors, say_of_no_answer_that_the_command_may_have_been_applied) {
    for (const std::string_view text :
         {"LOADING", "NOAUTH", "WRONGTYPE", "OOM", "ERR", "EXECABORT", "anything else", ""}) {
        EXPECT_FALSE(weir::may_have_been_applied(make_error_code(meaning_of_text(text)))) << text;
    }
}

TEST(redis_errors, are_known_by_how_they_begin_and_not_by_what_they_mention) {
    EXPECT_EQ(meaning_of_text("ERR the key 'NOAUTH' has a WRONGTYPE"), errc::rejected);
    EXPECT_EQ(meaning_of_text("OOM WRONGTYPE"), errc::rejected);
}

} // namespace
