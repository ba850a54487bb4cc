#ifndef WEIR_REDIS_KEY_SEARCH_HPP
#define WEIR_REDIS_KEY_SEARCH_HPP

#include <weir/redis/backend_state.hpp>
#include <weir/redis/commands.hpp>
#include <weir/redis/reply.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace weir::detail::redis {

/// One complete search through the keys of a database, by SCAN, which deletes what it finds. Every key
/// that is there from the beginning to the end is found; one that comes or goes meanwhile may be.
///
/// Each step is a call with a timeout of its own.
template<class Matches>
class key_search {
public:
    /// @param pattern  for MATCH
    /// @param matches  whether a key that MATCH found is really meant
    key_search(backend_state& backend, std::string pattern, Matches matches)
        : backend_{backend}, pattern_{std::move(pattern)}, matches_{std::move(matches)} {}

    /// @param how  DEL, or UNLINK, which leaves the memory of large values to another thread
    /// @returns    how many there were
    std::int64_t delete_all(std::string_view how, std::error_code& ec) {
        std::int64_t deleted = 0;
        bool more = true;
        do {
            commands c;
            if (cursor_ == "0") {
                c.order = after_all; // a put that got no reply may still be on its way
            }
            const bool deletes = add_deletion(c, how);
            if (more) {
                c.add("SCAN", cursor_, "MATCH", pattern_, "COUNT", 1000);
            }
            result r = backend_.call(std::move(c));
            ec = r.error;
            if (!ec && deletes) {
                deleted += backend_.here().handlers->integer(r.replies[0], ec);
            }
            if (!ec && more) {
                more = take(r.replies.back(), ec);
            }
        } while (!ec && (more || !found_.empty()));
        return deleted;
    }

private:
    /// The deletion of what was found last, if anything was.
    bool add_deletion(commands& c, std::string_view how) {
        const std::vector<std::string> names = std::exchange(found_, {});
        if (names.empty()) {
            return false;
        }
        c.begin(1 + names.size());
        c.part(how);
        for (const std::string& name : names) {
            c.part(name);
        }
        return true;
    }

    /// Takes a reply to SCAN; false if it was the last.
    bool take(reply& r, std::error_code& ec) {
        if (!r.is(reply::kind::array) || r.elements.size() != 2) {
            ec = backend_.error_of(r);
            return false;
        }
        cursor_ = std::move(r.elements[0].text);
        for (reply& name : r.elements[1].elements) {
            if (matches_(std::string_view{name.text})) {
                found_.push_back(std::move(name.text));
            }
        }
        return cursor_ != "0";
    }

    backend_state& backend_;
    const std::string pattern_;
    const Matches matches_;
    std::string cursor_ = "0";
    std::vector<std::string> found_;
};

} // namespace weir::detail::redis

#endif
