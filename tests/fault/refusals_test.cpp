// Servers that answer, and refuse to work.

#include "service.hpp"
#include "support/eventually.hpp"
#include "support/raw_redis.hpp"
#include "support/redis_server.hpp"

#include <weir/error.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace weir::tests;
using ::testing::IsEmpty;
using ::testing::StartsWith;
using weir::cache_status;
using weir::decider;
using weir::errc;

/// A way to refuse.
struct refusal {
    std::string name;
    std::vector<std::string> arguments;
    /// Makes the server refuse; what it returns lives until that is to end.
    std::function<std::shared_ptr<void>(const redis_server&, raw_redis& admin)> begin;
    std::function<void(const redis_server&, raw_redis& admin)> end;
    /// The first words of what it says to who writes, and to who reads; empty: it lets read.
    std::string to_writers;
    std::string to_readers{};
    bool refuses_deletions = true;

    [[nodiscard]] bool refuses_reads() const { return !to_readers.empty(); }

    friend void PrintTo(const refusal& r, std::ostream* out) { *out << r.name; }
};

std::shared_ptr<void> nothing_to_keep() {
    return {};
}

/// Configures the server so, and then so.
refusal configured(std::string name, std::string code, std::string option, std::string refusing,
                   std::string working) {
    return {.name = std::move(name),
            .arguments = {},
            .begin =
                [option, refusing](const redis_server&, raw_redis& admin) {
                    admin.command("CONFIG", "SET", option, refusing);
                    return nothing_to_keep();
                },
            .end = [option,
                    working](const redis_server&,
                             raw_redis& admin) { admin.command("CONFIG", "SET", option, working); },
            .to_writers = std::move(code)};
}

/// A replica of a master that is not there.
refusal replica(std::string name, std::string serves_reads, std::string to_readers) {
    return {.name = std::move(name),
            .arguments = {"--replica-serve-stale-data", std::move(serves_reads)},
            .begin =
                [](const redis_server&, raw_redis& admin) {
                    admin.command("REPLICAOF", "127.0.0.1", reserved_port{}.number());
                    return nothing_to_keep();
                },
            .end = [](const redis_server&,
                      raw_redis& admin) { admin.command("REPLICAOF", "NO", "ONE"); },
            .to_writers = "READONLY",
            .to_readers = std::move(to_readers)};
}

refusal busy() {
    return {.name = "busy",
            .arguments = {"--busy-reply-threshold", "50"},
            .begin = [](const redis_server& server, raw_redis&) -> std::shared_ptr<void> {
                auto script = std::make_shared<raw_redis>(server.uri());
                script->send("EVAL", "while true do end", 0);
                return script;
            },
            .end =
                [](const redis_server&, raw_redis& admin) {
                    admin.command("SCRIPT", "KILL");
                    // It stops where it looks the next time.
                    EXPECT_TRUE(eventually([&] { return admin.ask("PING") == "PONG"; }));
                },
            .to_writers = "BUSY",
            .to_readers = "BUSY"};
}

/// It cannot save its database, because something else has its name.
refusal unable_to_save() {
    const auto save = [](raw_redis& admin, const std::string& outcome) {
        admin.command("BGSAVE");
        EXPECT_TRUE(eventually([&] {
            const auto info = admin.info("persistence");
            return info.at("rdb_bgsave_in_progress") == "0" &&
                   info.at("rdb_last_bgsave_status") == outcome;
        }));
    };
    return {.name = "unable_to_save",
            .arguments = {"--save", "3600 1000000", "--dbfilename", "taken"},
            .begin =
                [save](const redis_server& server, raw_redis& admin) {
                    std::filesystem::create_directory(server.directory() / "taken");
                    save(admin, "err");
                    return nothing_to_keep();
                },
            .end =
                [save](const redis_server& server, raw_redis& admin) {
                    std::filesystem::remove(server.directory() / "taken");
                    save(admin, "ok");
                },
            .to_writers = "MISCONF"};
}

