/// How do I keep limits and cached values in a store of my own?
///
/// custom_backend.hpp is such a store, complete. weir's tests run the contract suites on it
/// (tests/contract/custom_backend_contract_test.cpp), which is how you find out whether yours keeps
/// every promise.

#include "custom_backend.hpp"

#include <weir/weir.hpp>

#include <chrono>
#include <iostream>
#include <string>

using namespace std::chrono_literals;

int main() {
    const map_backend backend;

    const weir::rate_limiter limiter{backend, weir::per_day(3)};
    for (int request = 1; request <= 4; ++request) {
        const weir::decision d = limiter.allow("203.0.113.7");
        std::cout << "request " << request << ": " << weir::http_status(d) << ", " << d.remaining
                  << " left\n";
    }

    const weir::cache<std::string> products{backend, "product", {.ttl = 5min}};
    const auto from_database = [] { return std::string{"42: a weir"}; };
    for (int lookup = 1; lookup <= 2; ++lookup) {
        const auto product = products.get_or_compute("42", from_database);
        std::cout << "lookup " << lookup << ": " << *product << " (" << to_string(product.status())
                  << ")\n";
    }
    products.invalidate("42");
    std::cout << "after invalidate: " << to_string(products.get("42").status()) << "\n";
}

// prints: request 1: 200, 2 left
// prints: request 2: 200, 1 left
// prints: request 3: 200, 0 left
// prints: request 4: 429, 0 left
// prints: lookup 1: 42: a weir (computed)
// prints: lookup 2: 42: a weir (hit)
// prints: after invalidate: miss
