#ifndef WEIR_TESTS_MEMORY_INTERLEAVINGS_HPP
#define WEIR_TESTS_MEMORY_INTERLEAVINGS_HPP

/// An exhaustive search of the interleavings of the real code.
///
/// Code under test uses `interleavings::word` where it would use std::atomic<std::uint64_t>. What a
/// thread does next is a function of the answers that its operations got so far, its history. So a
/// state of the whole program is the memory and one history per thread, and the search needs no
/// threads: to learn the next operation after a history, it runs the call again from its start,
/// answers from the history, and leaves by an exception at the first operation that is not in it.
/// Histories are kept in a tree and asked once each, states are visited once each.
///
/// Operations are atomic and take effect in one order that all threads see (sequential
/// consistency): the search finds faults of the protocol, not of memory orders.

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

namespace interleavings {

enum class action : std::uint8_t { load, store, compare_exchange, fetch_or, exchange };

class word;

/// An atomic operation that a thread is about to do.
struct operation {
    action what = action::load;
    const word* on = nullptr;
    std::uint64_t operand = 0;
    std::uint64_t expected = 0;
};

/// Thrown out of the code under test: it wants to do an operation that has no answer yet.
struct pending {
    operation next;
};

/// Thrown out of the code under test: it starts over, with nothing remembered.
struct starts_over {};

/// The answers for the call that is being run.
struct replay {
    std::vector<std::uint64_t> answers;
    std::size_t next = 0;

    static replay& current() {
        static replay only;
        return only;
    }

    std::uint64_t perform(const operation& op) {
        if (next == answers.size()) {
            throw pending{op};
        }
        return answers[next++];
    }
};

/// As much of std::atomic<std::uint64_t> as the table needs. The values are kept by the search.
class word {
public:
    std::uint64_t load(std::memory_order) const { return perform(action::load); }
    void store(std::uint64_t value, std::memory_order) { perform(action::store, value); }
    std::uint64_t fetch_or(std::uint64_t bits, std::memory_order) {
        return perform(action::fetch_or, bits);
    }
    std::uint64_t exchange(std::uint64_t value, std::memory_order) {
        return perform(action::exchange, value);
    }
    bool compare_exchange_strong(std::uint64_t& expected, std::uint64_t value, std::memory_order,
                                 std::memory_order) {
        const std::uint64_t seen = perform(action::compare_exchange, value, expected);
        const bool equal = seen == expected;
        expected = seen;
        return equal;
    }
    bool compare_exchange_weak(std::uint64_t& expected, std::uint64_t value,
                               std::memory_order success, std::memory_order failure) {
        return compare_exchange_strong(expected, value, success, failure);
    }

private:
    std::uint64_t perform(action what, std::uint64_t operand = 0,
                          std::uint64_t expected = 0) const {
        return replay::current().perform({what, this, operand, expected});
    }

    std::uint64_t unused_ = 0;
};

/// One call of a thread: runs the code under test and returns what it answered.
struct call {
    std::function<int()> run;
};

/// All interleavings of threads that each make some calls.
class search {
public:
    static constexpr std::size_t most_threads = 3;
    static constexpr std::size_t most_calls = 4;
    static constexpr std::size_t most_words = 16;

    using memory = std::array<std::uint64_t, most_words>;

    /// A state of the program, as a check sees it.
    struct view {
        memory words;
        /// Per thread and call: what it answered, or -1 while it has not.
        std::array<std::array<std::int8_t, most_calls>, most_threads> answers;
        bool finished;
    };

    /// One operation, with the states before and after it.
    struct change {
        const view& before;
        const view& after;
        const operation& done;
        /// What the word held before.
        std::uint64_t word_before;
        std::size_t thread;
    };

    /// @param threads   indices of `calls`, in the order in which each thread makes them
    search(std::vector<call> calls, std::vector<std::vector<std::size_t>> threads)
        : calls_{std::move(calls)}, threads_{std::move(threads)} {
        for (std::size_t i = 0; i != calls_.size(); ++i) {
            nodes_.push_back({.parent = i, .answer = 0, .call = i});
        }
    }

    /// Called at every change: returns the name of an invariant that does not hold, or an empty
    /// string. `mark` is part of the state, for the check to note in it what it must remember.
    std::function<std::string(const change&, std::uint64_t& mark)> check;

    /// A first content of the memory: the calls made one after the other by one thread.
    void prepare(const std::vector<std::size_t>& calls) {
        for (const std::size_t c : calls) {
            std::size_t at = c;
            while (ask(at).what == node::pending) {
                at = child(at, apply(nodes_[at].next, start_));
            }
        }
    }

    /// Visits every state; returns the name of the first violation, or an empty string.
    std::string run() {
        state first{};
        first.memory = intern(start_);
        first.node.fill(at_start);
        for (std::size_t t = 0; t != most_threads; ++t) {
            first.answers[t].fill(-1);
            enter(first, t);
        }
        std::vector<state> open{first};
        visited_.insert(first);
        while (!open.empty()) {
            const state from = open.back();
            open.pop_back();
            bool stuck = true;
            bool done = true;
            for (std::size_t t = 0; t != threads_.size(); ++t) {
                if (from.made[t] == threads_[t].size()) {
                    continue;
                }
                done = false;
                const operation next = nodes_[from.node[t]].next;
                if (waits_for_lock(next, memories_[from.memory])) {
                    continue;
                }
                stuck = false;
                state to = from;
                if (std::string fault = step(to, t, next); !fault.empty()) {
                    return fault;
                }
                if (visited_.insert(to).second) {
                    open.push_back(to);
                }
            }
            if (stuck && !done) {
                return "deadlock";
            }
        }
        return {};
    }

