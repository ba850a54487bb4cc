#ifndef WEIR_REDIS_ERROR_LOG_HPP
#define WEIR_REDIS_ERROR_LOG_HPP

#include <mutex>
#include <new>
#include <string>
#include <string_view>

namespace weir::detail::redis {

/// What went wrong the last time, in the words of the server or of the system.
class error_log {
public:
    /// Where there is no memory for it, the text before stays.
    void note(std::string_view text) noexcept {
        const std::lock_guard lock{mutex_};
        try {
            text_ = text;
        } catch (const std::bad_alloc&) {
        }
    }
    [[nodiscard]] std::string last() const {
        const std::lock_guard lock{mutex_};
        return text_;
    }

private:
    mutable std::mutex mutex_;
    std::string text_;
};

} // namespace weir::detail::redis

#endif
