#include <weir/redis/preparation.hpp>
#include <weir/redis/wakeup.hpp>

#include "allocations.hpp"
#include "support/eventually.hpp"
#include "support/name_service.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <future>
#include <memory>
#include <netdb.h>
#include <netinet/in.h>
#include <new>
#include <optional>
#include <poll.h>
#include <set>
#include <stdexcept>
#include <string>
#include <sys/socket.h>
#include <sys/un.h>
#include <thread>
#include <utility>
#include <vector>

namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using weir::detail::redis::endpoint;
using weir::detail::redis::login;
using weir::detail::redis::preparation;
using weir::detail::redis::prepared;
using weir::detail::redis::resolution;
using weir::detail::redis::resolve;
using weir::detail::redis::wakeup;
using weir::tests::eventually;
using weir::tests::every_lack_of_memory;
using weir::tests::name_service;
using weir::tests::named;
using weir::tests::scarce_memory;
using address = weir::detail::redis_address;

/// As text, such as `127.0.0.1:6379`.
std::vector<std::string> shown(const std::vector<endpoint>& all) {
    std::vector<std::string> texts;
    for (const endpoint& e : all) {
        std::string host(100, '\0');
        std::string service(100, '\0');
        if (e.address.ss_family == AF_UNIX) {
            ::sockaddr_un un{};
            std::memcpy(&un, &e.address, sizeof un);
            texts.emplace_back(&un.sun_path[0]);
        } else if (::getnameinfo(e.get(), e.size, host.data(), 100, service.data(), 100,
                                 NI_NUMERICHOST | NI_NUMERICSERV) == 0) {
            texts.push_back(std::string{host.c_str()} + ':' + service.c_str());
        }
    }
    return texts;
}

// ---- addresses ---------------------------------------------------------------------------------

TEST(resolve, takes_an_address_for_what_it_is) {
    EXPECT_THAT(shown(resolve("127.0.0.1", 6379, true).endpoints), ElementsAre("127.0.0.1:6379"));
    EXPECT_THAT(shown(resolve("::1", 1, true).endpoints), ElementsAre("::1:1"));
    EXPECT_EQ(resolve("127.0.0.1", 6379, true).failure, "");
}

TEST(resolve, finds_no_name_if_only_addresses_are_wanted) {
    const resolution none = resolve("localhost", 6379, true);
    EXPECT_THAT(none.endpoints, IsEmpty());
    EXPECT_THAT(none.failure, HasSubstr("cannot resolve \"localhost\""));
}

TEST(resolve, finds_all_addresses_of_a_name_in_their_order) {
    const name_service names{[](const std::string& host) {
        EXPECT_EQ(host, "cache");
        return named{.addresses = {"127.0.0.3", "127.0.0.1", "127.0.0.2"}};
    }};
    EXPECT_THAT(shown(resolve("cache", 7, false).endpoints),
                ElementsAre("127.0.0.3:7", "127.0.0.1:7", "127.0.0.2:7"));
}

TEST(resolve, says_why_there_is_no_address) {
    const name_service names{[](const std::string&) { return named{.error = EAI_AGAIN}; }};
    const resolution none = resolve("cache", 6379, false);
    EXPECT_THAT(none.endpoints, IsEmpty());
    EXPECT_EQ(none.failure, std::string{"cannot resolve \"cache\": "} + ::gai_strerror(EAI_AGAIN));
}

// ---- preparations ------------------------------------------------------------------------------

class preparation_test : public testing::Test {
protected:
    [[nodiscard]] bool is_notified() const {
        ::pollfd p{done->descriptor(), POLLIN, 0};
        return ::poll(&p, 1, 0) == 1;
    }

    /// Waits for the result of what was begun.
    static prepared awaited(preparation& p) {
        std::optional<prepared> result;
        EXPECT_TRUE(eventually([&] {
            result = p.take();
            return result.has_value();
        }));
        return result.value_or(prepared{});
    }

    /// Begins, and waits for the result.
    static prepared result_of(preparation& p) {
        p.begin();
        return awaited(p);
    }

    const std::shared_ptr<wakeup> done = std::make_shared<wakeup>();
};

