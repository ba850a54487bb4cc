#include "../../examples/custom_backend.hpp"

#include <weir/contract/counters.hpp>
#include <weir/contract/values.hpp>
#include <weir/testing.hpp>

#include <chrono>

namespace {

struct custom_backend_under_test {
    weir::manual_clock clock;

    map_backend<weir::manual_clock> make() const { return map_backend{clock}; }
    void advance(std::chrono::nanoseconds by) const { clock.advance(by); }
};

/// On the real clock, which no test can move.
struct custom_backend_in_real_time {
    static constexpr std::chrono::milliseconds margin{10};

    map_backend<> make() const { return map_backend{}; }
};

using weir::contract::ticket;

[[maybe_unused]] const bool added[] = {
    weir::contract::add_counter_tests<custom_backend_under_test>("custom_backend_counters"),
    weir::contract::add_value_tests<custom_backend_under_test>("custom_backend_values"),
    weir::contract::add_value_tests<custom_backend_under_test, ticket>(
        "custom_backend_values_that_cannot_be_copied"),
    weir::contract::add_value_tests<custom_backend_in_real_time>(
        "custom_backend_values_in_real_time"),
};

} // namespace
