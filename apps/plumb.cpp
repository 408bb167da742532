#include "plumb/core/config.hpp"

int main() { return plumb::Config::parse("a: 1").is_mapping() ? 0 : 1; }
