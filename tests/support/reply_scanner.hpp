#ifndef WEIR_TESTS_SUPPORT_REPLY_SCANNER_HPP
#define WEIR_TESTS_SUPPORT_REPLY_SCANNER_HPP

/// Finds where replies end in a stream of RESP2 bytes, and nothing else about them.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace weir::tests {

class reply_scanner {
public:
    /// Takes bytes up to the end of a reply, or all. Returns how many it took.
    std::size_t scan(std::string_view bytes) {
        std::size_t taken = 0;
        while (taken < bytes.size()) {
            taken += in_bulk() ? skip_bulk(bytes.substr(taken)) : scan_line(bytes.substr(taken));
            if (is_between_replies()) {
                return taken;
            }
        }
        return taken;
    }

    /// Whether what was taken ends with a whole reply. Never again after bytes that are no RESP2.
    [[nodiscard]] bool is_between_replies() const noexcept {
        return missing_values_ == 0 && !is_lost_;
    }

private:
    [[nodiscard]] bool in_bulk() const noexcept { return bulk_left_ > 0; }

    std::size_t skip_bulk(std::string_view bytes) {
        const std::size_t count = std::min(bytes.size(), bulk_left_);
        bulk_left_ -= count;
        missing_values_ -= in_bulk() ? 0 : 1;
        return count;
    }

    std::size_t scan_line(std::string_view bytes) {
        if (is_lost_) {
            return bytes.size();
        }
        std::size_t taken = 0;
        if (type_ == '\0') {
            type_ = bytes.front();
            taken = 1;
            is_lost_ = std::string_view{"+-:$*"}.find(type_) == std::string_view::npos;
            missing_values_ += missing_values_ == 0 ? 1 : 0; // the first value of a reply
        }
        while (taken < bytes.size() && !is_lost_) {
            const char byte = bytes[taken++];
            if (byte == '\n') {
                end_line();
                break;
            }
            if (type_ == '$' || type_ == '*') {
                read_size(byte);
            }
        }
        return taken;
    }

    void read_size(char byte) {
        constexpr std::int64_t largest = std::int64_t{1} << 40;
        if (byte >= '0' && byte <= '9' && size_ < largest) {
            size_ = size_ * 10 + (byte - '0');
        } else if (byte == '-') {
            is_negative_ = true;
        } else {
            is_lost_ = byte != '\r';
        }
    }

    void end_line() {
        const std::int64_t size = is_negative_ ? -1 : size_;
        if (type_ == '$' && size >= 0) {
            bulk_left_ = static_cast<std::size_t>(size) + 2; // and its end of line
        } else {
            missing_values_ += (type_ == '*' && size > 0 ? size : 0) - 1;
        }
        type_ = '\0';
        size_ = 0;
        is_negative_ = false;
    }

    /// Values that the present reply still lacks, however deep they lie; 0 between two replies.
    std::int64_t missing_values_ = 0;
    std::size_t bulk_left_ = 0;
    /// Of the line that is being read: its first byte, none before it, and its size.
    char type_ = '\0';
    std::int64_t size_ = 0;
    bool is_negative_ = false;
    bool is_lost_ = false;
};

} // namespace weir::tests

#endif
