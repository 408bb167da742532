#include "plumb/objective/loss.hpp"

namespace plumb {

void LossOptions::fields(Fields& f) {
  f.field("reduction", reduction, "over the examples: mean or sum", {"mean", "sum"});
}

}  // namespace plumb
