#ifndef WEIR_TESTS_REDIS_REPLAYED_SEARCH_HPP
#define WEIR_TESTS_REDIS_REPLAYED_SEARCH_HPP

/// An exhaustive search of a world that cannot be copied: a state is the actions that lead to it, and
/// a world in that state is made by doing them again from the start.
///
/// A world offers
///
///     static constexpr std::size_t actions;          how many kinds of actions there are
///     bool can(std::size_t action) const;
///     void act(std::size_t action);
///     bool must_happen(std::size_t action) const;    or else it may fail to happen for ever
///     const std::string& fault() const;              what is wrong; empty: nothing
///     bool is_over() const;                          all is done that there is to do
///     void describe(std::string& out) const;         bytes that differ if states do
///     static std::string name(std::size_t action);
///
/// Besides faults the search finds states from which the end cannot be reached by what must happen:
/// somebody sleeps who should have been woken, or waits for what will never come.

#include <weir/detail/hash.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

namespace weir::tests {

template<class World, class Make>
class replayed_search {
public:
    explicit replayed_search(Make make) : make_{std::move(make)} {}

    /// Visits every state. Returns what is wrong, with the shortest way to it; empty if nothing is.
    std::string run() {
        World first = make_();
        remember(first, 0, 0);
        for (std::uint32_t at = 0; at != states_.size(); ++at) {
            const std::vector<std::uint8_t> way = way_to(at);
            World here = make_();
            go(here, way);
            if (here.is_over()) {
                ends_.push_back(at);
            }
            std::vector<std::uint8_t> possible;
            for (std::size_t a = 0; a != World::actions; ++a) {
                if (here.can(a)) {
                    possible.push_back(static_cast<std::uint8_t>(a));
                }
            }
            for (const std::uint8_t a : possible) {
                if (a == possible.back()) {
                    if (!go_on(here, at, a)) {
                        return here.fault() + told(way, a);
                    }
                    break;
                }
                World there = make_();
                go(there, way);
                if (!go_on(there, at, a)) {
                    return there.fault() + told(way, a);
                }
            }
        }
        return dead_end();
    }

    [[nodiscard]] std::size_t states() const noexcept { return states_.size(); }

private:
    /// 128 bits of hash: that two of a million states are taken for one has a chance of 1 in 10^26.
    struct fingerprint {
        std::uint64_t high;
        std::uint64_t low;
        std::uint32_t index;

        bool operator==(const fingerprint& other) const noexcept {
            return high == other.high && low == other.low;
        }
    };
    struct hash_fingerprint {
        std::size_t operator()(const fingerprint& f) const noexcept { return f.low; }
    };
    struct origin {
        std::uint32_t parent;
        std::uint8_t action;
    };

    /// False if there is a fault.
    bool go_on(World& world, std::uint32_t at, std::uint8_t action) {
        const bool certain = world.must_happen(action);
        world.act(action);
        if (!world.fault().empty()) {
            return false;
        }
        const std::uint32_t to = remember(world, at, action);
        if (certain) {
            certain_.emplace_back(to, at);
        }
        return true;
    }

    static void go(World& world, const std::vector<std::uint8_t>& way) {
        for (const std::uint8_t a : way) {
            world.act(a);
        }
    }

    std::vector<std::uint8_t> way_to(std::uint32_t at) const {
        std::vector<std::uint8_t> way;
        for (; at != 0; at = states_[at].parent) {
            way.push_back(states_[at].action);
        }
        return {way.rbegin(), way.rend()};
    }

    std::uint32_t remember(const World& world, std::uint32_t parent, std::uint8_t action) {
        bytes_.clear();
        world.describe(bytes_);
        const auto [known, is_new] =
            seen_.insert({detail::hash_bytes(bytes_, 1), detail::hash_bytes(bytes_, 2),
                          static_cast<std::uint32_t>(states_.size())});
        if (is_new) {
            states_.push_back({parent, action});
        }
        return known->index;
    }

    /// Goes back from the ends: what is not met cannot come to one.
    std::string dead_end() {
        std::vector<std::vector<std::uint32_t>> before(states_.size());
        for (const auto& [to, from] : certain_) {
            before[to].push_back(from);
        }
        std::vector<bool> comes_to_an_end(states_.size());
        std::vector<std::uint32_t> open = ends_;
        for (const std::uint32_t end : ends_) {
            comes_to_an_end[end] = true;
        }
        while (!open.empty()) {
            const std::uint32_t at = open.back();
            open.pop_back();
            for (const std::uint32_t from : before[at]) {
                if (!comes_to_an_end[from]) {
                    comes_to_an_end[from] = true;
                    open.push_back(from);
                }
            }
        }
        for (std::uint32_t at = 0; at != states_.size(); ++at) {
            if (!comes_to_an_end[at]) {
                return "nothing that must happen leads to the end any more" + told(way_to(at));
            }
        }
        return {};
    }

    template<class... More>
    static std::string told(std::vector<std::uint8_t> way, More... more) {
        (way.push_back(more), ...);
        std::string text;
        for (const std::uint8_t a : way) {
            text += "\n    " + World::name(a);
        }
        return text;
    }

    Make make_;
    std::vector<origin> states_;
    std::unordered_set<fingerprint, hash_fingerprint> seen_;
    std::vector<std::uint32_t> ends_;
    /// Pairs of states, to and from, that an action leads between which must happen.
    std::vector<std::pair<std::uint32_t, std::uint32_t>> certain_;
    std::string bytes_;
};

} // namespace weir::tests

#endif
