#ifndef WEIR_REDIS_VALUES_HPP
#define WEIR_REDIS_VALUES_HPP

/// The value half on Redis: the store of one cache.
///
/// How a value computed before an invalidation stays out (design of the leases; all orders of it are
/// searched in tests/redis/lease_protocol_model_test.cpp). A computation takes a lease, a key beside
/// the value's with a token of its own, before it reads its source, and its value is stored by a
/// script that looks for the token. Whoever changes the value ends the lease first:
///
///  - `erase` and `put` send DEL of the lease, then the change of the value, in one write;
///  - `erase_matching` and `clear` look for all leases and delete them, and only when that is done
///    look for all values: a value that was stored under a lease is there when the second search
///    begins, and none is stored after it under a lease that the first one saw;
///  - a lease begun in between belongs to a computation that reads its source after the change.
///
/// A value that is fresh is never replaced under a lease: somebody stored it who did not end the
/// lease, such as another program. One that cannot be decoded, because its type has changed since or
/// it is no such value at all, would be in the way for as long as it lives: who gets the lease
/// removes it, if it is still the one that he saw.

#include <weir/clock.hpp>
#include <weir/codec.hpp>
#include <weir/error.hpp>
#include <weir/handler.hpp>
#include <weir/redis/async_answer.hpp>
#include <weir/redis/backend_state.hpp>
#include <weir/redis/commands.hpp>
#include <weir/redis/incarnation.hpp>
#include <weir/redis/key_names.hpp>
#include <weir/redis/key_search.hpp>
#include <weir/redis/reply.hpp>
#include <weir/redis/scripts.hpp>
#include <weir/redis/store_identity.hpp>
#include <weir/redis/value_transfer.hpp>
#include <weir/stats.hpp>
#include <weir/value_ref.hpp>
#include <weir/value_storage.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace weir::detail::redis {

/// A handle to the values of one cache; copies refer to the same.
template<class V>
class redis_store {
public:
    redis_store(std::shared_ptr<backend_state> backend, std::string_view name,
                const store_options& options)
        : backend_{std::move(backend)},
          store_{std::make_shared<store_identity>(backend_->prefix, name, options)} {
        // Here, and not in the class: clang++ would take it for broken, and say so of every use.
        static_assert(explain_codec<V>());
    }

    // ---- reading -----------------------------------------------------------------------------

    found<V> get(std::string_view key, time_point now, std::error_code& ec) const {
        const result r = backend_->call(store_->ask_get(key));
        return read(r, r.replies, key, now, ec).entry;
    }

    /// In as many round trips as there are thousands of keys.
    std::vector<found<V>> get_many(std::span<const std::string_view> keys, time_point now,
                                   std::error_code& ec) const {
        ec.clear();
        std::vector<found<V>> all;
        all.reserve(keys.size());
        while (!keys.empty() && !ec) {
            const auto some = keys.first(std::min<std::size_t>(keys.size(), 1000));
            keys = keys.subspan(some.size());
            get_some(some, now, all, ec);
        }
        return ec ? std::vector<found<V>>{} : all;
    }

    void get_async(std::string_view key, time_point now,
                   handler<found<V>, std::error_code> done) const noexcept {
        incarnation& here = backend_->here();
        async_answer<V> finish{store_, here.handlers, now, std::move(done), {}};
        try {
            if (store_->gives_expiry()) {
                finish.expiry = store_->ask_expiry(key);
            }
            here.call_later(store_->ask_get(key), finish);
        } catch (const std::bad_alloc&) {
            finish({std::make_error_code(std::errc::not_enough_memory), {}});
        }
    }

    // ---- writing -----------------------------------------------------------------------------

    void put(std::string_view key, value_ref<V> value, const lifetime& keep, time_point now,
             std::error_code& ec) const {
        std::int64_t expiry = 0;
        const std::string bytes = value_transfer<V>::encode(value, keep, *store_, now, expiry);
        if (too_large(bytes, ec)) {
            return;
        }
        commands c = store_->ordered(key);
        c.add("DEL", store_->lease_name(key));
        c.add("SET", store_->value_name(key), bytes, "PX", expiry);
        const result r = backend_->call(std::move(c));
        number(r, 0, ec);
        if (!ec && !r.replies[1].is_status("OK")) {
            ec = backend_->error_of(r.replies[1]);
        }
    }

