#ifndef WEIR_HANDLER_HPP
#define WEIR_HANDLER_HPP

/// `handler<Args...>`: what an asynchronous operation calls when it is done; and `executor`: where.

#include <cstddef>
#include <functional>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

namespace weir {

/// A callable that takes `Args...`, held until it is called once. It can be moved and not copied,
/// so what it captures may be so too. A callable of up to 48 bytes that moves without throwing,
/// such as a lambda over a shared pointer and a few words, is kept inside; a larger one is
/// allocated.
///
/// Thread safety: distinct objects: safe. One object: like a pointer; it may be called on another
/// thread than the one that made it.
template<class... Args>
class handler {
public:
    /// Empty.
    handler() noexcept = default;
    handler(std::nullptr_t) noexcept {}

    /// Throws std::bad_alloc, and then leaves `f` as it was; and what moving or copying `f` throws.
    template<class F>
        requires(!std::is_same_v<std::remove_cvref_t<F>, handler> &&
                 std::is_invocable_v<std::decay_t<F>&, Args...>)
    // NOLINTNEXTLINE(bugprone-forwarding-reference-overload): the constraint sees to it
    handler(F&& f) {
        using callable = std::decay_t<F>;
        if constexpr (fits<callable>()) {
            ::new (static_cast<void*>(room_)) callable(std::forward<F>(f));
        } else {
            ::new (static_cast<void*>(room_)) callable*(new callable(std::forward<F>(f)));
        }
        operations_ = &operations_of<callable>;
    }

    handler(handler&& other) noexcept : operations_{std::exchange(other.operations_, nullptr)} {
        if (operations_ != nullptr) {
            operations_->move(other.room_, room_);
        }
    }

    handler& operator=(handler&& other) noexcept {
        if (this != &other) {
            reset();
            operations_ = std::exchange(other.operations_, nullptr);
            if (operations_ != nullptr) {
                operations_->move(other.room_, room_);
            }
        }
        return *this;
    }

    handler(const handler&) = delete;
    handler& operator=(const handler&) = delete;

    ~handler() { reset(); }

    /// True until it was called or moved from.
    [[nodiscard]] explicit operator bool() const noexcept { return operations_ != nullptr; }

    /// Calls the callable, and destroys it with what it captures before this returns or throws what
    /// the callable throws. The handler is empty meanwhile and afterwards, so that the callable may
    /// destroy it, or put another one in its place. Requires that the handler is not empty.
    void operator()(Args... args) {
        handler called{std::move(*this)};
        called.operations_->call(called.room_, std::forward<Args>(args)...);
    }

private:
    static constexpr std::size_t room = 48;

    template<class F>
    [[nodiscard]] static constexpr bool fits() noexcept {
        return std::is_nothrow_move_constructible_v<F> && sizeof(F) <= room &&
               std::alignment_of_v<F> <= alignof(std::max_align_t);
    }

    /// What can be done to a callable in its room.
    struct operations {
        void (*call)(void* at, Args&&... args);
        /// Leaves nothing at `from`.
        void (*move)(void* from, void* to) noexcept;
        void (*destroy)(void* at) noexcept;
    };

    /// The callable F whose room is `at`.
    template<class F>
    [[nodiscard]] static F& callable_at(void* at) noexcept {
        if constexpr (fits<F>()) {
            return *std::launder(static_cast<F*>(at));
        } else {
            return **std::launder(static_cast<F**>(at));
        }
    }

    template<class F>
    static constexpr operations operations_of = {
        [](void* at, Args&&... args) {
            static_cast<void>(std::invoke(callable_at<F>(at), std::forward<Args>(args)...));
        },
        [](void* from, void* to) noexcept {
            F& callable = callable_at<F>(from);
            if constexpr (fits<F>()) {
                ::new (to) F(std::move(callable));
                std::destroy_at(std::addressof(callable));
            } else {
                ::new (to) F*(std::addressof(callable));
            }
        },
        [](void* at) noexcept {
            F& callable = callable_at<F>(at);
            if constexpr (fits<F>()) {
                std::destroy_at(std::addressof(callable));
            } else {
                delete std::addressof(callable);
            }
        },
    };

    void reset() noexcept {
        if (operations_ != nullptr) {
            std::exchange(operations_, nullptr)->destroy(room_);
        }
    }

    const operations* operations_ = nullptr;
    alignas(std::max_align_t) std::byte room_[room];
};

/// Where handlers run: takes a task and calls it once, now or later, on a thread of its choice.
using executor = std::function<void(handler<>)>;

namespace detail {

struct inline_runner {
    void operator()(handler<> task) const { task(); }
};

} // namespace detail

/// The executor that calls the task at once, on the thread that hands it over.
inline constexpr detail::inline_runner run_inline{};

} // namespace weir

#endif
