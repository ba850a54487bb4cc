#ifndef WEIR_DETAIL_FUNCTION_REF_HPP
#define WEIR_DETAIL_FUNCTION_REF_HPP

#include <memory>
#include <type_traits>
#include <utility>

namespace weir::detail {

template<class Signature>
class function_ref;

/// A callable of the caller's, for the length of one call: two words, no allocation. What
/// std::function_ref will be (P0792).
template<class R, class... Args>
class function_ref<R(Args...)> {
public:
    template<class F>
        requires(!std::is_same_v<std::remove_cvref_t<F>, function_ref> &&
                 std::is_invocable_r_v<R, F&, Args...>)
    function_ref(F& f)
    noexcept
        : target_{const_cast<void*>(static_cast<const void*>(std::addressof(f)))},
          call_{[](void* target, Args... args) -> R {
              return (*static_cast<F*>(target))(std::forward<Args>(args)...);
          }} {}

    R operator()(Args... args) const { return call_(target_, std::forward<Args>(args)...); }

private:
    void* target_;
    R (*call_)(void*, Args...);
};

} // namespace weir::detail

#endif
