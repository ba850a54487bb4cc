// The client under many threads, on a real server that is stopped, paused and put to sleep, and whose
// connections are killed, while timeouts of a few milliseconds expire all the time.
//
// Every call asks for something that no other call asks for, so that a reply that reaches the wrong
// caller is seen. Counters on the server say how often a command was executed.

#include "support/busy_machine.hpp"
#include "support/eventually.hpp"
#include "support/raw_redis.hpp"
#include "support/redis_server.hpp"
#include "support/sanitized.hpp"

#include <weir/detail/hash.hpp>
#include <weir/error.hpp>
#include <weir/redis/address.hpp>
#include <weir/redis/client.hpp>
#include <weir/redis/scripts.hpp>
#include <weir/redis/uri.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace weir::tests;
using weir::errc;
using weir::may_have_been_applied;
using weir::detail::redis::client;
using weir::detail::redis::client_settings;
using weir::detail::redis::commands;
using weir::detail::redis::gathering_limits;
using weir::detail::redis::reply;
using weir::detail::redis::result;
using weir::tests::busy_machine;
using weir::tests::sanitized;

/// WEIR_TEST_CALLS: how many calls a test makes in all, for longer runs than the usual.
std::size_t calls_per_thread(std::size_t threads) {
    const char* const wanted = std::getenv("WEIR_TEST_CALLS");
    const std::size_t all = wanted != nullptr ? std::strtoull(wanted, nullptr, 10)
                            : sanitized       ? 40'000
                                              : 200'000;
    return std::max<std::size_t>(1, all / threads);
}

class dice {
public:
    explicit dice(std::uint64_t seed) : state_{seed * 2 + 1} {}
    /// From 0 to `sides` - 1.
    std::uint64_t roll(std::uint64_t sides) noexcept {
        return weir::detail::mix(state_ += 0x9e3779b97f4a7c15ULL) % sides;
    }

private:
    std::uint64_t state_;
};

struct crowd {
    const char* name;
    std::size_t threads;
    gathering_limits gathering{};
    std::uint64_t fewest_gatherings = 0;
};

client_settings settings_for(const redis_server& server, std::chrono::nanoseconds timeout) {
    client_settings s;
    s.to = weir::detail::parse_redis_uri(server.uri());
    s.timeout = timeout;
    s.heartbeat = 20ms;
    return s;
}

/// What became of an operation that changes something.
enum class outcome : std::uint8_t { unknown, applied, not_applied, perhaps };

outcome outcome_of(const result& r) {
    if (r.error) {
        return may_have_been_applied(r.error) ? outcome::perhaps : outcome::not_applied;
    }
    // LOADING, BUSY and the like: refused before anything was changed.
    return r.replies[0].is_error() ? outcome::not_applied : outcome::applied;
}

/// One thread's part, its counts, and what it found wrong.
class worker {
public:
    worker(client& c, std::size_t number, std::size_t calls)
        : client_{c},
          me_{std::to_string(number)},
          order_{number + 1},
          luck_{number},
          echoes_(calls),
          stores_(calls) {}

    /// Makes all its calls, and then reads while `longer()`.
    void work(const std::function<bool()>& longer) {
        for (std::size_t n = 0; n != echoes_.size(); ++n) {
            switch (luck_.roll(9)) {
            case 0:
                echo(n);
                break;
            case 1:
                echo_later(n);
                break;
            case 2:
                get_own_value();
                break;
            case 3:
                get_own_value_and_expiry();
                break;
            case 4:
                increment();
                break;
            case 5:
                increment_later();
                break;
            case 6:
                run_script();
                break;
            case 7:
                store_later_and_read(n + 1);
                break;
            default:
                store_and_forget_and_read(n + 1);
            }
        }
        while (longer()) {
            get_own_value();
        }
    }

    /// After the client's end.
    void check(raw_redis& referee) const {
        EXPECT_EQ(wrong_replies, 0U);
        EXPECT_EQ(wrong_replies_later_.load(), 0U);
        EXPECT_EQ(called_back.load(), to_be_called_back);
        EXPECT_TRUE(std::all_of(echoes_.begin(), echoes_.end(), [](const auto& calls) {
            return calls.load() <= 1;
        })) << "a callback was called twice";
        const raw_reply count = referee.command("GET", "counter:" + me_);
        const std::size_t counted = count.is_nil() ? 0 : std::stoull(count.text);
        EXPECT_GE(counted, incremented.load());
        EXPECT_LE(counted, incremented.load() + perhaps_incremented.load());
        check_reads();
    }

