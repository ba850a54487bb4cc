// expect: weir: no codec for this Value: include <weir/json.hpp> (target weir::json) and give the type a default constructor, to_json and from_json, or specialise weir::codec<Value>

#include <weir/codec.hpp>

static_assert(weir::explain_codec<char>());

int main() {}
