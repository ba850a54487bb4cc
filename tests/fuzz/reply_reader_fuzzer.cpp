// The reader of replies, given any bytes in any slices: it ends with the same replies and the same
// error as for the same bytes in one piece, no reply is beyond the limits, and none comes after an
// error.
//
// The first byte of an input says how many of those behind it are sizes of slices, and which limits
// hold; what is left is the stream. The sizes are used in turn, again and again.
#include <weir/redis/reply.hpp>
#include <weir/redis/reply_reader.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace {

using weir::detail::redis::reply;
using weir::detail::redis::reply_limits;
using weir::detail::redis::reply_reader;

void require(bool holds) {
    if (!holds) {
        std::abort();
    }
}

struct size {
    std::size_t bytes = 0;
    std::size_t elements = 0;
    std::size_t depth = 0;
};

/// Appends everything that a reply holds, in a form in which different replies differ.
void append(std::string& out, const reply& r, size& all, std::size_t depth) {
    out += static_cast<char>('0' + static_cast<int>(r.type));
    out += std::to_string(r.integer) + ' ' + std::to_string(r.text.size()) + ' ' + r.text +
           std::to_string(r.elements.size());
    all.bytes += r.text.size();
    all.elements += r.elements.size();
    all.depth = std::max(all.depth, r.is(reply::kind::array) ? depth + 1 : depth);
    require(r.is(reply::kind::array) || r.elements.empty());
    require(r.is(reply::kind::integer) || r.integer == 0);
    for (const reply& element : r.elements) {
        append(out, element, all, depth + 1);
    }
}

struct outcome {
    std::vector<std::string> replies;
    std::error_code error;

    friend bool operator==(const outcome&, const outcome&) = default;
};

class reading {
public:
    explicit reading(const reply_limits& limits) : limits_{limits}, reader_{limits} {}

    void feed(std::string_view bytes) {
        const std::size_t before = seen_.replies.size();
        const bool ended = static_cast<bool>(seen_.error);
        const std::error_code error = reader_.feed(bytes, [this](reply&& r) { take(r); });
        if (ended) {
            require(bytes.empty() || error == seen_.error);
            require(seen_.replies.size() == before);
        }
        seen_.error = ended ? seen_.error : error;
    }

    [[nodiscard]] const outcome& seen() const noexcept { return seen_; }

private:
    void take(const reply& r) {
        size all;
        append(seen_.replies.emplace_back(), r, all, 0);
        require(all.bytes <= limits_.bytes);
        require(all.elements <= limits_.elements);
        require(all.depth <= limits_.depth);
    }

    reply_limits limits_;
    reply_reader reader_;
    outcome seen_;
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string_view input{reinterpret_cast<const char*>(data), size};
    if (input.empty()) {
        return 0;
    }
    const auto choice = static_cast<unsigned char>(input.front());
    input.remove_prefix(1);
    const std::string_view sizes = input.substr(0, choice % 8U);
    const std::string_view stream = input.substr(sizes.size());
    const reply_limits limits =
        choice < 128 ? reply_limits{} : reply_limits{.bytes = 64, .elements = 16, .depth = 3};

    reading whole{limits};
    whole.feed(stream);

    reading sliced{limits};
    std::size_t turn = 0;
    for (std::string_view rest = stream; !rest.empty(); ++turn) {
        // A square, so that a byte is enough for small slices and for large ones.
        const std::size_t root =
            sizes.empty() ? 1 : static_cast<unsigned char>(sizes[turn % sizes.size()]);
        const std::string_view slice = rest.substr(0, root == 0 ? 1 : root * root);
        sliced.feed(slice);
        rest.remove_prefix(slice.size());
    }
    require(whole.seen() == sliced.seen());
    return 0;
}
