// expect: weir: no codec for this Value: include <weir/json.hpp> (target weir::json) and give the type a default constructor, to_json and from_json, or specialise weir::codec<Value>

#include <weir/codec.hpp>

#include <string>

struct product {};

std::string bytes(const product& p) {
    std::string out;
    weir::codec<product>::encode(p, out);
    return out;
}

int main() {}
