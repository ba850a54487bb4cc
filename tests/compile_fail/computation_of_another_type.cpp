// expect: weir: the function of get_or_compute takes nothing and must return Value, std::optional<Value> or weir::expiring<Value>
#include <weir/weir.hpp>

#include <string>

struct product {};

int main() {
    const weir::memory_backend memory;
    const weir::cache<std::string> names{memory, "name", {.ttl = std::chrono::seconds{1}}};
    static_cast<void>(names.get_or_compute("42", [] { return product{}; }));
}
