// expect: weir storage: a backend must be copyable; a copy is a handle to the same state

#include <weir/storage.hpp>

struct backend {
    backend(const backend&) = delete;

    weir::time_point now() const noexcept;

    template<weir::counter_step S>
    typename S::result_type update(const weir::counter_space&, std::string_view, const S&,
                                   weir::time_point, std::error_code&);
};

static_assert(weir::explain_counters<backend>());

int main() {}
