// The leases that weir keeps for a store without: such a store with them passes the suite of stores
// that have their own.

#include "../../examples/custom_backend.hpp"

#include <weir/contract/values.hpp>
#include <weir/detail/in_process_leases.hpp>
#include <weir/memory.hpp>
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

/// A backend whose stores of one name share one table of weir's leases, whether or not they have
/// leases of their own.
template<class Backend>
class leased_backend : public Backend {
public:
    using Backend::Backend;

    template<class V>
    weir::detail::in_process_leases<weir::store_of<Backend, V>, V>
    values(std::string_view name, const weir::store_options& options) {
        const std::lock_guard lock{tables_->mutex};
        std::shared_ptr<weir::detail::lease_table>& table = tables_->of[std::string{name}];
        if (table == nullptr) {
            table = std::make_shared<weir::detail::lease_table>();
        }
        return {Backend::template values<V>(name, options), table};
    }

private:
    struct tables {
        std::mutex mutex;
        std::map<std::string, std::shared_ptr<weir::detail::lease_table>> of;
    };

    std::shared_ptr<tables> tables_ = std::make_shared<tables>();
};

template<class Backend>
struct under_test {
    weir::manual_clock clock;

    [[nodiscard]] leased_backend<Backend> make() const { return leased_backend<Backend>{clock}; }
    void advance(std::chrono::nanoseconds by) const { clock.advance(by); }
};

/// The example's, which has the least that there can be, and memory, with more refinements.
using example = map_backend<weir::manual_clock>;
using memory = weir::basic_memory_backend<weir::manual_clock>;

[[maybe_unused]] const bool added[] = {
    weir::contract::add_value_tests<under_test<example>>("in_process_leases"),
    weir::contract::add_value_tests<under_test<memory>>("in_process_leases_over_memory"),
};

} // namespace
