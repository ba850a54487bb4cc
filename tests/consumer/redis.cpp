// A limiter on a server that is not there: needs the headers, and the library behind them.
#include <weir/redis.hpp>
#include <weir/weir.hpp>

int main() {
    const weir::redis_backend redis{"redis://127.0.0.1:1"};
    const weir::rate_limiter limiter{redis, weir::per_minute(1), weir::on_failure::allow};
    const weir::decision d = limiter.allow("client");
    return d && d.reason == weir::reason::backend_failed ? 0 : 1;
}
