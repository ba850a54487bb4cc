#ifndef WEIR_CONTRACT_COUNTER_REFINEMENTS_HPP
#define WEIR_CONTRACT_COUNTER_REFINEMENTS_HPP

/// The parts of the counters suite about backends that check names and quotas and locate counters:
/// see `registering_backend`, `quota_checking_backend` and `locating_backend` in
/// <weir/counter_storage.hpp>.

#include <weir/contract/counter_trial.hpp>
#include <weir/contract/suite.hpp>

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>

namespace weir::contract::detail {

template<class Trial>
void add_counter_refinements(checks<Trial>& list) {
    using backend = typename Trial::backend_type;
    if constexpr (registering_backend<backend>) {
        list.add("registering_one_name_with_another_shape_throws", [](Trial& t) {
            backend copy = t.backend;
            t.backend.register_limiter("login", "fixed_window:10000000000");
            copy.register_limiter("login", "fixed_window:10000000000");
            copy.register_limiter("search", "fixed_window:20000000000");
            EXPECT_THROW(copy.register_limiter("login", "fixed_window:20000000000"),
                         std::invalid_argument);
        });
    } else {
        list.add("registering_is_absent", [](Trial&) {
            GTEST_SKIP() << "names of limiters are not checked by this backend";
        });
    }
    if constexpr (locating_backend<backend>) {
        list.add("an_update_at_a_place_is_the_update_of_its_key", [](Trial& t) {
            const counter_space& space = t.limiter.space();
            const take_step<fixed_window> two{{.limit = 3, .window = 10s}, 2};
            for (const std::string& key : awkward_keys()) {
                const auto place = t.backend.locate(space, key);
                EXPECT_TRUE(t.backend.update_at(place, two, t.start));
                EXPECT_FALSE(t.backend.update_at(place, two, t.start));
                EXPECT_EQ(t.limiter.peek(key, t.start).remaining, 1) << shown(key);
            }
        });
    } else {
        list.add("locating_is_absent", [](Trial&) {
            GTEST_SKIP() << "this backend does not tell where a counter lives";
        });
    }
    if constexpr (quota_checking_backend<backend>) {
        list.add("a_quota_counts_exactly_if_its_validation_does_not_throw", [](Trial& t) {
            using std::chrono::hours;
            for (const nanoseconds window :
                 {nanoseconds{1ms}, nanoseconds{999ms}, nanoseconds{1s}, nanoseconds{1s + 1ns},
                  nanoseconds{10s}, nanoseconds{1h}, nanoseconds{fixed_window::max_window}}) {
                const fixed_window quota{.limit = 3, .window = window};
                bool refused = false;
                try {
                    t.backend.validate_quota(quota);
                } catch (const std::invalid_argument&) {
                    refused = true;
                }
                EXPECT_NE(t.backend.counts(quota), refused) << to_string(quota);
            }
        });
        list.add("the_quotas_of_this_suite_count", [](Trial& t) {
            EXPECT_TRUE(t.backend.counts(fixed_window{.limit = 3, .window = 10s}));
            EXPECT_TRUE(t.backend.counts(fixed_window{.limit = 0, .window = 10s}));
        });
    } else {
        list.add("quota_checking_is_absent",
                 [](Trial&) { GTEST_SKIP() << "this backend counts every quota"; });
    }
}

} // namespace weir::contract::detail

#endif
