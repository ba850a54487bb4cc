// expect: weir: this backend can fail; say what then happens: pass weir::on_failure::allow, deny or local after the quota

#include <weir/memory.hpp>
#include <weir/quota/fixed_window.hpp>
#include <weir/rate_limiter.hpp>
#include <weir/testing.hpp>

weir::failing_backend backend{weir::memory_backend{}};
weir::rate_limiter limiter{backend, weir::per_minute(20)};

int main() {}
