#ifndef WEIR_TESTS_REDIS_REPLIES_HPP
#define WEIR_TESTS_REDIS_REPLIES_HPP

/// Replies as a server writes them, and as a test compares them.

#include <weir/redis/reply.hpp>
#include <weir/redis/reply_reader.hpp>

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace weir::tests {

[[nodiscard]] inline std::string bulk(std::string_view bytes) {
    return '$' + std::to_string(bytes.size()) + "\r\n" + std::string{bytes} + "\r\n";
}

[[nodiscard]] inline std::string repeated(std::size_t times, std::string_view text) {
    std::string all;
    all.reserve(times * text.size());
    for (std::size_t i = 0; i != times; ++i) {
        all += text;
    }
    return all;
}

/// `nil`, `+status`, `-error`, `:1`, `"string"`, `[element, element]`.
[[nodiscard]] inline std::string shown(const detail::redis::reply& r) {
    using kind = detail::redis::reply::kind;
    switch (r.type) {
    case kind::nil:
        return "nil";
    case kind::status:
        return '+' + r.text;
    case kind::error:
        return '-' + r.text;
    case kind::integer:
        return ':' + std::to_string(r.integer);
    case kind::string:
        return '"' + r.text + '"';
    case kind::array:
        break;
    }
    std::string all;
    for (const detail::redis::reply& element : r.elements) {
        all += (all.empty() ? "" : ", ") + shown(element);
    }
    return '[' + all + ']';
}

/// What a reader made of a stream.
struct reading {
    std::vector<std::string> replies;
    std::error_code error;

    friend bool operator==(const reading&, const reading&) = default;
};

/// Feeds one reader, and remembers what came.
class recording_reader {
public:
    explicit recording_reader(const detail::redis::reply_limits& limits = {}) : reader_{limits} {}

    /// False after an error.
    bool feed(std::string_view bytes) {
        if (!seen_.error) {
            seen_.error = reader_.feed(
                bytes, [this](detail::redis::reply&& r) { seen_.replies.push_back(shown(r)); });
        }
        return !seen_.error;
    }

    [[nodiscard]] const reading& seen() const noexcept { return seen_; }

private:
    detail::redis::reply_reader reader_;
    reading seen_;
};

/// Reads `bytes` in pieces of `piece` bytes.
[[nodiscard]] inline reading read_in_pieces(std::string_view bytes, std::size_t piece,
                                            const detail::redis::reply_limits& limits = {}) {
    recording_reader reader{limits};
    while (!bytes.empty() && reader.feed(bytes.substr(0, piece))) {
        bytes.remove_prefix(std::min(piece, bytes.size()));
    }
    return reader.seen();
}

[[nodiscard]] inline reading read_whole(std::string_view bytes,
                                        const detail::redis::reply_limits& limits = {}) {
    return read_in_pieces(bytes, bytes.size(), limits);
}

/// Reads `bytes` in two pieces.
[[nodiscard]] inline reading read_split(std::string_view bytes, std::size_t at,
                                        const detail::redis::reply_limits& limits = {}) {
    recording_reader reader{limits};
    reader.feed(bytes.substr(0, at));
    reader.feed(bytes.substr(at));
    return reader.seen();
}

} // namespace weir::tests

#endif
