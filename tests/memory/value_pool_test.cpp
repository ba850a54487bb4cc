#include <weir/memory/value_pool.hpp>

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace {

template<class V>
using pool = weir::detail::value_pool<V>;

template<class V>
void every_node_is_found_by_its_number() {
    pool<V>* p = pool<V>::make(3);
    std::vector<typename pool<V>::entry*> taken;
    std::set<std::uint32_t> numbers;
    while (auto* node = p->take()) {
        EXPECT_EQ(reinterpret_cast<std::uintptr_t>(node) % alignof(V), 0U);
        const std::uint32_t number = p->number_of(node);
        EXPECT_EQ(p->at(number), node);
        EXPECT_TRUE(p->owns(node));
        EXPECT_NE(number, 0U);
        EXPECT_LT(number, p->numbers_end());
        EXPECT_LE(number, p->largest_number());
        EXPECT_EQ(node->holders.load(), 0U);
        numbers.insert(number);
        taken.push_back(node);
    }
    EXPECT_EQ(numbers.size(), taken.size());
    EXPECT_GE(taken.size(), 1024U);
    p->close();
    for (auto* node : taken) {
        p->give_back(node);
    }
}

TEST(value_pool, finds_every_node_by_its_number_whatever_the_size_of_a_value) {
    struct alignas(64) aligned {
        char bytes[64];
    };
    struct large {
        char bytes[5000];
    };
    struct huge {
        char bytes[70'000];
    };
    every_node_is_found_by_its_number<char>();
    every_node_is_found_by_its_number<std::string>();
    every_node_is_found_by_its_number<aligned>();
    every_node_is_found_by_its_number<large>();
    every_node_is_found_by_its_number<huge>();
}

TEST(value_pool, gives_a_node_out_again_only_after_it_came_back) {
    pool<int>* p = pool<int>::make(10);
    auto* a = p->take();
    auto* b = p->take();
    EXPECT_NE(a, b);
    p->give_back(a);
    EXPECT_EQ(p->take(), a);
    p->give_back(a);
    p->give_back(b);
    p->close();
}

TEST(value_pool, gives_no_node_to_two_threads) {
    pool<int>* p = pool<int>::make(100);
    std::vector<std::thread> threads;
    std::atomic<int> shared{0};
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&] {
            for (int i = 0; i < 20'000; ++i) {
                std::array<pool<int>::entry*, 3> mine{};
                for (auto*& node : mine) {
                    node = p->take();
                    // Whoever has a node is alone with it.
                    shared += static_cast<int>(node->holders.fetch_add(1));
                }
                for (auto* node : mine) {
                    node->holders.store(0);
                    p->give_back(node);
                }
            }
        });
    }
    for (std::thread& t : threads) {
        t.join();
    }
    EXPECT_EQ(shared.load(), 0);
    p->close();
}

} // namespace
