#ifndef PRODUCT_SERVICE_SETTINGS_HPP
#define PRODUCT_SERVICE_SETTINGS_HPP

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

namespace shop {

struct limit_settings {
    // Requests in a minute.
    std::int64_t search = 20;
    std::int64_t anonymous = 20;
    std::int64_t user = 200;
    std::int64_t admin = 1000;
};

struct cache_settings {
    std::chrono::nanoseconds product_ttl = std::chrono::minutes{5};
    std::chrono::nanoseconds list_ttl = std::chrono::minutes{1};
    std::chrono::nanoseconds report_ttl = std::chrono::minutes{10};
    std::chrono::nanoseconds cart_ttl = std::chrono::minutes{5};
    /// For how long to remember that a product or category does not exist.
    std::chrono::nanoseconds missing_ttl = std::chrono::seconds{30};
    /// For how much longer an old value may be served while the database fails.
    std::chrono::nanoseconds grace = std::chrono::hours{1};
};

struct settings {
    std::string host = "127.0.0.1";
    /// 0: any free port.
    int port = 8080;
    std::string database = "products.db";
    /// Where limits and caches are, for all instances that name it; empty: in this one's memory.
    std::string redis_url;
    std::size_t threads = 16;
    limit_settings limits;
    cache_settings caches;
    /// Who an `Authorization: Bearer <token>` belongs to. The defaults are for demonstrations: a real
    /// service keeps no tokens in its source.
    std::map<std::string, std::string> user_tokens{{"demo-alice", "alice"}, {"demo-bob", "bob"}};
    std::map<std::string, std::string> admin_tokens{{"demo-admin", "admin"}};
};

/// What `--help` shows.
extern const char* const settings_help;

/// Reads the environment. Throws std::invalid_argument, naming the variable, its value and what was
/// expected.
[[nodiscard]] settings read_settings();

} // namespace shop

#endif
