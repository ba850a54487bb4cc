#include "backend_report.hpp"

namespace shop {

backend_report report_on(const weir::memory_backend& backend) {
    const weir::counter_stats stats = backend.stats();
    const json shown = {{"capacity", stats.capacity},
                        {"bytes", stats.bytes},
                        {"displaced", stats.displaced},
                        {"displaced_used", stats.displaced_used},
                        {"unplaced", stats.unplaced}};
    return {.stats = {{"limiters", shown}}, .counts_entries = true, .trouble = ""};
}

backend_report report_on(const weir::redis_backend& backend) {
    const weir::redis_stats stats = backend.stats();
    const bool connected = stats.connections != 0;
    const json shown = {{"connected", connected},
                        {"connections", stats.connections},
                        {"connections_made", stats.connections_made},
                        {"connections_lost", stats.connections_lost},
                        {"own_calls", stats.own_calls},
                        {"shared_calls", stats.shared_calls},
                        {"timeouts", stats.timeouts},
                        {"system_calls", stats.system_calls},
                        {"clock_error_ns", stats.clock_error.count()},
                        {"last_error", stats.last_error}};
    return {.stats = {{"redis", shown}},
            .counts_entries = false,
            .trouble = connected ? "" : "Redis cannot be used: " + stats.last_error};
}

} // namespace shop
