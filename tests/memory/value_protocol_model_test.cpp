// The protocol of value_table.hpp as a model: every interleaving of a counted reader, a reader
// through a hazard slot, a writer who replaces the entry, and one whose store is refused, over two
// nodes that are used again and again. Steps are those of the protocol, memory is sequentially
// consistent.

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <set>
#include <string>
#include <type_traits>
#include <vector>

namespace {

enum class variant {
    sound,
    holds_without_reading_the_index_again,
    holds_a_node_without_holders,
    watches_without_reading_the_index_again,
    destroys_without_asking_the_slots,
    clears_a_slot_without_looking_at_it,
};

constexpr std::uint8_t none = 9;
constexpr std::uint8_t handed_over = 0x80;

enum content : std::uint8_t { destroyed, offered, stored };

struct state {
    std::uint8_t index = 0; // the node that the one word names
    std::uint8_t slot = none;
    std::uint8_t lock = 0;
    std::array<std::uint8_t, 2> holders{1, 0};
    std::array<content, 2> contents{stored, destroyed};
    std::array<std::uint8_t, 2> free{0, 1};
    struct actor {
        std::uint8_t at = 0;       // the next step
        std::uint8_t node = none;  // in hand
        std::uint8_t other = none; // to be given up
        std::uint8_t left = 2;     // rounds
    };
    std::array<actor, 4> actors;
};

static_assert(std::has_unique_object_representations_v<state>);

class model {
public:
    explicit model(variant v) : variant_{v} {}

    /// What goes wrong first; empty if nothing ever does.
    std::string run() {
        std::vector<state> todo{state{}};
        std::set<std::array<unsigned char, sizeof(state)>> seen;
        while (!todo.empty() && fault_.empty()) {
            const state s = todo.back();
            todo.pop_back();
            std::array<unsigned char, sizeof(state)> key{};
            std::memcpy(key.data(), &s, sizeof s);
            if (!seen.insert(key).second) {
                continue;
            }
            bool over = true;
            for (std::size_t i = 0; i < s.actors.size(); ++i) {
                if (s.actors[i].left == 0) {
                    continue;
                }
                state next = s;
                if (step(next, i)) {
                    over = false;
                    todo.push_back(next);
                }
            }
            if (over) {
                check_end(s);
            }
        }
        states = seen.size();
        return fault_;
    }

    std::size_t states = 0;

private:
    // Steps 20 and up are common: giving up a holder of `other`, and what may follow.
    enum : std::uint8_t { give_up = 20, look_at_slot, hand_over, destroy };

    bool step(state& s, std::size_t i) {
        state::actor& a = s.actors[i];
        if (a.at >= give_up) {
            give_up_step(s, a);
            return true;
        }
        switch (i) {
        case 0:
            counted_reader(s, a);
            return true;
        case 1:
            watching_reader(s, a);
            return true;
        default:
            return writer(s, a, i == 2);
        }
    }

    static void done(state::actor& a) {
        a.at = 0;
        a.node = a.other = none;
        --a.left;
    }

    void use(const state& s, std::uint8_t node) {
        if (s.contents[node] == destroyed) {
            fault_ = "a destroyed value is read";
        } else if (s.contents[node] == offered) {
            fault_ = "a value that was never stored is read";
        }
    }

    void give_up_step(state& s, state::actor& a) {
        switch (a.at) {
        case give_up:
            if (--s.holders[a.other] != 0) {
                done(a);
                break;
            }
            a.at = variant_ == variant::destroys_without_asking_the_slots ? destroy : look_at_slot;
            break;
        case look_at_slot:
            a.at = s.slot == a.other ? hand_over : destroy;
            break;
        case hand_over:
            if (s.slot == a.other) {
                s.slot |= handed_over;
                done(a);
            } else {
                a.at = destroy;
            }
            break;
        default:
            if (s.contents[a.other] == destroyed) {
                fault_ = "a value is destroyed twice";
            }
            s.contents[a.other] = destroyed;
            s.free[a.other] = 1;
            done(a);
            break;
        }
    }

