/// Terms of J, captured block by block and held against vector-Jacobian products once.
#pragma once

#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "plumb/analysis/kernel_tiling.hpp"

namespace plumb {

/// The last forward passes over blocks of rows and of columns: blocks that differ in outputs share one.
class RecordedBlocks {
 public:
  /// `whole`: a recording of all rows that was checked, or null.
  RecordedBlocks(const KernelProblem& problem, std::shared_ptr<const KernelRecording> whole)
      : problem_(problem), rows_{std::move(whole), 0}, columns_{nullptr, 0} {}

  const KernelRecording& rows(const KernelBlock& block) { return get(rows_, problem_.left, block); }
  const KernelRecording& columns(const KernelBlock& block) {
    return get(problem_.symmetric && rows_.begin == block.begin ? rows_ : columns_, problem_.right, block);
  }

 private:
  struct Held {
    std::shared_ptr<const KernelRecording> recording;
    int64_t begin;
  };

  const KernelRecording& get(Held& held, const Tensor& inputs, const KernelBlock& block);

  const KernelProblem& problem_;
  Held rows_, columns_;
  std::set<std::pair<const c10::TensorImpl*, int64_t>> checked_;
};

/// The weights of one side's rows of J, and the sums over its blocks of what they make of J.
struct CheckedSide {
  Tensor weights;                 // (n, c) float64
  std::vector<Tensor> gradients;  // by parameter, flat: J_p' u; undefined: 0, or not watched
  std::set<std::pair<int64_t, int64_t>> blocks;

  void add(const CaptureCheck& check);
};

/// Captures blocks and holds each, once, against vector-Jacobian products.
class CheckedCapture {
 public:
  /// `watched`: by parameter, as in CaptureCheck.
  CheckedCapture(const KernelProblem& problem, const KernelPlan& plan, const KernelTiling& tiling,
                 RecordedBlocks& recorded, std::vector<bool> watched);

  std::vector<KernelTerm> rows(const KernelBlock& block) {
    return capture(rows_, recorded_.rows(block), block);
  }
  std::vector<KernelTerm> columns(const KernelBlock& block) {
    return capture(problem_.symmetric ? rows_ : columns_, recorded_.columns(block), block);
  }

  const CheckedSide& row_side() const { return rows_; }
  const CheckedSide& column_side() const { return problem_.symmetric ? rows_ : columns_; }
  double error() const { return error_; }

 private:
  std::vector<KernelTerm> capture(CheckedSide& side, const KernelRecording& recording,
                                  const KernelBlock& block);

  const KernelProblem& problem_;
  const KernelPlan& plan_;
  const KernelTiling& tiling_;
  RecordedBlocks& recorded_;
  std::vector<bool> watched_;
  CheckedSide rows_, columns_;
  double error_ = 0;
};

}  // namespace plumb
