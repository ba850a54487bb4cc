#include "every_header.hpp"

int other() {
    return 0;
}
