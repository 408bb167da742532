#include "plumb/experiment/initial_weights.hpp"

namespace plumb {
namespace {

struct DrawnOptions {
  void fields(Fields&) {}
};

void keep_drawn(const DrawnOptions&, Network&, const TrainingData&, const Seed&) {}

}  // namespace

PLUMB_REGISTER(InitialWeights, drawn, DrawnOptions, keep_drawn, "as the model draws them")

}  // namespace plumb
