// The smallest program that uses both halves of weir; its exit code says whether they worked.
#include <weir/weir.hpp>

#include <chrono>
#include <string>

int main() {
    using namespace std::chrono_literals;

    weir::memory_backend memory;
    weir::rate_limiter limiter{memory, weir::per_day(2)};
    const bool first = static_cast<bool>(limiter.allow("client"));
    const bool impossible = !limiter.allow("client", 3);

    weir::cache<std::string> cache{memory, "names", {.ttl = 5min}};
    const auto name = cache.get_or_compute("42", [] { return std::string{"weir"}; });

    return first && impossible && name && *name == "weir" && cache.get("42") ? 0 : 1;
}
