// What README's fragments take as known.
#include <weir/weir.hpp>

#include <chrono>
#include <string>