    bool add(std::string_view key, value_ref<V> value, const lifetime& keep, time_point now,
             std::error_code& ec) const {
        std::int64_t expiry = 0;
        const std::string bytes = value_transfer<V>::encode(value, keep, *store_, now, expiry);
        if (too_large(bytes, ec)) {
            return false;
        }
        commands c = store_->ordered(key);
        c.call(add_script, store_->value_name(key), store_->lease_name(key), bytes,
               std::to_string(expiry));
        return number(backend_->call(std::move(c)), 0, ec) == 1;
    }

    bool erase(std::string_view key, time_point, std::error_code& ec) const {
        commands c = store_->ordered(key);
        c.add("DEL", store_->lease_name(key));
        c.add("UNLINK", store_->value_name(key));
        const result r = backend_->call(std::move(c));
        number(r, 0, ec); // the lease must have ended, or its value may yet come
        return !ec && number(r, 1, ec) == 1;
    }

    // ---- leases ------------------------------------------------------------------------------

    leased<V> get_or_lease(std::string_view key, time_point now, std::error_code& ec) const {
        const lease_token token = new_token();
        commands c = store_->ordered(key);
        c.add("SET", store_->lease_name(key), store_identity::text(token), "NX", "PX",
              store_->lease.count());
        store_->add_get(c, key);
        const result r = backend_->call(std::move(c));
        leased<V> answer;
        const std::span<const reply> all{r.replies};
        auto seen = read(r, all.empty() ? all : all.subspan(1), key, now, ec);
        answer.entry = std::move(seen.entry);
        const bool granted = !all.empty() && all[0].is_status("OK");
        if (ec) {
            if (granted || may_have_been_applied(ec)) {
                release_later(key, token);
            }
            return {};
        }
        const bool fresh = answer.entry.present && now < answer.entry.fresh_until;
        if (granted && fresh) {
            release_later(key, token);
        } else if (granted) {
            if (seen.undecodable) {
                remove_later(key, all.back().text);
            }
            answer.lease = token;
        } else if (!fresh && !r.replies[0].is(reply::kind::nil)) {
            ec = backend_->error_of(r.replies[0]);
            return {};
        }
        return answer;
    }

    bool put_if_leased(std::string_view key, value_ref<V> value, const lifetime& keep,
                       lease_token lease, time_point now, std::error_code& ec) const {
        const std::optional<commands> c = ask_put_if_leased(key, value, keep, lease, now, ec);
        return c && number(backend_->call(*c), 0, ec) == 1;
    }

    void put_if_leased_later(std::string_view key, value_ref<V> value, const lifetime& keep,
                             lease_token lease, time_point now,
                             handler<bool, std::error_code> done) const noexcept {
        std::error_code ec;
        incarnation& here = backend_->here();
        auto finish = [handlers = here.handlers, done = std::move(done)](result r) mutable {
            std::error_code error = r.error;
            // No reply and no error: there was nothing to send.
            const bool stored =
                !r.replies.empty() && handlers->integer(r.replies.back(), error) == 1;
            done(stored, error);
        };
        try {
            if (std::optional<commands> c = ask_put_if_leased(key, value, keep, lease, now, ec)) {
                return here.call_later(*std::move(c), finish);
            }
        } catch (const std::bad_alloc&) {
            ec = std::make_error_code(std::errc::not_enough_memory);
        } catch (...) {
            ec = std::make_error_code(std::errc::invalid_argument); // the codec's refusal
        }
        finish({ec, {}});
    }

    void release(std::string_view key, lease_token lease, std::error_code& ec) const {
        number(backend_->call(store_->ask_release(key, lease)), 0, ec);
    }

    void release_later(std::string_view key, lease_token lease) const noexcept {
        try {
            backend_->here().call_and_forget(store_->ask_release(key, lease));
        } catch (const std::bad_alloc&) {
            // The lease ends by itself.
        }
    }

    /// Removes the value of `key` if it is `bytes`, which cannot be read.
    void remove_later(std::string_view key, std::string_view bytes) const noexcept {
        try {
            backend_->here().call_and_forget(store_->ask_removal(key, bytes));
        } catch (const std::bad_alloc&) {
            // Whoever comes next tries.
        }
    }

    // ---- many --------------------------------------------------------------------------------

