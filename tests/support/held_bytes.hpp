#ifndef WEIR_TESTS_SUPPORT_HELD_BYTES_HPP
#define WEIR_TESTS_SUPPORT_HELD_BYTES_HPP

/// Bytes on their way through a proxy, which must not go on before their time.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

namespace weir::tests {

/// Bytes that wait, each until its time; in the order in which they came, whatever their times.
class held_bytes {
public:
    using clock = std::chrono::steady_clock;
    using time_point = clock::time_point;

    static constexpr time_point never = time_point::max();

    void append(std::string_view bytes, time_point due) {
        if (bytes.empty()) {
            return;
        }
        bytes_.append(bytes);
        if (!portions_.empty() && portions_.back().due == due) {
            portions_.back().end += bytes.size();
        } else {
            portions_.push_back({.end = begin_ + (bytes_.size() - head_), .due = due});
        }
    }

    /// Those at the front whose time has come.
    [[nodiscard]] std::string_view due(time_point now) {
        while (!portions_.empty() && portions_.front().due <= now) {
            due_end_ = portions_.front().end;
            portions_.pop_front();
        }
        return std::string_view{bytes_}.substr(head_, due_end_ - begin_);
    }

    void remove_prefix(std::size_t count) {
        head_ += count;
        begin_ += count;
        if (head_ == bytes_.size()) {
            bytes_.clear();
            head_ = 0;
        } else if (head_ > bytes_.size() / 2) {
            bytes_.erase(0, head_);
            head_ = 0;
        }
    }

    /// When the first byte is due.
    [[nodiscard]] time_point first_due() const {
        if (due_end_ > begin_) {
            return time_point::min();
        }
        return portions_.empty() ? never : portions_.front().due;
    }

    [[nodiscard]] std::size_t size() const noexcept { return bytes_.size() - head_; }
    [[nodiscard]] bool empty() const noexcept { return size() == 0; }

private:
    struct portion {
        std::uint64_t end; // counted from the beginning of the stream
        time_point due;
    };

    std::string bytes_;
    std::size_t head_ = 0;      // of what is held in bytes_
    std::uint64_t begin_ = 0;   // of what is held in the stream
    std::uint64_t due_end_ = 0; // of what is due in the stream
    std::deque<portion> portions_;
};

} // namespace weir::tests

#endif
