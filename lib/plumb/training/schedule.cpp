#include "plumb/training/schedule.hpp"

#include <cmath>

namespace plumb {

Schedule geometric(double gamma, double period) {
  // Epochs are fractions, as in 0.3 / 0.1, which must not miss its 3.
  return {[=](double epoch) { return std::pow(gamma, std::floor(epoch / period * (1 + 1e-12))); }};
}

}  // namespace plumb
