#ifndef WEIR_TESTS_FAULT_LEDGER_HPP
#define WEIR_TESTS_FAULT_LEDGER_HPP

/// What became of requests to a limiter, and the comparison with what the server has counted. A retry
/// of a take that was applied is seen there, and an error that is wrong about it.
///
///     ledger book;
///     book.take(service);             // from as many threads as one likes
///     ...
///     book.settle(referee);           // when nothing is on its way any more

#include "service.hpp"
#include "support/raw_redis.hpp"

#include <weir/redis.hpp>
#include <weir/weir.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <system_error>

namespace weir::tests {

/// May be used from many threads at once; `settle` by one, at the end.
class ledger {
public:
    /// Of a name that no other has. After the first take of a client the library makes sure, without
    /// waiting, that the counter expires; see `known_client` for requests that nothing follows.
    [[nodiscard]] std::string new_client() {
        // From here on, so that all names, and so all requests, are of one size.
        constexpr std::uint64_t first = 100'000;
        return std::to_string(first + clients_.fetch_add(1, std::memory_order_relaxed));
    }

    /// One who has taken already.
    ///
    /// @param in_peace  a service that no fault can reach
    [[nodiscard]] std::string known_client(const service& in_peace) {
        std::string client = new_client();
        EXPECT_TRUE(take(in_peace, client));
        return client;
    }

    decision take(const service& with) { return take(with, new_client()); }

    decision take(const service& with, const std::string& client) {
        const decision d = with.calls([&] { return with.booked.allow(client); });
        note(client, d);
        return d;
    }

    /// The same without waiting. The ledger must not go before `open()` is 0.
    void take_later(const service& with, const std::string& client) {
        open_.fetch_add(1);
        with.booked.allow_async(client, [this, client](const decision& d) {
            note(client, d);
            open_.fetch_sub(1);
        });
    }

    [[nodiscard]] std::size_t open() const noexcept { return open_.load(); }

    struct totals {
        std::uint64_t applied = 0;
        std::uint64_t not_applied = 0;
        std::uint64_t perhaps = 0;
        /// Of `perhaps`.
        std::uint64_t counted_all_the_same = 0;
        /// By their messages.
        std::map<std::string, std::uint64_t> errors{};
    };

    /// Whether the server has counted each request once that was applied, none that was not, and none
    /// twice.
    totals settle(raw_redis& referee) {
        std::map<std::string, std::uint64_t> counted;
        for (const std::string& key : referee.keys("weir:rl:booked:*")) {
            counted[key.substr(key.rfind(':') + 1)] += used_in(referee.command("GET", key).text);
        }
        const std::lock_guard lock{mutex_};
        totals all;
        all.not_applied = not_applied_;
        all.errors = errors_;
        for (const auto& [client, said] : accounts_) {
            const std::uint64_t count = counted[client];
            EXPECT_GE(count, said.applied) << "of client " << client;
            EXPECT_LE(count, said.applied + said.perhaps) << "of client " << client;
            all.applied += said.applied;
            all.perhaps += said.perhaps;
            all.counted_all_the_same += count - said.applied;
        }
        return all;
    }

private:
    struct account {
        std::uint64_t applied = 0;
        std::uint64_t perhaps = 0;
    };

    void note(const std::string& client, const decision& d) {
        const std::error_code error = d.error();
        EXPECT_EQ(d.allowed, !error) << d;
        const std::lock_guard lock{mutex_};
        account& a = accounts_[client];
        if (!error) {
            ++a.applied;
            return;
        }
        ++errors_[error.message()];
        ++(may_have_been_applied(error) ? a.perhaps : not_applied_);
    }

    /// A counter's word, as weir keeps it: 63 bits, and one that is not used.
    [[nodiscard]] static std::uint64_t used_in(std::string_view bytes) {
        std::uint64_t word = 0;
        for (const char byte : bytes) {
            word = word << 8 | static_cast<unsigned char>(byte);
        }
        return word >> 1;
    }

    std::atomic<std::uint64_t> clients_{0};
    std::atomic<std::size_t> open_{0};
    std::mutex mutex_; // of what follows
    std::map<std::string, account> accounts_;
    std::map<std::string, std::uint64_t> errors_;
    std::uint64_t not_applied_ = 0;
};

} // namespace weir::tests

#endif
