#ifndef WEIR_MEMORY_WINDOW_TUNER_HPP
#define WEIR_MEMORY_WINDOW_TUNER_HPP

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace weir::detail {

/// Chooses how much of a cache is window, by asking of each miss which part, had it been one step
/// larger, would have had the key.
///
/// A step more of the window would have kept each rejected candidate for as long as it takes to
/// reject a step's worth of others; a step more of the main part would have kept a step's worth of
/// the losers throughout. Both are remembered as fingerprints, for one epoch of as many misses as
/// the capacity; then the window moves by one step towards the part that would have had more.
/// Nothing but misses is counted, so hits need not be seen.
class window_tuner {
public:
    /// Shares of the cache are counted in 256ths.
    static constexpr std::uint32_t whole = 256;
    static constexpr std::uint32_t first_share = 26;
    static constexpr std::uint32_t least_share = 13;
    static constexpr std::uint32_t most_share = 128;
    static constexpr std::uint32_t step = 24;
    /// A lead of this many is chance. And what the main part would have had counts a third: its
    /// shadow is filled without a contest, so with the wrong keys for a mixed demand; with a demand
    /// that goes round in circles, for which a window is useless, it leads by far.
    static constexpr std::size_t chance = 20;
    static constexpr std::size_t lead_of_main = 3;

    explicit window_tuner(std::size_t capacity)
        : epoch_length_{capacity},
          remembered_{std::clamp<std::size_t>(capacity * step / whole, 1, most_remembered)},
          mask_{std::bit_ceil(2 * remembered_) - 1},
          places_{std::make_unique<memory[]>(mask_ + 1)} {}

    [[nodiscard]] std::uint32_t share() const noexcept { return share_; }

    void missed(std::uint32_t hash) noexcept {
        memory& m = places_[hash & mask_];
        const std::uint16_t print = fingerprint(hash);
        if (m.rejected == print &&
            static_cast<std::uint16_t>(rejections_ - m.rejected_at) < remembered_) {
            ++window_would_have_;
            m.rejected_at = static_cast<std::uint16_t>(rejections_ - remembered_);
        }
        if (m.lost == print && m.lost_in == epoch_) {
            ++main_would_have_;
        }
        if (++misses_ >= epoch_length_) {
            end_epoch();
        }
    }

    void rejected(std::uint32_t hash) noexcept {
        memory& m = places_[hash & mask_];
        m.rejected = fingerprint(hash);
        m.rejected_at = ++rejections_;
        lost(hash);
    }

    /// A loser of either kind. The first ones of an epoch stand for all.
    void lost(std::uint32_t hash) noexcept {
        memory& m = places_[hash & mask_];
        if (losers_ < remembered_ && m.lost_in != epoch_) {
            m.lost = fingerprint(hash);
            m.lost_in = epoch_;
            ++losers_;
        }
    }

    [[nodiscard]] std::size_t bytes() const noexcept { return (mask_ + 1) * sizeof(memory); }

private:
    static constexpr std::size_t most_remembered = 8192;

    struct memory {
        std::uint16_t rejected = 0;
        std::uint16_t rejected_at = 0;
        std::uint16_t lost = 0;
        std::uint16_t lost_in = 0;
    };

    [[nodiscard]] static std::uint16_t fingerprint(std::uint32_t hash) noexcept {
        // The place is chosen by low bits.
        return static_cast<std::uint16_t>((hash >> 16) | 1);
    }

    void end_epoch() noexcept {
        if (window_would_have_ > main_would_have_ + chance) {
            share_ = std::min(share_ + step, most_share);
        } else if (main_would_have_ > lead_of_main * window_would_have_ + chance) {
            share_ = std::max(share_, least_share + step) - step;
        }
        window_would_have_ = main_would_have_ = 0;
        losers_ = 0;
        misses_ = 0;
        // Epoch 0 is that of empty places.
        epoch_ = static_cast<std::uint16_t>(epoch_ == 0xffff ? 1 : epoch_ + 1);
    }

    std::size_t epoch_length_;
    std::size_t remembered_;
    std::size_t mask_;
    std::unique_ptr<memory[]> places_;
    std::uint32_t share_ = first_share;
    std::size_t misses_ = 0;
    std::size_t losers_ = 0;
    std::size_t window_would_have_ = 0;
    std::size_t main_would_have_ = 0;
    std::uint16_t rejections_ = 0;
    std::uint16_t epoch_ = 1;
};

} // namespace weir::detail

#endif
