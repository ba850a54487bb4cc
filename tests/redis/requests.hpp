#ifndef WEIR_TESTS_REDIS_REQUESTS_HPP
#define WEIR_TESTS_REDIS_REQUESTS_HPP

/// Requests that write down what becomes of them.

#include "replies.hpp"

#include <weir/redis/commands.hpp>
#include <weir/redis/request.hpp>

#include <chrono>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace weir::tests {

using detail::redis::commands;
using detail::redis::steady_time;

/// What happened, in its order: `name: reply reply` or `name: what the error says`.
using diary = std::vector<std::string>;

/// Some moment. Tests of what takes a moment as an argument need no clock.
inline constexpr steady_time noon{std::chrono::hours{12}};

/// A command of one word, which becomes recognisable in what is written.
[[nodiscard]] inline commands word(std::string_view text) {
    commands c;
    c.add(text);
    return c;
}

/// What `word(text)` looks like on its way.
[[nodiscard]] inline std::string written(std::string_view text) {
    return std::string{word(text).bytes()};
}

[[nodiscard]] inline commands harmless(commands c) {
    c.harmless = true;
    return c;
}

[[nodiscard]] inline commands ordered(std::uint64_t order, commands c) {
    c.order = order;
    return c;
}

class observed_request final : public detail::redis::request {
public:
    observed_request(diary& into, std::string name, commands what,
                     steady_time deadline = steady_time::max())
        : request{std::move(what), deadline}, diary_{into}, name_{std::move(name)} {}

    /// Nobody else watches its deadline.
    observed_request& that_expires() noexcept {
        expires_ = true;
        return *this;
    }
    [[nodiscard]] bool expires() const noexcept override { return expires_; }

    void complete(std::error_code error) noexcept override {
        std::string line = name_ + ':';
        if (error) {
            line += ' ' + error.message();
        } else {
            for (const detail::redis::reply& r : replies()) {
                line += ' ' + shown(r);
            }
        }
        diary_.push_back(std::move(line));
    }

private:
    diary& diary_;
    std::string name_;
    bool expires_ = false;
};

} // namespace weir::tests

#endif
