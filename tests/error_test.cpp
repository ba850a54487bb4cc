#include <weir/error.hpp>

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <system_error>

namespace {

using weir::errc;

static_assert(std::is_error_code_enum_v<errc>);

constexpr errc every_code[] = {
    errc::unavailable,     errc::timeout,         errc::recursive_computation, errc::not_sent,
    errc::connection_lost, errc::rejected,        errc::not_permitted,         errc::wrong_type,
    errc::protocol_error,  errc::value_too_large, errc::reply_too_large,       errc::overloaded,
    errc::closed,          errc::would_deadlock,
};

TEST(errc, converts_to_an_error_code_that_is_set) {
    for (const errc code : every_code) {
        const std::error_code error = code;
        EXPECT_TRUE(error) << "no code may be zero, which means success";
        EXPECT_EQ(error, code);
        EXPECT_EQ(error.category(), weir::error_category());
    }
    EXPECT_NE(std::error_code{errc::timeout}, errc::unavailable);
}

TEST(errc, every_code_has_a_message_of_its_own) {
    std::set<std::string> messages;
    for (const errc code : every_code) {
        const std::string message = make_error_code(code).message();
        EXPECT_EQ(message.find("unknown"), std::string::npos) << message;
        EXPECT_TRUE(messages.insert(message).second) << message;
    }
}

TEST(errc, the_messages_say_whether_the_operation_was_applied) {
    for (const errc code : every_code) {
        if (code == errc::recursive_computation) {
            continue; // says nothing about a backend
        }
        const std::string message = make_error_code(code).message();
        EXPECT_EQ(message.find("may have been applied") != std::string::npos,
                  weir::may_have_been_applied(code))
            << message;
        EXPECT_EQ(message.find("nothing was applied") != std::string::npos,
                  !weir::may_have_been_applied(code))
            << message;
    }
}

TEST(may_have_been_applied, is_true_where_the_answer_was_lost_and_nowhere_else) {
    for (const errc code : {errc::timeout, errc::connection_lost, errc::protocol_error,
                            errc::reply_too_large, errc::closed}) {
        EXPECT_TRUE(weir::may_have_been_applied(code)) << make_error_code(code).message();
    }
    for (const errc code : {errc::unavailable, errc::not_sent, errc::rejected, errc::not_permitted,
                            errc::wrong_type, errc::value_too_large, errc::overloaded,
                            errc::would_deadlock, errc::recursive_computation}) {
        EXPECT_FALSE(weir::may_have_been_applied(code)) << make_error_code(code).message();
    }
    EXPECT_FALSE(weir::may_have_been_applied({}));
    EXPECT_FALSE(weir::may_have_been_applied(std::make_error_code(std::errc::not_enough_memory)));
    EXPECT_FALSE(
        weir::may_have_been_applied({static_cast<int>(errc::timeout), std::generic_category()}));
}

TEST(error_category, names_the_library_and_survives_codes_that_it_does_not_know) {
    EXPECT_STREQ(weir::error_category().name(), "weir");
    EXPECT_EQ(weir::error_category().message(12345), "unknown weir error 12345");
    EXPECT_EQ(&weir::error_category(), &weir::error_category());
}

TEST(error_category, does_not_mistake_the_codes_of_others_for_its_own) {
    const std::error_code foreign{static_cast<int>(errc::timeout), std::generic_category()};
    EXPECT_NE(foreign, errc::timeout);
}

} // namespace
