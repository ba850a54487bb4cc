// The backend that our tests of deferring stores stand on keeps the promises of one.

#include "../support/queued_backend.hpp"

#include <weir/contract/values.hpp>
#include <weir/testing.hpp>

#include <chrono>

namespace {

struct queued_backend_under_test {
    weir::manual_clock clock;

    weir_tests::queued_backend<weir::manual_clock> make() const {
        return weir_tests::queued_backend{clock};
    }
    void advance(std::chrono::nanoseconds by) const { clock.advance(by); }
};

[[maybe_unused]] const bool added =
    weir::contract::add_value_tests<queued_backend_under_test>("queued_backend_values");

} // namespace
