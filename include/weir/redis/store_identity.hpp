#ifndef WEIR_REDIS_STORE_IDENTITY_HPP
#define WEIR_REDIS_STORE_IDENTITY_HPP

#include <weir/detail/hash.hpp>
#include <weir/redis/commands.hpp>
#include <weir/redis/key_names.hpp>
#include <weir/redis/scripts.hpp>
#include <weir/value_storage.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace weir::detail::redis {

/// What every handle of one store knows, and how it asks. Handlers keep it, so it does not keep the
/// backend.
class store_identity {
public:
    store_identity(std::string_view prefix, std::string_view cache, const store_options& options)
        : names{prefix, cache},
          name{cache},
          usual{options.usual},
          lease{std::chrono::ceil<std::chrono::milliseconds>(options.lease)} {}

    const value_names names;
    const std::string name;
    const lifetime usual;
    const std::chrono::milliseconds lease;
    std::atomic<std::uint64_t> undecodable{0};

    [[nodiscard]] std::string value_name(std::string_view key) const {
        std::string text;
        names.append_value(text, key);
        return text;
    }
    [[nodiscard]] std::string lease_name(std::string_view key) const {
        std::string text;
        names.append_lease(text, key);
        return text;
    }

    /// For commands on `key`: they keep their order.
    [[nodiscard]] static commands ordered(std::string_view key) noexcept {
        commands c;
        c.order = (hash_bytes(key, 0) >> 1) + 1; // neither 0 nor after_all
        return c;
    }

    /// How freshness is told: by the TTL, which is asked for with the value, or not at all.
    [[nodiscard]] bool asks_expiry() const noexcept { return usual.grace.count() > 0; }
    /// Whether a value without a TTL, which it takes one to notice, is given that of the cache.
    [[nodiscard]] bool gives_expiry() const noexcept {
        return asks_expiry() && usual.ttl.count() > 0;
    }
    [[nodiscard]] std::size_t commands_per_get() const noexcept { return asks_expiry() ? 2 : 1; }

    void add_get(commands& c, std::string_view key) const {
        const std::string text = value_name(key);
        if (asks_expiry()) {
            // In this order a value that is replaced in between looks older, never fresher.
            c.add("PTTL", text);
        }
        c.add("GET", text);
    }

    [[nodiscard]] commands ask_get(std::string_view key) const {
        commands c = ordered(key);
        c.harmless = true;
        add_get(c, key);
        return c;
    }

    /// The key's value, which another program stored without a TTL, is given that of this cache.
    [[nodiscard]] commands ask_expiry(std::string_view key) const {
        const auto most = std::chrono::ceil<std::chrono::milliseconds>(usual.ttl + usual.grace);
        commands c = ordered(key);
        c.add("PEXPIRE", value_name(key), most.count(), "NX");
        return c;
    }

    [[nodiscard]] commands ask_release(std::string_view key, lease_token token) const {
        commands c = ordered(key);
        c.call(release_script, lease_name(key), text(token));
        return c;
    }

    [[nodiscard]] commands ask_removal(std::string_view key, std::string_view bytes) const {
        commands c = ordered(key);
        c.call(release_script, value_name(key), bytes);
        return c;
    }

    [[nodiscard]] static std::string text(lease_token token) {
        return std::to_string(static_cast<std::uint64_t>(token));
    }
};

} // namespace weir::detail::redis

#endif
