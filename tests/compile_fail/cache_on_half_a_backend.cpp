// expect: weir storage: missing or wrong `template<class V> auto B::values(std::string_view name, const weir::store_options&)`, which opens the store of one cache

#include <weir/cache.hpp>

struct clock_only {
    weir::time_point now() const noexcept;
};

weir::basic_cache<int, clock_only> numbers{clock_only{}, "numbers", {}};

int main() {}
