#ifndef WEIR_TESTS_CONTRACT_BREAKABLE_BACKEND_HPP
#define WEIR_TESTS_CONTRACT_BREAKABLE_BACKEND_HPP

/// A backend with every refinement that is right as it stands, and wrong in one respect when a test
/// names it: `breakable_backend{clock, "an add overwrites"}`. Each fault is one that a backend
/// somebody writes could have.

#include <weir/error.hpp>
#include <weir/glob.hpp>
#include <weir/handler.hpp>
#include <weir/quota/fixed_window.hpp>
#include <weir/storage.hpp>
#include <weir/testing.hpp>

#include <algorithm>
#include <any>
#include <cctype>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace weir_tests {

using namespace std::chrono_literals;

/// What is wrong; empty: nothing.
class fault {
public:
    fault() = default;
    explicit fault(std::string name) : name_{std::move(name)} {}

    [[nodiscard]] bool is(std::string_view name) const noexcept { return name_ == name; }

private:
    std::string name_;
};

/// A key as a store with the fault keeps it.
inline std::string kept_key(const fault& f, std::string_view key) {
    if (f.is("a key ends at its first NUL")) {
        return std::string{key.substr(0, key.find('\0'))};
    }
    if (f.is("case of keys is ignored")) {
        std::string lower{key};
        std::transform(lower.begin(), lower.end(), lower.begin(),
                       [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
        return lower;
    }
    if (f.is("long keys are cut")) {
        return std::string{key.substr(0, 512)};
    }
    if (f.is("the colon is encoded and the percent sign is not")) {
        std::string encoded;
        for (const char c : key) {
            encoded += c == ':' ? "%3A" : std::string(1, c);
        }
        return encoded;
    }
    return std::string{key};
}

/// Gives other threads the time to get in between.
inline void let_others_run() {
    for (int i = 0; i < 20; ++i) {
        std::this_thread::yield();
    }
}

template<class V>
class breakable_store {
public:
    struct entry {
        weir::value_ref<V> value;
        weir::time_point fresh_until;
        weir::time_point end;
    };
    struct state {
        std::mutex mutex;
        std::map<std::string, entry> entries;
        std::map<std::string, weir::lease_token> leases;
        std::uint64_t last_lease = 0;
        std::shared_ptr<void> hosted;
        /// What a fault has put off until after the next operation.
        std::vector<weir::handler<>> put_off;
        /// What a fault has put off until it is too late.
        std::vector<weir::handler<>> forgotten;
    };

    breakable_store(fault f, std::shared_ptr<state> s)
        : fault_{std::move(f)}, state_{std::move(s)} {}
    breakable_store(const breakable_store& other) : fault_{other.fault_}, state_{other.state_} {
        if (fault_.is("a copy of a store has entries of its own")) {
            state_ = std::make_shared<state>();
            state_->entries = other.state_->entries;
        }
    }
    breakable_store& operator=(const breakable_store&) = default;

    weir::found<V> get(std::string_view key, weir::time_point now, std::error_code& ec) {
        const run_put_off_afterwards after{*state_};
        if (!fault_.is("get leaves the error code")) {
            ec.clear();
        }
        const std::lock_guard lock{state_->mutex};
        entry* const live = find(key, now);
        if (live == nullptr) {
            return {};
        }
        const weir::found<V> answer{true, live->value, live->fresh_until};
        if (fault_.is("reading prolongs")) {
            live->end += 1h;
            live->fresh_until += 1h;
        }
        return answer;
    }

    std::vector<weir::found<V>> get_many(std::span<const std::string_view> keys,
                                         weir::time_point now, std::error_code& ec) {
        std::vector<weir::found<V>> entries;
        std::vector<std::string_view> asked{keys.begin(), keys.end()};
        if (fault_.is("get_many answers in the order of keys")) {
            std::sort(asked.begin(), asked.end());
        }
        std::set<std::string_view> seen;
        for (const std::string_view key : asked) {
            std::error_code own;
            weir::found<V> answer = get(key, now, own);
            const bool again = !seen.insert(key).second;
            if ((fault_.is("get_many answers a key once") && again) ||
                (fault_.is("get_many leaves out what is absent") && !answer.present)) {
                continue;
            }
            if (fault_.is("get_many takes an entry in its grace for absent") &&
                now >= answer.fresh_until) {
                answer = {};
            }
            entries.push_back(std::move(answer));
        }
        if (fault_.is("get_many stops at a hundred keys")) {
            entries.resize(std::min<std::size_t>(entries.size(), 100));
        }
        if (!fault_.is("get_many leaves the error code")) {
            ec.clear();
        }
        return entries;
    }

    void get_async(std::string_view key, weir::time_point now,
                   weir::handler<weir::found<V>, std::error_code> done) noexcept {
        std::error_code ec;
        weir::found<V> answer = get(
            fault_.is("get_async mistakes NUL for the end") ? key.substr(0, key.find('\0')) : key,
            now, ec);
        if (fault_.is("get_async drops the handler of an absent key") && !answer.present) {
            return;
        }
        if (fault_.is("get_async takes a nothing for absent") && !answer.value) {
            answer = {};
        }
        if (fault_.is("get_async answers with an error")) {
            ec = make_error_code(weir::errc::timeout);
        }
        if (fault_.is("reads on their way go with the backend")) {
            const std::lock_guard lock{state_->mutex};
            state_->forgotten.emplace_back([done = std::move(done)]() mutable { done({}, {}); });
            return;
        }
        done(std::move(answer), ec);
    }

    void put(std::string_view key, weir::value_ref<V> value, const weir::lifetime& keep,
             weir::time_point now, std::error_code& ec) {
        ec.clear();
        const std::lock_guard lock{state_->mutex};
        if (fault_.is("a nothing is not stored") && !value) {
            state_->entries.erase(kept(key));
            return;
        }
        if (!fault_.is("put leaves the lease")) {
            state_->leases.erase(kept(key));
        }
        const entry* const old = find(key, now);
        if (fault_.is("put keeps the old lifetime") && old != nullptr) {
            state_->entries[kept(key)].value = std::move(value);
            return;
        }
        if (fault_.is("the later reading wins") && old != nullptr &&
            now + keep.ttl < old->fresh_until) {
            return;
        }
        store(key, std::move(value), keep, now);
    }

    bool add(std::string_view key, weir::value_ref<V> value, const weir::lifetime& keep,
             weir::time_point now, std::error_code& ec) {
        ec.clear();
        std::unique_lock lock{state_->mutex};
        const entry* const live = find(key, now);
        const bool taken =
            live != nullptr && !(fault_.is("add takes a nothing for absent") && !live->value) &&
            !(fault_.is("add takes an entry in its grace for absent") && now >= live->fresh_until);
        if (taken && fault_.is("an add overwrites")) {
            store(key, std::move(value), keep, now);
        } else if (taken && fault_.is("an add that finds an entry prolongs it")) {
            state_->entries[kept(key)].end = now + keep.ttl;
        } else if (taken && fault_.is("an add that finds an entry ends the lease")) {
            state_->leases.erase(kept(key));
        }
        if (taken) {
            return false;
        }
        if (fault_.is("add looks and stores in two steps")) {
            lock.unlock();
            let_others_run();
            lock.lock();
        }
        if (!fault_.is("add leaves the lease")) {
            state_->leases.erase(kept(key));
        }
        store(key, std::move(value), keep, now);
        return true;
    }

    bool erase(std::string_view key, weir::time_point now, std::error_code& ec) {
        const run_put_off_afterwards after{*state_};
        ec.clear();
        std::unique_lock lock{state_->mutex};
        const bool live = find(key, now) != nullptr;
        if (fault_.is("erase looks and removes in two steps")) {
            lock.unlock();
            let_others_run();
            lock.lock();
        }
        if (!fault_.is("erase leaves the lease") &&
            !(fault_.is("erase of an absent key leaves the lease") && !live)) {
            state_->leases.erase(kept(key));
        }
        const bool removed = state_->entries.erase(kept(key)) != 0;
        if (fault_.is("erase answers true for an entry that is over")) {
            return removed;
        }
        return live || fault_.is("erase always answers true");
    }

    weir::leased<V> get_or_lease(std::string_view key, weir::time_point now, std::error_code& ec) {
        const run_put_off_afterwards after{*state_};
        ec.clear();
        const std::lock_guard lock{state_->mutex};
        weir::leased<V> answer;
        if (const entry* const live = find(key, now)) {
            answer.entry = {true, live->value, live->fresh_until};
            const bool nothing_lost = !(fault_.is("a nothing is leased") && !live->value);
            if ((now < live->fresh_until && nothing_lost) ||
                fault_.is("an entry in its grace is not leased")) {
                return answer;
            }
        }
        if (state_->leases.contains(kept(key)) && !fault_.is("a lease is given to everybody")) {
            return answer;
        }
        ++state_->last_lease;
        answer.lease = weir::lease_token{fault_.is("all leases are one") ? 1 : state_->last_lease};
        state_->leases[kept(key)] = answer.lease;
        return answer;
    }

    bool put_if_leased(std::string_view key, weir::value_ref<V> value, const weir::lifetime& keep,
                       weir::lease_token lease, weir::time_point now, std::error_code& ec) {
        ec.clear();
        std::unique_lock lock{state_->mutex};
        const auto held = state_->leases.find(kept(key));
        if (held == state_->leases.end() ||
            (held->second != lease && !fault_.is("any lease will do to store"))) {
            return false;
        }
        if (!fault_.is("a lease may be used twice")) {
            state_->leases.erase(held);
        }
        if (fault_.is("the lease is looked at and the value stored in two steps")) {
            lock.unlock();
            let_others_run();
            lock.lock();
        }
        if (keep.ttl.count() <= 0 && fault_.is("a leased put without a lifetime does nothing")) {
            return true;
        }
        store(key, std::move(value), keep, now);
        return true;
    }

    void release(std::string_view key, weir::lease_token lease, std::error_code& ec) {
        ec.clear();
        const std::lock_guard lock{state_->mutex};
        const auto held = state_->leases.find(kept(key));
        if (held != state_->leases.end() && !fault_.is("release does nothing") &&
            (held->second == lease || fault_.is("release ends any lease"))) {
            state_->leases.erase(held);
        }
    }

    void put_if_leased_later(std::string_view key, weir::value_ref<V> value,
                             const weir::lifetime& keep, weir::lease_token lease,
                             weir::time_point now,
                             weir::handler<bool, std::error_code> done) noexcept {
        if (fault_.is("a deferred put comes after what is asked next")) {
            const std::lock_guard lock{state_->mutex};
            state_->put_off.emplace_back([mine = unbroken(), kept = std::string{key}, value, keep,
                                          lease, now, done = std::move(done)]() mutable {
                mine.put_if_leased_later(kept, value, keep, lease, now, std::move(done));
            });
            return;
        }
        if (fault_.is("deferred puts on their way go with the backend")) {
            const std::lock_guard lock{state_->mutex};
            state_->forgotten.emplace_back([done = std::move(done)]() mutable { done(false, {}); });
            return;
        }
        if (fault_.is("a deferred put needs no lease")) {
            std::error_code ec;
            put(key, std::move(value), keep, now, ec);
            done(true, {});
            return;
        }
        if (fault_.is("a deferred put without a lifetime does nothing") && keep.ttl.count() <= 0) {
            done(true, {});
            return;
        }
        const weir::lifetime kept =
            fault_.is("a deferred put knows no grace") ? weir::lifetime{keep.ttl} : keep;
        std::error_code ec;
        const bool stored = put_if_leased(key, std::move(value), kept, lease, now, ec);
        if (fault_.is("a deferred put drops its handler if nothing was stored") && !stored) {
            return;
        }
        done(stored || fault_.is("a deferred put always says that it stored"), ec);
    }

    void release_later(std::string_view key, weir::lease_token lease) noexcept {
        if (fault_.is("a deferred release comes after what is asked next")) {
            const std::lock_guard lock{state_->mutex};
            state_->put_off.emplace_back([mine = unbroken(), kept = std::string{key},
                                          lease]() mutable { mine.release_later(kept, lease); });
            return;
        }
        std::error_code ec;
        if (fault_.is("a deferred release ends any lease")) {
            breakable_store{fault{"release ends any lease"}, state_}.release(key, lease, ec);
            return;
        }
        release(key, lease, ec);
    }

    std::int64_t erase_matching(std::string_view glob, weir::time_point now, std::error_code& ec) {
        ec.clear();
        const auto matches = [&](const std::string& key) {
            return weir::glob_matches(glob, key) ||
                   (fault_.is("a glob matches the beginning of keys") &&
                    weir::glob_matches(std::string{glob} + "*", key)) ||
                   (fault_.is("a glob ignores case") &&
                    weir::glob_matches(glob, kept_key(fault{"case of keys is ignored"}, key)));
        };
        const std::lock_guard lock{state_->mutex};
        if (!fault_.is("a matching erase leaves leases")) {
            std::erase_if(state_->leases, [&](const auto& l) { return matches(l.first); });
        }
        const auto removed = std::erase_if(state_->entries, [&](const auto& e) {
            return matches(e.first) && now < e.second.end &&
                   !(fault_.is("a matching erase leaves a nothing") && !e.second.value);
        });
        return fault_.is("a matching erase does not count") ? 0
                                                            : static_cast<std::int64_t>(removed);
    }

    void clear(weir::time_point, std::error_code& ec) {
        ec.clear();
        const std::lock_guard lock{state_->mutex};
        state_->entries.clear();
        if (!fault_.is("clear leaves leases")) {
            state_->leases.clear();
        }
    }

    template<class F>
    bool visit(std::string_view key, weir::time_point now, F&& look) {
        weir::value_ref<V> value;
        {
            const std::lock_guard lock{state_->mutex};
            const entry* const live = find(key, now);
            if (live == nullptr ||
                (now >= live->fresh_until && !fault_.is("a visit shows a stale value"))) {
                return false;
            }
            value = live->value;
        }
        if (!value) {
            return fault_.is("a visit answers true for a nothing");
        }
        look(*value);
        return true;
    }

    std::shared_ptr<void> hosted(std::shared_ptr<void> (*make)()) {
        const std::lock_guard lock{state_->mutex};
        if (state_->hosted == nullptr || fault_.is("everybody gets a hosted object")) {
            state_->hosted = make();
        }
        return state_->hosted;
    }

private:
    /// Declared before the lock of an operation, so that it comes after it.
    class run_put_off_afterwards {
    public:
        explicit run_put_off_afterwards(state& s) : state_{s} {}
        run_put_off_afterwards(const run_put_off_afterwards&) = delete;
        run_put_off_afterwards& operator=(const run_put_off_afterwards&) = delete;
        ~run_put_off_afterwards() {
            std::vector<weir::handler<>> tasks;
            {
                const std::lock_guard lock{state_.mutex};
                tasks.swap(state_.put_off);
            }
            for (weir::handler<>& task : tasks) {
                task();
            }
        }

    private:
        state& state_;
    };

    [[nodiscard]] std::string kept(std::string_view key) const { return kept_key(fault_, key); }

    /// For what is kept in the state itself, which therefore does not own it.
    [[nodiscard]] breakable_store unbroken() const {
        return {fault{}, std::shared_ptr<state>{std::shared_ptr<void>{}, state_.get()}};
    }

    entry* find(std::string_view key, weir::time_point now) {
        const auto at = state_->entries.find(kept(key));
        if (at == state_->entries.end()) {
            return nullptr;
        }
        weir::time_point end = at->second.end;
        if (fault_.is("an entry lasts a nanosecond too long")) {
            end += 1ns;
        } else if (fault_.is("an entry ends a nanosecond early")) {
            end -= 1ns;
        }
        return now < end || fault_.is("nothing ever ends") ? &at->second : nullptr;
    }

    void store(std::string_view key, weir::value_ref<V> value, weir::lifetime keep,
               weir::time_point now) {
        if (fault_.is("there is no grace")) {
            keep.grace = 0ns;
        } else if (fault_.is("grace counts as fresh")) {
            keep = {keep.ttl + keep.grace, 0ns};
        } else if (fault_.is("lifetimes are whole minutes")) {
            keep.ttl = std::chrono::ceil<std::chrono::minutes>(keep.ttl);
        }
        state_->entries.insert_or_assign(
            kept(key), entry{std::move(value), now + keep.ttl, now + keep.ttl + keep.grace});
    }

    fault fault_;
    std::shared_ptr<state> state_;
};

class breakable_backend {
public:
    static constexpr bool in_process = true;

    breakable_backend(weir::manual_clock clock, fault f)
        : fault_{std::move(f)}, state_{std::make_shared<state>(std::move(clock))} {}
    breakable_backend(const breakable_backend& other) : fault_{other.fault_}, state_{other.state_} {
        if (fault_.is("a copy counts for itself")) {
            state_ = std::make_shared<state>(other.state_->clock);
            state_->counters = other.state_->counters;
        }
    }
    breakable_backend& operator=(const breakable_backend&) = default;

    [[nodiscard]] weir::time_point now() const noexcept { return state_->clock.now(); }

    template<weir::counter_step Step>
    typename Step::result_type update(const weir::counter_space& space, std::string_view key,
                                      const Step& step, weir::time_point now, std::error_code& ec) {
        if (!fault_.is("update leaves the error code")) {
            ec.clear();
        }
        if (fault_.is("the clock counts and not the caller's reading")) {
            now = this->now();
        } else if (fault_.is("time is rounded to microseconds")) {
            now = std::chrono::round<std::chrono::microseconds>(now);
        }
        const std::string id = place(space, key);
        std::unique_lock lock{state_->mutex};
        if (fault_.is("time never goes back")) {
            state_->latest = now = std::max(now, state_->latest);
        }
        const auto kept = state_->counters.find(id);
        const std::uint64_t before = kept == state_->counters.end() ? 0 : kept->second;
        const auto answer = step(before, now);
        if (fault_.is("update reads and writes in two steps")) {
            lock.unlock();
            let_others_run();
            lock.lock();
        }
        if (answer.write && !(fault_.is("a fresh state is not written") && answer.next == 0)) {
            state_->counters[id] = answer.next;
        }
        if (fault_.is("a denied request is counted") && !answer.write && step.quota.limit > 0) {
            state_->counters[id] =
                weir::take_step<weir::fixed_window>{
                    {weir::fixed_window::max_limit, step.quota.window}, 1, step.shift}(before, now)
                    .next;
        }
        return answer.result;
    }

    template<weir::counter_step Step>
    void update_async(const weir::counter_space& space, std::string_view key, const Step& step,
                      weir::time_point now,
                      weir::handler<typename Step::result_type, std::error_code> done) noexcept {
        std::error_code ec;
        if (fault_.is("update_async answers and does not count")) {
            done(step(0, now).result, ec);
            return;
        }
        typename Step::result_type result = update(space, key, step, now, ec);
        if (fault_.is("update_async counts twice")) {
            update(space, key, step, now, ec);
        }
        if (fault_.is("update_async drops the handler of a denied request") && !result) {
            return;
        }
        if (fault_.is("update_async answers with an error")) {
            ec = make_error_code(weir::errc::timeout);
        }
        if (fault_.is("updates on their way go with the backend")) {
            const std::lock_guard lock{state_->mutex};
            state_->forgotten.emplace_back([done = std::move(done)]() mutable { done({}, {}); });
            return;
        }
        done(std::move(result), ec);
    }

    template<weir::quota Q>
    void validate_quota(const Q& quota) const {
        const auto shortest = fault_.is("counts and validate_quota disagree") ? 2s : 1s;
        if (quota.period() < shortest || fault_.is("no quota counts")) {
            throw std::invalid_argument{"windows are at least 1s here"};
        }
    }
    template<weir::quota Q>
    [[nodiscard]] bool counts(const Q& quota) const noexcept {
        return quota.period() >= 1s && !fault_.is("no quota counts");
    }

    void register_limiter(std::string_view name, std::string_view shape) {
        const std::lock_guard lock{state_->mutex};
        const auto at = state_->names.try_emplace(std::string{name}, shape).first;
        if (at->second != shape && !fault_.is("names are not checked")) {
            throw std::invalid_argument{"the name is taken"};
        }
    }

    template<class V>
    breakable_store<V> values(std::string_view name, const weir::store_options&) {
        using entries = typename breakable_store<V>::state;
        const std::lock_guard lock{state_->mutex};
        std::string id{name};
        if (fault_.is("all stores are one")) {
            id.clear();
        } else if (fault_.is("a store opened again is another")) {
            id += std::to_string(state_->stores.size());
        }
        std::any& store = state_->stores[id];
        if (!store.has_value()) {
            store = std::make_shared<entries>();
        }
        return {fault_, std::any_cast<std::shared_ptr<entries>>(store)};
    }

private:
    struct state {
        explicit state(weir::manual_clock c) : clock{std::move(c)} {}
        weir::manual_clock clock;
        std::mutex mutex;
        weir::time_point latest;
        std::map<std::string, std::uint64_t> counters;
        std::map<std::string, std::string> names;
        std::map<std::string, std::any> stores;
        /// What a fault has put off until it is too late.
        std::vector<weir::handler<>> forgotten;
    };

    [[nodiscard]] std::string place(const weir::counter_space& space, std::string_view key) const {
        const std::string kept = kept_key(fault_, key);
        if (fault_.is("limiters share their counters")) {
            return kept;
        }
        if (fault_.is("windows of all lengths share their counters")) {
            return space.limiter + '\0' + kept;
        }
        if (fault_.is("space and key are joined without a separator")) {
            return space.name + (key.starts_with(":") ? "" : ":") + kept;
        }
        return space.name + '\0' + kept;
    }

    fault fault_;
    std::shared_ptr<state> state_;
};

} // namespace weir_tests

#endif
