#ifndef PRODUCT_SERVICE_BACKEND_REPORT_HPP
#define PRODUCT_SERVICE_BACKEND_REPORT_HPP

/// What operators see of the storage backend, whichever it is.

#include "json.hpp"

#include <weir/memory.hpp>
#include <weir/redis.hpp>

#include <string>

namespace shop {

struct backend_report {
    /// What the backend counts: a member for `/stats`.
    json stats;
    /// Whether caches know the number and the size of their entries.
    bool counts_entries = false;
    /// Why limits and caches have to do without the backend now; empty: they need not.
    std::string trouble;
};

[[nodiscard]] backend_report report_on(const weir::memory_backend& backend);
[[nodiscard]] backend_report report_on(const weir::redis_backend& backend);

} // namespace shop

#endif
