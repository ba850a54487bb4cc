#include "settings.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <system_error>
#include <utility>

namespace shop {

const char* const settings_help = R"(Settings, all from the environment:
  HOST=127.0.0.1            address to listen on
  PORT=8080                 0: any free port
  DATABASE=products.db      file; created and filled at first start
  REDIS_URL=                where all instances share limits and caches, such as
                            redis://[user:password@]host:port/db or unix:///path/to/socket?db=0;
                            left out: each has its own, in memory
  THREADS=16                requests served at once, 1 to 256
  SEARCH_PER_MINUTE=20      searches of one client
  ANONYMOUS_PER_MINUTE=20   other requests of one client without a token, by its address
  USER_PER_MINUTE=200       of one user
  ADMIN_PER_MINUTE=1000     of one administrator
  USER_TOKENS=alice=demo-alice,bob=demo-bob
  ADMIN_TOKENS=admin=demo-admin
  PRODUCT_TTL=5min          how long answers are fresh: a number and ms, s, min or h
  LIST_TTL=1min
  REPORT_TTL=10min
  CART_TTL=5min
  MISSING_TTL=30s           how long to remember that something does not exist; 0: not at all
  GRACE=1h                  how much longer to serve the old answer if the database fails; 0: not
)";

namespace {

[[noreturn]] void reject(const std::string& name, std::string_view value,
                         const std::string& range) {
    throw std::invalid_argument{name + " is \"" + std::string{value} + "\"; it must be " + range};
}

std::optional<std::string> variable(const std::string& name) {
    const char* const value = std::getenv(name.c_str());
    return value == nullptr ? std::nullopt : std::optional<std::string>{value};
}

/// The number at the start of `text`, and how long it is; nothing if there is none that fits.
std::optional<std::pair<std::int64_t, std::size_t>> leading_number(std::string_view text) {
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || number < 0) {
        return std::nullopt;
    }
    return std::pair{number, static_cast<std::size_t>(end - text.data())};
}

template<class Integer>
void read_number(const std::string& name, Integer& setting, std::int64_t least, std::int64_t most) {
    const auto value = variable(name);
    if (!value) {
        return;
    }
    const auto number = leading_number(*value);
    if (!number || number->second != value->size() || number->first < least ||
        number->first > most) {
        reject(name, *value,
               "an integer from " + std::to_string(least) + " to " + std::to_string(most));
    }
    setting = static_cast<Integer>(number->first);
}

void read_text(const std::string& name, std::string& setting) {
    if (const auto value = variable(name)) {
        if (value->empty()) {
            reject(name, *value, "left out or not empty");
        }
        setting = *value;
    }
}

void read_duration(const std::string& name, std::chrono::nanoseconds& setting, bool may_be_zero) {
    using namespace std::chrono_literals;
    constexpr std::array<std::pair<std::string_view, std::chrono::milliseconds>, 4> units{
        {{"ms", 1ms}, {"s", 1s}, {"min", 1min}, {"h", 1h}}};
    constexpr std::chrono::hours longest{24 * 365};

    const auto value = variable(name);
    if (!value) {
        return;
    }
    const auto number = leading_number(*value);
    if (may_be_zero && *value == "0") {
        setting = 0ns;
        return;
    }
    for (const auto& [unit, length] : units) {
        if (number && value->substr(number->second) == unit && number->first > 0 &&
            number->first <= longest / length) {
            setting = number->first * length;
            return;
        }
    }
    reject(name, *value,
           std::string{"a positive number and ms, s, min or h, at most a year"} +
               (may_be_zero ? ", or 0" : ""));
}

/// `name=token,name=token`
void read_tokens(const std::string& name, std::map<std::string, std::string>& setting) {
    const auto value = variable(name);
    if (!value) {
        return;
    }
    setting.clear();
    std::string_view rest = *value;
    while (!rest.empty()) {
        const std::string_view entry = rest.substr(0, rest.find(','));
        rest.remove_prefix(std::min(rest.size(), entry.size() + 1));
        const std::size_t equals = entry.find('=');
        if (equals == 0 || equals == std::string_view::npos || equals + 1 == entry.size() ||
            !setting.emplace(entry.substr(equals + 1), entry.substr(0, equals)).second) {
            // The value is not shown: it holds secrets.
            reject(name, "...", "name=token,name=token,... with different tokens");
        }
    }
}

void check_tokens(const settings& result) {
    for (const auto& [token, name] : result.admin_tokens) {
        if (result.user_tokens.contains(token)) {
            throw std::invalid_argument{"ADMIN_TOKENS and USER_TOKENS have a token in common, that "
                                        "of \"" +
                                        name + "\""};
        }
    }
}

} // namespace

settings read_settings() {
    constexpr std::int64_t largest_limit = 0xffffffff;
    settings result;
    read_text("HOST", result.host);
    read_number("PORT", result.port, 0, 65'535);
    read_text("DATABASE", result.database);
    if (result.database.starts_with(':')) {
        reject("DATABASE", result.database, "the name of a file");
    }
    read_text("REDIS_URL", result.redis_url);
    read_number("THREADS", result.threads, 1, 256);
    read_number("SEARCH_PER_MINUTE", result.limits.search, 1, largest_limit);
    read_number("ANONYMOUS_PER_MINUTE", result.limits.anonymous, 1, largest_limit);
    read_number("USER_PER_MINUTE", result.limits.user, 1, largest_limit);
    read_number("ADMIN_PER_MINUTE", result.limits.admin, 1, largest_limit);
    read_tokens("USER_TOKENS", result.user_tokens);
    read_tokens("ADMIN_TOKENS", result.admin_tokens);
    check_tokens(result);
    read_duration("PRODUCT_TTL", result.caches.product_ttl, false);
    read_duration("LIST_TTL", result.caches.list_ttl, false);
    read_duration("REPORT_TTL", result.caches.report_ttl, false);
    read_duration("CART_TTL", result.caches.cart_ttl, false);
    read_duration("MISSING_TTL", result.caches.missing_ttl, true);
    read_duration("GRACE", result.caches.grace, true);
    return result;
}

} // namespace shop
