#ifndef WEIR_REDIS_REQUEST_HPP
#define WEIR_REDIS_REQUEST_HPP

#include <weir/redis/commands.hpp>
#include <weir/redis/reply.hpp>

#include <chrono>
#include <cstddef>
#include <system_error>
#include <utility>
#include <vector>

namespace weir::detail::redis {

/// Deadlines and ages are measured on the steady clock.
using steady_time = std::chrono::steady_clock::time_point;

/// Commands on their way, and who wants to know what comes of them.
///
/// Whoever holds a request calls `complete` exactly once and does not touch it any more then: the
/// request disposes of itself, where it has to.
class request {
public:
    request(commands what, steady_time deadline) : what_{std::move(what)}, deadline_{deadline} {
        replies_.reserve(what_.count());
    }
    request(const request&) = delete;
    request& operator=(const request&) = delete;

    [[nodiscard]] const commands& what() const noexcept { return what_; }
    /// For an owner who still has the request, and wants to send its commands in another one.
    [[nodiscard]] commands take_commands() noexcept { return std::move(what_); }
    [[nodiscard]] steady_time deadline() const noexcept { return deadline_; }

    /// Asked before it is sent, each time: false if nobody waits for it any more, so that it need
    /// not be sent.
    [[nodiscard]] virtual bool begin() noexcept { return true; }

    /// Whether whoever sends it has to watch its deadline, because nobody else does.
    [[nodiscard]] virtual bool expires() const noexcept { return false; }

    /// Takes the next reply, one for each command at most. Only between `begin` and `complete`.
    void take(reply&& r) noexcept { replies_.push_back(std::move(r)); }
    void forget_replies() noexcept { replies_.clear(); }

    /// Whether the replies, which are all there, only say that the server does not know a script:
    /// nothing was applied.
    [[nodiscard]] bool met_unknown_script() const noexcept {
        return what_.called_by_digest() != nullptr && replies_[0].is_error() &&
               replies_[0].code() == "NOSCRIPT";
    }
    void spell_out_script() { what_.spell_out(); }

    /// There is an error, or there are all replies.
    virtual void complete(std::error_code error) noexcept = 0;

    /// For whoever holds it to put it into one list.
    request* next = nullptr;

    /// Why it will not be sent, if it was refused and is only on its way to be completed.
    std::error_code refused;

protected:
    ~request() = default;

    [[nodiscard]] std::vector<reply>& replies() noexcept { return replies_; }

private:
    commands what_;
    steady_time deadline_;
    std::vector<reply> replies_;
};

/// A request that its owner looks at himself: it stays where it is.
class own_request final : public request {
public:
    using request::replies;
    using request::request;

    void complete(std::error_code error) noexcept override {
        error_ = error;
        done_ = true;
    }
    [[nodiscard]] bool done() const noexcept { return done_; }
    [[nodiscard]] std::error_code error() const noexcept { return error_; }

private:
    bool done_ = false;
    std::error_code error_;
};

/// Requests in the order in which they came. Not an owner: whoever holds the list completes them.
class request_list {
public:
    request_list() noexcept = default;
    request_list(request_list&& other) noexcept
        : first_{std::exchange(other.first_, nullptr)},
          last_{std::exchange(other.last_, nullptr)},
          size_{std::exchange(other.size_, 0)} {}
    request_list& operator=(request_list other) noexcept {
        std::swap(first_, other.first_);
        std::swap(last_, other.last_);
        std::swap(size_, other.size_);
        return *this;
    }

    [[nodiscard]] bool empty() const noexcept { return first_ == nullptr; }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] request* front() const noexcept { return first_; }

    void push_back(request* r) noexcept {
        r->next = nullptr;
        (first_ == nullptr ? first_ : last_->next) = r;
        last_ = r;
        ++size_;
    }

    /// Requires that there is one.
    request* pop_front() noexcept {
        request* const r = first_;
        first_ = r->next;
        --size_;
        return r;
    }

    void append(request_list&& more) noexcept {
        while (!more.empty()) {
            push_back(more.pop_front());
        }
    }

private:
    request* first_ = nullptr;
    request* last_ = nullptr;
    std::size_t size_ = 0;
};

} // namespace weir::detail::redis

#endif
