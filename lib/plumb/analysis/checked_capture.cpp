#include "plumb/analysis/checked_capture.hpp"

#include <algorithm>

#include <torch/torch.h>

#include "plumb/analysis/kernel_attempts.hpp"
#include "plumb/analysis/random_weights.hpp"

namespace plumb {

const KernelRecording& RecordedBlocks::get(Held& held, const Tensor& inputs, const KernelBlock& block) {
  if (!held.recording || held.begin != block.begin ||
      held.recording->inputs.size(0) != block.end - block.begin) {
    held.recording = nullptr;  // frees its graph before the next is made
    held = {std::make_shared<KernelRecording>(problem_.function, inputs.slice(0, block.begin, block.end),
                                              problem_.reads_graph),
            block.begin};
    // Columns are recorded once for each block of rows.
    const bool seen = !checked_.insert({inputs.unsafeGetTensorImpl(), block.begin}).second;
    if (problem_.checks() && problem_.reads_graph && !seen)
      problem_.function.check_predictions(held.recording->inputs, held.recording->predictions);
  }
  return *held.recording;
}

void CheckedSide::add(const CaptureCheck& check) {
  gradients.resize(check.gradients.size());
  for (size_t p = 0; p < gradients.size(); ++p) {
    const Tensor& part = check.gradients[p];
    if (!part.defined()) continue;
    // A gradient may share its memory with others: only a copy is added to.
    gradients[p] = gradients[p].defined() ? gradients[p] + part : part;
  }
}

CheckedCapture::CheckedCapture(const KernelProblem& problem, const KernelPlan& plan,
                               const KernelTiling& tiling, RecordedBlocks& recorded,
                               std::vector<bool> watched)
    : problem_(problem), plan_(plan), tiling_(tiling), recorded_(recorded), watched_(std::move(watched)) {
  CheckDraws draws;
  const auto draw = [&](const Tensor& inputs) {
    return draws.weights(inputs.size(0) * plan.outputs()).view({-1, plan.outputs()}).to(inputs.device());
  };
  rows_.weights = draw(problem.left);
  if (!problem.symmetric) columns_.weights = draw(problem.right);
}

std::vector<KernelTerm> CheckedCapture::capture(CheckedSide& side, const KernelRecording& recording,
                                                const KernelBlock& block) {
  // In a symmetric kernel every block is one of rows, too.
  if (!side.blocks.insert({block.begin, block.first}).second)
    return plan_.capture(recording, block.first, block.last, tiling_.at_once);
  CaptureCheck check{side.weights.slice(0, block.begin, block.end), watched_};
  auto terms = plan_.capture(recording, block.first, block.last, tiling_.at_once, &check);
  error_ = std::max(error_, check.error);
  if (!check.passed()) throw CaptureMismatch(check.wrong, problem_.function.names());
  side.add(check);
  return terms;
}

}  // namespace plumb