TEST_F(preparation_test, is_ready_at_once_for_an_address) {
    preparation p{address{.host = "127.0.0.1", .port = 7, .user = "app", .password = "secret"},
                  nullptr, done};
    EXPECT_FALSE(p.take());
    p.begin();
    const std::optional<prepared> ready = p.take();
    ASSERT_TRUE(ready);
    EXPECT_THAT(shown(ready->where.endpoints), ElementsAre("127.0.0.1:7"));
    EXPECT_EQ(ready->who->user, "app");
    EXPECT_EQ(ready->who->password, "secret");
    EXPECT_EQ(ready->failure, "");
}

TEST_F(preparation_test, is_ready_at_once_for_a_path) {
    preparation p{address{.host = "", .path = "/run/redis.sock"}, nullptr, done};
    p.begin();
    const std::optional<prepared> ready = p.take();
    ASSERT_TRUE(ready);
    EXPECT_THAT(shown(ready->where.endpoints), ElementsAre("/run/redis.sock"));
}

TEST_F(preparation_test, gives_its_result_once) {
    preparation p{address{.host = "127.0.0.1"}, nullptr, done};
    p.begin();
    EXPECT_TRUE(p.take());
    EXPECT_FALSE(p.take());
    p.begin();
    EXPECT_TRUE(p.take());
}

TEST_F(preparation_test, asks_for_a_name_on_another_thread_and_says_when_it_is_ready) {
    std::promise<void> goes_on;
    std::thread::id asked_on;
    const name_service names{[&, waits = goes_on.get_future().share()](const std::string&) {
        asked_on = std::this_thread::get_id();
        waits.wait();
        return named{.addresses = {"127.0.0.1"}};
    }};
    preparation p{address{.host = "cache"}, nullptr, done};
    p.begin();
    EXPECT_FALSE(p.take());
    EXPECT_FALSE(is_notified());
    goes_on.set_value();
    EXPECT_TRUE(eventually([&] { return is_notified(); }));
    const std::optional<prepared> ready = p.take();
    ASSERT_TRUE(ready);
    EXPECT_THAT(shown(ready->where.endpoints), ElementsAre("127.0.0.1:6379"));
    EXPECT_NE(asked_on, std::this_thread::get_id());
}

TEST_F(preparation_test, begins_no_second_time_while_it_runs) {
    std::promise<void> goes_on;
    std::atomic<int> asked{0};
    const name_service names{[&, waits = goes_on.get_future().share()](const std::string&) {
        ++asked;
        waits.wait();
        return named{.addresses = {"127.0.0.1"}};
    }};
    preparation p{address{.host = "cache"}, nullptr, done};
    p.begin();
    p.begin();
    goes_on.set_value();
    awaited(p);
    EXPECT_EQ(asked, 1);
}

TEST_F(preparation_test, begins_anew_instead_of_a_result_that_nobody_took) {
    int asked = 0;
    preparation p{address{.host = "127.0.0.1"},
                  [&] {
                      return login{"app", "secret " + std::to_string(++asked)};
                  },
                  done};
    p.begin();
    EXPECT_TRUE(eventually([&] { return is_notified(); }));
    EXPECT_EQ(result_of(p).who->password, "secret 2");
}

TEST_F(preparation_test, knows_the_addresses_of_the_last_time_while_it_goes_on) {
    std::promise<void> goes_on;
    const auto waits = goes_on.get_future().share();
    std::atomic<int> asked{0};
    const name_service names{[&](const std::string&) {
        if (++asked == 2) {
            waits.wait();
        }
        return named{.addresses = {"127.0.0." + std::to_string(asked)}};
    }};
    preparation p{address{.host = "cache", .user = "app", .password = "secret"}, nullptr, done};
    EXPECT_FALSE(p.take_last());
    result_of(p);
    p.begin();
    const std::optional<prepared> last = p.take_last();
    ASSERT_TRUE(last);
    EXPECT_THAT(shown(last->where.endpoints), ElementsAre("127.0.0.1:6379"));
    EXPECT_EQ(last->who->user, "app");
    EXPECT_EQ(last->who->password, "secret");
    goes_on.set_value();
    EXPECT_THAT(shown(awaited(p).where.endpoints), ElementsAre("127.0.0.2:6379"));
}

