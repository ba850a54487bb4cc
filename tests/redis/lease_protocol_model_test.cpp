// The leases of values.hpp between processes, searched through all interleavings: readers in two
// processes with flights of their own, invalidations of every kind, other programs, and a server that
// lets leases expire and evicts values. A command or a script is one step, and nothing larger is:
// the server may execute commands of others between those that are sent in one write.
//
// In every state, for versions of one row of a database that only grow:
//
//  - what is stored is not older than the last change whose call has returned;
//  - what a reader is served is not older than the last change that had returned when he called.
//
// The orders that the protocol relies on are shown to suffice, and the ones it avoids to fail.

#include <weir/detail/hash.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <type_traits>
#include <unordered_set>
#include <utility>
#include <vector>

namespace {

/// What a change does, one step after the other.
enum class act : std::uint8_t {
    commit,
    /// The same, and nobody else commits before the change is over: whoever writes values writes them
    /// in the order of their versions.
    commit_alone,
    end_lease,
    erase_value,
    set_value,
    add_if_absent,
    end_lease_and_erase_value,
    /// A complete SCAN, as far as it concerns this key: what is there from its beginning to its end is
    /// found, what is there for a part of that time may be.
    begin_scan,
    pass_lease,
    pass_value,
    end_scan,
    delete_found_lease,
    delete_found_value,
    detach_flight,
    /// The call returns. What it did, nobody undoes.
    over,
};

using program = std::vector<act>;

const program erase{act::commit, act::end_lease, act::erase_value, act::detach_flight, act::over};
const program put{act::commit_alone, act::end_lease, act::set_value, act::detach_flight, act::over};
const program add{act::commit_alone, act::add_if_absent, act::detach_flight, act::over};
const program erase_matching{act::commit,
                             act::begin_scan,
                             act::pass_lease,
                             act::end_scan,
                             act::delete_found_lease,
                             act::begin_scan,
                             act::pass_value,
                             act::end_scan,
                             act::delete_found_value,
                             act::detach_flight,
                             act::over};
// Other programs know no flights.
const program foreign_set{act::commit_alone, act::set_value, act::over};
const program foreign_delete{act::commit, act::end_lease_and_erase_value, act::over};

struct change {
    program acts;
    std::size_t process = 0;
};

struct scenario {
    /// The process of each.
    std::vector<std::size_t> readers{0, 1, 1};
    std::vector<change> changes;
    /// Leases may expire, values may be evicted or go stale at any time.
    bool expiry = true;
    /// Computations may fail.
    bool failures = false;

    // What the protocol does, and could do wrong.

    /// A store under a lease is sent without waiting for its reply. What the process asks of the key
    /// afterwards comes after it; searches for many keys do not wait for it.
    bool stores_later = true;
    /// Who joined a flight that was there before him asks the store again when it is over; if there
    /// is nothing, he joins another or begins one.
    bool waiters_ask_again = true;
    bool looks_for_fresher_values = true;
    bool token_for_each_attempt = true;
    bool leases_before_reading = true;
};

constexpr std::size_t max_readers = 3;
constexpr std::size_t max_changes = 2;
constexpr std::size_t processes = 2;
constexpr std::uint8_t none = 0xff;

struct reader {
    std::uint8_t at = 0;
    /// The last change that had returned when the reader called.
    std::uint8_t called_after = 0;
    std::uint8_t granted = 0;
    std::uint8_t result = none;
    /// The owner of the flight that he waits for.
    std::uint8_t waits_for = none;
    std::uint8_t joined = 0;
    /// His own flight is over.
    std::uint8_t finished = 0;
};

struct writer {
    std::uint8_t at = 0;
    std::uint8_t version = 0;
    // Of the scan that is going on: there since its beginning, and found.
    std::uint8_t lease_stays = 0;
    std::uint8_t value_stays = 0;
    std::uint8_t found = 0;
};

struct process {
    /// The owner of the flight in the table.
    std::uint8_t flight = none;
    /// Stores on their way, by their readers.
    std::array<std::uint8_t, max_readers> stores{none, none, none};
};

struct state {
    std::uint8_t db = 0;
    std::uint8_t alone = none;  ///< who commits alone
    std::uint8_t lease = none;  ///< a token
    std::uint8_t stored = none; ///< the version
    std::uint8_t fresh = 0;
    std::uint8_t floor = 0; ///< the newest version whose change has returned
    std::array<process, processes> process_of{};
    std::array<reader, max_readers> readers{};
    std::array<writer, max_changes> writers{};

