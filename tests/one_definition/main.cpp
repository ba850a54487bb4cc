// Every header in two translation units: a function that is not inline would be defined twice, and
// the program would not link.
#include "every_header.hpp"

int other();

int main() {
    return other();
}
