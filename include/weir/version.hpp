#ifndef WEIR_VERSION_HPP
#define WEIR_VERSION_HPP

/// The version of the library, and the oldest language that it accepts.

#if !((defined(_MSVC_LANG) && _MSVC_LANG >= 202002L) || __cplusplus >= 202002L)
#error "weir needs C++20: compile with -std=c++20 or later"
#endif

#define WEIR_VERSION_MAJOR 0
#define WEIR_VERSION_MINOR 1
#define WEIR_VERSION_PATCH 0

#endif