TEST_F(preparation_test, knows_no_credentials_of_the_last_time) {
    preparation p{address{.host = "127.0.0.1"}, [] { return login{"app", "secret"}; }, done};
    result_of(p);
    EXPECT_FALSE(p.take_last());
}

TEST_F(preparation_test, shows_the_addresses_of_the_last_time_when_there_are_none) {
    named meaning{.addresses = {"127.0.0.1", "127.0.0.2"}};
    preparation p{address{.host = "cache"}, nullptr, done};
    const auto resolved = [&](named now) {
        const name_service names{[&](const std::string&) { return now; }};
        return result_of(p);
    };
    EXPECT_THAT(shown(resolved({.error = EAI_AGAIN}).where.endpoints), IsEmpty());
    EXPECT_THAT(shown(resolved(meaning).where.endpoints),
                ElementsAre("127.0.0.1:6379", "127.0.0.2:6379"));
    const prepared failed = resolved({.error = EAI_AGAIN});
    EXPECT_THAT(shown(failed.where.endpoints), ElementsAre("127.0.0.1:6379", "127.0.0.2:6379"));
    EXPECT_THAT(shown(resolved({.addresses = {"127.0.0.3"}}).where.endpoints),
                ElementsAre("127.0.0.3:6379"));
    EXPECT_THAT(shown(resolved({.error = EAI_NONAME}).where.endpoints),
                ElementsAre("127.0.0.3:6379"));
}

TEST_F(preparation_test, asks_for_credentials_each_time_and_on_another_thread) {
    int asked = 0;
    std::set<std::thread::id> where;
    preparation p{address{.host = "127.0.0.1", .user = "of the uri", .password = "of the uri"},
                  [&] {
                      where.insert(std::this_thread::get_id());
                      return login{"app", "secret " + std::to_string(++asked)};
                  },
                  done};
    EXPECT_EQ(result_of(p).who->password, "secret 1");
    const prepared second = result_of(p);
    EXPECT_EQ(second.who->user, "app");
    EXPECT_EQ(second.who->password, "secret 2");
    EXPECT_THAT(shown(second.where.endpoints), ElementsAre("127.0.0.1:6379"));
    EXPECT_FALSE(where.contains(std::this_thread::get_id()));
}

TEST_F(preparation_test, says_why_there_are_no_credentials) {
    preparation p{address{.host = "127.0.0.1"},
                  []() -> login { throw std::runtime_error{"the vault is closed"}; }, done};
    const prepared none = result_of(p);
    EXPECT_EQ(none.failure, "no credentials: the vault is closed");
    EXPECT_FALSE(none.who);
    preparation q{address{.host = "127.0.0.1"}, []() -> login { throw 7; }, done};
    EXPECT_EQ(result_of(q).failure, "no credentials: the function for them threw");
}

TEST_F(preparation_test, may_be_gone_before_it_is_ready) {
    std::promise<void> goes_on;
    std::promise<void> asked;
    std::promise<void> destroyed;
    {
        // Destroyed by the thread that nobody waits for, when it has nothing more to do.
        struct last_to_go {
            std::promise<void>* destroyed;
            ~last_to_go() { destroyed->set_value(); }
        };
        auto alive = std::make_shared<last_to_go>();
        alive->destroyed = &destroyed;
        preparation p{address{.host = "127.0.0.1"},
                      [&asked, alive = std::move(alive), waits = goes_on.get_future().share()] {
                          asked.set_value();
                          waits.wait();
                          return login{};
                      },
                      done};
        p.begin();
        asked.get_future().wait();
    }
    goes_on.set_value();
    destroyed.get_future().wait();
    EXPECT_TRUE(eventually([&] { return is_notified(); }));
}

TEST_F(preparation_test, begins_anew_after_there_was_no_memory) {
    const std::size_t lacks = every_lack_of_memory([&](std::size_t granted) {
        preparation p{address{.host = "127.0.0.1", .user = std::string(100, 'u')}, nullptr, done};
        bool refused = false;
        {
            const scarce_memory scarce{granted};
            try {
                p.begin();
            } catch (const std::bad_alloc&) {
            }
            refused = scarce.refused();
        }
        EXPECT_EQ(p.take().has_value(), !refused);
        p.begin();
        EXPECT_TRUE(p.take());
        return refused;
    });
    EXPECT_GE(lacks, 2U);
}

} // namespace