refusal out_of_memory() {
    refusal r = configured("out_of_memory", "OOM", "maxmemory", "1", "0");
    r.refuses_deletions = false;
    return r;
}

class refusing_server : public testing::TestWithParam<refusal> {
protected:
    void begin_to_refuse() {
        kept_ = GetParam().begin(server, admin);
        ASSERT_TRUE(eventually([&] {
            return admin.ask("SET", "probe", "", "PX", 1).error_code() == GetParam().to_writers;
        }));
    }
    void work_again() { GetParam().end(server, admin); }

    redis_server server{GetParam().arguments};
    raw_redis admin{server.uri()};

private:
    std::shared_ptr<void> kept_;
};

INSTANTIATE_TEST_SUITE_P(
    that_is, refusing_server,
    testing::Values(out_of_memory(), busy(), unable_to_save(),
                    configured("without_replicas", "NOREPLICAS", "min-replicas-to-write", "3", "0"),
                    replica("a_replica", "yes", ""), replica("a_lost_replica", "no", "MASTERDOWN")),
    [](const auto& p) { return p.param.name; });

TEST_P(refusing_server, is_an_error_by_which_nothing_was_applied_and_costs_no_connection) {
    const service s{{.uri = server.uri(), .timeout = 5s, .heartbeat = 20ms}};
    s.begin();
    s.lasting.put("k", "v");
    begin_to_refuse();
    const std::error_code rejected = make_error_code(errc::rejected);
    EXPECT_FALSE(weir::may_have_been_applied(rejected));
    const bool reads = GetParam().refuses_reads();
    const auto keys = reads ? std::vector<std::string>{} : admin.keys();
    expect_failure(s, rejected, reads);
    EXPECT_THAT(s.backend.stats().last_error, StartsWith(GetParam().to_writers));
    EXPECT_EQ(s.lasting.get("k").status(), reads ? cache_status::unavailable : cache_status::hit);
    if (reads) {
        EXPECT_THAT(s.backend.stats().last_error, StartsWith(GetParam().to_readers));
    } else {
        EXPECT_EQ(admin.keys(), keys);
    }
    const std::error_code to_deletions =
        GetParam().refuses_deletions ? rejected : std::error_code{};
    std::error_code ec;
    EXPECT_FALSE(s.calls([&] { return s.pages.invalidate("absent", ec); }));
    EXPECT_EQ(ec, to_deletions);
    s.calls([&] { s.denying.forget("absent", ec); });
    EXPECT_EQ(ec, to_deletions);

    work_again();
    EXPECT_EQ(s.calls([&] { return s.denying.peek("k"); }).remaining, usual_quota.limit - 1);
    EXPECT_EQ(s.calls([&] { return s.denying.allow("k"); }).decided_by, decider::backend);
    EXPECT_EQ(s.calls([&] { return s.pages.get(stored_key); }).status(), cache_status::hit);
    EXPECT_EQ(s.backend.stats().connections_lost, 0U);
    EXPECT_EQ(s.backend.stats().timeouts, 0U);
    EXPECT_THAT(admin.keys_without_ttl(), IsEmpty());
    s.calls.expect_in_time();
}

TEST_P(refusing_server, is_an_error_for_who_comes_meanwhile_too) {
    begin_to_refuse();
    std::vector<std::unique_ptr<service>> all;
    for (const int database : {0, 3}) {
        all.push_back(std::make_unique<service>(
            weir::redis_options{.uri = server.uri(database), .timeout = 5s}));
        const service& s = *all.back();
        EXPECT_EQ(s.calls([&] { return s.denying.allow("k"); }).error(), errc::rejected);
        EXPECT_THAT(s.backend.stats().last_error, StartsWith(GetParam().to_writers));
    }
    work_again();
    for (const auto& s : all) {
        s->expect_return();
        s->calls.expect_in_time();
    }
}

} // namespace
