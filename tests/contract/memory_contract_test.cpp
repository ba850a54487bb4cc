#include <weir/memory.hpp>

#include <weir/contract/counters.hpp>
#include <weir/contract/values.hpp>
#include <weir/testing.hpp>

#include <chrono>
#include <cstdint>

namespace {

using memory = weir::basic_memory_backend<weir::manual_clock>;

struct memory_under_test {
    weir::manual_clock clock;

    memory make() const { return memory{clock, {.counters = 1'000}}; }
    void advance(std::chrono::nanoseconds by) const { clock.advance(by); }
};

/// With the other answer to a full table, which a table that is not full must not notice.
struct sharing_memory_under_test : memory_under_test {
    memory make() const {
        return memory{clock, {.counters = 1'000, .when_full = weir::when_full::share}};
    }
};

[[maybe_unused]] const bool added[] = {
    weir::contract::add_counter_tests<memory_under_test>("memory_counters"),
    weir::contract::add_counter_tests<sharing_memory_under_test>("memory_counters_when_shared"),
    weir::contract::add_value_tests<memory_under_test>("memory_values"),
    weir::contract::add_value_tests<memory_under_test, std::int64_t>("memory_values_of_integers"),
    weir::contract::add_value_tests<memory_under_test, weir::contract::ticket>(
        "memory_values_that_cannot_be_copied"),
};

} // namespace
