// expect: weir storage: missing or wrong `template<weir::counter_step S> typename S::result_type B::update(const weir::counter_space&, std::string_view key, const S&, weir::time_point now, std::error_code&)`

#include <weir/quota/fixed_window.hpp>
#include <weir/rate_limiter.hpp>

struct clock_only {
    static constexpr bool in_process = true;
    weir::time_point now() const noexcept;
};

weir::basic_rate_limiter<weir::fixed_window, clock_only> limiter{clock_only{}, {}};

int main() {}
