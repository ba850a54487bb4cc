#ifndef WEIR_TESTS_SUPPORT_NAME_SERVICE_HPP
#define WEIR_TESTS_SUPPORT_NAME_SERVICE_HPP

/// Names of hosts that mean what a test wants, in the place of those of the system.
///
///     const name_service names{[](const std::string& host) {
///         return named{.addresses = {"127.0.0.2", "127.0.0.1"}};
///     }};

#include <functional>
#include <string>
#include <vector>

namespace weir::tests {

/// What a name means.
struct named {
    /// IPv4, in their order.
    std::vector<std::string> addresses{};
    /// Of getaddrinfo, if there is no address, such as EAI_AGAIN.
    int error = 0;
};

/// While it lives, all names of this process are asked from it; addresses are left to the system. One
/// at a time. The function may be called by any thread, and may take its time.
class name_service {
public:
    explicit name_service(std::function<named(const std::string& host)> answer);
    name_service(const name_service&) = delete;
    name_service& operator=(const name_service&) = delete;
    ~name_service();
};

} // namespace weir::tests

#endif
