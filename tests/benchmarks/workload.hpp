#ifndef WEIR_TESTS_BENCHMARKS_WORKLOAD_HPP
#define WEIR_TESTS_BENCHMARKS_WORKLOAD_HPP

/// What the benchmarks ask for: keys, and the order in which they are asked for.
///
/// Everything is a function of its arguments alone, the same in every run and on every machine, and
/// is made before the clock starts: a benchmark's loop reads the next number and its key.

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace workload {

/// Uniform 64-bit numbers, fast enough to be forgotten beside what is measured.
/// Source: SplitMix64 (Steele, Lea, Flood 2014).
class random_numbers {
public:
    explicit constexpr random_numbers(std::uint64_t seed) noexcept : state_{seed} {}

    constexpr std::uint64_t operator()() noexcept {
        state_ += 0x9e3779b97f4a7c15ULL;
        std::uint64_t x = state_;
        x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
        x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
        return x ^ (x >> 31);
    }

    /// 0 <= result < `bound`, bound < 2^32.
    constexpr std::uint32_t below(std::uint32_t bound) noexcept {
        return static_cast<std::uint32_t>(((*this)() >> 32) * bound >> 32);
    }

    /// 0 <= result < 1.
    constexpr double fraction() noexcept { return static_cast<double>((*this)() >> 11) * 0x1p-53; }

private:
    std::uint64_t state_;
};

/// Ranks 0 to n - 1, rank r with a probability proportional to 1 / (r + 1)^theta.
/// Source: Gray et al., "Quickly generating billion-record synthetic databases", SIGMOD 1994.
class zipf {
public:
    /// @param n      1 <= n < 2^32; takes time linear in n
    /// @param theta  0 < theta < 1; 0.99 is what YCSB and most cache papers use
    zipf(std::uint32_t n, double theta)
        : n_{static_cast<double>(n)}, alpha_{1 / (1 - theta)}, half_{1 + std::pow(0.5, theta)} {
        for (std::uint32_t rank = n; rank != 0; --rank) {
            zeta_ += std::pow(rank, -theta);
        }
        eta_ = (1 - std::pow(2 / n_, 1 - theta)) / (1 - half_ / zeta_);
    }

    [[nodiscard]] std::uint32_t operator()(random_numbers& random) const {
        const double u = random.fraction();
        if (u * zeta_ < 1) {
            return 0;
        }
        if (u * zeta_ < half_) {
            return 1;
        }
        const double rank = n_ * std::pow(eta_ * u - eta_ + 1, alpha_);
        return static_cast<std::uint32_t>(rank < n_ ? rank : n_ - 1);
    }

private:
    double n_;
    double alpha_;
    double half_;
    double zeta_ = 0;
    double eta_ = 0;
};

/// `count` keys of 20 bytes, such as "client:0000000000042".
[[nodiscard]] inline std::vector<std::string> make_keys(std::size_t count) {
    std::vector<std::string> keys;
    keys.reserve(count);
    for (std::size_t i = 0; i != count; ++i) {
        const std::string digits = std::to_string(i);
        keys.push_back("client:" + std::string(13 - digits.size(), '0') + digits);
    }
    return keys;
}

/// `length` indices of keys, each of the `keys` equally likely.
[[nodiscard]] inline std::vector<std::uint32_t>
uniform_order(std::uint32_t keys, std::size_t length, std::uint64_t seed) {
    random_numbers random{seed};
    std::vector<std::uint32_t> order(length);
    for (std::uint32_t& index : order) {
        index = random.below(keys);
    }
    return order;
}

/// `length` indices of keys by Zipf's law. The popular ones are scattered over the indices, so that
/// neither neighbours in memory nor an order of insertion favour them.
[[nodiscard]] inline std::vector<std::uint32_t> zipf_order(std::uint32_t keys, double theta,
                                                           std::size_t length, std::uint64_t seed) {
    random_numbers random{seed};
    std::vector<std::uint32_t> index_of_rank(keys);
    for (std::uint32_t i = 0; i != keys; ++i) {
        const std::uint32_t other = random.below(i + 1);
        index_of_rank[i] = index_of_rank[other];
        index_of_rank[other] = i;
    }
    const zipf rank{keys, theta};
    std::vector<std::uint32_t> order(length);
    for (std::uint32_t& index : order) {
        index = index_of_rank[rank(random)];
    }
    return order;
}

} // namespace workload

#endif
