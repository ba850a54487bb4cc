#ifndef WEIR_DETAIL_LIMITER_CORE_HPP
#define WEIR_DETAIL_LIMITER_CORE_HPP

/// What the copies of a limiter share, and how an answer of their backend becomes a decision. None
/// of it needs the limiter, which may be gone when an asynchronous answer comes, nor keeps the
/// backend.

#include <weir/clock.hpp>
#include <weir/counter_storage.hpp>
#include <weir/decision.hpp>
#include <weir/detail/denials.hpp>
#include <weir/detail/hash.hpp>
#include <weir/memory/counter_table.hpp>
#include <weir/on_failure.hpp>
#include <weir/quota/step.hpp>

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>

namespace weir::detail {

/// What sets counters apart beside the limiter's name: the algorithm and the length of a window.
template<quota Quota>
[[nodiscard]] std::string shape_of(const Quota& quota) {
    return std::string{Quota::algorithm} + ':' + std::to_string(quota.period().count());
}

template<quota Quota>
[[nodiscard]] counter_space make_space(std::string limiter, const Quota& quota) {
    std::string name = limiter + ':' + shape_of(quota);
    const std::uint64_t id = stable_hash(name);
    return {std::move(limiter), std::move(name), id};
}

/// A name that no other limiter of this process has, nor can be given.
[[nodiscard]] inline std::string private_limiter_name() {
    static std::atomic<std::uint64_t> last{0};
    return '#' + std::to_string(last.fetch_add(1, std::memory_order_relaxed) + 1);
}

struct limiter_core {
    counter_space space;
    on_failure then = on_failure::deny;
    /// Counts while the backend fails; null unless `on_failure::local`.
    std::unique_ptr<counter_table> local;
    /// Null if denials are not remembered.
    std::unique_ptr<denials> remembered;
};

/// A question to the backend, with all that its answer is judged by.
template<class Step>
struct inquiry {
    Step step;
    time_point now;
    /// Where to count if the backend fails.
    counter_table::place local{};
    denials::question denied{};
};

/// Whether denials of a step are remembered: those of takes, under a quota whose bytes tell it from
/// every other. Looks are always answered by the backend.
template<class Step>
inline constexpr bool remembers =
    std::conjunction_v<std::is_same<Step, take_step<typename Step::quota_type>>,
                       std::has_unique_object_representations<typename Step::quota_type>>;

template<class Step>
void locate_locally(const limiter_core& core, const counter_space& space, std::string_view key,
                    inquiry<Step>& asked) noexcept {
    if (core.local != nullptr) {
        asked.local = core.local->locate(space.id, key);
    }
}

/// Prepares the question about `key`, or finds the answer among the denials that are remembered.
template<class Step>
[[nodiscard]] std::optional<decision> prepare(limiter_core& core, const counter_space& space,
                                              std::string_view key, inquiry<Step>& asked) noexcept {
    locate_locally(core, space, key, asked);
    if constexpr (remembers<Step>) {
        const Step& step = asked.step;
        if (core.remembered != nullptr && step.cost > 0) {
            const std::string_view quota{reinterpret_cast<const char*>(&step.quota),
                                         sizeof step.quota};
            const denials::looked found = core.remembered->look(key, quota, step.quota.limit,
                                                                step.cost, step.shift, asked.now);
            asked.denied = found.asked;
            return found.known;
        }
    }
    return std::nullopt;
}

/// Decides without the backend, which failed with `error`.
template<class Step>
[[nodiscard]] decision decide_locally(limiter_core& core, const inquiry<Step>& asked,
                                      std::error_code error) noexcept {
    decision answer;
    if (core.local != nullptr) {
        answer = core.local->update(asked.local, asked.step, asked.now);
    } else {
        answer.allowed = core.then == on_failure::allow;
        answer.reason = reason::backend_failed;
        answer.limit = asked.step.quota.limit;
    }
    answer.decided_by = decider::local;
    answer.set_error(error);
    return answer;
}

/// The decision that the backend's answer comes to.
template<class Step>
[[nodiscard]] decision settle(limiter_core& core, const inquiry<Step>& asked,
                              const decision& answer, std::error_code error) noexcept {
    if (error) [[unlikely]] {
        return decide_locally(core, asked, error);
    }
    if constexpr (remembers<Step>) {
        if (core.remembered != nullptr && asked.step.cost > 0) {
            core.remembered->note(asked.denied, asked.now, answer);
        }
    }
    return answer;
}

} // namespace weir::detail

#endif
