/// How do I cache objects in Redis, so that all processes share them?
///
/// As in memory, with a backend on a Redis or Valkey server (REDIS_URL) and JSON for the objects. This
/// program plays two services that know nothing of each other; they could be on two machines.

#include <weir/json.hpp>
#include <weir/redis.hpp>
#include <weir/weir.hpp>

#include <chrono>
#include <cstdlib>
#include <iostream>
#include <string>

using namespace std::chrono_literals;

struct product {
    std::string name;
    int cents = 0;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(product, name, cents) // of nlohmann's library: to and from JSON

namespace {

int price_in_database = 4900;

/// A service with a backend of its own.
struct service {
    void show(int id) const {
        const weir::cached<product> p = products.get_or_compute(id, [&] {
            std::cout << name << " asks the database for " << id << '\n';
            return product{"lamp", price_in_database};
        });
        std::cout << name << ": " << p->name << " for " << p->cents << ", " << to_string(p.status())
                  << '\n';
    }

    std::string name;
    weir::redis_backend redis;
    weir::cache<product> products{redis, "product", {.ttl = 5min}};
};

} // namespace

int main() {
    const char* const set = std::getenv("REDIS_URL");
    const std::string url = set != nullptr ? set : "redis://127.0.0.1:6379/0";
    const service one{"one", weir::redis_backend{url}};
    const service two{"two", weir::redis_backend{url}};
    if (!one.redis.wait_until_connected() || !two.redis.wait_until_connected()) {
        // A real service would go on: without Redis its caches compute.
        std::cerr << "no Redis: " << one.redis.stats().last_error << '\n';
        return 1;
    }
    one.products.invalidate(42); // an earlier run may have left it

    one.show(42);

    // What is in Redis is JSON, for programs in other languages too: `redis-cli GET weir:product:42`
    // prints this, and TTL says 300. Here a cache of plain text shows it.
    const weir::cache<std::string> texts{one.redis, "product", {.ttl = 5min}};
    const weir::cached<std::string> text = texts.get(42);
    std::cout << "weir:product:42 is " << (text ? *text : "not there") << '\n';

    two.show(42);

    price_in_database = 3900; // first the database, then the cache
    two.products.invalidate(42);
    one.show(42);
}

// prints: one asks the database for 42
// prints: one: lamp for 4900, computed
// prints: weir:product:42 is {"cents":4900,"name":"lamp"}
// prints: two: lamp for 4900, hit
// prints: one asks the database for 42
// prints: one: lamp for 3900, computed
