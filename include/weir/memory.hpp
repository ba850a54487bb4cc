#ifndef WEIR_MEMORY_HPP
#define WEIR_MEMORY_HPP

/// `memory_backend`: limits and cached values in this process, the default backend.

#include <weir/clock.hpp>
#include <weir/detail/name.hpp>
#include <weir/detail/name_registry.hpp>
#include <weir/handler.hpp>
#include <weir/memory/counter_table.hpp>
#include <weir/memory/value_store.hpp>
#include <weir/stats.hpp>
#include <weir/storage.hpp>
#include <weir/when_full.hpp>

#include <cstddef>
#include <memory>
#include <string_view>
#include <system_error>
#include <utility>

namespace weir {

/// The bounds of a memory backend. Bounds of cached values belong to each cache (`cache_options`).
struct memory_options {
    /// How many keys of limiters can be active at once, over all limiters of the backend: 1 to 2^32.
    /// The table is made at once, at most 40 bytes a key; pages that no key needs stay untouched.
    std::size_t counters = 65'536;

    /// What happens to a new key when its places in the table are taken by keys in use.
    weir::when_full when_full = weir::when_full::forgive;
};

/// A backend in the memory of this process: a handle whose copies refer to one state. Nothing in it
/// fails, blocks on anything but a short lock, or reaches outside the process.
///
/// After a fork, the child must not use a backend that several threads used before.
template<clock_source Clock = real_clock>
class basic_memory_backend {
public:
    static constexpr bool in_process = true;

    basic_memory_backend() : basic_memory_backend{Clock{}} {}
    explicit basic_memory_backend(const memory_options& options)
        : basic_memory_backend{Clock{}, options} {}

    /// Throws std::invalid_argument, naming the value and the range, for options out of range.
    explicit basic_memory_backend(Clock clock, const memory_options& options = {})
        : state_{std::make_shared<state>(std::move(clock), options)} {}

    [[nodiscard]] time_point now() const noexcept { return state_->clock.now(); }

    /// The table of counters, over all limiters.
    [[nodiscard]] counter_stats stats() const noexcept { return state_->counters.stats(); }

    // The counter half of the storage concept.

    template<counter_step Step>
    typename Step::result_type update(const counter_space& space, std::string_view key,
                                      const Step& step, time_point now,
                                      std::error_code& ec) const noexcept {
        ec.clear();
        return update_at(locate(space, key), step, now);
    }

    [[nodiscard]] auto locate(const counter_space& space, std::string_view key) const noexcept {
        return state_->counters.locate(space.id, key);
    }

    template<counter_step Step>
    typename Step::result_type update_at(const detail::counter_table::place& place,
                                         const Step& step, time_point now) const noexcept {
        return state_->counters.update(place, step, now);
    }

    /// `update`, and `done` called before it returns.
    template<counter_step Step>
    void update_async(const counter_space& space, std::string_view key, const Step& step,
                      time_point now,
                      handler<typename Step::result_type, std::error_code> done) const noexcept {
        done(update_at(locate(space, key), step, now), {});
    }

    void register_limiter(std::string_view name, std::string_view shape) const {
        state_->limiters.claim(name, shape);
    }

    // The value half.

    template<class Value>
    [[nodiscard]] detail::memory_store<Value> values(std::string_view name,
                                                     const store_options& options) const {
        return state_->caches.template open<detail::memory_store<Value>>(name, options);
    }

private:
    struct state {
        state(Clock c, const memory_options& options)
            : clock{std::move(c)}, counters{options.counters, options.when_full} {}

        Clock clock;
        detail::counter_table counters;
        detail::limiter_names limiters;
        detail::cache_names caches;
    };

    std::shared_ptr<state> state_;
};

/// The memory backend on the real clock.
using memory_backend = basic_memory_backend<>;

} // namespace weir

#endif
