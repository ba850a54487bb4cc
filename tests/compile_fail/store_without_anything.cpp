// expect: weir storage: missing or wrong `weir::found<V> S::get(std::string_view key, weir::time_point now, std::error_code&)`
// expect: weir storage: missing or wrong `void S::put(std::string_view key, weir::value_ref<V>, const weir::lifetime&, weir::time_point now, std::error_code&)`
// expect: weir storage: missing or wrong `bool S::add(std::string_view key, weir::value_ref<V>, const weir::lifetime&, weir::time_point now, std::error_code&)`
// expect: weir storage: missing or wrong `bool S::erase(std::string_view key, weir::time_point now, std::error_code&)`

#include <weir/storage.hpp>

struct store {};

struct backend {
    weir::time_point now() const noexcept;

    template<class V>
    store values(std::string_view, const weir::store_options&);
};

static_assert(weir::explain_values<backend, int>());

int main() {}
