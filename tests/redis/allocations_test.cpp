#include "allocations.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <functional>
#include <limits>
#include <new>

namespace {

constexpr std::size_t without_end = std::numeric_limits<std::size_t>::max();

struct account {
    std::size_t count = 0;
    std::size_t bytes = 0;
    std::size_t largest = 0;
    std::size_t granted = without_end;
    bool refused = false;
};

account& mine() noexcept {
    // Constant initialisation: operator new may be called before anything else.
    static thread_local constinit account of_this_thread;
    return of_this_thread;
}

} // namespace

// Not inline, as the delete below: g++ would see `free` of what came from `new`, and warn.
[[gnu::noinline]] void* operator new(std::size_t size) {
    account& a = mine();
    if (a.granted == 0) {
        a.refused = true;
        throw std::bad_alloc{};
    }
    a.granted -= a.granted == without_end ? 0 : 1;
    ++a.count;
    a.bytes += size;
    a.largest = std::max(a.largest, size);
    void* const at = std::malloc(size == 0 ? 1 : size); // NOLINT: what operator new is made of
    if (at == nullptr) {
        throw std::bad_alloc{};
    }
    return at;
}

// AddressSanitizer has one of its own, and would not have it freed by what follows.
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
    try {
        return ::operator new(size);
    } catch (const std::bad_alloc&) {
        return nullptr;
    }
}

[[gnu::noinline]] void operator delete(void* at) noexcept {
    std::free(at);
} // NOLINT
[[gnu::noinline]] void operator delete(void* at, std::size_t) noexcept {
    std::free(at);
} // NOLINT

namespace weir::tests {

allocations::allocations() noexcept {
    mine().count = 0;
    mine().bytes = 0;
    mine().largest = 0;
}

std::size_t allocations::count() const noexcept {
    return mine().count;
}
std::size_t allocations::bytes() const noexcept {
    return mine().bytes;
}
std::size_t allocations::largest() const noexcept {
    return mine().largest;
}

scarce_memory::scarce_memory(std::size_t granted) noexcept {
    mine().granted = granted;
    mine().refused = false;
}

scarce_memory::~scarce_memory() {
    mine().granted = without_end;
}

bool scarce_memory::refused() const noexcept {
    return mine().refused;
}

std::size_t every_lack_of_memory(const std::function<bool(std::size_t granted)>& attempt) {
    std::size_t granted = 0;
    while (attempt(granted)) {
        ++granted;
    }
    return granted;
}

} // namespace weir::tests

namespace {

using weir::tests::allocations;
using weir::tests::every_lack_of_memory;
using weir::tests::scarce_memory;

/// Not a new-expression, which the compiler could leave out together with its delete.
void allocate_and_free(std::size_t bytes) {
    ::operator delete(::operator new(bytes));
}

TEST(allocations, are_counted_with_their_bytes) {
    const allocations seen;
    allocate_and_free(10);
    allocate_and_free(1000);
    allocate_and_free(100);
    EXPECT_EQ(seen.count(), 3U);
    EXPECT_EQ(seen.bytes(), 1110U);
    EXPECT_EQ(seen.largest(), 1000U);
}

TEST(allocations, are_refused_after_those_that_are_granted) {
    bool refused = false;
    int made = 0;
    {
        const scarce_memory scarce{2};
        try {
            for (;;) {
                allocate_and_free(1);
                ++made;
            }
        } catch (const std::bad_alloc&) {
            refused = scarce.refused();
        }
    }
    EXPECT_TRUE(refused);
    EXPECT_EQ(made, 2);
}

TEST(allocations, are_refused_at_every_place_in_turn) {
    const std::size_t lacks = every_lack_of_memory([](std::size_t granted) {
        const scarce_memory scarce{granted};
        try {
            allocate_and_free(1);
            allocate_and_free(1);
            allocate_and_free(1);
        } catch (const std::bad_alloc&) {
        }
        return scarce.refused();
    });
    EXPECT_EQ(lacks, 3U);
}

} // namespace
