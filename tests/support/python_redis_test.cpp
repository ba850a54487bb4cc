// The glue: scripts see the server and the arguments, the test sees what they printed.

#include "python_redis.hpp"

#include "raw_redis.hpp"
#include "redis_server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace {

using namespace weir::tests;
using testing::HasSubstr;

TEST(run_python, a_script_reads_and_writes_the_database_of_the_uri) {
    const database empty = fresh_database();
    raw_redis referee{empty.uri()};
    referee.command("SET", "from the test", R"({"stock": 7})");
    const python_result result = run_python(empty.uri(), R"(
        stock = json.loads(r.get("from the test"))["stock"]
        r.setex("from Python", 300, json.dumps({"stock": stock + 1}))
        print(r.ttl("from Python"))
    )");
    EXPECT_EQ(result.status, 0) << result.errors;
    EXPECT_EQ(result.output, "300\n");
    EXPECT_EQ(referee.command("GET", "from Python"), R"({"stock": 8})");
}

TEST(run_python, a_unix_socket_will_do) {
    const database empty = fresh_database();
    const python_result result = run_python(empty.unix_uri(), R"(r.set("k", "v"))");
    EXPECT_EQ(result.status, 0) << result.errors;
    EXPECT_EQ(raw_redis{empty.uri()}.command("GET", "k"), "v");
}

TEST(run_python, arguments_are_handed_on) {
    const python_result result = run_python(
        shared_server().uri(), "print(sys.argv[1:]); sys.exit(len(sys.argv))", {"a b", ""});
    EXPECT_EQ(result.output, "['a b', '']\n") << result.errors;
    EXPECT_EQ(result.status, 3);
}

TEST(run_python, an_exception_of_the_script_is_a_status_and_a_text) {
    const python_result result =
        run_python(shared_server().uri(), R"(r.execute_command("NO SUCH COMMAND"))");
    EXPECT_EQ(result.status, 1);
    EXPECT_THAT(result.errors, HasSubstr("ResponseError"));
}

} // namespace
