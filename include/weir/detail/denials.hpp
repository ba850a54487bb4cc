#ifndef WEIR_DETAIL_DENIALS_HPP
#define WEIR_DETAIL_DENIALS_HPP

/// Denials that a limiter remembers, so that a client who keeps asking costs its backend nothing.
///
/// A denial holds until its `retry_after` for whoever asks the same: nothing that others take can
/// make it an admission. Only `forget` and `give_back` can, so they `drop` what is remembered of
/// their key. What they must not miss is a denial that is on its way: decided by the backend before
/// it forgot, and noted here afterwards. Hence a generation for each part of the keys:
///
///     asking:      read the generation, then ask the backend, then note if it is still the same
///     forgetting:  ask the backend, then change the generation and remove what is noted
///
/// One who read the generation after the change was answered by a backend that had forgotten
/// already; one who read it before notes nothing. Both happen under the lock of a shard, which is
/// held for a few hundred nanoseconds and never while the backend is asked.
/// tests/detail/denials_test.cpp goes through the interleavings.
///
/// Memory: 4 KiB, and 56 KiB for each of the 64 shards that ever noted a denial; a new denial takes
/// the place of one that is over, or else of the one that would be over first.

#include <weir/clock.hpp>
#include <weir/decision.hpp>
#include <weir/detail/hash.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <string_view>

namespace weir::detail {

class denials {
public:
    static constexpr std::size_t capacity = 65'536;

    /// What somebody asks, and in which generation.
    struct question {
        /// Of the key alone: which shard and bucket.
        std::uint64_t place = 0;
        /// Of the key and all else that the answer depends on: 128 bits, under secret seeds.
        std::uint64_t id[2] = {};
        std::uint64_t generation = 0;
    };

    /// @param most  how long to remember a denial at most, greater than zero
    explicit denials(std::chrono::nanoseconds most) noexcept : most_{most} {}

    struct looked {
        question asked;
        /// The denial that is remembered, as of `now`.
        std::optional<decision> known;
    };

    /// What is known of `key` at `now`. To be called before the backend is asked.
    ///
    /// @param quota  its bytes, all of which count, and its limit
    /// @param shift  by how much the windows of the key are shifted
    ///
    /// A denial is known from the reading of the clock at which it was decided to the end of its
    /// time.
    [[nodiscard]] looked look(std::string_view key, std::string_view quota, std::int64_t limit,
                              std::int64_t cost, std::chrono::nanoseconds shift,
                              time_point now) noexcept {
        looked answer{question_for(key, quota, cost, shift), {}};
        shard& home = shard_of(answer.asked.place);
        const std::lock_guard lock{home.mutex};
        answer.asked.generation = home.generation;
        if (home.buckets == nullptr) {
            return answer;
        }
        const bucket& b = home.buckets[bucket_of(answer.asked.place)];
        const std::size_t way = b.find(answer.asked);
        if (way != ways && now >= b.noted[way].at && now < b.noted[way].until) {
            answer.known = repeated(b.noted[way], limit, now);
        }
        return answer;
    }

    /// Remembers what the backend answered at `now`, if it is a denial that time will end and
    /// nothing was dropped since the question was made. Where there is no memory, nothing is
    /// remembered.
    void note(const question& asked, time_point now, const decision& answer) noexcept {
        if (answer.allowed || answer.reason != reason::over_limit) {
            return;
        }
        shard& home = shard_of(asked.place);
        const std::lock_guard lock{home.mutex};
        if (home.generation != asked.generation) {
            return;
        }
        if (home.buckets == nullptr) {
            home.buckets.reset(new (std::nothrow) bucket[buckets_per_shard]);
            if (home.buckets == nullptr) {
                return;
            }
        }
        bucket& b = home.buckets[bucket_of(asked.place)];
        const std::size_t way = b.place_for(asked);
        b.ids[way] = {asked.id[0], asked.id[1]};
        b.noted[way] = {now, now + std::min(answer.retry_after, most_), answer.retry_after,
                        answer.reset_after, answer.remaining};
    }

    /// Forgets all denials of `key`, those on their way included. To be called after the backend
    /// changed.
    void drop(std::string_view key) noexcept {
        const std::uint64_t place = place_of(key);
        shard& home = shard_of(place);
        const std::lock_guard lock{home.mutex};
        ++home.generation;
        if (home.buckets != nullptr) {
            home.buckets[bucket_of(place)] = bucket{}; // its other keys lose at most a saving
        }
    }

private:
    static constexpr std::size_t shard_count = 64;
    static constexpr std::size_t ways = 8;
    static constexpr std::size_t buckets_per_shard = capacity / shard_count / ways;

    struct denial {
        time_point at{};
        /// The end of its time here; what is over may be replaced.
        time_point until = time_point::min();
        std::chrono::nanoseconds retry_after{0};
        std::chrono::nanoseconds reset_after{0};
        std::int64_t remaining = 0;
    };

    struct bucket {
        std::array<std::array<std::uint64_t, 2>, ways> ids{};
        std::array<denial, ways> noted{};

        /// Where the denial of `asked` is, or `ways`.
        [[nodiscard]] std::size_t find(const question& asked) const noexcept {
            std::size_t way = 0;
            while (way != ways && !(ids[way][0] == asked.id[0] && ids[way][1] == asked.id[1])) {
                ++way;
            }
            return way;
        }

        /// Where to put it: where it is, or else where a denial is over first.
        [[nodiscard]] std::size_t place_for(const question& asked) const noexcept {
            const std::size_t way = find(asked);
            if (way != ways) {
                return way;
            }
            std::size_t first = 0;
            for (std::size_t other = 1; other != ways; ++other) {
                first = noted[other].until < noted[first].until ? other : first;
            }
            return first;
        }
    };

    struct alignas(64) shard {
        std::mutex mutex;
        std::uint64_t generation = 0;
        /// Null until a denial is noted here.
        std::unique_ptr<bucket[]> buckets;
    };

    [[nodiscard]] question question_for(std::string_view key, std::string_view quota,
                                        std::int64_t cost,
                                        std::chrono::nanoseconds shift) const noexcept {
        const std::uint64_t words[] = {
            place_of(key), hash_bytes(key, seeds_[1]), hash_bytes(quota, seeds_[1]),
            static_cast<std::uint64_t>(cost), static_cast<std::uint64_t>(shift.count())};
        const std::string_view bytes{reinterpret_cast<const char*>(words), sizeof words};
        return {words[0], {hash_bytes(bytes, seeds_[2]), hash_bytes(bytes, seeds_[3])}, 0};
    }

    [[nodiscard]] static decision repeated(const denial& noted, std::int64_t limit,
                                           time_point now) noexcept {
        decision answer;
        answer.reason = reason::over_limit;
        answer.decided_by = decider::local;
        answer.limit = limit;
        answer.remaining = noted.remaining;
        answer.retry_after = noted.retry_after - (now - noted.at);
        answer.reset_after = noted.reset_after - (now - noted.at);
        return answer;
    }

    [[nodiscard]] std::uint64_t place_of(std::string_view key) const noexcept {
        return hash_bytes(key, seeds_[0]);
    }
    [[nodiscard]] shard& shard_of(std::uint64_t place) noexcept { return shards_[place >> 58]; }
    [[nodiscard]] static std::size_t bucket_of(std::uint64_t place) noexcept {
        return (place >> 32) % buckets_per_shard;
    }

    const std::chrono::nanoseconds most_;
    const std::uint64_t seeds_[4] = {random_seed(), random_seed(), random_seed(), random_seed()};
    std::array<shard, shard_count> shards_;
};

} // namespace weir::detail

#endif
