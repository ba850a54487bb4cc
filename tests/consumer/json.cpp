// The smallest program that needs weir::json.
#include <weir/json.hpp>

#include <string>
#include <vector>

int main() {
    std::string bytes;
    weir::codec<std::vector<int>>::encode({1, 2}, bytes);
    return bytes == "[1,2]" && weir::codec<std::vector<int>>::decode("[1, 2]") ? 0 : 1;
}
