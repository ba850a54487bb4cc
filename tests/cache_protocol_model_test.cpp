// The protocol of basic_cache between computations and invalidations of one key, searched through
// all interleavings: three readers, two invalidators and an evictor, each action of theirs atomic.
// The real code is raced in cache_no_stale_store_stress_test.cpp; here the orders that it relies on
// are shown to suffice, and the orders that it avoids to fail.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <type_traits>
#include <unordered_set>
#include <utility>
#include <vector>

namespace {

/// What an invalidation does after the database has changed, in order.
enum class act : std::uint8_t {
    detach_flight,
    end_lease,
    erase_value,
    end_lease_and_erase_value, // in one step, as a store with leases of its own does
};

constexpr std::size_t readers = 3;
constexpr std::size_t invalidators = 2;
constexpr std::size_t evictor = readers + invalidators;
constexpr std::size_t threads = evictor + 1;
constexpr std::uint8_t none = 0xff;

struct state {
    // shared
    std::uint8_t db = 0;
    std::uint8_t flight = none; ///< the owner of the flight in the table
    std::uint8_t lease = none;  ///< who holds the lease
    std::uint8_t stored = none; ///< the version in the store
    std::uint8_t floor = 0;     ///< the newest version whose invalidation has returned
    // each reader
    std::array<std::uint8_t, readers> began_above{}; ///< `floor` when the reader called
    std::array<std::uint8_t, readers> waits_for{};
    std::array<std::uint8_t, readers> result{};
    std::array<bool, readers> finished{};
    // each thread
    std::array<std::uint8_t, threads> at{};
    std::array<std::uint8_t, invalidators> version{};

    [[nodiscard]] std::string key() const {
        std::string bytes(sizeof(state), '\0');
        std::memcpy(bytes.data(), this, sizeof(state));
        return bytes;
    }
};
static_assert(std::has_unique_object_representations_v<state>);

class model {
public:
    explicit model(std::vector<act> invalidation) : invalidation_{std::move(invalidation)} {}

    /// Visits every state; true if some reader is served a value that is too old.
    [[nodiscard]] bool serves_stale() {
        std::vector<state> open{state{}};
        std::unordered_set<std::string> seen{open.back().key()};
        while (!open.empty()) {
            const state from = open.back();
            open.pop_back();
            for (std::size_t t = 0; t < threads; ++t) {
                state to = from;
                if (!step(to, t)) {
                    continue;
                }
                if (stale_) {
                    return true;
                }
                if (seen.insert(to.key()).second) {
                    open.push_back(to);
                }
            }
        }
        states_ = seen.size();
        return false;
    }

    [[nodiscard]] std::size_t states() const { return states_; }

private:
    enum reader_at : std::uint8_t { get, join, take_lease, compute, store, finish, wait, done };

    /// One action of thread `t`; false if it has none to do now.
    bool step(state& s, std::size_t t) {
        if (t < readers) {
            return read(s, t);
        }
        return t < evictor ? invalidate(s, t) : evict(s);
    }

    void serve(state& s, std::size_t r, std::uint8_t version) {
        stale_ = version < s.began_above[r];
        s.at[r] = done;
    }

    bool read(state& s, std::size_t r) {
        const auto me = static_cast<std::uint8_t>(r);
        switch (s.at[r]) {
        case get:
            s.began_above[r] = s.floor;
            if (s.stored != none) {
                serve(s, r, s.stored);
            } else {
                s.at[r] = join;
            }
            return true;
        case join:
            if (s.flight != none) {
                s.waits_for[r] = s.flight;
                s.at[r] = wait;
            } else {
                s.flight = me;
                s.at[r] = take_lease;
            }
            return true;
        case take_lease:
            if (s.stored != none) {
                s.result[r] = s.stored;
                s.at[r] = finish;
                return true;
            }
            if (s.lease == none) {
                s.lease = me;
            }
            s.at[r] = compute;
            return true;
        case compute:
            s.result[r] = s.db;
            s.at[r] = store;
            return true;
        case store:
            if (s.lease == me) {
                s.stored = s.result[r];
                s.lease = none;
            }
            s.at[r] = finish;
            return true;
        case finish:
            if (s.flight == me) {
                s.flight = none;
            }
            s.finished[r] = true;
            serve(s, r, s.result[r]);
            return true;
        case wait:
            if (!s.finished[s.waits_for[r]]) {
                return false;
            }
            serve(s, r, s.result[s.waits_for[r]]);
            return true;
        default:
            return false;
        }
    }

    bool invalidate(state& s, std::size_t t) {
        const std::size_t i = t - readers;
        const std::size_t at = s.at[t];
        if (at == invalidation_.size() + 1) {
            return false;
        }
        if (at == 0) {
            s.version[i] = ++s.db;
        } else {
            perform(s, invalidation_[at - 1]);
        }
        ++s.at[t];
        if (s.at[t] == invalidation_.size() + 1) {
            s.floor = std::max(s.floor, s.version[i]); // the call returns
        }
        return true;
    }

    static void perform(state& s, act action) {
        switch (action) {
        case act::detach_flight:
            s.flight = none;
            return;
        case act::end_lease:
            s.lease = none;
            return;
        case act::erase_value:
            s.stored = none;
            return;
        case act::end_lease_and_erase_value:
            s.lease = none;
            s.stored = none;
            return;
        }
    }

    /// The store may forget a value at any time, here once.
    static bool evict(state& s) {
        if (s.at[evictor] == 1 || s.stored == none) {
            return false;
        }
        s.stored = none;
        s.at[evictor] = 1;
        return true;
    }

    std::vector<act> invalidation_;
    bool stale_ = false;
    std::size_t states_ = 0;
};

TEST(cache_protocol, a_store_with_leases_never_serves_stale) {
    model m{{act::end_lease_and_erase_value, act::detach_flight}};
    EXPECT_FALSE(m.serves_stale());
    EXPECT_GT(m.states(), 100'000U);
}

TEST(cache_protocol, leases_of_the_cache_ended_before_the_value_is_erased_never_serve_stale) {
    EXPECT_FALSE((model{{act::end_lease, act::erase_value, act::detach_flight}}.serves_stale()));
}

TEST(cache_protocol, a_flight_detached_first_serves_stale) {
    // A new flight finds the old value in the store and hands it to those who join it later.
    EXPECT_TRUE((model{{act::detach_flight, act::end_lease_and_erase_value}}.serves_stale()));
}

TEST(cache_protocol, a_value_erased_before_the_lease_is_ended_serves_stale) {
    EXPECT_TRUE((model{{act::erase_value, act::end_lease, act::detach_flight}}.serves_stale()));
}

TEST(cache_protocol, an_invalidation_that_leaves_the_flight_serves_stale) {
    EXPECT_TRUE((model{{act::end_lease_and_erase_value}}.serves_stale()));
}

TEST(cache_protocol, an_invalidation_that_leaves_the_lease_serves_stale) {
    EXPECT_TRUE((model{{act::erase_value, act::detach_flight}}.serves_stale()));
}

} // namespace
