#ifndef WEIR_DETAIL_SHA256_HPP
#define WEIR_DETAIL_SHA256_HPP

/// SHA-256, for names that other processes must arrive at, too.
///
/// Source: FIPS 180-4, sections 4.1.2, 4.2.2, 5 and 6.2. Written for keys, not for files: one call,
/// all bytes at hand, about 200 MB/s.

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace weir::detail {

using sha256_digest = std::array<std::uint8_t, 32>;

/// The first 32 bits of the fractional parts of the cube roots of the first 64 primes.
inline constexpr std::array<std::uint32_t, 64> sha256_constants = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

/// The eight words of the hash so far.
class sha256_state {
public:
    static constexpr std::size_t block_size = 64;

    /// Takes in one block; `block` has `block_size` bytes.
    constexpr void add(const char* block) noexcept {
        std::array<std::uint32_t, 64> w{};
        for (std::size_t t = 0; t < 16; ++t) {
            w[t] = read_word(block + 4 * t);
        }
        for (std::size_t t = 16; t < 64; ++t) {
            const std::uint32_t s0 =
                std::rotr(w[t - 15], 7) ^ std::rotr(w[t - 15], 18) ^ (w[t - 15] >> 3);
            const std::uint32_t s1 =
                std::rotr(w[t - 2], 17) ^ std::rotr(w[t - 2], 19) ^ (w[t - 2] >> 10);
            w[t] = s1 + w[t - 7] + s0 + w[t - 16];
        }
        auto [a, b, c, d, e, f, g, h] = words_;
        for (std::size_t t = 0; t < 64; ++t) {
            const std::uint32_t s1 = std::rotr(e, 6) ^ std::rotr(e, 11) ^ std::rotr(e, 25);
            const std::uint32_t choice = (e & f) ^ (~e & g);
            const std::uint32_t t1 = h + s1 + choice + sha256_constants[t] + w[t];
            const std::uint32_t s0 = std::rotr(a, 2) ^ std::rotr(a, 13) ^ std::rotr(a, 22);
            const std::uint32_t majority = (a & b) ^ (a & c) ^ (b & c);
            h = g;
            g = f;
            f = e;
            e = d + t1;
            d = c;
            c = b;
            b = a;
            a = t1 + s0 + majority;
        }
        const std::array<std::uint32_t, 8> sums = {a, b, c, d, e, f, g, h};
        for (std::size_t i = 0; i < sums.size(); ++i) {
            words_[i] += sums[i];
        }
    }

    [[nodiscard]] constexpr sha256_digest digest() const noexcept {
        sha256_digest bytes{};
        for (std::size_t i = 0; i < bytes.size(); ++i) {
            bytes[i] = static_cast<std::uint8_t>(words_[i / 4] >> (24 - 8 * (i % 4)));
        }
        return bytes;
    }

private:
    [[nodiscard]] static constexpr std::uint32_t read_word(const char* p) noexcept {
        std::uint32_t word = 0;
        for (int i = 0; i < 4; ++i) {
            word = word << 8 | static_cast<unsigned char>(p[i]);
        }
        return word;
    }

    /// At first of the square roots of the first eight primes.
    std::array<std::uint32_t, 8> words_ = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                           0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
};

/// Hashes `bytes`; at most 2^61 - 1 of them.
[[nodiscard]] constexpr sha256_digest sha256(std::string_view bytes) noexcept {
    constexpr std::size_t block = sha256_state::block_size;
    sha256_state state;
    const std::uint64_t bits = std::uint64_t{bytes.size()} * 8;
    for (; bytes.size() >= block; bytes.remove_prefix(block)) {
        state.add(bytes.data());
    }
    // What is left, a one bit, zeros, and the length in bits in the last 8 bytes of a block.
    std::array<char, 2 * block> last{};
    const std::size_t size = bytes.size() + 1 + 8 <= block ? block : 2 * block;
    bytes.copy(last.data(), bytes.size());
    last[bytes.size()] = '\x80';
    for (std::size_t i = 0; i < 8; ++i) {
        last[size - 1 - i] = static_cast<char>(static_cast<unsigned char>(bits >> (8 * i)));
    }
    for (std::size_t at = 0; at < size; at += block) {
        state.add(last.data() + at);
    }
    return state.digest();
}

/// 64 digits, lower case, as other programs print the hash.
[[nodiscard]] inline std::string to_hex(const sha256_digest& digest) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    text.reserve(2 * digest.size());
    for (const std::uint8_t byte : digest) {
        text += digits[byte >> 4];
        text += digits[byte & 15];
    }
    return text;
}

} // namespace weir::detail

#endif