    bool operator==(const state& other) const noexcept {
        return std::memcmp(this, &other, sizeof(state)) == 0;
    }
};
static_assert(std::has_unique_object_representations_v<state>);

struct hash_state {
    std::size_t operator()(const state& s) const noexcept {
        return weir::detail::hash_bytes({reinterpret_cast<const char*>(&s), sizeof s}, 0);
    }
};

class model {
public:
    explicit model(scenario s) : plan_{std::move(s)} {}

    /// Visits every state. True if a value is stored or served that is too old.
    [[nodiscard]] bool serves_stale() {
        std::vector<state> open{state{}};
        std::unordered_set<state, hash_state> seen{open.back()};
        while (!open.empty() && !stale_) {
            const state from = open.back();
            open.pop_back();
            // What happens may have two outcomes.
            for (std::size_t what = 0; what != 2 * (max_readers + max_changes + 3 + processes);
                 ++what) {
                state to = from;
                second_ = what % 2 != 0;
                if (!step(to, what / 2)) {
                    continue;
                }
                stale_ = stale_ || (to.stored != none && to.stored < to.floor);
                if (seen.insert(to).second) {
                    open.push_back(to);
                }
            }
        }
        ::testing::Test::RecordProperty("states", std::to_string(seen.size()));
        return stale_;
    }

private:
    enum reader_at : std::uint8_t {
        get,
        join,
        take_lease,
        look_again,
        compute,
        store,
        give_up,
        look_for_kept,
        finish,
        wait,
        ask_again,
        done,
    };

    /// One thing that happens; false if it cannot.
    bool step(state& s, std::size_t what) {
        if (what < max_readers) {
            return what < plan_.readers.size() && read(s, static_cast<std::uint8_t>(what));
        }
        what -= max_readers;
        if (what < max_changes) {
            return what < plan_.changes.size() && write(s, what);
        }
        what -= max_changes;
        if (what < processes) {
            return !second_ && execute_store(s, s.process_of[what].stores);
        }
        return plan_.expiry && !second_ && lose_something(s, what - processes);
    }

    static bool lose_something(state& s, std::size_t what) {
        if (what == 0 && s.lease != none) {
            end_lease(s);
        } else if (what == 1 && s.stored != none) {
            erase_value(s);
        } else if (what == 2 && s.fresh != 0) {
            s.fresh = 0;
        } else {
            return false;
        }
        return true;
    }

    // ---- the server ----------------------------------------------------------------------------

    static void end_lease(state& s) {
        s.lease = none;
        for (writer& w : s.writers) {
            w.lease_stays = 0;
        }
    }
    static void erase_value(state& s) {
        s.stored = none;
        s.fresh = 0;
        for (writer& w : s.writers) {
            w.value_stays = 0;
        }
    }
    static void set_value(state& s, std::uint8_t version) {
        s.stored = version;
        s.fresh = 1;
    }

    [[nodiscard]] std::uint8_t token(std::uint8_t r) const {
        return plan_.token_for_each_attempt ? r : static_cast<std::uint8_t>(plan_.readers[r]);
    }

    void put_if_leased(state& s, std::uint8_t r) const {
        if (s.lease != token(r)) {
            return;
        }
        if (s.stored == none || s.fresh == 0 || !plan_.looks_for_fresher_values) {
            set_value(s, s.readers[r].result);
        }
        end_lease(s);
    }

    /// The first of the stores that a process has on their way.
    bool execute_store(state& s, std::array<std::uint8_t, max_readers>& stores) const {
        if (stores[0] == none) {
            return false;
        }
        put_if_leased(s, stores[0]);
        std::copy(stores.begin() + 1, stores.end(), stores.begin());
        stores.back() = none;
        return true;
    }

