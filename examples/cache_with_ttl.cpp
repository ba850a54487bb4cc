/// How do I cache what a slow function returns, for five minutes?

#include <weir/testing.hpp>
#include <weir/weir.hpp>

#include <chrono>
#include <iostream>
#include <optional>
#include <string>

using namespace std::chrono_literals;

struct product {
    std::string name;
    int price = 0;
};

int main() {
    weir::manual_clock clock; // A service writes `weir::memory_backend memory;`.
    weir::basic_memory_backend memory{clock};

    weir::cache<product> products{memory, "product", {.ttl = 5min, .negative_ttl = 30s}};

    int price_in_database = 49;
    const auto find = [&](int id) {
        // The function runs only if there is no fresh value, and once however many threads ask.
        return products.get_or_compute(id, [&]() -> std::optional<product> {
            std::cout << "asking the database for " << id << '\n';
            return id == 42 ? std::optional{product{"lamp", price_in_database}} : std::nullopt;
        });
    };
    const auto show = [&](int id) {
        const weir::cached<product> p = find(id);
        std::cout << id << ": " << (p ? p->name + " for " + std::to_string(p->price) : "nothing")
                  << ", " << to_string(p.status()) << '\n';
    };

    show(42);
    show(42);

    // That there is none is worth remembering too.
    show(7);
    show(7);

    // First change the truth, then invalidate what was derived from it.
    price_in_database = 39;
    products.invalidate(42);
    show(42);

    clock.advance(5min);
    show(42);

    std::cout << products.stats().hits << " hits, " << products.stats().computations
              << " computations\n";
}

// prints: asking the database for 42
// prints: 42: lamp for 49, computed
// prints: 42: lamp for 49, hit
// prints: asking the database for 7
// prints: 7: nothing, negative
// prints: 7: nothing, negative
// prints: asking the database for 42
// prints: 42: lamp for 39, computed
// prints: asking the database for 42
// prints: 42: lamp for 39, computed
// prints: 2 hits, 4 computations
