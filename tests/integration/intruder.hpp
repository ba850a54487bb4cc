#ifndef WEIR_TESTS_INTEGRATION_INTRUDER_HPP
#define WEIR_TESTS_INTEGRATION_INTRUDER_HPP

#include <sqlite3.h>

#include <memory>
#include <stdexcept>
#include <string>

namespace integration {

/// A connection of the test's own to the service's database, to get in its way.
class intruder {
public:
    explicit intruder(const std::string& path) {
        sqlite3* handle = nullptr;
        const int code = sqlite3_open(path.c_str(), &handle);
        handle_.reset(handle);
        if (code != SQLITE_OK) {
            throw std::runtime_error{"cannot open " + path};
        }
        sqlite3_busy_timeout(handle, 30'000);
    }

    void execute(const char* sql) const {
        char* message = nullptr;
        if (sqlite3_exec(handle_.get(), sql, nullptr, nullptr, &message) != SQLITE_OK) {
            const std::string text = message;
            sqlite3_free(message);
            throw std::runtime_error{text};
        }
    }

private:
    struct close {
        void operator()(sqlite3* handle) const { sqlite3_close(handle); }
    };
    std::unique_ptr<sqlite3, close> handle_;
};

} // namespace integration

#endif
