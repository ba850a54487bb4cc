// The leases that weir keeps for a store without: such a store with them passes the suite of stores
// that have their own.

#include "../../examples/custom_backend.hpp"

#include <weir/contract/values.hpp>
#include <weir/detail/in_process_leases.hpp>
#include <weir/testing.hpp>

#include <gtest/gtest.h>

#include <any>
#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

namespace {

/// The example's backend, whose stores of one name share one table of leases.
class leasing_map_backend : public map_backend<weir::manual_clock> {
public:
    using map_backend::map_backend;

    template<class V>
    weir::detail::in_process_leases<map_store<V>, V> values(std::string_view name,
                                                            const weir::store_options& options) {
        const std::lock_guard lock{tables_->mutex};
        std::shared_ptr<weir::detail::lease_table>& table = tables_->of[std::string{name}];
        if (table == nullptr) {
            table = std::make_shared<weir::detail::lease_table>();
        }
        return {map_backend::values<V>(name, options), table};
    }

private:
    struct tables {
        std::mutex mutex;
        std::map<std::string, std::shared_ptr<weir::detail::lease_table>> of;
    };

    std::shared_ptr<tables> tables_ = std::make_shared<tables>();
};

struct under_test {
    weir::manual_clock clock;

    [[nodiscard]] leasing_map_backend make() const { return leasing_map_backend{clock}; }
    void advance(std::chrono::nanoseconds by) const { clock.advance(by); }
};

[[maybe_unused]] const bool added =
    weir::contract::add_value_tests<under_test>("in_process_leases");

} // namespace
