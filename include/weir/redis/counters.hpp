#ifndef WEIR_REDIS_COUNTERS_HPP
#define WEIR_REDIS_COUNTERS_HPP

/// The counter half on Redis: what a step of a quota asks the server, and what it makes of the answer.
///
/// A quota has a `counter_form`: how its counters are kept there, and the commands that do there in
/// one step what the quota's own functions do here. Both faces of an algorithm must decide alike;
/// tests/redis/counters_differential_test.cpp drives them with the same histories.

#include <weir/clock.hpp>
#include <weir/counter_storage.hpp>
#include <weir/decision.hpp>
#include <weir/error.hpp>
#include <weir/quota/fixed_window.hpp>
#include <weir/quota/step.hpp>
#include <weir/redis/commands.hpp>
#include <weir/redis/key_names.hpp>
#include <weir/redis/reply.hpp>
#include <weir/redis/scripts.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace weir::detail::redis {

template<class Quota>
struct counter_form;

/// Quotas that can be counted on Redis.
template<class Quota>
concept countable = requires {
    sizeof(counter_form<Quota>);
};

/// Fixed windows: one key for each window of each counter, which holds what was used in it, as an
/// unsigned number of 63 bits at its beginning (BITFIELD u63 0).
///
/// The name of the key ends the window; its TTL, which is longer than the window, only collects it.
/// So a count can neither be lost to an expiry that comes too soon nor live on as a ban.
///
/// A take is two commands in one write, without a script. With D = 2^63 - 1 - limit,
///
///     SET k <0> PX <window and a minute> NX                        there is a key, and it has a TTL
///     BITFIELD k OVERFLOW FAIL INCRBY u63 0 D+cost                 fails iff used + cost > limit
///                              INCRBY u63 0 -D                     fails too then, as used < D
///                              GET    u63 0                        used, with the cost if it was there
///
/// takes the cost or nothing, for any cost and any limit of a call.
///
/// A reading of the clock that comes late is charged to the window that it names, and not, as in
/// memory, to the one that the key has reached meanwhile: each window stays exact either way.
template<>
struct counter_form<fixed_window> {
    using nanoseconds = std::chrono::nanoseconds;

    /// Shorter ones would depend on how well the server's clock is known here.
    static constexpr nanoseconds min_window = std::chrono::seconds{1};

    [[nodiscard]] static bool accepts(const fixed_window& q) noexcept {
        return q.window >= min_window;
    }
    static void validate(const fixed_window& q) {
        if (!accepts(q)) {
            throw std::invalid_argument{"weir::redis_backend: window is " +
                                        std::to_string(q.window.count()) +
                                        "ns; on Redis it must be from 1s to 3650 days"};
        }
    }

    [[nodiscard]] static std::string name(std::string_view prefix, std::string_view limiter,
                                          std::string_view key, const fixed_window& q,
                                          time_point now, nanoseconds shift) {
        std::string name;
        append_counter_name(name, prefix, limiter, q.window,
                            (now.time_since_epoch() + shift) / q.window, key);
        return name;
    }

    static void ask_take(commands& out, std::string_view name, const fixed_window& q,
                         std::int64_t cost) {
        using namespace std::string_view_literals;
        const std::int64_t d = std::numeric_limits<std::int64_t>::max() - q.limit;
        out.reserve(2 * name.size() + 256);
        out.add("SET", name, "\0\0\0\0\0\0\0\0"sv, "PX", expiry(q), "NX");
        out.add("BITFIELD", name, "OVERFLOW", "FAIL", "INCRBY", "u63", "0", d + cost, "INCRBY",
                "u63", "0", -d, "GET", "u63", "0");
    }

    struct taken {
        bool granted = false;
        /// Without the cost.
        std::uint32_t used_before = 0;
        /// Whether it is certain that the key has a TTL.
        bool expires = true;
    };
    /// Nothing if this is no answer to `ask_take`.
    [[nodiscard]] static std::optional<taken> read_take(std::span<const reply> replies,
                                                        std::int64_t cost) noexcept {
        const reply& field = replies[1];
        if (!field.is(reply::kind::array) || field.elements.size() != 3 ||
            !field.elements[2].is(reply::kind::integer)) {
            return std::nullopt;
        }
        const bool granted = field.elements[0].is(reply::kind::integer);
        const std::int64_t before = field.elements[2].integer - (granted ? cost : 0);
        // Between the two commands the server may have evicted the key. Then the second made it, and
        // its count began at nothing. That may also have been so by rights.
        const bool certain = replies[0].is(reply::kind::nil) && before != 0;
        return taken{granted, clamped(before), certain};
    }