    /// Whether a command of this process on the key would be executed next.
    [[nodiscard]] static bool is_next(const process& p) { return p.stores[0] == none; }

    // ---- readers -------------------------------------------------------------------------------

    void serve(state& s, std::uint8_t r, std::uint8_t version) {
        stale_ = stale_ || version < s.readers[r].called_after;
        s.readers[r].at = done;
    }

    bool read(state& s, std::uint8_t r) {
        reader& me = s.readers[r];
        process& here = s.process_of[plan_.readers[r]];
        const bool commands = me.at == get || me.at == take_lease || me.at == give_up ||
                              me.at == look_for_kept || me.at == ask_again;
        if (commands && !is_next(here)) {
            return false;
        }
        if (second_ && !(me.at == compute && plan_.failures)) {
            return false;
        }
        switch (me.at) {
        case get:
            me.called_after = s.floor;
            look(s, r, join);
            return true;
        case join:
            if (here.flight != none) {
                me.waits_for = here.flight;
                me.at = wait;
            } else {
                here.flight = r;
                me.at = plan_.leases_before_reading ? take_lease : compute;
            }
            ++me.joined;
            return true;
        case take_lease:
            me.granted = s.lease == none;
            if (me.granted != 0) {
                s.lease = token(r);
            }
            me.at = plan_.leases_before_reading ? look_again : store;
            return true;
        case look_again:
            if (s.fresh != 0) {
                me.result = s.stored;
                me.at = me.granted != 0 ? give_up : finish;
            } else {
                me.at = compute;
            }
            return true;
        case compute:
            me.result = second_ ? none : s.db;
            me.at = plan_.leases_before_reading ? store : take_lease;
            if (second_) {
                me.at = give_up;
            }
            return true;
        case store:
            if (me.granted != 0 && plan_.stores_later) {
                *std::find(here.stores.begin(), here.stores.end(), none) = r;
            } else if (me.granted != 0) {
                put_if_leased(s, r);
            }
            me.at = finish;
            return true;
        case give_up:
            if (me.granted != 0 && s.lease == token(r)) {
                end_lease(s);
            }
            me.at = me.result == none ? look_for_kept : finish;
            return true;
        case look_for_kept:
            me.result = s.stored; // fresh or in its grace
            me.at = finish;
            return true;
        case finish:
            if (here.flight == r) {
                here.flight = none;
            }
            me.finished = 1;
            serve(s, r, me.result);
            return true;
        case wait:
            if (s.readers[me.waits_for].finished == 0) {
                return false;
            }
            // An exception is shared, too: it is no value.
            if (!plan_.waiters_ask_again || me.joined == 2 ||
                s.readers[me.waits_for].result == none) {
                serve(s, r, s.readers[me.waits_for].result);
            } else {
                me.at = ask_again;
            }
            return true;
        case ask_again:
            look(s, r, join);
            return true;
        default:
            return false;
        }
    }

    void look(state& s, std::uint8_t r, reader_at otherwise) {
        if (s.fresh != 0) {
            serve(s, r, s.stored);
        } else {
            s.readers[r].at = otherwise;
        }
    }

    // ---- changes -------------------------------------------------------------------------------

    bool write(state& s, std::size_t w) {
        writer& me = s.writers[w];
        const change& what = plan_.changes[w];
        if (me.at == what.acts.size()) {
            return false;
        }
        process& here = s.process_of[what.process];
        if (!perform(s, what.acts[me.at], static_cast<std::uint8_t>(w), here)) {
            return false;
        }
        ++me.at;
        return true;
    }