    void counted_reader(state& s, state::actor& a) {
        switch (a.at) {
        case 0:
            a.node = s.index;
            a.at = 1;
            break;
        case 1:
            if (s.holders[a.node] == 0 && variant_ != variant::holds_a_node_without_holders) {
                a.at = 0;
                break;
            }
            ++s.holders[a.node];
            a.at = variant_ == variant::holds_without_reading_the_index_again ? 3 : 2;
            break;
        case 2:
            a.other = a.node;
            a.at = s.index == a.node ? 3 : give_up;
            break;
        default:
            use(s, a.node);
            a.other = a.node;
            a.at = give_up;
            break;
        }
    }

    void watching_reader(state& s, state::actor& a) {
        switch (a.at) {
        case 0:
            a.node = s.index;
            a.at = 1;
            break;
        case 1:
            s.slot = a.node;
            a.at = variant_ == variant::watches_without_reading_the_index_again ? 3 : 2;
            break;
        case 2:
            a.at = s.index == a.node ? 3 : 4;
            break;
        case 3:
            use(s, a.node);
            a.at = 4;
            break;
        default:
            a.other = a.node;
            if (s.slot == (a.node | handed_over) &&
                variant_ != variant::clears_a_slot_without_looking_at_it) {
                a.at = look_at_slot;
            } else {
                done(a);
            }
            s.slot = none;
            break;
        }
    }

    /// False if it has to wait.
    bool writer(state& s, state::actor& a, bool stores) {
        switch (a.at) {
        case 0:
            if (s.free[0] + s.free[1] == 0) {
                return false;
            }
            a.node = s.free[0] != 0 ? 0 : 1;
            s.free[a.node] = 0;
            a.at = 1;
            return true;
        case 1:
            s.contents[a.node] = offered;
            a.at = 2;
            return true;
        case 2:
            s.holders[a.node] = 1;
            a.other = a.node;
            a.at = stores ? 3 : give_up;
            return true;
        case 3:
            if (s.lock != 0) {
                return false;
            }
            s.lock = 1;
            a.at = 4;
            return true;
        case 4:
            s.contents[a.node] = stored;
            a.other = s.index;
            s.index = a.node;
            a.at = 5;
            return true;
        default:
            s.lock = 0;
            a.at = give_up;
            return true;
        }
    }

    void check_end(const state& s) {
        for (std::uint8_t n = 0; n < 2; ++n) {
            const bool in_table = s.index == n;
            if (s.holders[n] != (in_table ? 1 : 0) || s.free[n] == (in_table ? 1 : 0) ||
                s.contents[n] != (in_table ? stored : destroyed)) {
                fault_ = "a node is lost";
            }
        }
    }

    variant variant_;
    std::string fault_;
};

TEST(value_protocol, shows_only_stored_living_values_and_frees_every_node_in_all_interleavings) {
    model m{variant::sound};
    EXPECT_EQ(m.run(), "");
    EXPECT_GT(m.states, 10'000U);
    RecordProperty("states", std::to_string(m.states));
}

TEST(value_protocol, needs_the_second_look_at_the_index_of_a_counted_reader) {
    EXPECT_EQ(model{variant::holds_without_reading_the_index_again}.run(),
              "a value that was never stored is read");
}

TEST(value_protocol, needs_a_holder_before_another_one) {
    EXPECT_NE(model{variant::holds_a_node_without_holders}.run(), "");
}

TEST(value_protocol, needs_the_second_look_at_the_index_of_a_watching_reader) {
    EXPECT_NE(model{variant::watches_without_reading_the_index_again}.run(), "");
}

TEST(value_protocol, needs_the_question_to_the_slots) {
    EXPECT_EQ(model{variant::destroys_without_asking_the_slots}.run(), "a destroyed value is read");
}

TEST(value_protocol, needs_the_look_at_a_slot_that_is_cleared) {
    EXPECT_EQ(model{variant::clears_a_slot_without_looking_at_it}.run(), "a node is lost");
}

} // namespace
