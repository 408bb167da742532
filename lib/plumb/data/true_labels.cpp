#include "plumb/data/randomization.hpp"

namespace plumb {
namespace {

struct TrueLabelsOptions {
  void fields(Fields&) {}
};

Randomization make_true_labels(const TrueLabelsOptions&) {
  return {.apply = [](Problem&, const Seed&) {}, .redrawn_labels = 0};
}

}  // namespace

PLUMB_REGISTER(Randomizations, true_labels, TrueLabelsOptions, make_true_labels, "the data as it is")

}  // namespace plumb
