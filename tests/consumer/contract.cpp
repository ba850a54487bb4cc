// A project that runs the contract suite; memory_backend stands in for its own backend.
#include <weir/contract/counters.hpp>
#include <weir/testing.hpp>
#include <weir/weir.hpp>

#include <chrono>

struct my_backend_under_test {
    weir::manual_clock clock;
    auto make() { return weir::basic_memory_backend{clock}; }
    void advance(std::chrono::nanoseconds by) { clock.advance(by); }
};

const bool counters =
    weir::contract::add_counter_tests<my_backend_under_test>("my_backend_counters");