    bool perform(state& s, act action, std::uint8_t w, process& here) {
        writer& me = s.writers[w];
        const bool passes = action == act::pass_lease || action == act::pass_value;
        if (second_ && !passes) {
            return false;
        }
        switch (action) {
        case act::commit:
        case act::commit_alone:
            if (s.alone != none) {
                return false;
            }
            s.alone = action == act::commit_alone ? w : none;
            me.version = ++s.db;
            return true;
        case act::end_lease:
        case act::erase_value:
        case act::set_value:
        case act::add_if_absent:
        case act::end_lease_and_erase_value:
            return is_next(here) && command(s, action, me);
        case act::begin_scan:
            me.lease_stays = s.lease != none;
            me.value_stays = s.stored != none;
            return true;
        case act::pass_lease:
            return pass(s.lease != none, me.lease_stays != 0, lease_found, me);
        case act::pass_value:
            return pass(s.stored != none, me.value_stays != 0, value_found, me);
        case act::end_scan:
            me.lease_stays = me.value_stays = 0;
            return true;
        case act::delete_found_lease:
            if ((me.found & lease_found) != 0) {
                end_lease(s);
            }
            return true;
        case act::delete_found_value:
            if ((me.found & value_found) != 0) {
                erase_value(s);
            }
            return true;
        case act::detach_flight:
            here.flight = none;
            return true;
        default:
            if (me.version != 0) {
                s.floor = std::max(s.floor, me.version);
            }
            s.alone = s.alone == w ? none : s.alone;
            return true;
        }
    }

    static bool command(state& s, act action, writer& me) {
        if (action == act::end_lease || action == act::end_lease_and_erase_value) {
            end_lease(s);
        }
        if (action == act::erase_value || action == act::end_lease_and_erase_value) {
            erase_value(s);
        }
        if (action == act::set_value) {
            set_value(s, me.version);
        }
        if (action == act::add_if_absent && s.stored == none) {
            set_value(s, me.version);
            end_lease(s);
        } else if (action == act::add_if_absent) {
            me.version = 0; // nothing has changed
        }
        return true;
    }

    /// The cursor passes a key: it is found for certain if it was there all the time so far.
    bool pass(bool is_there, bool stays, std::uint8_t bit, writer& me) const {
        if (second_ && (!is_there || stays)) {
            return false;
        }
        if (is_there && !second_) {
            me.found |= bit;
        }
        return true;
    }

    static constexpr std::uint8_t lease_found = 1;
    static constexpr std::uint8_t value_found = 2;