    std::int64_t erase_matching(std::string_view glob, time_point, std::error_code& ec) const {
        const value_names& names = store_->names;
        const auto is_lease = [&](std::string_view name) {
            return names.lease_matches(glob, name);
        };
        const auto is_value = [&](std::string_view name) {
            return names.value_matches(glob, name);
        };
        static_cast<void>(
            key_search{*backend_, names.lease_pattern(glob), is_lease}.delete_all("DEL", ec));
        return ec ? 0
                  : key_search{*backend_, names.value_pattern(glob), is_value}.delete_all("UNLINK",
                                                                                          ec);
    }

    void clear(time_point now, std::error_code& ec) const {
        static_cast<void>(erase_matching("*", now, ec));
    }

    // ---- the rest ----------------------------------------------------------------------------

    [[nodiscard]] std::shared_ptr<void> hosted(std::shared_ptr<void> (*make)()) const {
        static const char type_of_values = 0;
        return backend_->working().guests.get(store_->name, &type_of_values, make);
    }

    [[nodiscard]] store_stats stats() const noexcept {
        store_stats s;
        s.undecodable = store_->undecodable.load(std::memory_order_relaxed);
        return s;
    }

private:
    // ---- reading replies ---------------------------------------------------------------------

    typename value_transfer<V>::read_entry read(const result& r, std::span<const reply> replies,
                                                std::string_view key, time_point now,
                                                std::error_code& ec) const {
        ec = r.error;
        if (ec) {
            return {};
        }
        const reply* wrong = nullptr;
        auto read = value_transfer<V>::read(replies, *store_, now, wrong);
        if (wrong != nullptr) {
            ec = backend_->error_of(*wrong);
        }
        if (read.needs_expiry && store_->gives_expiry()) {
            backend_->here().call_and_forget(store_->ask_expiry(key));
        }
        return read;
    }

    /// By pipelined GETs: as the reply to one MGET they would have to fit into one reply.
    void get_some(std::span<const std::string_view> keys, time_point now,
                  std::vector<found<V>>& all, std::error_code& ec) const {
        commands c;
        c.harmless = true;
        c.order = after_all;
        for (const std::string_view key : keys) {
            store_->add_get(c, key);
        }
        const result r = backend_->call(std::move(c));
        ec = r.error;
        const std::size_t per_key = store_->commands_per_get();
        for (std::size_t i = 0; i != keys.size() && !ec; ++i) {
            const std::span<const reply> replies{r.replies};
            all.push_back(read(r, replies.subspan(i * per_key, per_key), keys[i], now, ec).entry);
        }
    }

    [[nodiscard]] bool too_large(std::string_view bytes, std::error_code& ec) const noexcept {
        if (bytes.size() > backend_->max_value_bytes) {
            ec = make_error_code(errc::value_too_large);
            return true;
        }
        return false;
    }

    [[nodiscard]] std::optional<commands>
    ask_put_if_leased(std::string_view key, const value_ref<V>& value, const lifetime& keep,
                      lease_token lease, time_point now, std::error_code& ec) const {
        ec.clear();
        std::int64_t expiry = 0;
        std::string bytes;
        if (keep.ttl.count() > 0) {
            bytes = value_transfer<V>::encode(value, keep, *store_, now, expiry);
        }
        if (lease == lease_token::none || too_large(bytes, ec)) {
            return std::nullopt;
        }
        using std::chrono::milliseconds;
        commands c = store_->ordered(key);
        c.call(put_if_leased_script, store_->value_name(key), store_->lease_name(key),
               store_identity::text(lease), bytes, std::to_string(expiry),
               std::to_string(std::chrono::ceil<milliseconds>(store_->usual.grace).count()),
               std::to_string(std::chrono::floor<milliseconds>(now.time_since_epoch()).count()));
        return c;
    }

    /// The integer that reply number `which` is.
    std::int64_t number(const result& r, std::size_t which, std::error_code& ec) const {
        ec = r.error;
        return ec ? 0 : backend_->here().handlers->integer(r.replies[which], ec);
    }

    /// Each attempt has a token of its own, in all processes.
    [[nodiscard]] lease_token new_token() const noexcept {
        const std::uint64_t n = backend_->here().draws.next();
        return lease_token{n == 0 ? 1 : n};
    }

    std::shared_ptr<backend_state> backend_;
    std::shared_ptr<store_identity> store_;
};

} // namespace weir::detail::redis

#endif
