// Places to listen at: they are one's own, and stay so.

#include "sockets.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <set>
#include <stdexcept>
#include <string>
#include <sys/socket.h>
#include <system_error>
#include <vector>

namespace {

using namespace weir::tests;

TEST(redis_uri, its_text_is_what_was_parsed) {
    for (const std::string text :
         {"redis://127.0.0.1:6379/0", "redis://127.0.0.1:1/15",
          "redis://user:secret@127.0.0.1:99/3", "redis://:secret@127.0.0.1:99/3",
          "unix:///tmp/a/socket?db=0", "unix://user:secret@/tmp/socket?db=7"}) {
        EXPECT_EQ(redis_uri::parse(text).text(), text);
    }
}

TEST(redis_uri, the_database_is_0_where_none_is_named) {
    EXPECT_EQ(redis_uri::parse("redis://127.0.0.1:6379").text(), "redis://127.0.0.1:6379/0");
    EXPECT_EQ(redis_uri::parse("unix:///socket").text(), "unix:///socket?db=0");
}

TEST(redis_uri, what_is_no_address_of_a_tests_server_is_refused) {
    for (const char* text : {"", "redis://", "redis://example.com:6379/0", "redis://127.0.0.1/0",
                             "redis://127.0.0.1:x/0", "redis://127.0.0.1:1/x",
                             "unix://relative?db=0", "unix:///path?db=", "http://127.0.0.1:80/0"}) {
        EXPECT_THROW(static_cast<void>(redis_uri::parse(text)), std::invalid_argument) << text;
    }
}

TEST(reserved_port, no_two_are_alike) {
    std::vector<reserved_port> ports(400); // by chance alone, two of so many would be alike
    std::set<std::uint16_t> numbers;
    for (const reserved_port& port : ports) {
        numbers.insert(port.number());
    }
    EXPECT_EQ(numbers.size(), ports.size());
}

class listening_place_test : public testing::TestWithParam<transport> {};

TEST_P(listening_place_test, connections_are_refused_unless_somebody_listens) {
    const listening_place place{GetParam()};
    EXPECT_THROW(static_cast<void>(connect_to(place.where())), std::system_error);
    {
        const file_descriptor listener = place.listen();
        EXPECT_TRUE(connect_to(place.where()).is_open());
    }
    EXPECT_THROW(static_cast<void>(connect_to(place.where())), std::system_error);
}

TEST_P(listening_place_test, one_can_listen_there_again_after_connections_were_made) {
    const listening_place place{GetParam()};
    for (int i = 0; i < 3; ++i) {
        const file_descriptor listener = place.listen();
        const file_descriptor client = connect_to(place.where());
        const file_descriptor server{accept(listener.get(), nullptr, nullptr)};
        EXPECT_TRUE(server.is_open());
    }
}

INSTANTIATE_TEST_SUITE_P(over, listening_place_test,
                         testing::Values(transport::tcp, transport::unix_socket),
                         [](const auto& each) {
                             return each.param == transport::tcp ? "tcp" : "a_unix_socket";
                         });

} // namespace
