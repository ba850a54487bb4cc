// expect: deleted

#include <weir/key.hpp>

weir::key_view key{0.5};

int main() {}
