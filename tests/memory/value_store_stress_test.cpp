#include "../support/sanitized.hpp"

#include <weir/memory/value_store.hpp>

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;

constexpr int rounds = weir::tests::sanitized ? 100'000 : 2'000'000;

/// A value that knows its key, and whether it was destroyed or torn.
class checked {
public:
    static inline std::atomic<std::int64_t> alive{0};

    checked(std::string key, std::uint64_t version)
        : key_{std::move(key)}, version_{version}, check_{sum()} {
        alive.fetch_add(1, std::memory_order_relaxed);
    }
    checked(checked&& other) noexcept
        : key_{other.key_}, version_{other.version_}, check_{other.check_} {
        alive.fetch_add(1, std::memory_order_relaxed);
    }
    checked& operator=(checked&&) = delete;
    ~checked() {
        check_ = 0;
        version_ = ~std::uint64_t{0};
        alive.fetch_sub(1, std::memory_order_relaxed);
    }

    [[nodiscard]] bool sound_for(const std::string& key) const {
        return key_ == key && check_ == sum();
    }
    [[nodiscard]] std::uint64_t version() const { return version_; }

private:
    [[nodiscard]] std::uint64_t sum() const { return weir::detail::hash_bytes(key_, version_) | 1; }

    std::string key_;
    std::uint64_t version_;
    std::uint64_t check_;
};

/// Few bits: many keys share lines, tags and whole hashes.
struct weak_hash {
    std::uint64_t mask = ~std::uint64_t{0};
    [[nodiscard]] std::uint64_t operator()(std::string_view key) const noexcept {
        return weir::detail::hash_bytes(key, 1) & mask;
    }
};

using store = weir::detail::memory_store<checked, weak_hash>;

struct workload {
    std::size_t keys;
    std::size_t capacity;
    std::uint64_t hash_mask;
};

std::string key_text(std::size_t i) {
    // Some keys lie in the node, some on the heap.
    return i % 3 == 0 ? "a key too long to lie in the node: " + std::to_string(i)
                      : "key " + std::to_string(i);
}

class worker {
public:
    worker(const store& s, const workload& load, std::uint64_t seed)
        : store_{s}, state_{weir::detail::mix(seed)} {
        for (std::size_t i = 0; i < load.keys; ++i) {
            keys_.push_back(key_text(i));
        }
    }

    void run() {
        for (int i = 0; i < rounds / 8; ++i) {
            step();
        }
        held_ = {};
    }

    std::uint64_t unsound = 0;

private:
    std::uint64_t draw() { return state_ = weir::detail::mix(state_); }

    void check(const checked& value, const std::string& key) { unsound += !value.sound_for(key); }

    void get(const std::string& key) {
        weir::found<checked> entry = store_.get(key, now(), ec_);
        if (entry.value) {
            check(*entry.value, key);
            if (draw() % 8 == 0) {
                held_[draw() % held_.size()] = {key, entry.value};
            }
        }
        auto& [held_key, value] = held_[draw() % held_.size()];
        if (value) {
            check(*value, held_key);
        }
    }

    void visit(const std::string& key, int depth) {
        store_.visit(key, now(), [&](const checked& value) {
            check(value, key);
            if (depth > 0) {
                visit(keys_[draw() % keys_.size()], depth - 1);
                if (draw() % 4 == 0) {
                    put(key);
                }
            }
            check(value, key);
        });
    }

    void put(const std::string& key) {
        const weir::lifetime keep{std::chrono::milliseconds{1 + draw() % 20}, 0ns};
        switch (draw() % 4) {
        case 0:
            store_.put(key, weir::make_value<checked>(key, draw()), keep, now(), ec_);
            break;
        case 1: {
            // Held by somebody else too: the store links to it.
            auto value = weir::make_value<checked>(key, draw());
            store_.put(key, value, keep, now(), ec_);
            check(*value, key);
            break;
        }
        case 2:
            store_.add(key, store_.make(key, key, draw()), keep, now(), ec_);
            break;
        default:
            store_.put(key, store_.make(key, key, draw()), keep, now(), ec_);
            break;
        }
    }

    void step() {
        const std::string& key = keys_[draw() % keys_.size()];
        const std::uint64_t what = draw() % 100;
        if (what < 40) {
            get(key);
        } else if (what < 65) {
            visit(key, static_cast<int>(draw() % 3));
        } else if (what < 85) {
            put(key);
        } else if (what < 95) {
            store_.erase(key, now(), ec_);
        } else if (what < 99) {
            if (auto lease = store_.get_or_lease(key, now(), ec_);
                lease.lease != weir::lease_token::none) {
                auto value = weir::make_value<checked>(key, draw());
                store_.put_if_leased(key, value, {1h, 0ns}, lease.lease, now(), ec_);
            }
        } else if (draw() % 50 == 0) {
            store_.erase_matching("key 1*", now(), ec_);
        }
    }

    [[nodiscard]] weir::time_point now() {
        time_ += 1us;
        return weir::time_point{time_};
    }

    store store_;
    std::uint64_t state_;
    std::vector<std::string> keys_;
    std::array<std::pair<std::string, weir::value_ref<checked>>, 8> held_;
    std::chrono::nanoseconds time_ = 1h;
    std::error_code ec_;
};

std::uint64_t unsound_after(const workload& load) {
    std::vector<std::unique_ptr<worker>> workers;
    {
        const store s{{load.capacity, 0}, weak_hash{load.hash_mask}};
        for (std::uint64_t i = 0; i < 8; ++i) {
            workers.push_back(std::make_unique<worker>(s, load, i + 1));
        }
        std::vector<std::thread> threads;
        for (auto& w : workers) {
            threads.emplace_back([&w] { w->run(); });
        }
        for (std::thread& t : threads) {
            t.join();
        }
        EXPECT_LE(s.stats().entries, load.capacity);
    }
    std::uint64_t unsound = 0;
    for (auto& w : workers) {
        unsound += w->unsound;
    }
    return unsound;
}

TEST(value_store_stress, every_value_seen_is_whole_and_of_its_key_when_few_keys_are_fought_over) {
    EXPECT_EQ(unsound_after({4, 3, ~std::uint64_t{0}}), 0U);
    EXPECT_EQ(checked::alive.load(), 0);
}

TEST(value_store_stress, every_value_seen_is_whole_and_of_its_key_while_entries_are_evicted) {
    EXPECT_EQ(unsound_after({2'000, 500, ~std::uint64_t{0}}), 0U);
    EXPECT_EQ(checked::alive.load(), 0);
}

TEST(value_store_stress, every_value_seen_is_whole_and_of_its_key_over_several_shards) {
    EXPECT_EQ(unsound_after({20'000, 16'384, ~std::uint64_t{0}}), 0U);
    EXPECT_EQ(checked::alive.load(), 0);
}

TEST(value_store_stress, keys_with_equal_hashes_do_not_mix) {
    EXPECT_EQ(unsound_after({64, 48, 0x3}), 0U);
    EXPECT_EQ(checked::alive.load(), 0);
}

} // namespace
