#include "plumb/data/randomization.hpp"
#include "plumb/data/redrawn_labels.hpp"

namespace plumb {
namespace {

struct RandomLabelsOptions {
  void fields(Fields&) {}
};

Randomization make_random_labels(const RandomLabelsOptions&) {
  return {.apply = [](Problem& problem,
                      const Seed& seed) { redraw_labels(problem, 1, Replacement::uniform, seed); },
          .redrawn_labels = 1};
}

}  // namespace

PLUMB_REGISTER(Randomizations, random_labels, RandomLabelsOptions, make_random_labels,
               "every training label redrawn from all classes")

}  // namespace plumb
