#include <weir/handler.hpp>

#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <functional>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

namespace {

using weir::handler;

static_assert(std::is_nothrow_move_constructible_v<handler<int>>);
static_assert(std::is_nothrow_move_assignable_v<handler<int>>);
static_assert(!std::is_copy_constructible_v<handler<int>>);
static_assert(!std::is_copy_assignable_v<handler<int>>);
static_assert(std::is_constructible_v<handler<int>, void (*)(int)>);
static_assert(std::is_constructible_v<handler<int>, void (*)(long)>);
static_assert(!std::is_constructible_v<handler<int>, void (*)()>);
static_assert(!std::is_constructible_v<handler<int>, void (*)(std::string)>);
static_assert(!std::is_constructible_v<handler<>, int>);

/// A callable of `Size` bytes that counts how many of it live, and how often one was allocated.
template<std::size_t Size>
class counted {
public:
    static inline int living = 0;
    static inline int allocated = 0;

    counted() { ++living; }
    counted(counted&&) noexcept { ++living; }
    ~counted() { --living; }

    void operator()(int& calls) const { ++calls; }

    static void* operator new(std::size_t size) {
        ++allocated;
        return ::operator new(size);
    }
    static void operator delete(void* at) { ::operator delete(at); }

private:
    std::array<std::byte, Size> bytes_{};
};

/// Small, but a move of it may throw, so it cannot live where a handler moves without throwing.
struct moves_with_care : counted<8> {
    moves_with_care() = default;
    moves_with_care(moves_with_care&& other) noexcept(false) : counted<8>{std::move(other)} {}
};

template<class Callable>
class each_callable : public testing::Test {
protected:
    void SetUp() override { Callable::allocated = 0; }
    void TearDown() override { EXPECT_EQ(Callable::living, 0); }
};

using callables =
    testing::Types<counted<1>, counted<48>, counted<49>, counted<500>, moves_with_care>;
TYPED_TEST_SUITE(each_callable, callables);

TYPED_TEST(each_callable, is_called_once_and_then_gone) {
    int calls = 0;
    handler<int&> h{TypeParam{}};
    EXPECT_TRUE(h);
    EXPECT_EQ(TypeParam::living, 1);
    h(calls);
    EXPECT_EQ(calls, 1);
    EXPECT_FALSE(h);
    EXPECT_EQ(TypeParam::living, 0);
}

TYPED_TEST(each_callable, is_destroyed_with_a_handler_that_was_not_called) {
    {
        const handler<int&> h{TypeParam{}};
        EXPECT_EQ(TypeParam::living, 1);
    }
    EXPECT_EQ(TypeParam::living, 0);
}

TYPED_TEST(each_callable, moves_with_its_handler) {
    int calls = 0;
    handler<int&> first{TypeParam{}};
    handler<int&> second{std::move(first)};
    EXPECT_FALSE(first); // NOLINT(bugprone-use-after-move)
    EXPECT_TRUE(second);
    EXPECT_EQ(TypeParam::living, 1);
    first = std::move(second);
    EXPECT_EQ(TypeParam::living, 1);
    second = handler<int&>{TypeParam{}};
    EXPECT_EQ(TypeParam::living, 2);
    second = std::move(first);
    EXPECT_EQ(TypeParam::living, 1) << "the one that was replaced is still there";
    second(calls);
    EXPECT_EQ(calls, 1);
    first = handler<int&>{};
    EXPECT_FALSE(first);
}

TEST(handler, keeps_up_to_48_bytes_inside_and_allocates_for_more) {
    EXPECT_LE(sizeof(handler<int>), 64U);
    counted<48>::allocated = counted<49>::allocated = 0;
    handler<int&> small{counted<48>{}};
    const handler<int&> moved{std::move(small)};
    EXPECT_EQ(counted<48>::allocated, 0);
    const handler<int&> large{counted<49>{}};
    EXPECT_EQ(counted<49>::allocated, 1);
}

TEST(handler, a_callable_whose_move_may_throw_is_allocated_and_then_not_moved) {
    moves_with_care::allocated = 0;
    handler<int&> first{moves_with_care{}};
    const handler<int&> second{std::move(first)};
    EXPECT_EQ(moves_with_care::allocated, 1);
}

TEST(handler, captures_what_cannot_be_copied) {
    std::string seen;
    handler<std::string> h{[text = std::make_unique<std::string>("a"), &seen](std::string more) {
        seen = *text + more;
    }};
    h("b");
    EXPECT_EQ(seen, "ab");
}

TEST(handler, passes_on_what_cannot_be_copied) {
    std::unique_ptr<int> kept;
    handler<std::unique_ptr<int>, std::error_code> h{
        [&](std::unique_ptr<int> value, std::error_code) { kept = std::move(value); }};
    h(std::make_unique<int>(7), {});
    EXPECT_EQ(*kept, 7);
}

TEST(handler, what_the_callable_returns_is_dropped) {
    int calls = 0;
    handler<> h{[&] { return ++calls; }};
    h();
    EXPECT_EQ(calls, 1);
}

TEST(handler, a_callable_that_throws_is_destroyed_and_the_exception_passes) {
    auto alive = std::make_shared<int>();
    handler<> h{[alive] { throw std::runtime_error{"no"}; }};
    EXPECT_EQ(alive.use_count(), 2);
    EXPECT_THROW(h(), std::runtime_error);
    EXPECT_FALSE(h);
    EXPECT_EQ(alive.use_count(), 1);
}

TEST(handler, a_callable_may_destroy_its_handler_or_put_another_in_its_place) {
    auto h = std::make_unique<handler<>>();
    int calls = 0;
    *h = [&] {
        *h = [&] {
            h.reset();
            ++calls;
        };
        ++calls;
    };
    (*h)();
    (*h)();
    EXPECT_EQ(calls, 2);
}

TEST(handler, is_empty_by_default_and_from_null) {
    EXPECT_FALSE(handler<int>{});
    EXPECT_FALSE(handler<int>{nullptr});
}

// A fault of the allocation leaves the callable as it was: what to do without is up to its owner.
struct too_large_today {
    explicit too_large_today(std::string t) : text{std::move(t)} {}
    static void* operator new(std::size_t) { throw std::bad_alloc{}; }
    static void operator delete(void*) {}
    void operator()() const {}

    std::string text;
    std::array<std::byte, 64> more{};
};

TEST(handler, a_callable_for_which_there_is_no_memory_stays_with_its_owner) {
    too_large_today callable{"a text that is long enough to be somewhere else"};
    EXPECT_THROW(handler<>{std::move(callable)}, std::bad_alloc);
    EXPECT_EQ(callable.text, "a text that is long enough to be somewhere else"); // NOLINT
}

TEST(executor, run_inline_runs_a_task_at_once_where_it_is_handed_over) {
    const weir::executor run = weir::run_inline;
    std::thread::id where;
    run([&] { where = std::this_thread::get_id(); });
    EXPECT_EQ(where, std::this_thread::get_id());
}

TEST(executor, may_keep_tasks_for_later) {
    std::vector<handler<>> waiting;
    const weir::executor later = [&](handler<> task) { waiting.push_back(std::move(task)); };
    int runs = 0;
    later([&, once = std::make_unique<int>(1)] { runs += *once; });
    later([&] { runs += 10; });
    EXPECT_EQ(runs, 0);
    for (handler<>& task : waiting) {
        task();
    }
    EXPECT_EQ(runs, 11);
}

} // namespace
