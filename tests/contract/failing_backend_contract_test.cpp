// A failing_backend that was not told to fail is a backend like any other.

#include "breakable_backend.hpp"

#include <weir/contract/counters.hpp>
#include <weir/contract/values.hpp>
#include <weir/memory.hpp>
#include <weir/testing.hpp>

#include <chrono>

namespace {

struct failing_backend_under_test {
    using memory = weir::basic_memory_backend<weir::manual_clock>;

    weir::manual_clock clock;

    weir::failing_backend<memory> make() const {
        return weir::failing_backend{memory{clock, {.counters = 1'000}}};
    }
    void advance(std::chrono::nanoseconds by) const { clock.advance(by); }
};

/// Over a backend that has every refinement.
struct failing_over_all_under_test {
    using all = weir_tests::breakable_backend;

    weir::manual_clock clock;

    weir::failing_backend<all> make() const { return weir::failing_backend{all{clock, {}}}; }
    void advance(std::chrono::nanoseconds by) const { clock.advance(by); }
};

[[maybe_unused]] const bool added[] = {
    weir::contract::add_counter_tests<failing_backend_under_test>("failing_backend_counters"),
    weir::contract::add_value_tests<failing_backend_under_test>("failing_backend_values"),
    weir::contract::add_counter_tests<failing_over_all_under_test>("failing_over_all_counters"),
    weir::contract::add_value_tests<failing_over_all_under_test>("failing_over_all_values"),
};

} // namespace
