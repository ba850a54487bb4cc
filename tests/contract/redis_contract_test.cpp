#include <weir/json.hpp>
#include <weir/redis.hpp>

#include "support/redis_server.hpp"

#include <weir/contract/counters.hpp>
#include <weir/contract/values.hpp>

#include <nlohmann/json.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string>

/// A type that goes through JSON.
struct contract_product {
    std::string name;
    int cents = 0;
    NLOHMANN_DEFINE_TYPE_INTRUSIVE(contract_product, name, cents)
};

template<>
struct weir::contract::sample<contract_product> {
    [[nodiscard]] static contract_product make(int n) { return {"lamp {}:%\n", n}; }
    [[nodiscard]] static int number(const contract_product& p) {
        return p.name == "lamp {}:%\n" ? p.cents : -1;
    }
};

namespace {

/// A part of one database for each backend, because a backend that is new has to be empty.
struct redis_under_test {
    static constexpr std::chrono::milliseconds margin{50};

    weir::redis_backend make() const { return make({.uri = weir::tests::shared_server().uri()}); }

    static weir::redis_backend make(weir::redis_options options) {
        static std::atomic<int> made{0};
        options.prefix = "contract-" + std::to_string(++made) + ":";
        options.timeout = std::chrono::seconds{10}; // nothing here is about being late
        weir::redis_backend backend{options};
        if (!backend.wait_until_connected(std::chrono::seconds{10})) {
            throw std::runtime_error{"no connection: " + backend.stats().last_error};
        }
        return backend;
    }
};

/// Over a Unix socket, on one connection, so that callers meet on it.
struct redis_on_one_connection_under_test {
    static constexpr std::chrono::milliseconds margin = redis_under_test::margin;

    weir::redis_backend make() const {
        return redis_under_test::make({.uri = weir::tests::shared_server().unix_uri(),
                                       .connections = 1,
                                       .executor = weir::run_inline});
    }
};

[[maybe_unused]] const bool added[] = {
    weir::contract::add_counter_tests<redis_under_test>("redis_counters"),
    weir::contract::add_counter_tests<redis_on_one_connection_under_test>(
        "redis_counters_on_one_connection"),
    weir::contract::add_value_tests<redis_under_test>("redis_values"),
    weir::contract::add_value_tests<redis_under_test, std::int64_t>("redis_values_of_integers"),
    weir::contract::add_value_tests<redis_under_test, contract_product>("redis_values_in_json"),
    weir::contract::add_value_tests<redis_on_one_connection_under_test>(
        "redis_values_on_one_connection"),
};

} // namespace
