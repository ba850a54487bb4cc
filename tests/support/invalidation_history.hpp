#ifndef WEIR_TESTS_SUPPORT_INVALIDATION_HISTORY_HPP
#define WEIR_TESTS_SUPPORT_INVALIDATION_HISTORY_HPP

/// Histories of reads and invalidations, and the check that no read was served a value older than
/// the last invalidation that had returned before the read began.
///
/// The source of truth of a key is a version that only grows. An invalidation records the version
/// that was true before it was called; a read records the version that it was served. All threads
/// draw stamps from one sequence, when an operation is called and when it has returned.

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace weir::tests {

struct event {
    enum kind_t : std::uint8_t { read, invalidation };

    kind_t kind;
    std::uint32_t key;
    std::uint64_t called;
    std::uint64_t returned;
    std::uint64_t version;
};

class stamps {
public:
    [[nodiscard]] std::uint64_t next() noexcept {
        return last_.fetch_add(1, std::memory_order_seq_cst) + 1;
    }

private:
    std::atomic<std::uint64_t> last_{0};
};

/// The first read, by the stamp of its call, that was served too old a value; none if all is well.
[[nodiscard]] inline std::optional<event> first_stale_read(std::vector<event> history) {
    // Sweep over time: an invalidation counts from its return, a read asks at its call.
    const auto moment = [](const event& e) {
        return e.kind == event::read ? e.called : e.returned;
    };
    std::sort(history.begin(), history.end(),
              [&](const event& a, const event& b) { return moment(a) < moment(b); });
    std::vector<std::uint64_t> floor;
    for (const event& e : history) {
        if (e.key >= floor.size()) {
            floor.resize(e.key + std::size_t{1});
        }
        if (e.kind == event::invalidation) {
            floor[e.key] = std::max(floor[e.key], e.version);
        } else if (e.version < floor[e.key]) {
            return e;
        }
    }
    return std::nullopt;
}

} // namespace weir::tests

#endif
