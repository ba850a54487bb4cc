#ifndef WEIR_TESTS_FAULT_BUSY_SERVICE_HPP
#define WEIR_TESTS_FAULT_BUSY_SERVICE_HPP

/// A service under load.

#include "ledger.hpp"
#include "service.hpp"

#include <weir/weir.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <stop_token>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

namespace weir::tests {

/// Threads that ask for everything, one thing after the other, until they are destroyed. What they
/// get, of values that no two of them share, must be their own.
class busy_service {
public:
    busy_service(const service& s, ledger& book, std::size_t threads) {
        for (std::size_t t = 0; t != threads; ++t) {
            threads_.emplace_back([this, &s, &book, t](const std::stop_token& stop) {
                const std::string me = std::to_string(t);
                for (int round = 0; !stop.stop_requested(); ++round) {
                    ask(s, book, me, round);
                }
            });
        }
    }

    /// Values that were found.
    [[nodiscard]] std::uint64_t hits() const noexcept { return hits_.load(); }

private:
    void ask(const service& s, ledger& book, const std::string& me, int round) {
        book.take(s);
        const std::string value = "value of " + me;
        const auto found = s.calls([&] { return s.pages.get("of " + me); });
        if (found) {
            EXPECT_EQ(*found, value);
            hits_.fetch_add(1);
        }
        const auto made =
            s.calls([&] { return s.pages.get_or_compute("of " + me, [&] { return value; }); }, 2);
        ASSERT_TRUE(made);
        EXPECT_EQ(*made, value);
        std::error_code ignored;
        s.calls([&] { s.pages.put("put by " + me, "value", ignored); });
        if (round % 8 == 7) {
            s.calls([&] { s.pages.invalidate("of " + me, ignored); });
        }
    }

    std::atomic<std::uint64_t> hits_{0};
    std::vector<std::jthread> threads_;
};

} // namespace weir::tests

#endif
