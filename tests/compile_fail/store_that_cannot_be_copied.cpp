// expect: weir storage: a store of values must be copyable; a copy is a handle to the same entries
// expect: weir storage: missing or wrong `bool S::erase(std::string_view key, weir::time_point now, std::error_code&)`

#include <weir/storage.hpp>

struct store {
    store(const store&) = delete;

    weir::found<int> get(std::string_view, weir::time_point, std::error_code&);
    void put(std::string_view, weir::value_ref<int>, const weir::lifetime&, weir::time_point,
             std::error_code&);
    bool add(std::string_view, weir::value_ref<int>, const weir::lifetime&, weir::time_point,
             std::error_code&);
};

static_assert(weir::explain_store<store, int>());

int main() {}
