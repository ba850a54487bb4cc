#ifndef WEIR_REDIS_VALUE_TRANSFER_HPP
#define WEIR_REDIS_VALUE_TRANSFER_HPP

#include <weir/clock.hpp>
#include <weir/codec.hpp>
#include <weir/redis/reply.hpp>
#include <weir/redis/store_identity.hpp>
#include <weir/redis/value_format.hpp>
#include <weir/value_ref.hpp>
#include <weir/value_storage.hpp>

#include <atomic>
#include <cstdint>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace weir::detail::redis {

/// Values as they travel: encoded for a command, and read from a reply.
template<class V>
class value_transfer {
public:
    /// The bytes to store for `v`. Throws what its codec throws.
    [[nodiscard]] static std::string encode(const value_ref<V>& v, const lifetime& keep,
                                            const store_identity& store, time_point now,
                                            std::int64_t& expiry) {
        std::string payload;
        if (v != nullptr) {
            codec<V>::encode(*v, payload);
        }
        const written_value w =
            write_value(v != nullptr ? std::optional<std::string_view>{payload} : std::nullopt,
                        keep, store.usual.grace, now);
        expiry = w.expiry.count();
        return w.head.empty() ? std::move(payload) : w.head + payload;
    }

    struct read_entry {
        found<V> entry;
        /// The key has no TTL.
        bool needs_expiry = false;
        /// There are bytes that its codec does not take. What a later version of weir may have
        /// written is not meant.
        bool undecodable = false;
    };

    /// What the replies to one get say. If they say nothing, `wrong` is the one at fault.
    /// Throws what a move of V throws, and std::bad_alloc.
    [[nodiscard]] static read_entry read(std::span<const reply> replies, store_identity& store,
                                         time_point now, const reply*& wrong) {
        std::optional<std::int64_t> pttl;
        if (store.asks_expiry()) {
            if (!replies[0].is(reply::kind::integer)) {
                wrong = &replies.front();
                return {};
            }
            pttl = replies[0].integer;
        }
        const reply& value = replies.back();
        if (value.is(reply::kind::nil)) {
            return {};
        }
        if (!value.is(reply::kind::string)) {
            if (value.is_error() && value.code() == "WRONGTYPE") {
                store.undecodable.fetch_add(1, std::memory_order_relaxed);
            } else {
                wrong = &value;
            }
            return {};
        }
        return decode(value.text, pttl, store, now);
    }

private:
    [[nodiscard]] static read_entry decode(std::string_view bytes, std::optional<std::int64_t> pttl,
                                           store_identity& store, time_point now) {
        const seen_value seen = read_value(bytes, store.usual, pttl, now);
        read_entry e;
        e.needs_expiry = seen.needs_expiry;
        e.entry.fresh_until = seen.fresh_until;
        if (seen.kind == value_kind::nothing) {
            e.entry.present = true;
        } else if (seen.kind == value_kind::payload) {
            if (std::optional<V> v = decode_payload(seen.payload)) {
                e.entry.present = true;
                e.entry.value = make_value<V>(*std::move(v));
            } else {
                e.undecodable = true;
            }
        }
        if (!e.entry.present) {
            store.undecodable.fetch_add(1, std::memory_order_relaxed);
            e.needs_expiry = false;
            e.entry = {};
        }
        return e;
    }

    [[nodiscard]] static std::optional<V> decode_payload(std::string_view payload) {
        try {
            return codec<V>::decode(payload);
        } catch (const std::bad_alloc&) {
            throw;
        } catch (...) {
            return std::nullopt; // a codec may say so that these bytes are no value
        }
    }
};

} // namespace weir::detail::redis

#endif