    /// The words that the calls met, as the check sees their values: all are 0 at first.
    [[nodiscard]] const std::vector<const word*>& words() const { return words_; }

    [[nodiscard]] std::size_t states() const { return visited_.size(); }

private:
    struct node {
        enum status : std::uint8_t { unknown, pending, answered, restarting };

        std::size_t parent;
        std::uint64_t answer;
        std::size_t call;
        status what = unknown;
        operation next{};
        int result = 0;
    };

    struct state {
        std::uint32_t memory;
        std::array<std::uint32_t, most_threads> node;
        std::array<std::uint8_t, most_threads> made;
        std::array<std::array<std::int8_t, most_calls>, most_threads> answers;
        std::uint64_t mark;

        bool operator==(const state&) const = default;
    };

    struct hash_state {
        std::size_t operator()(const state& s) const {
            std::uint64_t h = s.memory + s.mark * 0x9e3779b97f4a7c15ULL;
            const auto add = [&h](std::uint64_t x) {
                h = (h ^ x) * 0xd6e8feb86659fd93ULL;
                h ^= h >> 32;
            };
            for (std::size_t t = 0; t != most_threads; ++t) {
                add(std::uint64_t{s.node[t]} << 8 | s.made[t]);
                for (const std::int8_t a : s.answers[t]) {
                    add(static_cast<std::uint8_t>(a));
                }
            }
            return h;
        }
    };

    /// Runs the call of a node again, to learn what comes after its history.
    node& ask(std::size_t id) {
        if (nodes_[id].what == node::unknown) {
            replay& r = replay::current();
            r.answers.clear();
            r.next = 0;
            for (std::size_t n = id; nodes_[n].parent != n; n = nodes_[n].parent) {
                r.answers.insert(r.answers.begin(), nodes_[n].answer);
            }
            try {
                nodes_[id].result = calls_[nodes_[id].call].run();
                nodes_[id].what = node::answered;
            } catch (const interleavings::pending& p) {
                nodes_[id].next = p.next;
                nodes_[id].what = node::pending;
            } catch (const starts_over&) {
                nodes_[id].what = node::restarting;
            }
        }
        return nodes_[id];
    }

    std::size_t child(std::size_t id, std::uint64_t answer) {
        const auto [at, is_new] = children_.try_emplace({id, answer}, nodes_.size());
        if (is_new) {
            nodes_.push_back({.parent = id, .answer = answer, .call = nodes_[id].call});
        }
        return at->second;
    }

    std::uint64_t& at(const word* w, memory& m) {
        for (std::size_t i = 0; i != words_.size(); ++i) {
            if (words_[i] == w) {
                return m[i];
            }
        }
        words_.push_back(w);
        return m.at(words_.size() - 1);
    }

    std::uint64_t apply(const operation& op, memory& m) {
        std::uint64_t& value = at(op.on, m);
        const std::uint64_t before = value;
        switch (op.what) {
        case action::load:
            break;
        case action::store:
        case action::exchange:
            value = op.operand;
            break;
        case action::fetch_or:
            value |= op.operand;
            break;
        case action::compare_exchange:
            if (value == op.expected) {
                value = op.operand;
            }
        }
        return before;
    }

    /// A thread that waits for a bit to be cleared, by setting it again and again, does nothing.
    bool waits_for_lock(const operation& op, memory m) {
        return op.what == action::fetch_or && (at(op.on, m) & op.operand) != 0;
    }

    std::uint32_t intern(const memory& m) {
        const auto [at, is_new] =
            memory_ids_.try_emplace(m, static_cast<std::uint32_t>(memories_.size()));
        if (is_new) {
            memories_.push_back(m);
        }
        return at->second;
    }

    /// Goes on until thread `t` is about to do an operation, or has made all its calls.
    void enter(state& s, std::size_t t) {
        while (t < threads_.size() && s.made[t] != threads_[t].size()) {
            if (s.node[t] == at_start) {
                s.node[t] = static_cast<std::uint32_t>(threads_[t][s.made[t]]);
            }
            const node& n = ask(s.node[t]);
            if (n.what == node::pending) {
                return;
            }
            if (n.what == node::answered) {
                s.answers[t][s.made[t]] = static_cast<std::int8_t>(n.result);
                ++s.made[t];
            }
            s.node[t] = at_start;
        }
    }

    std::string step(state& s, std::size_t t, const operation& op) {
        const view before = view_of(s);
        memory m = before.words;
        const std::uint64_t answer = apply(op, m);
        s.memory = intern(m);
        s.node[t] = static_cast<std::uint32_t>(child(s.node[t], answer));
        enter(s, t);
        const view after = view_of(s);
        return check ? check({before, after, op, answer, t}, s.mark) : std::string{};
    }

    view view_of(const state& s) {
        bool finished = true;
        for (std::size_t t = 0; t != threads_.size(); ++t) {
            finished = finished && s.made[t] == threads_[t].size();
        }
        return {memories_[s.memory], s.answers, finished};
    }

    struct hash_memory {
        std::size_t operator()(const memory& m) const {
            std::uint64_t h = 0;
            for (const std::uint64_t w : m) {
                h = (h ^ w) * 0xd6e8feb86659fd93ULL;
                h ^= h >> 32;
            }
            return h;
        }
    };

    static constexpr std::uint32_t at_start = ~std::uint32_t{0};

    std::vector<const word*> words_;
    std::vector<call> calls_;
    std::vector<std::vector<std::size_t>> threads_;
    memory start_{};
    std::vector<node> nodes_;
    std::map<std::tuple<std::size_t, std::uint64_t>, std::size_t> children_;
    std::vector<memory> memories_;
    std::unordered_map<memory, std::uint32_t, hash_memory> memory_ids_;
    std::unordered_set<state, hash_state> visited_;
};

} // namespace interleavings

#endif
