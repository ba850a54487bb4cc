#ifndef WEIR_CONTRACT_WINDOW_MODEL_HPP
#define WEIR_CONTRACT_WINDOW_MODEL_HPP

/// Fixed windows as one would explain them: a map from key to the number of the window and what was
/// used in it. Written apart from `fixed_window`, to be compared with it.

#include <weir/clock.hpp>
#include <weir/decision.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <map>
#include <string>

namespace weir::contract {

class window_model {
public:
    explicit window_model(std::chrono::nanoseconds window) : window_{window} {}

    /// `now` must not be in an earlier window of this key than any `now` before.
    decision take(const std::string& key, std::int64_t limit, std::int64_t cost, time_point now,
                  std::chrono::nanoseconds shift) {
        const decision answer = ask(key, limit, cost, now, shift);
        if (answer.allowed && cost > 0) {
            counts_[key] = {window_at(now, shift), used(key, now, shift) + cost};
        }
        return answer;
    }

    decision peek(const std::string& key, std::int64_t limit, std::int64_t cost, time_point now,
                  std::chrono::nanoseconds shift) const {
        decision answer = ask(key, limit, cost, now, shift);
        if (answer.allowed) {
            answer.remaining += cost;
            answer.reset_after = reset_after(used(key, now, shift), now, shift);
        }
        return answer;
    }

    /// Answers whether anything was in use.
    bool give_back(const std::string& key, std::int64_t cost, time_point now,
                   std::chrono::nanoseconds shift) {
        const std::int64_t before = used(key, now, shift);
        if (before == 0 || cost == 0) {
            return false;
        }
        counts_[key].used = std::max<std::int64_t>(0, before - cost);
        return true;
    }

    void forget(const std::string& key) { counts_.erase(key); }

    [[nodiscard]] bool ever_used(const std::string& key) const { return counts_.contains(key); }

    /// What `key` used in the window of `now`.
    [[nodiscard]] std::int64_t used(const std::string& key, time_point now,
                                    std::chrono::nanoseconds shift) const {
        const auto found = counts_.find(key);
        return found != counts_.end() && found->second.window == window_at(now, shift)
                   ? found->second.used
                   : 0;
    }

    /// The start of the window that `now` is in.
    [[nodiscard]] time_point start(time_point now, std::chrono::nanoseconds shift) const {
        return time_point{window_at(now, shift) * window_ - shift};
    }

private:
    struct count {
        std::int64_t window;
        std::int64_t used;
    };

    [[nodiscard]] std::int64_t window_at(time_point now, std::chrono::nanoseconds shift) const {
        return (now.time_since_epoch() + shift) / window_;
    }

    [[nodiscard]] std::chrono::nanoseconds reset_after(std::int64_t in_use, time_point now,
                                                       std::chrono::nanoseconds shift) const {
        return in_use == 0 ? std::chrono::nanoseconds{0} : start(now, shift) + window_ - now;
    }

    [[nodiscard]] decision ask(const std::string& key, std::int64_t limit, std::int64_t cost,
                               time_point now, std::chrono::nanoseconds shift) const {
        const std::int64_t before = used(key, now, shift);
        decision answer;
        answer.limit = limit;
        if (cost > limit || limit == 0) {
            answer.reason = reason::impossible;
            answer.remaining = std::max<std::int64_t>(0, limit - before);
            answer.retry_after = never;
            answer.reset_after = reset_after(before, now, shift);
        } else if (before + cost > limit) {
            answer.reason = reason::over_limit;
            answer.remaining = std::max<std::int64_t>(0, limit - before);
            answer.retry_after = start(now, shift) + window_ - now;
            answer.reset_after = answer.retry_after;
        } else {
            answer.allowed = true;
            answer.reason = reason::within_limit;
            answer.remaining = limit - before - cost;
            answer.reset_after = reset_after(before + cost, now, shift);
        }
        return answer;
    }

    std::chrono::nanoseconds window_;
    std::map<std::string, count> counts_;
};

} // namespace weir::contract

#endif
