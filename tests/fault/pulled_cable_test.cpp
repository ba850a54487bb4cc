// Networks that lose every packet, so that nobody hears that a connection has ended.

#include "divided_network.hpp"
#include "ledger.hpp"
#include "service.hpp"
#include "support/child_process.hpp"
#include "support/eventually.hpp"
#include "support/raw_redis.hpp"
#include "support/temporary_directory.hpp"

#include <weir/error.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <exception>
#include <memory>
#include <string>

namespace {

using namespace std::chrono_literals;
using namespace weir::tests;
using ::testing::AnyOf;
using weir::errc;

/// A Redis server behind a cable.
class pulled_cable : public testing::Test {
protected:
    void SetUp() override {
        if (!divided_network::permitted()) {
            GTEST_SKIP() << "a container without CAP_SYS_ADMIN: nobody may make networks here";
        }
        network = std::make_unique<divided_network>();
        server = std::make_unique<child_process>(child_process::program{
            .arguments = network->there(
                {redis_program(), "--bind", "*", "--protected-mode", "no", "--save", ""}),
            .directory = directory.path(),
            .output = directory.path() / "output",
            .errors = directory.path() / "errors"});
        network->at_the_server([] {
            const auto answers = [] {
                try {
                    return raw_redis{local_uri}.ask("PING") == "PONG";
                } catch (const std::exception&) {
                    return false;
                }
            };
            ASSERT_TRUE(eventually(answers));
        });
    }

    [[nodiscard]] static std::string redis_program() {
        const char* const named = std::getenv("WEIR_REDIS_SERVER");
        return find_program(named == nullptr ? "redis-server" : named).value();
    }

    static constexpr const char* local_uri = "redis://127.0.0.1:6379";
    const std::string uri = std::string{"redis://"} + divided_network::server_address + ":6379";

    std::unique_ptr<divided_network> network;
    temporary_directory directory;
    std::unique_ptr<child_process> server;
};

TEST_F(pulled_cable, is_noticed_and_costs_no_call_more_than_its_deadline) {
    ledger book;
    network->at_the_client([this, &book] {
        const service s{{.uri = uri, .timeout = 100ms, .connect_timeout = 300ms}};
        s.begin();
        EXPECT_TRUE(book.take(s));
        network->pull_out();
        const auto begin = std::chrono::steady_clock::now();
        EXPECT_EQ(book.take(s).error(), errc::timeout);
        std::error_code error;
        ASSERT_TRUE(eventually([&] {
            error = book.take(s).error();
            EXPECT_THAT(error, AnyOf(make_error_code(errc::timeout),
                                     make_error_code(errc::not_sent), unavailable));
            return error == unavailable;
        }));
        // The kernel would take a quarter of an hour.
        EXPECT_LT(std::chrono::steady_clock::now() - begin, patience / 2);
        expect_failure(s, unavailable, true);
        network->plug_in();
        s.expect_return();
        s.calls.expect_in_time();
    });
    network->at_the_server([&book] {
        raw_redis referee{local_uri};
        book.settle(referee);
    });
}

} // namespace
