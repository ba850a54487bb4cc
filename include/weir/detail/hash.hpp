#ifndef WEIR_DETAIL_HASH_HPP
#define WEIR_DETAIL_HASH_HPP

/// A keyed 64-bit hash of bytes.
///
/// The construction is the multiply-and-fold of wyhash (Wang Yi, public domain,
/// github.com/wangyi-fudan/wyhash): two 64-bit words are multiplied to 128 bits and the halves
/// are combined by exclusive or. Tables draw a secret seed, so that a client who chooses keys
/// cannot choose where they land.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#if defined(__unix__) || defined(__APPLE__)
#include <unistd.h>
#endif
#include <chrono>

namespace weir::detail {

inline constexpr std::uint64_t hash_secret[4] = {0xa0761d6478bd642fULL, 0xe7037ed1a0b428dbULL,
                                                 0x8ebc6af09c88c6e3ULL, 0x589965cc75374cc3ULL};

[[nodiscard]] constexpr std::uint64_t multiply_fold(std::uint64_t a, std::uint64_t b) noexcept {
#if defined(__SIZEOF_INT128__)
    __extension__ using wide = unsigned __int128;
    const wide product = static_cast<wide>(a) * b;
    return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
#else
    const std::uint64_t a_low = a & 0xffffffffU, a_high = a >> 32;
    const std::uint64_t b_low = b & 0xffffffffU, b_high = b >> 32;
    const std::uint64_t low = a_low * b_low, middle1 = a_high * b_low, middle2 = a_low * b_high;
    const std::uint64_t carry = (low >> 32) + (middle1 & 0xffffffffU) + (middle2 & 0xffffffffU);
    return (a * b) ^ (a_high * b_high + (middle1 >> 32) + (middle2 >> 32) + (carry >> 32));
#endif
}

[[nodiscard]] inline std::uint64_t read8(const char* p) noexcept {
    std::uint64_t word = 0;
    std::memcpy(&word, p, 8);
    return word;
}

[[nodiscard]] inline std::uint64_t read4(const char* p) noexcept {
    std::uint32_t word = 0;
    std::memcpy(&word, p, 4);
    return word;
}

/// 1 to 3 bytes, each of them part of the result.
[[nodiscard]] inline std::uint64_t read_few(const char* p, std::size_t n) noexcept {
    const auto byte = [p](std::size_t i) {
        return static_cast<std::uint64_t>(static_cast<unsigned char>(p[i]));
    };
    return byte(0) << 16 | byte(n >> 1) << 8 | byte(n - 1);
}

/// Hashes `bytes` under `seed`. Equal input gives equal output within one process only: the result
/// depends on the byte order and may change between versions.
[[nodiscard]] inline std::uint64_t hash_bytes(std::string_view bytes, std::uint64_t seed) noexcept {
    const char* p = bytes.data();
    const std::size_t n = bytes.size();
    // Both factors of every product hide behind the seed: were one of them a public constant, keys
    // chosen to make it zero would all have one hash, whatever the seed.
    const std::uint64_t veil = multiply_fold(seed ^ hash_secret[2], hash_secret[3]);
    seed ^= hash_secret[0];
    std::uint64_t a = 0;
    std::uint64_t b = 0;
    if (n <= 16) {
        if (n >= 4) {
            const std::size_t step = (n >> 3) << 2;
            a = read4(p) << 32 | read4(p + step);
            b = read4(p + n - 4) << 32 | read4(p + n - 4 - step);
        } else if (n > 0) {
            a = read_few(p, n);
        }
    } else {
        std::size_t left = n;
        while (left > 16) {
            seed = multiply_fold(read8(p) ^ veil, read8(p + 8) ^ seed);
            p += 16;
            left -= 16;
        }
        a = read8(p + left - 16);
        b = read8(p + left - 8);
    }
    return multiply_fold(hash_secret[1] ^ n, multiply_fold(a ^ veil, b ^ seed));
}

/// Turns correlated words (counters, addresses, clocks) into unrelated ones.
/// Source: the finalizer of SplitMix64 (Steele, Lea, Flood 2014).
[[nodiscard]] constexpr std::uint64_t mix(std::uint64_t x) noexcept {
    x += 0x9e3779b97f4a7c15ULL;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
    return x ^ (x >> 31);
}

/// A hash that is the same in every process and every version, for what processes must agree on.
/// Source: FNV-1a, 64 bits (Fowler, Noll, Vo), finished by `mix`.
[[nodiscard]] constexpr std::uint64_t stable_hash(std::string_view bytes) noexcept {
    std::uint64_t hash = 0xcbf29ce484222325ULL;
    for (const char c : bytes) {
        hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
    }
    return mix(hash);
}

/// A seed that clients cannot guess: from the system's entropy where there is one.
[[nodiscard]] inline std::uint64_t random_seed() noexcept {
    std::uint64_t seed = 0;
#if defined(__linux__) || defined(__FreeBSD__)
    if (::getentropy(&seed, sizeof seed) == 0) {
        return seed;
    }
#endif
    const auto ticks = std::chrono::steady_clock::now().time_since_epoch().count();
    return mix(static_cast<std::uint64_t>(ticks) ^ reinterpret_cast<std::uintptr_t>(&seed));
}

} // namespace weir::detail

#endif
