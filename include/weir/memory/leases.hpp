#ifndef WEIR_MEMORY_LEASES_HPP
#define WEIR_MEMORY_LEASES_HPP

#include <weir/storage.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::detail {

/// The leases of one shard: one per key, for the time of a computation. There are as many as
/// computations running, so a list is searched from end to end. The caller has the shard's lock.
class lease_list {
public:
    /// Tokens are `first`, `first` + `step`, and so on: shards with different `first` never give the
    /// same one.
    lease_list(std::uint64_t first, std::uint64_t step) noexcept : next_{first}, step_{step} {}

    /// A new lease; none if there is one on this key.
    [[nodiscard]] lease_token give(std::uint64_t hash, std::string_view key) {
        if (find(hash, key) != leases_.end()) {
            return lease_token::none;
        }
        const lease_token token{next_};
        leases_.push_back({hash, token, std::string{key}});
        next_ += step_;
        return token;
    }

    /// Ends the lease on a key, whoever has it.
    void end(std::uint64_t hash, std::string_view key) noexcept { remove(find(hash, key)); }

    /// Ends this lease. False if it has ended before.
    bool end(std::uint64_t hash, std::string_view key, lease_token token) noexcept {
        const auto at = find(hash, key);
        return at != leases_.end() && at->token == token && remove(at);
    }

    template<class Matches>
    void end_if(Matches matches) {
        std::erase_if(leases_, [&](const lease& l) { return matches(std::string_view{l.key}); });
    }

private:
    struct lease {
        std::uint64_t hash;
        lease_token token;
        std::string key;
    };

    [[nodiscard]] std::vector<lease>::iterator find(std::uint64_t hash,
                                                    std::string_view key) noexcept {
        return std::find_if(leases_.begin(), leases_.end(),
                            [&](const lease& l) { return l.hash == hash && l.key == key; });
    }

    bool remove(std::vector<lease>::iterator at) noexcept {
        if (at == leases_.end()) {
            return false;
        }
        if (at != leases_.end() - 1) {
            *at = std::move(leases_.back());
        }
        leases_.pop_back();
        return true;
    }

    std::vector<lease> leases_;
    std::uint64_t next_;
    std::uint64_t step_;
};

} // namespace weir::detail

#endif