    const scenario plan_;
    /// Which outcome of what happens.
    bool second_ = false;
    bool stale_ = false;
};

bool serves_stale(const scenario& s) {
    return model{s}.serves_stale();
}

// ---- what suffices -----------------------------------------------------------------------------

TEST(lease_protocol, an_invalidation_leaves_nothing_stale) {
    EXPECT_FALSE(serves_stale({.changes = {{erase, 0}}}));
    EXPECT_FALSE(serves_stale({.changes = {{erase, 1}}}));
}

TEST(lease_protocol, invalidations_in_two_processes_leave_nothing_stale) {
    EXPECT_FALSE(serves_stale({.readers = {0, 1}, .changes = {{erase, 0}, {erase, 1}}}));
}

TEST(lease_protocol, a_put_leaves_nothing_stale) {
    EXPECT_FALSE(serves_stale({.changes = {{put, 0}}}));
    EXPECT_FALSE(serves_stale({.readers = {0, 1}, .changes = {{put, 0}, {erase, 1}}}));
}

TEST(lease_protocol, an_add_leaves_nothing_stale) {
    EXPECT_FALSE(serves_stale({.changes = {{add, 0}}}));
    EXPECT_FALSE(serves_stale({.readers = {0, 1}, .changes = {{add, 0}, {erase, 1}}}));
}

TEST(lease_protocol, a_glob_leaves_nothing_stale) {
    EXPECT_FALSE(serves_stale({.changes = {{erase_matching, 0}}}));
}

TEST(lease_protocol, a_glob_beside_other_changes_leaves_nothing_stale) {
    EXPECT_FALSE(serves_stale({.readers = {0, 1}, .changes = {{erase_matching, 0}, {erase, 1}}}));
    EXPECT_FALSE(serves_stale({.readers = {0, 1}, .changes = {{erase_matching, 0}, {put, 1}}}));
}

TEST(lease_protocol, computations_that_fail_leave_nothing_stale) {
    EXPECT_FALSE(serves_stale({.changes = {{erase, 0}}, .failures = true}));
}

TEST(lease_protocol, stores_that_are_waited_for_leave_nothing_stale) {
    EXPECT_FALSE(serves_stale({.changes = {{erase, 0}}, .stores_later = false}));
}

TEST(lease_protocol, another_program_that_deletes_lease_and_value_leaves_nothing_stale) {
    EXPECT_FALSE(serves_stale({.changes = {{foreign_delete, 0}}}));
}

TEST(lease_protocol, what_another_program_sets_is_not_replaced_by_something_older) {
    EXPECT_FALSE(serves_stale({.changes = {{foreign_set, 0}}, .expiry = false}));
}

// ---- what does not -----------------------------------------------------------------------------

TEST(lease_protocol, a_value_erased_before_its_lease_ends_comes_back) {
    const program value_first{act::commit, act::erase_value, act::end_lease, act::detach_flight,
                              act::over};
    EXPECT_TRUE(serves_stale({.changes = {{value_first, 0}}}));
}

TEST(lease_protocol, a_value_put_before_the_lease_ends_may_be_replaced_once_it_is_evicted) {
    const program value_first{act::commit_alone, act::set_value, act::end_lease, act::detach_flight,
                              act::over};
    EXPECT_TRUE(serves_stale({.changes = {{value_first, 0}}}));
}

TEST(lease_protocol, an_invalidation_that_leaves_the_lease_serves_stale) {
    const program value_only{act::commit, act::erase_value, act::detach_flight, act::over};
    EXPECT_TRUE(serves_stale({.changes = {{value_only, 0}}}));
}

TEST(lease_protocol, one_scan_for_leases_and_values_serves_stale) {
    const program leases_first{
        act::commit,   act::begin_scan,         act::pass_lease,         act::pass_value,
        act::end_scan, act::delete_found_lease, act::delete_found_value, act::detach_flight,
        act::over};
    const program values_first{
        act::commit,   act::begin_scan,         act::pass_value,         act::pass_lease,
        act::end_scan, act::delete_found_lease, act::delete_found_value, act::detach_flight,
        act::over};
    EXPECT_TRUE(serves_stale({.changes = {{leases_first, 0}}}));
    EXPECT_TRUE(serves_stale({.changes = {{values_first, 0}}}));
}

TEST(lease_protocol, a_scan_for_values_before_that_for_leases_serves_stale) {
    const program values_first{act::commit,
                               act::begin_scan,
                               act::pass_value,
                               act::end_scan,
                               act::delete_found_value,
                               act::begin_scan,
                               act::pass_lease,
                               act::end_scan,
                               act::delete_found_lease,
                               act::detach_flight,
                               act::over};
    EXPECT_TRUE(serves_stale({.changes = {{values_first, 0}}}));
}

TEST(lease_protocol, a_store_that_looks_at_the_lease_only_replaces_what_another_program_set) {
    EXPECT_TRUE(serves_stale(
        {.changes = {{foreign_set, 0}}, .expiry = false, .looks_for_fresher_values = false}));
}

TEST(lease_protocol, a_token_shared_by_the_attempts_of_a_process_serves_stale) {
    EXPECT_TRUE(serves_stale({.changes = {{erase, 1}}, .token_for_each_attempt = false}));
}

TEST(lease_protocol, a_source_read_before_the_lease_is_taken_serves_stale) {
    EXPECT_TRUE(serves_stale({.changes = {{erase, 0}}, .leases_before_reading = false}));
}

TEST(lease_protocol, a_flight_shared_with_who_came_after_a_change_in_another_process_serves_stale) {
    // That process could not detach it.
    EXPECT_TRUE(serves_stale({.changes = {{erase, 0}}, .waiters_ask_again = false}));
    EXPECT_TRUE(serves_stale({.changes = {{foreign_delete, 0}}, .waiters_ask_again = false}));
}

// ---- what nobody can help ----------------------------------------------------------------------

TEST(lease_protocol, another_program_that_deletes_the_value_alone_is_not_noticed) {
    const program value_only{act::commit, act::erase_value, act::over};
    EXPECT_TRUE(serves_stale({.changes = {{value_only, 0}}, .expiry = false}));
}

TEST(lease_protocol, what_another_program_sets_protects_the_key_no_longer_than_it_is_there) {
    EXPECT_TRUE(serves_stale({.changes = {{foreign_set, 0}}}));
}

} // namespace
