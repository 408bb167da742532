#include "plumb/data/randomization.hpp"
#include "plumb/data/redrawn_labels.hpp"

namespace plumb {
namespace {

struct CorruptedLabelsOptions {
  double probability = 0.5;
  Replacement replacement = Replacement::uniform;

  void fields(Fields& f) {
    f.field("probability", probability, "probability that a training label is redrawn", fraction);
    f.field(
        "replacement", replacement,
        "uniform: from all classes, so that 1 of num_classes keeps its class (Zhang et al. 2017); different: "
        "from the other classes",
        {"uniform", "different"});
  }
};

Randomization make_corrupted_labels(const CorruptedLabelsOptions& options) {
  return {.apply =
              [options](Problem& problem, const Seed& seed) {
                redraw_labels(problem, options.probability, options.replacement, seed);
              },
          .redrawn_labels = options.probability};
}

}  // namespace

PLUMB_REGISTER(Randomizations, corrupted_labels, CorruptedLabelsOptions, make_corrupted_labels,
               "each training label redrawn with a given probability")

}  // namespace plumb
