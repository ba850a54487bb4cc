// expect: weir: this backend can fail; say what then happens: pass weir::on_failure::allow, deny or local after the quota
#include <weir/testing.hpp>
#include <weir/weir.hpp>

int main() {
    const weir::memory_backend memory;
    const weir::failing_backend backend{memory};
    const weir::rate_limiter limiter{backend, weir::per_minute(20), {}};
}
