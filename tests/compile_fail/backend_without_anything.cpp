// expect: weir storage: missing or wrong `weir::time_point B::now() const noexcept`
// expect: weir storage: missing or wrong `template<weir::counter_step S> typename S::result_type B::update(const weir::counter_space&, std::string_view key, const S&, weir::time_point now, std::error_code&)`
// expect: weir storage: missing or wrong `template<class V> auto B::values(std::string_view name, const weir::store_options&)`, which opens the store of one cache

#include <weir/storage.hpp>

struct nothing {};

static_assert(weir::explain_storage<nothing>());

int main() {}