    static void ask_expiry(commands& out, std::string_view name, const fixed_window& q) {
        out.add("PEXPIRE", name, expiry(q), "NX");
        out.harmless = true;
    }

    static void ask_used(commands& out, std::string_view name) {
        out.add("GET", name);
        out.harmless = true;
    }
    [[nodiscard]] static std::optional<std::uint32_t> read_used(const reply& r) noexcept {
        if (r.is(reply::kind::nil)) {
            return 0;
        }
        if (!r.is(reply::kind::string)) {
            return std::nullopt;
        }
        std::uint64_t word = 0;
        for (std::size_t i = 0; i != 8; ++i) {
            word = word << 8 | (i < r.text.size() ? static_cast<unsigned char>(r.text[i]) : 0U);
        }
        return clamped(static_cast<std::int64_t>(word >> 1));
    }

private:
    /// In milliseconds.
    [[nodiscard]] static std::int64_t expiry(const fixed_window& q) noexcept {
        using std::chrono::milliseconds;
        return std::chrono::ceil<milliseconds>(q.window + std::chrono::minutes{1}).count();
    }

    /// No count of weir's is larger.
    [[nodiscard]] static std::uint32_t clamped(std::int64_t used) noexcept {
        constexpr std::int64_t most = std::numeric_limits<std::uint32_t>::max();
        return static_cast<std::uint32_t>(std::clamp<std::int64_t>(used, 0, most));
    }
};

/// One step on one counter: the commands to send, and the result that their replies mean.
template<counter_step Step>
class counter_question {
    using quota_type = typename Step::quota_type;
    using form = counter_form<quota_type>;
    using result_type = typename Step::result_type;

public:
    counter_question(std::string_view prefix, const counter_space& space, std::string_view key,
                     const Step& step, time_point now)
        : name_{form::name(prefix, space.limiter, key, step.quota, now, step.shift)},
          step_{step},
          now_{now} {}

    [[nodiscard]] commands ask() const {
        commands c;
        if constexpr (gives_back) {
            c.call(give_back_script, name_,
                   std::min<std::int64_t>(step_.cost, std::int64_t{1} << 32));
        } else if constexpr (forgets) {
            c.add("DEL", name_);
        } else if (takes()) {
            form::ask_take(c, name_, step_.quota, step_.cost);
        } else {
            form::ask_used(c, name_);
        }
        return c;
    }

    /// What the replies mean. If they mean nothing, `wrong` is the one at fault.
    [[nodiscard]] result_type read(std::span<const reply> replies, const reply*& wrong) {
        if constexpr (gives_back || forgets) {
            if (replies[0].is(reply::kind::integer)) {
                return replies[0].integer != 0;
            }
        } else if (takes()) {
            if (const auto taken = form::read_take(replies, step_.cost)) {
                needs_expiry_ = !taken->expires;
                return decide(taken->used_before);
            }
        } else if (const auto used = form::read_used(replies[0])) {
            return decide(*used);
        }
        wrong = &replies.back();
        return {};
    }

    /// After `read`: what has to be sent, without waiting for the reply, so that the key is sure to
    /// have a TTL.
    [[nodiscard]] std::optional<commands> afterwards() const {
        if (!needs_expiry_) {
            return std::nullopt;
        }
        commands c;
        form::ask_expiry(c, name_, step_.quota);
        return c;
    }

private:
    static constexpr bool gives_back = std::is_same_v<Step, give_back_step<quota_type>>;
    static constexpr bool forgets = std::is_same_v<Step, forget_step<quota_type>>;

    /// Whether there is anything to take: a look, and a cost that can never fit, change nothing.
    [[nodiscard]] bool takes() const noexcept {
        if constexpr (std::is_same_v<Step, take_step<quota_type>>) {
            return step_.cost > 0 && step_.cost <= step_.quota.limit;
        }
        return false;
    }

    /// The decision of the quota's own step upon this count.
    [[nodiscard]] decision decide(std::uint32_t used) const noexcept {
        return step_(quota_type::having_used(used, step_.quota.period(), now_, step_.shift), now_)
            .result;
    }

    std::string name_;
    Step step_;
    time_point now_;
    bool needs_expiry_ = false;
};

} // namespace weir::detail::redis

#endif
