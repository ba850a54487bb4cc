#ifndef WEIR_WEIR_HPP
#define WEIR_WEIR_HPP

/// Everything of weir that needs only the standard library.

#include <weir/cache.hpp>
#include <weir/clock.hpp>
#include <weir/decision.hpp>
#include <weir/error.hpp>
#include <weir/glob.hpp>
#include <weir/handler.hpp>
#include <weir/http.hpp>
#include <weir/key.hpp>
#include <weir/memory.hpp>
#include <weir/quota/fixed_window.hpp>
#include <weir/rate_limiter.hpp>
#include <weir/stats.hpp>
#include <weir/storage.hpp>
#include <weir/version.hpp>

#endif