    std::size_t wrong_replies = 0;
    std::size_t answered = 0;
    std::chrono::nanoseconds slowest{0};
    std::size_t to_be_called_back = 0;
    std::atomic<std::size_t> called_back{0};
    std::atomic<std::size_t> incremented{0};
    std::atomic<std::size_t> perhaps_incremented{0};

private:
    result call(commands what) {
        const auto begin = std::chrono::steady_clock::now();
        result r = client_.call(std::move(what));
        const auto took = std::chrono::steady_clock::now() - begin;
        slowest = std::max<std::chrono::nanoseconds>(slowest, took);
        answered += r.error ? 0 : 1;
        if (r.error == errc::unavailable) {
            std::this_thread::yield(); // there is no server for the moment
        }
        return r;
    }

    /// A reply that must be `expected`, if it came.
    void expect(const result& r, std::size_t index, const std::string& expected) {
        if (!r.error && !r.replies[index].is_error() && r.replies[index].text != expected) {
            ++wrong_replies;
        }
    }

    void echo(std::size_t n) {
        const std::string word = me_ + ' ' + std::to_string(n);
        commands c;
        c.add("ECHO", word);
        expect(call(std::move(c)), 0, word);
    }

    void echo_later(std::size_t n) {
        ++to_be_called_back;
        auto done = [this, n](const result& r) {
            echoes_[n].fetch_add(1);
            if (!r.error && !r.replies[0].is_error() &&
                r.replies[0].text != me_ + " later " + std::to_string(n)) {
                wrong_replies_later_.fetch_add(1);
            }
            called_back.fetch_add(1);
        };
        commands c;
        c.add("ECHO", me_ + " later " + std::to_string(n));
        client_.call_later(std::move(c), done);
    }

    void get_own_value() {
        commands c;
        c.harmless = true;
        c.add("GET", "value:" + me_);
        expect(call(std::move(c)), 0, "the value of " + me_);
    }

    void get_own_value_and_expiry() {
        commands c;
        c.harmless = true;
        c.add("PTTL", "value:" + me_);
        c.add("GET", "value:" + me_);
        const result r = call(std::move(c));
        expect(r, 1, "the value of " + me_);
        if (!r.error && r.replies[0].is(reply::kind::string)) {
            ++wrong_replies;
        }
    }

    void note_increment(const result& r) {
        const outcome o = outcome_of(r);
        incremented.fetch_add(o == outcome::applied ? 1 : 0);
        perhaps_incremented.fetch_add(o == outcome::perhaps ? 1 : 0);
    }

    void increment() {
        commands c;
        c.add("INCR", "counter:" + me_);
        const result r = call(std::move(c));
        note_increment(r);
        wrong_replies += !r.error && r.replies[0].is(reply::kind::string) ? 1 : 0;
    }

    void increment_later() {
        ++to_be_called_back;
        auto done = [this](const result& r) {
            note_increment(r);
            called_back.fetch_add(1);
        };
        commands c;
        c.add("INCR", "counter:" + me_);
        client_.call_later(std::move(c), done);
    }

    /// One that the server has to be told again after every SCRIPT FLUSH.
    void run_script() {
        commands c;
        c.call(weir::detail::redis::release_script, "no lease:" + me_, "1");
        const result r = call(std::move(c));
        if (!r.error && !r.replies[0].is_error() &&
            !(r.replies[0].is(reply::kind::integer) && r.replies[0].integer == 0)) {
            ++wrong_replies;
        }
    }

    // ---- order ---------------------------------------------------------------------------------

    commands store(std::size_t n) const {
        commands c;
        c.order = order_;
        c.add("SET", "stored:" + me_, n);
        return c;
    }

    void store_later_and_read(std::size_t n) {
        ++to_be_called_back;
        auto done = [this, n](const result& r) {
            stores_[n - 1].store(outcome_of(r));
            called_back.fetch_add(1);
        };
        client_.call_later(store(n), done);
        read(n);
    }

    void store_and_forget_and_read(std::size_t n) {
        client_.call_and_forget(store(n));
        read(n);
    }

    void read(std::size_t n) {
        commands c;
        c.order = order_;
        c.harmless = luck_.roll(2) == 0;
        c.add("GET", "stored:" + me_);
        const result r = call(std::move(c));
        if (!r.error && !r.replies[0].is_error()) {
            const std::string& text = r.replies[0].text;
            reads_.push_back({n, text.empty() ? 0 : std::stoull(text)});
        }
    }

    /// A read sees at least the last store before it that was applied, and nothing that was not.
    void check_reads() const {
        std::size_t at_least = 0;
        std::size_t n = 0;
        for (const auto& [after, seen] : reads_) {
            for (; n != after; ++n) {
                at_least = stores_[n].load() == outcome::applied ? n + 1 : at_least;
            }
            EXPECT_GE(seen, at_least) << "a read overtook the store " << at_least;
            EXPECT_LE(seen, after);
            if (seen != 0) {
                EXPECT_NE(stores_[seen - 1].load(), outcome::not_applied)
                    << "the store " << seen << " was applied";
            }
        }
    }

