#include "plumb/data/redrawn_labels.hpp"

#include <ATen/Functions.h>

#include "plumb/core/error.hpp"

namespace plumb {
namespace {

/// A target for each of the n examples, drawn uniformly: a class, from the other ones where asked, or the
/// real target of a training example, so that real numbers keep their distribution.
Tensor draw_targets(const Problem& problem, Replacement replacement, at::Generator& generator) {
  const int64_t n = problem.train.size();
  const bool different = replacement == Replacement::different;
  const bool classes = target_kind(problem.clean_targets) == TargetKind::classes;
  if (different && !classes)
    throw ConfigError("replacement: different; the targets are real numbers, not classes");
  if (different && problem.num_classes < 2)
    throw ConfigError(
        fmt::format("replacement: different; {} class leaves no other to draw", problem.num_classes));
  // Uniform over the others: the clean class moved on by 1 .. num_classes - 1.
  const Tensor draws = at::randint(different ? 1 : 0, classes ? problem.num_classes : n, {n}, generator,
                                   at::TensorOptions(at::kLong));
  if (!classes) return problem.clean_targets.index_select(0, draws);
  return different ? problem.clean_targets.add(draws).remainder(problem.num_classes) : draws;
}

}  // namespace

void redraw_labels(Problem& problem, double probability, Replacement replacement, const Seed& seed) {
  at::Generator generator = seed.stream("labels");
  problem.redrawn =
      at::rand({problem.train.size()}, generator, at::TensorOptions(at::kDouble)).lt(probability);
  const Tensor drawn = draw_targets(problem, replacement, generator);
  const Tensor mask = drawn.dim() > 1 ? problem.redrawn.unsqueeze(1) : problem.redrawn;
  problem.train.targets = at::where(mask, drawn, problem.clean_targets);
}

}  // namespace plumb
