#include <weir/value_ref.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

// Copies that are never changed are what this file is about.
// NOLINTBEGIN(performance-unnecessary-copy-initialization)

namespace {

using weir::make_value;
using weir::value_ref;

static_assert(sizeof(value_ref<std::string>) == sizeof(void*));
static_assert(std::is_nothrow_copy_constructible_v<value_ref<std::string>>);
static_assert(std::is_nothrow_move_constructible_v<value_ref<std::string>>);
static_assert(std::is_same_v<decltype(*value_ref<int>{}), const int&>);
static_assert(!std::is_convertible_v<value_ref<int>, bool>);

/// Counts its living objects.
struct counted {
    explicit counted(int v) : value{v} { ++living; }
    counted(const counted&) = delete;
    counted& operator=(const counted&) = delete;
    ~counted() { --living; }

    int value;
    static inline std::atomic<int> living{0};
};

TEST(value_ref, a_handle_to_nothing_is_null) {
    const value_ref<int> none;
    EXPECT_FALSE(none);
    EXPECT_EQ(none, nullptr);
    EXPECT_EQ(none.get(), nullptr);
    EXPECT_EQ(value_ref<int>{nullptr}, none);
}

TEST(value_ref, a_value_is_made_in_place_from_its_arguments) {
    const auto text = make_value<std::string>(3U, 'x');
    EXPECT_EQ(*text, "xxx");
    EXPECT_EQ(text->size(), 3U);
    EXPECT_EQ(make_value<counted>(7)->value, 7);
    EXPECT_EQ(**make_value<std::unique_ptr<int>>(std::make_unique<int>(5)), 5);
}

TEST(value_ref, the_value_lives_as_long_as_the_last_handle) {
    auto first = make_value<counted>(1);
    value_ref<counted> second = first;
    first = nullptr;
    EXPECT_EQ(counted::living, 1);
    EXPECT_EQ(second->value, 1);
    second = nullptr;
    EXPECT_EQ(counted::living, 0);
}

TEST(value_ref, copies_are_the_same_value_and_equal_values_are_not) {
    const auto a = make_value<int>(1);
    const value_ref<int> copy = a;
    EXPECT_EQ(copy, a);
    EXPECT_EQ(copy.get(), a.get());
    EXPECT_NE(make_value<int>(1), a);
}

TEST(value_ref, a_moved_handle_is_null) {
    auto a = make_value<counted>(1);
    const value_ref<counted> b = std::move(a);
    EXPECT_EQ(a, nullptr); // NOLINT(bugprone-use-after-move): that is the test
    EXPECT_EQ(b->value, 1);
    EXPECT_EQ(counted::living, 1);
}

TEST(value_ref, assigning_a_handle_to_itself_keeps_the_value) {
    auto a = make_value<counted>(1);
    const auto& same = a;
    a = same;
    ASSERT_TRUE(a);
    EXPECT_EQ(a->value, 1);
    EXPECT_EQ(counted::living, 1);
}

TEST(value_ref, a_shared_ptr_of_it_holds_the_value) {
    auto ref = make_value<counted>(4);
    const counted* const where = ref.get();
    std::shared_ptr<const counted> shared = ref;
    ref = nullptr;
    EXPECT_EQ(shared.get(), where);
    EXPECT_EQ(shared->value, 4);
    EXPECT_EQ(counted::living, 1);
    shared.reset();
    EXPECT_EQ(counted::living, 0);
    EXPECT_EQ((std::shared_ptr<const counted>{value_ref<counted>{}}), nullptr);
}

TEST(value_ref, a_value_whose_constructor_throws_is_never_made) {
    struct refuses {
        refuses() { throw std::runtime_error{"no"}; }
        ~refuses() { ADD_FAILURE() << "destroyed without having been made"; }
    };
    EXPECT_THROW(static_cast<void>(make_value<refuses>()), std::runtime_error);
}

TEST(value_ref, an_owner_gets_its_node_back_once_when_the_last_handle_goes) {
    using node = weir::detail::value_node<counted>;
    class owner final : public weir::detail::value_owner<counted> {
    public:
        void reclaim(node* n) noexcept override {
            ++reclaimed;
            std::destroy_at(std::addressof(n->value));
        }
        int reclaimed = 0;
    };
    // A node finds its owner in front of it.
    struct slab {
        owner table;
        alignas(node::owner_step) node only;
    };
    slab memory;
    auto& [table, only] = memory;
    only.owner_distance = static_cast<std::uint16_t>(
        (reinterpret_cast<std::byte*>(&only) - reinterpret_cast<std::byte*>(&memory)) /
        static_cast<std::ptrdiff_t>(node::owner_step));
    std::construct_at(std::addressof(only.value), 9);
    {
        const auto ref = value_ref<counted>::adopt(&only);
        const value_ref<counted> copy = ref;
        EXPECT_EQ(copy.node(), &only);
        EXPECT_EQ(table.reclaimed, 0);
    }
    EXPECT_EQ(table.reclaimed, 1);
    EXPECT_EQ(counted::living, 0);
}

TEST(value_ref, threads_that_copy_and_drop_one_value_destroy_it_once) {
    for (int round = 0; round < 50; ++round) {
        auto original = make_value<counted>(round);
        std::vector<std::thread> threads;
        threads.reserve(4);
        for (int i = 0; i < 4; ++i) {
            threads.emplace_back([mine = original, round] {
                for (int j = 0; j < 200; ++j) {
                    const value_ref<counted> copy = mine;
                    ASSERT_EQ(copy->value, round);
                }
            });
        }
        original = nullptr;
        for (std::thread& t : threads) {
            t.join();
        }
        threads.clear();
        EXPECT_EQ(counted::living, 0);
    }
}

} // namespace

// NOLINTEND(performance-unnecessary-copy-initialization)
