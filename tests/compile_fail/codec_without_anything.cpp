// expect: weir: missing or wrong `static void weir::codec<Value>::encode(const Value&, std::string& out)`
// expect: weir: missing or wrong `static std::optional<Value> weir::codec<Value>::decode(std::string_view bytes)`

#include <weir/codec.hpp>

struct product {};

template<>
struct weir::codec<product> {};

static_assert(weir::explain_codec<product>());

int main() {}
