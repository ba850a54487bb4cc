/// The protocol of the counter table in all interleavings of a few threads: the header itself, on
/// words that the search answers for, in tables of one or two slots a bucket.

#include "interleavings.hpp"

#include <weir/memory/counter_table.hpp>
#include <weir/quota/fixed_window.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using interleavings::operation;
using interleavings::search;
using weir::when_full;

/// Advice is constant, so that it cannot make a call answer differently when it is run again.
struct no_hint {
    explicit no_hint(std::uint32_t) {}
    [[nodiscard]] std::uint32_t load(std::memory_order) const { return 0; }
    void store(std::uint32_t, std::memory_order) {}
    std::uint32_t fetch_add(std::uint32_t, std::memory_order) { return 0; }
};

template<std::size_t Slots>
struct stepping_machine {
    using word = interleavings::word;
    using hint = no_hint;
    static constexpr std::size_t slots = Slots;
    static constexpr bool is_noexcept = false;
    [[noreturn]] static void wait(int) { throw interleavings::starts_over{}; }
};

constexpr std::uint64_t fingerprint = ~std::uint64_t{0xffff};
constexpr std::uint64_t busy = ~std::uint64_t{0};
constexpr weir::time_point now{1'700'000'000s};

bool is_tag(const interleavings::word* w) {
    return reinterpret_cast<std::uintptr_t>(w) % 16 == 0;
}

/// What a state says of its key at `t`.
weir::standing stands(std::uint64_t state, weir::time_point t) {
    return weir::fixed_window::stands(state, 1min, t);
}

/// A table, keys with chosen buckets, and calls; and what must hold in every state.
template<std::size_t Slots>
class model {
public:
    using table_type = weir::detail::basic_counter_table<stepping_machine<Slots>>;
    using place = typename table_type::place;

    explicit model(when_full policy) : table_{1, policy} {}

    /// A key that lives in the buckets `first` and `second`: a table for one key has 8 buckets, and
    /// the upper three bits of a fingerprint are the sum of the two indices.
    std::size_t key(std::uint32_t first, std::uint32_t second) {
        const std::uint64_t number = places_.size() + 1;
        places_.push_back({std::uint64_t{first + second} << 61 | number << 16, first});
        return places_.size() - 1;
    }

    std::size_t take(std::size_t key, std::int64_t limit, weir::time_point at = now) {
        return add(key, limit, true, [this, key, limit, at] {
            return static_cast<int>(
                table_.update(places_[key], weir::take_step<weir::fixed_window>{{limit, 1min}}, at)
                    .allowed);
        });
    }

    std::size_t give_back(std::size_t key) {
        return add(key, 0, false, [this, key] {
            return static_cast<int>(table_.update(
                places_[key], weir::give_back_step<weir::fixed_window>{{9, 1min}}, now));
        });
    }

    /// Searches; returns the first violation, or an empty string.
    std::string explore(std::vector<std::vector<std::size_t>> threads,
                        const std::vector<std::size_t>& before = {}) {
        threads_ = threads;
        search s{calls_, std::move(threads)};
        search_ = &s;
        s.prepare(before);
        before_ = before;
        s.check = [this](const search::change& c, std::uint64_t& mark) { return check(c, mark); };
        std::string fault = s.run();
        ::testing::Test::RecordProperty("states", std::to_string(s.states()));
        return fault;
    }

    /// True if keys that were displaced, too, must never be admitted more than their limit.
    bool never_over_admits = false;
    /// The time of the calls that are checked; the window of those made before is then over.
    weir::time_point latest = now;
    /// True if requests may be admitted without being counted, because there is no place for them,
    /// and keys may be charged for strangers until they are denied.
    bool may_be_unplaced = false;
    /// True if a take may be overtaken by a move, and charge who came instead, or its own key
    /// twice.
    bool may_charge_strangers = false;

private:
    struct meaning {
        std::size_t key;
        std::int64_t limit;
        bool takes;
    };

    std::size_t add(std::size_t key, std::int64_t limit, bool takes, std::function<int()> run) {
        calls_.push_back({std::move(run)});
        meanings_.push_back({key, limit, takes});
        return calls_.size() - 1;
    }

    /// Keeps sets of keys in `mark`, a byte each: those displaced; per thread, those whose tag it
    /// has removed in its call, to be put elsewhere if the key is moved; and those whose state was
    /// exhausted when it was made busy.
    std::string check(const search::change& c, std::uint64_t& mark) const {
        const operation& done = c.done;
        const int mine = static_cast<int>(8 * (c.thread + 1));
        constexpr int exhausted = 8 * 7;
        if (done.operand == busy && c.word_before != busy &&
            (done.what == interleavings::action::exchange || c.word_before == done.expected) &&
            stands(c.word_before, latest).exhausted) {
            mark |= bit_of(value_of(done.on - 1, c.before)) << exhausted;
        }
        if (is_tag(done.on) && done.what == interleavings::action::store &&
            ((c.word_before ^ done.operand) & fingerprint) != 0) {
            mark |= bit_of(c.word_before) << mine;
            mark &= ~(bit_of(done.operand) << mine | bit_of(done.operand) << exhausted);
        }
        if (c.before.answers != c.after.answers) {
            mark |= mark >> mine & 0xff;
            if ((mark >> mine & mark >> exhausted & 0xff) != 0) {
                return "an exhausted key was displaced";
            }
            mark &= ~(std::uint64_t{0xff} << mine);
        }
        for (std::size_t k = 0; k != places_.size(); ++k) {
            if (slots_of(k, c.after) > 1) {
                return "a key is in two slots";
            }
        }
        return c.after.finished ? check_end(c.after, mark) : std::string{};
    }

    [[nodiscard]] std::string check_end(const search::view& end, std::uint64_t mark) const {
        for (std::size_t k = 0; k != places_.size(); ++k) {
            const history h = history_of(k, end);
            if (never_over_admits && h.admitted > h.limit) {
                return "over-admission";
            }
            if (!never_over_admits && !may_be_unplaced && h.asked <= h.limit &&
                h.admitted < h.asked) {
                return "a request within the limit was denied";
            }
            if ((mark >> k & 1) != 0 || slots_of(k, end) == 0 || may_be_unplaced) {
                continue;
            }
            if (h.admitted - h.given_back > h.limit) {
                return "over-admission of a key that was never displaced";
            }
            const auto used = static_cast<std::int64_t>(state_of(k, end) & 0xffffffff);
            if (used < h.admitted - h.given_back) {
                return "a count was lost";
            }
            if (used > h.admitted - h.given_back && (mark & 0xff) == 0 && !may_charge_strangers) {
                return "a stranger was charged although nobody was displaced";
            }
        }
        return {};
    }

    struct history {
        std::int64_t limit = 0;
        std::int64_t asked = 0;
        std::int64_t admitted = 0;
        std::int64_t given_back = 0;
    };

    [[nodiscard]] history history_of(std::size_t key, const search::view& end) const {
        history h;
        const auto add = [&](const meaning& m, bool answer) {
            if (m.key == key) {
                h.limit = std::max(h.limit, m.limit);
                h.asked += m.takes;
                h.admitted += m.takes && answer;
                h.given_back += !m.takes && answer;
            }
        };
        for (const std::size_t c : before_) {
            if (latest == now) {
                add(meanings_[c], true);
            }
        }
        for (std::size_t t = 0; t != threads_.size(); ++t) {
            for (std::size_t i = 0; i != threads_[t].size(); ++i) {
                add(meanings_[threads_[t][i]], end.answers[t][i] == 1);
            }
        }
        return h;
    }

    [[nodiscard]] std::uint64_t bit_of(std::uint64_t tag) const {
        for (std::size_t k = 0; k != places_.size(); ++k) {
            if (((places_[k].tag ^ tag) & fingerprint) == 0) {
                return std::uint64_t{1} << k;
            }
        }
        return 0;
    }

    [[nodiscard]] std::size_t slots_of(std::size_t key, const search::view& v) const {
        std::size_t found = 0;
        for (std::size_t i = 0; i != search_->words().size(); ++i) {
            found +=
                is_tag(search_->words()[i]) && ((v.words[i] ^ places_[key].tag) & fingerprint) == 0;
        }
        return found;
    }

    [[nodiscard]] std::uint64_t state_of(std::size_t key, const search::view& v) const {
        for (std::size_t i = 0; i != search_->words().size(); ++i) {
            if (is_tag(search_->words()[i]) &&
                ((v.words[i] ^ places_[key].tag) & fingerprint) == 0) {
                return value_of(search_->words()[i] + 1, v);
            }
        }
        return 0;
    }

    [[nodiscard]] std::uint64_t value_of(const interleavings::word* word,
                                         const search::view& v) const {
        const auto& words = search_->words();
        const auto at = std::find(words.begin(), words.end(), word);
        return at == words.end() ? 0 : v.words[static_cast<std::size_t>(at - words.begin())];
    }

    table_type table_;
    std::vector<place> places_;
    std::vector<interleavings::call> calls_;
    std::vector<meaning> meanings_;
    std::vector<std::vector<std::size_t>> threads_;
    std::vector<std::size_t> before_;
    const search* search_ = nullptr;
};

// What each test lets three threads do is small enough to be searched in full within a second or
// two, and large enough for each fault named by the table's comment: leave out any one of the
// second looks, the locks, or `busy`, and one of these tests fails.

TEST(counter_protocol_model, a_key_that_three_threads_bring_at_once_gets_one_slot) {
    model<2> m{when_full::forgive};
    const auto x = m.take(m.key(0, 1), 4);
    EXPECT_EQ(m.explore({{x, x}, {x}, {x}}), "");
}

TEST(counter_protocol_model, takes_lose_no_count_while_strangers_are_displaced_and_come_back) {
    model<1> m{when_full::forgive};
    const auto x = m.take(m.key(0, 1), 9);
    const auto y = m.take(m.key(0, 1), 9);
    const auto z = m.take(m.key(1, 0), 9);
    EXPECT_EQ(m.explore({{x}, {y, x}, {z}}, {x}), "");
}

TEST(counter_protocol_model, what_is_given_back_is_given_back_by_the_key_that_took_it) {
    model<1> m{when_full::forgive};
    const auto key_x = m.key(0, 1);
    const auto key_y = m.key(0, 1);
    const auto x = m.take(key_x, 9);
    const auto y = m.take(key_y, 9);
    const auto z = m.take(m.key(0, 1), 9);
    EXPECT_EQ(m.explore({{m.give_back(key_x)}, {y, y}, {x, z}}, {x}), "");
}

TEST(counter_protocol_model, exhausted_keys_stay_while_newcomers_crowd_around_them) {
    model<1> m{when_full::forgive};
    m.may_be_unplaced = true;
    const auto x = m.take(m.key(0, 1), 2);
    const auto y = m.take(m.key(0, 1), 2);
    const auto z = m.take(m.key(1, 0), 2);
    EXPECT_EQ(m.explore({{x, x}, {y}, {z, y}}), "");
}

TEST(counter_protocol_model, a_key_of_the_window_before_is_displaced_or_counted_never_both) {
    model<1> m{when_full::forgive};
    m.latest = now + 1min;
    const auto key_x = m.key(0, 1);
    const auto old = m.take(key_x, 1);
    const auto x = m.take(key_x, 1, now + 1min);
    const auto y = m.take(m.key(0, 1), 1, now + 1min);
    EXPECT_EQ(m.explore({{x}, {x}, {y, y}}, {old}), "");
}

TEST(counter_protocol_model, a_resident_that_is_moved_keeps_its_count) {
    model<1> m{when_full::forgive};
    m.may_charge_strangers = true;
    const auto moved = m.take(m.key(1, 2), 9);
    const auto other = m.take(m.key(0, 1), 9);
    const auto newcomer = m.take(m.key(0, 1), 9);
    const auto rival = m.take(m.key(2, 3), 9);
    EXPECT_EQ(m.explore({{moved}, {newcomer}, {rival, moved}}, {moved, other}), "");
}

TEST(counter_protocol_model, a_resident_that_is_moved_is_not_judged_by_who_took_its_place) {
    model<1> m{when_full::forgive};
    m.may_charge_strangers = true;
    const auto moved = m.take(m.key(1, 2), 4);
    const auto other = m.take(m.key(0, 1), 9);
    const auto newcomer = m.take(m.key(0, 1), 9);
    EXPECT_EQ(m.explore({{moved}, {newcomer, newcomer, newcomer, newcomer}}, {moved, other}), "");
}

TEST(counter_protocol_model, a_resident_that_is_moved_gives_back_its_own) {
    model<1> m{when_full::forgive};
    m.may_charge_strangers = true;
    const auto key = m.key(1, 2);
    const auto moved = m.take(key, 9);
    const auto other = m.take(m.key(0, 1), 9);
    const auto newcomer = m.take(m.key(0, 1), 9);
    EXPECT_EQ(m.explore({{moved}, {newcomer}, {m.give_back(key)}}, {moved, other}), "");
}

TEST(counter_protocol_model, newcomers_that_would_move_residents_to_each_other_do_not_deadlock) {
    model<1> m{when_full::forgive};
    const auto a = m.take(m.key(0, 1), 9);
    const auto b = m.take(m.key(1, 2), 9);
    const auto c = m.take(m.key(2, 1), 9);
    const auto d = m.take(m.key(3, 2), 9);
    const auto newcomer = m.take(m.key(0, 1), 9);
    const auto rival = m.take(m.key(2, 3), 9);
    EXPECT_EQ(m.explore({{newcomer}, {rival}}, {a, b, c, d}), "");
}

TEST(counter_protocol_model, newcomers_that_share_are_never_admitted_too_much) {
    model<1> m{when_full::share};
    m.never_over_admits = true;
    const auto x = m.take(m.key(0, 1), 2);
    const auto y = m.take(m.key(0, 1), 2);
    const auto z = m.take(m.key(1, 0), 2);
    EXPECT_EQ(m.explore({{x}, {y}, {z, x}}, {x}), "");
}

TEST(counter_protocol_model, a_key_that_shares_remembers_what_it_used_in_either_bucket) {
    model<1> m{when_full::share};
    m.never_over_admits = true;
    const auto first = m.take(m.key(0, 3), 3);
    const auto x = m.take(m.key(0, 1), 3);
    const auto displacer = m.take(m.key(1, 1), 3);
    EXPECT_EQ(m.explore({{displacer}, {x, x}, {first}}, {first, x, x}), "");
}

/// The obvious protocol: compare-and-swap the tag, then set the state; no lock, no second look.
class naive_table {
public:
    int take(std::uint64_t tag, std::int64_t limit) {
        const weir::take_step<weir::fixed_window> step{{limit, 1min}};
        for (auto& [tag_word, state] : slots_) {
            if (tag_word.load(order) == tag) {
                return change(state, step);
            }
        }
        for (auto& [tag_word, state] : slots_) {
            std::uint64_t seen = tag_word.load(order);
            if ((seen == 0 || !stands(state.load(order), now).exhausted) &&
                tag_word.compare_exchange_strong(seen, tag, order, order)) {
                state.store(0, order);
                return change(state, step);
            }
        }
        return 1;
    }

private:
    static constexpr std::memory_order order = std::memory_order_seq_cst;

    struct alignas(16) slot {
        interleavings::word tag;
        interleavings::word state;
    };

    static int change(interleavings::word& state, const weir::take_step<weir::fixed_window>& step) {
        for (std::uint64_t seen = state.load(order);;) {
            const auto outcome = step(seen, now);
            if (!outcome.write || state.compare_exchange_strong(seen, outcome.next, order, order)) {
                return outcome.result.allowed;
            }
        }
    }

    slot slots_[2];
};

TEST(counter_protocol_model, the_search_finds_the_two_slots_that_the_naive_protocol_gives_a_key) {
    naive_table table;
    const std::uint64_t tag = 0x10000;
    search s{{{[&] { return table.take(tag, 1); }}}, {{0}, {0}, {0}}};
    s.check = [&](const search::change& c, std::uint64_t&) {
        return std::count(c.after.words.begin(), c.after.words.end(), tag) > 1
                   ? std::string{"a key is in two slots"}
                   : std::string{};
    };
    EXPECT_EQ(s.run(), "a key is in two slots");
}

TEST(counter_protocol_model, the_search_finds_what_the_naive_protocol_admits_too_much) {
    naive_table table;
    search s{{{[&] { return table.take(0x10000, 1); }}}, {{0}, {0}, {0}}};
    s.check = [&](const search::change& c, std::uint64_t&) {
        const bool over = c.after.finished &&
                          c.after.answers[0][0] + c.after.answers[1][0] + c.after.answers[2][0] > 1;
        return over ? std::string{"over-admission"} : std::string{};
    };
    EXPECT_EQ(s.run(), "over-admission");
}

} // namespace
