// What the script looks for that stores under a lease: a number that no other attempt has.

#include "support/file_descriptor.hpp"
#include "support/redis_server.hpp"

#include <weir/codec.hpp>
#include <weir/redis.hpp>
#include <weir/storage.hpp>

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>

namespace {

using namespace std::chrono_literals;
using weir::tests::checked;
using weir::tests::file_descriptor;
using weir::tests::fresh_database;

using store = weir::detail::redis::redis_store<std::string>;

std::uint64_t take_lease(const weir::redis_backend& backend, const store& values,
                         std::string_view key) {
    std::error_code ec;
    const auto answer = values.get_or_lease(key, backend.now(), ec);
    return ec ? 0 : static_cast<std::uint64_t>(answer.lease);
}

TEST(lease_tokens, differ) {
    const weir::redis_backend backend{fresh_database().uri()};
    const store values = backend.values<std::string>("c", {});
    std::set<std::uint64_t> seen;
    for (int n = 0; n != 1000; ++n) {
        EXPECT_TRUE(seen.insert(take_lease(backend, values, std::to_string(n))).second);
    }
    EXPECT_FALSE(seen.contains(0));
}

/// The token that a child process draws first, on a key of its own.
std::uint64_t token_of_child(const weir::redis_backend& backend, const store& values,
                             std::string_view key) {
    std::array<int, 2> ends{};
    checked("pipe", [&] { return ::pipe(ends.data()); });
    const file_descriptor from{ends[0]};
    file_descriptor to{ends[1]};
    const pid_t child = checked("fork", [] { return ::fork(); });
    if (child == 0) {
        const std::uint64_t token =
            backend.wait_until_connected(60s) ? take_lease(backend, values, key) : 0;
        const bool written = ::write(to.get(), &token, sizeof token) == sizeof token;
        ::_exit(written ? 0 : 1);
    }
    to.close();
    std::uint64_t token = 0;
    EXPECT_EQ(checked("read", [&] { return ::read(from.get(), &token, sizeof token); }),
              static_cast<ssize_t>(sizeof token));
    EXPECT_EQ(checked("waitpid", [&] { return ::waitpid(child, nullptr, 0); }), child);
    return token;
}

TEST(lease_tokens, of_processes_forked_from_one_that_has_drawn_some_differ) {
    const weir::redis_backend backend{fresh_database().uri()};
    const store values = backend.values<std::string>("c", {});
    ASSERT_NE(take_lease(backend, values, "parent"), 0U);
    const std::uint64_t first = token_of_child(backend, values, "first child");
    const std::uint64_t second = token_of_child(backend, values, "second child");
    EXPECT_NE(first, 0U);
    EXPECT_NE(second, 0U);
    EXPECT_NE(first, second);
    EXPECT_NE(take_lease(backend, values, "parent again"), first);
}

} // namespace
