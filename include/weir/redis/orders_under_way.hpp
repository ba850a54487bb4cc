#ifndef WEIR_REDIS_ORDERS_UNDER_WAY_HPP
#define WEIR_REDIS_ORDERS_UNDER_WAY_HPP

#include <weir/redis/commands.hpp>
#include <weir/redis/exchange.hpp>

#include <array>
#include <cstddef>
#include <cstdint>

namespace weir::detail::redis {

/// On which links there is something of which `commands::order`, so that what comes after it can be
/// put behind it. Only for the I/O thread.
class orders_under_way {
public:
    /// Something of this order is on its way on link `i`.
    void enter(std::uint64_t order, std::size_t i) noexcept {
        if (unfinished_orders::counts(order)) {
            group& g = groups_[unfinished_orders::group(order)];
            g.link = g.count == 0 || g.link == i ? i : no_link;
            ++g.count;
            ++on_link_[i];
        }
    }

    /// It is on its way there no more.
    void leave(std::uint64_t order, std::size_t i) noexcept {
        if (unfinished_orders::counts(order)) {
            --groups_[unfinished_orders::group(order)].count;
            --on_link_[i];
        }
    }

    /// Where commands of an order have to follow others.
    struct behind {
        bool any = false;
        /// no_link: in more than one place, so they have to wait.
        std::size_t link = no_link;
    };
    [[nodiscard]] behind behind_what(std::uint64_t order) const noexcept {
        behind b;
        if (unfinished_orders::counts(order)) {
            const group& g = groups_[unfinished_orders::group(order)];
            return {g.count != 0, g.link};
        }
        for (std::size_t i = 0; order == after_all && i != most_links; ++i) {
            if (on_link_[i] != 0) {
                b = {true, b.any ? no_link : i};
            }
        }
        return b;
    }

private:
    struct group {
        std::int32_t count = 0;
        /// no_link: in more than one place.
        std::size_t link = no_link;
    };

    std::array<group, unfinished_orders::groups> groups_{};
    std::array<std::int32_t, most_links> on_link_{};
};

} // namespace weir::detail::redis

#endif
