#ifndef CUSTOM_BACKEND_HPP
#define CUSTOM_BACKEND_HPP

// A storage backend of one's own, complete: maps behind a mutex. Whatever else can be read, written
// and swapped in one step (a database, a shared memory segment, an embedded store) has the same
// shape. weir/storage.hpp states the duties, and weir/contract/ checks them.

#include <weir/storage.hpp>

#include <any>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <system_error>
#include <unordered_map>
#include <utility>

// The values of one cache. A handle: copies share the entries.
template<class V>
class map_store {
public:
    weir::found<V> get(std::string_view key, weir::time_point now, std::error_code& ec) {
        ec.clear();
        const std::lock_guard lock{state_->mutex};
        const entry* const live = find(key, now);
        return live == nullptr ? weir::found<V>{}
                               : weir::found<V>{true, live->value, live->fresh_until};
    }

    void put(std::string_view key, weir::value_ref<V> value, const weir::lifetime& keep,
             weir::time_point now, std::error_code& ec) {
        ec.clear();
        const std::lock_guard lock{state_->mutex};
        store(key, std::move(value), keep, now);
    }

    bool add(std::string_view key, weir::value_ref<V> value, const weir::lifetime& keep,
             weir::time_point now, std::error_code& ec) {
        ec.clear();
        const std::lock_guard lock{state_->mutex};
        if (find(key, now) != nullptr) {
            return false;
        }
        store(key, std::move(value), keep, now);
        return true;
    }

    bool erase(std::string_view key, weir::time_point now, std::error_code& ec) {
        ec.clear();
        const std::lock_guard lock{state_->mutex};
        const bool live = find(key, now) != nullptr;
        return state_->entries.erase(std::string{key}) != 0 && live;
    }

    // So that caches opened apart under one name share what weir keeps for a store without leases.
    std::shared_ptr<void> hosted(std::shared_ptr<void> (*make)()) {
        const std::lock_guard lock{state_->mutex};
        if (state_->guest == nullptr) {
            state_->guest = make();
        }
        return state_->guest;
    }

private:
    struct entry {
        weir::value_ref<V> value; // null: a cached nothing
        weir::time_point fresh_until;
        weir::time_point end; // fresh_until + grace
    };
    struct state {
        std::mutex mutex;
        std::unordered_map<std::string, entry> entries;
        std::shared_ptr<void> guest;
    };

    const entry* find(std::string_view key, weir::time_point now) const {
        const auto at = state_->entries.find(std::string{key});
        return at != state_->entries.end() && now < at->second.end ? &at->second : nullptr;
    }

    void store(std::string_view key, weir::value_ref<V> value, const weir::lifetime& keep,
               weir::time_point now) {
        const weir::time_point fresh_until = now + keep.ttl;
        state_->entries.insert_or_assign(
            std::string{key}, entry{std::move(value), fresh_until, fresh_until + keep.grace});
    }

    std::shared_ptr<state> state_ = std::make_shared<state>();
};

// Both halves. Nothing here is ever swept, which is what makes it an example.
template<weir::clock_source Clock = weir::real_clock>
class map_backend {
public:
    // It cannot fail, so limiters on it need no weir::on_failure. Leave this out where it can.
    static constexpr bool in_process = true;

    explicit map_backend(Clock clock = {}) : state_{std::make_shared<state>(std::move(clock))} {}

    weir::time_point now() const noexcept { return state_->clock.now(); }

    template<weir::counter_step Step>
    typename Step::result_type update(const weir::counter_space& space, std::string_view key,
                                      const Step& step, weir::time_point now, std::error_code& ec) {
        using counter = typename Step::quota_type::state_type;
        ec.clear();
        const std::string id = space.name + '\0' + std::string{key}; // names have no NUL
        const std::lock_guard lock{state_->mutex};
        const auto kept = state_->counters.find(id);
        const auto answer = step(
            kept == state_->counters.end() ? counter{} : std::any_cast<counter>(kept->second), now);
        if (answer.write) {
            state_->counters.insert_or_assign(id, answer.next);
        }
        return answer.result;
    }

    template<class V>
    map_store<V> values(std::string_view name, const weir::store_options&) {
        const std::lock_guard lock{state_->mutex};
        std::any& store = state_->stores[std::string{name}];
        if (!store.has_value()) {
            store = map_store<V>{};
        }
        return std::any_cast<map_store<V>>(store); // throws if it is open with another V
    }

private:
    struct state {
        explicit state(Clock c) : clock{std::move(c)} {}
        Clock clock;
        std::mutex mutex;
        std::unordered_map<std::string, std::any> counters;
        std::unordered_map<std::string, std::any> stores;
    };

    std::shared_ptr<state> state_;
};

static_assert(weir::explain_storage<map_backend<>>());

#endif
