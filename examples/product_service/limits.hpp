#ifndef PRODUCT_SERVICE_LIMITS_HPP
#define PRODUCT_SERVICE_LIMITS_HPP

/// Who may ask how often. All that the service does with weir::rate_limiter is in this file.

#include "settings.hpp"

#include <weir/http.hpp>
#include <weir/weir.hpp>

#include <string>

namespace shop {

enum class tier { anonymous, user, admin };

/// Who sends a request.
struct client {
    shop::tier tier = shop::tier::anonymous;
    /// A user's name; of an anonymous client the address of its connection.
    std::string id;
};

/// A limit with a public name: what HTTP calls a quota policy.
class policy {
public:
    /// A backend that fails must not take the service down with it, so requests pass then. In memory
    /// none fails.
    template<class Backend>
    policy(const Backend& backend, const std::string& name, weir::fixed_window quota)
        : name_{name},
          quota_{quota},
          limiter_{backend, quota, weir::on_failure::allow, {.name = name}} {}

    /// Counts one request of `who`.
    [[nodiscard]] weir::applied_quota apply_to(const client& who) const {
        return {name_, quota_, limiter_.allow(key(who))};
    }

private:
    // An address is never a user's name, whatever names people choose.
    static std::string key(const client& who) {
        return weir::make_key(who.tier == tier::anonymous ? "address" : "user", who.id);
    }

    std::string name_;
    weir::fixed_window quota_;
    weir::rate_limiter limiter_;
};

struct limits {
    template<class Backend>
    limits(const Backend& backend, const limit_settings& settings)
        : search{backend, "search", weir::per_minute(settings.search)},
          anonymous{backend, "anonymous", weir::per_minute(settings.anonymous)},
          user{backend, "user", weir::per_minute(settings.user)},
          admin{backend, "admin", weir::per_minute(settings.admin)} {}

    [[nodiscard]] const policy& of(tier tier) const {
        switch (tier) {
        case tier::user:
            return user;
        case tier::admin:
            return admin;
        default:
            return anonymous;
        }
    }

    /// For `/search`, whoever asks.
    policy search;
    /// For everything else, by who asks.
    policy anonymous;
    policy user;
    policy admin;
};

} // namespace shop

#endif
