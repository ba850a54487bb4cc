#ifndef WEIR_REDIS_COMPLETIONS_HPP
#define WEIR_REDIS_COMPLETIONS_HPP

#include <weir/redis/request.hpp>

#include <algorithm>
#include <cstddef>

namespace weir::detail::redis {

/// Requests that have all their replies, until those who wait are told. Only for the I/O thread.
///
/// They are told in shares, so that what the first of them bring next can be sent before the last is
/// told. Telling takes as long as anything here, a waiting thread has to be woken; and if all were
/// told at once, callers and server would fall into step, one side idle while the other works.
///
/// In the order of their replies; but a request that fails meanwhile ends before them.
class completions {
public:
    [[nodiscard]] bool empty() const noexcept { return answered_.empty(); }

    void add(request* r) noexcept { answered_.push_back(r); }

    /// All that are here now are one share.
    void make_one_share() noexcept { share_ = answered_.size(); }

    /// Completes a share of them.
    /// @returns  whether there are more
    [[nodiscard]] bool complete_share() noexcept {
        if (share_ == 0) {
            share_ = std::clamp(answered_.size() / shares, smallest_share, largest_share);
        }
        for (std::size_t n = 0; n != share_ && !answered_.empty(); ++n) {
            answered_.pop_front()->complete({});
        }
        if (answered_.empty()) {
            share_ = 0;
        }
        return share_ != 0;
    }

    void complete_all() noexcept {
        while (complete_share()) {
        }
    }

private:
    /// Measured with redis_benchmark: 2 shares were worse for 16 callbacks, 8 for 64; with no more than
    /// 8 in a share 256 reached a quarter less.
    static constexpr std::size_t shares = 4;
    static constexpr std::size_t smallest_share = 4;
    static constexpr std::size_t largest_share = 32;

    request_list answered_;
    /// How many to complete at a time; 0: to be determined.
    std::size_t share_ = 0;
};

} // namespace weir::detail::redis

#endif
