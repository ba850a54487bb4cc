#ifndef WEIR_TESTS_SUPPORT_SANITIZED_HPP
#define WEIR_TESTS_SUPPORT_SANITIZED_HPP

namespace weir::tests {

/// Whether AddressSanitizer or ThreadSanitizer watches: then all takes up to 20 times as long, and
/// more memory.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool sanitized = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
inline constexpr bool sanitized = true;
#else
inline constexpr bool sanitized = false;
#endif
#else
inline constexpr bool sanitized = false;
#endif

} // namespace weir::tests

#endif