    struct seen_value {
        std::size_t after;
        std::size_t seen;
    };

    client& client_;
    const std::string me_;
    const std::uint64_t order_;
    dice luck_;
    std::atomic<std::size_t> wrong_replies_later_{0};
    /// How often each callback was called.
    std::vector<std::atomic<std::uint8_t>> echoes_;
    std::vector<std::atomic<outcome>> stores_;
    std::vector<seen_value> reads_;
};

/// Makes trouble for a server and its clients until it is destroyed: of every kind first, and then by
/// chance.
class troublemaker {
public:
    /// @param timeout  of the clients; the server is out of reach for up to three times that
    /// @param times    counts the troubles, each when it begins
    troublemaker(const redis_server& server, std::chrono::milliseconds timeout,
                 std::atomic<std::size_t>& times)
        : server_{server}, longest_{3 * timeout}, times_{times} {}

private:
    void make(std::stop_token stop) {
        dice luck{4711};
        raw_redis redis{server_.uri()};
        while (!stop.stop_requested()) {
            constexpr std::size_t kinds = 6;
            const std::size_t count = times_.fetch_add(1);
            const std::chrono::milliseconds some =
                count < kinds ? longest_
                              : std::chrono::milliseconds{
                                    1 + luck.roll(static_cast<std::uint64_t>(longest_.count()))};
            switch (count < kinds ? count : luck.roll(kinds)) {
            case 0:
                redis.command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
                break;
            case 1:
                kill_one(redis, luck);
                break;
            case 2:
                redis.command("DEBUG", "SLEEP", static_cast<double>(some.count()) / 1000);
                break;
            case 3:
                redis.command("CLIENT", "PAUSE", some.count(), luck.roll(2) == 0 ? "ALL" : "WRITE");
                break;
            case 4:
                server_.pause();
                std::this_thread::sleep_for(some); // how long the server is stopped
                server_.resume();
                break;
            default:
                redis.command("SCRIPT", "FLUSH");
            }
            std::this_thread::sleep_for(some); // how long it is left in peace
        }
    }

    static void kill_one(raw_redis& redis, dice& luck) {
        const auto clients = redis.clients();
        const auto& victim = clients[luck.roll(clients.size())];
        redis.command("CLIENT", "KILL", "ID", victim.at("id"), "SKIPME", "yes");
    }

    const redis_server& server_;
    const std::chrono::milliseconds longest_;
    std::atomic<std::size_t>& times_;
    std::jthread thread_{[this](const std::stop_token& stop) { make(stop); }};
};

void wait_for_zero(const std::atomic<std::size_t>& count) {
    for (std::size_t left = count.load(); left != 0; left = count.load()) {
        count.wait(left);
    }
}

bool works(client& c) {
    commands ping;
    ping.add("PING");
    const result r = c.call(std::move(ping));
    return !r.error && r.replies[0].is_status("PONG");
}

struct totals {
    std::size_t answered = 0;
    std::chrono::nanoseconds slowest{0};
    weir::redis_stats stats;
    std::uint64_t gatherings = 0;
};

