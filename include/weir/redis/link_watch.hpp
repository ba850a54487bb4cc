#ifndef WEIR_REDIS_LINK_WATCH_HPP
#define WEIR_REDIS_LINK_WATCH_HPP

#include <weir/redis/core.hpp>
#include <weir/redis/exchange.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <sys/epoll.h>

namespace weir::detail::redis {

/// Which events of each link are asked for, and whose those are that come. Only for the I/O thread.
class link_watch {
public:
    /// Of a link that the I/O thread attends to.
    static constexpr std::uint32_t attended = client_core::unattended | EPOLLIN;

    explicit link_watch(client_core& core) noexcept : core_{core} {}

    /// A new connection for link `i`, which is watched under another tag, is watched as an unattended
    /// link from now on. Events of the connection before it are told from its own.
    /// @returns  its tag
    [[nodiscard]] std::uint64_t begin(std::size_t i, int descriptor) noexcept {
        ++places_[i].generation;
        places_[i].events = client_core::unattended;
        core_.events.change(descriptor, client_core::unattended, tag(i));
        return tag(i);
    }

    void watch(std::size_t i, std::uint32_t events) noexcept {
        std::uint32_t& before = places_[i].events;
        if (before == events) {
            return;
        }
        const int descriptor = core_.links[i].transport.poll_descriptor();
        if (before == unwatched) {
            core_.events.add(descriptor, events, tag(i));
        } else {
            core_.events.change(descriptor, events, tag(i));
        }
        before = events;
        core_.counters.add(client_core::system_calls);
    }

    /// Who borrowed link `i` has asked for the events of an unattended link.
    void note_unattended(std::size_t i) noexcept { places_[i].events = client_core::unattended; }

    /// Asks for none any more, until `watch`.
    void stop(std::size_t i) noexcept {
        core_.events.remove(core_.links[i].transport.poll_descriptor());
        places_[i].events = unwatched;
    }

    /// The link that events with this tag belong to; no_link: a connection that is gone, or no link.
    [[nodiscard]] std::size_t link_of(std::uint64_t its_tag) const noexcept {
        const auto i = static_cast<std::size_t>(its_tag & 0xffff);
        return i < most_links && tag(i) == its_tag ? i : no_link;
    }

private:
    static constexpr std::uint32_t unwatched = 0;

    struct place {
        /// Of the connection: how many were there before it.
        std::uint32_t generation = 0;
        std::uint32_t events = unwatched;
    };

    [[nodiscard]] std::uint64_t tag(std::size_t i) const noexcept {
        return std::uint64_t{places_[i].generation} << 16 | i;
    }

    client_core& core_;
    std::array<place, most_links> places_{};
};

} // namespace weir::detail::redis

#endif