/// All workers at work on one client, and what they found.
///
/// @param wait_for_them  returns once no thread is at work any more
/// @param longer         whether they have to go on when they have made their calls
totals race(const redis_server& server, const crowd& callers, std::chrono::nanoseconds timeout,
            const std::function<void(const std::atomic<std::size_t>&)>& wait_for_them,
            const std::function<bool()>& longer) {
    std::vector<std::unique_ptr<worker>> workers;
    totals all;
    {
        raw_redis writer{server.uri()};
        client_settings settings = settings_for(server, timeout);
        settings.gathering = callers.gathering;
        client c{std::move(settings)};
        EXPECT_TRUE(c.wait_until_connected(patience));
        for (std::size_t t = 0; t != callers.threads; ++t) {
            const std::string me = std::to_string(t);
            writer.command("SET", "value:" + me, "the value of " + me, "EX", 10'000);
            workers.push_back(std::make_unique<worker>(c, t, calls_per_thread(callers.threads)));
        }
        {
            std::atomic<std::size_t> at_work{workers.size()};
            std::vector<std::jthread> threads;
            threads.reserve(workers.size());
            for (const auto& w : workers) {
                threads.emplace_back([&] {
                    w->work(longer);
                    at_work.fetch_sub(1);
                    at_work.notify_all();
                });
            }
            wait_for_them(at_work);
        }
        EXPECT_TRUE(eventually([&] { return works(c); })) << "the client has not recovered";
        all.stats = c.stats();
        all.gatherings = c.core().counters.sum(weir::detail::redis::client_core::gatherings);
        EXPECT_LE(all.stats.connections_lost, all.stats.connections_made);
    }
    raw_redis referee{server.uri()};
    for (const auto& w : workers) {
        w->check(referee);
        all.answered += w->answered;
        all.slowest = std::max(all.slowest, w->slowest);
    }
    return all;
}

/// Few callers mostly serve themselves, many mostly share what the I/O thread does.
class client_stress : public testing::TestWithParam<crowd> {};

TEST_P(client_stress, in_peace_everything_is_answered_and_nothing_is_lost) {
    const redis_server server;
    const totals all = race(server, GetParam(), 30s, wait_for_zero, [] { return false; });
    EXPECT_EQ(all.stats.timeouts, 0U);
    EXPECT_EQ(all.stats.connections_lost, 0U);
    EXPECT_GE(all.gatherings, GetParam().fewest_gatherings);
    RecordProperty("answered", std::to_string(all.answered));
}

TEST_P(client_stress, in_trouble_every_reply_reaches_its_caller_and_nothing_is_executed_twice) {
    const redis_server server{{"--enable-debug-command", "yes"}};
    constexpr auto timeout = sanitized ? 40ms : 8ms;
    std::atomic<std::size_t> troubles{0};
    const busy_machine machine;
    const auto make_trouble = [&](const std::atomic<std::size_t>& at_work) {
        const troublemaker trouble{server, timeout, troubles};
        wait_for_zero(at_work);
    };
    // With the seventh, one of each kind is over.
    const totals all =
        race(server, GetParam(), timeout, make_trouble, [&] { return troubles.load() <= 6; });
    EXPECT_GT(troubles, 6U);
    EXPECT_GT(all.stats.timeouts, 0U);
    EXPECT_GT(all.stats.connections_lost, 0U);
    EXPECT_GT(all.answered, 0U);
    if (!sanitized) {
        EXPECT_LT(all.slowest, timeout + 250ms + 2 * machine.worst());
    }
    for (const auto& [name, value] :
         {std::pair{"answered", all.answered}, std::pair{"troubles", troubles.load()},
          std::pair{"timeouts", std::size_t{all.stats.timeouts}},
          std::pair{"connections_lost", std::size_t{all.stats.connections_lost}}}) {
        RecordProperty(name, std::to_string(value));
    }
}

INSTANTIATE_TEST_SUITE_P(threads, client_stress,
                         testing::Values(crowd{"with_2", 2}, crowd{"with_4", 4},
                                         crowd{"with_64", 64},
                                         crowd{"with_64_whose_requests_gather", 64, {1s, 1s}, 100}),
                         [](const auto& crowd) { return crowd.param.name; });

/// Asks `c` for `many` things and counts what is answered.
void ask_later(client& c, std::size_t many, std::atomic<std::size_t>& answers) {
    for (std::size_t n = 0; n != many; ++n) {
        auto done = [&answers](const result&) { answers.fetch_add(1); };
        commands ping;
        ping.order = 1 + n % 3;
        ping.add("PING");
        c.call_later(std::move(ping), done);
    }
}

TEST(client_end, calls_every_callback_once_whatever_the_server_does) {
    constexpr std::size_t asking = 4;
    constexpr std::size_t many = 200;
    const redis_server server;
    for (int round = 0; round != 40; ++round) {
        std::atomic<std::size_t> answers{0};
        {
            client c{settings_for(server, 1s)};
            if (round % 4 != 0) { // else before there is a connection
                ASSERT_TRUE(c.wait_until_connected(patience));
            }
            if (round % 2 != 0) {
                server.pause();
            }
            {
                std::vector<std::jthread> threads;
                for (std::size_t t = 0; t != asking; ++t) {
                    threads.emplace_back([&] { ask_later(c, many, answers); });
                }
            }
            if (round % 8 >= 4) {
                std::this_thread::yield(); // so that some are on their way, or answered
            }
        }
        EXPECT_EQ(answers.load(), asking * many);
        server.resume();
    }
}

TEST(client_end, may_come_in_a_callback) {
    const redis_server server;
    for (int round = 0; round != 40; ++round) {
        auto c = std::make_shared<client>(settings_for(server, 1s));
        ASSERT_TRUE(c->wait_until_connected(patience));
        auto answers = std::make_shared<std::atomic<std::size_t>>(0);
        client& shown = *c;
        ask_later(shown, 50, *answers);
        // The last handle goes with this one, on the thread that calls it.
        auto last = [c = std::move(c), answers](const result&) mutable {
            c.reset();
            answers->fetch_add(1);
        };
        commands ping;
        ping.add("PING");
        shown.call_later(std::move(ping), last);
        EXPECT_TRUE(eventually([&] { return answers->load() == 51; }));
    }
}

} // namespace
