/// Whether cotangents are booked on the examples whose predictions they come from.
#pragma once

#include <algorithm>
#include <vector>

#include <ATen/ATen.h>

#include "plumb/analysis/random_weights.hpp"
#include "plumb/autograd/recorded_graph.hpp"

namespace plumb {

/// Sums over outputs of the cotangents at every use, weighted by example and output.
class BookedExamples {
 public:
  /// `read`: by parameter, whether its uses are.
  BookedExamples(const std::vector<autograd::ParameterUse>& uses, const std::vector<bool>& read,
                 int64_t examples)
      : uses_(uses), read_(read), examples_(examples), sums_(uses.size()) {}

  /// `cotangents`: (outputs, ...) for each use; `u`: (examples, outputs).
  void add(const std::vector<Tensor>& cotangents, const Tensor& u) {
    for (size_t i = 0; i < uses_.size(); ++i) {
      if (!cotangents[i].defined() || !is_read(i) || first_like(i) != i) continue;
      const Tensor d = examples_first(uses_[i], cotangents[i]);  // (outputs, examples, r)
      const Tensor weights = u.to(d.options());
      const Tensor sum =
          d.size(0) == 1 ? d[0] * weights : at::bmm(weights.unsqueeze(1), d.transpose(0, 1)).squeeze(1);
      sums_[i] = sums_[i].defined() ? sums_[i].add_(sum) : sum;
    }
  }

  /// |sum - D| / |D| at a use, where D is what arrived from the weights; where that comes near what is
  /// `allowed`, relative to the larger of both.
  double error(size_t use, const std::vector<Tensor>& of_weights, double allowed) const {
    const Tensor &sum = sums_[first_like(use)], &d = of_weights[use];
    if (!d.defined() && !sum.defined()) return 0;
    if (!d.defined() || !sum.defined())
      return (d.defined() ? d : sum).count_nonzero().item<int64_t>() > 0 ? 1 : 0;
    const Tensor first = examples_first(uses_[use], d.unsqueeze(0))[0];
    const double difference = fast_norm(sum - first);
    double size = fast_norm(first);
    if (!(difference <= 0.03 * allowed * size)) size = std::max(size, fast_norm(sum));
    return difference == 0 ? 0 : difference / std::max(size, 1e-300);
  }

 private:
  bool is_read(size_t use) const { return read_[static_cast<size_t>(uses_[use].parameter)]; }

  /// (outputs, examples, all else) of (outputs, ...).
  Tensor examples_first(const autograd::ParameterUse& use, const Tensor& d) const {
    const int64_t k = d.size(0);
    const bool rows = use.kind == autograd::UseKind::product || use.rows_of_product;
    if (rows && use.examples_second)
      return d.reshape({k, -1, examples_, d.size(-1)}).transpose(1, 2).reshape({k, examples_, -1});
    return (!rows && use.examples_second ? d.transpose(1, 2) : d).reshape({k, examples_, -1});
  }

  /// The first use whose cotangents are these.
  size_t first_like(size_t use) const {
    const auto rows = [](const autograd::ParameterUse& u) {
      return u.kind == autograd::UseKind::product || u.rows_of_product;
    };
    for (size_t i = 0; i < use; ++i)
      if (is_read(i) && uses_[i].node == uses_[use].node &&
          uses_[i].examples_second == uses_[use].examples_second && rows(uses_[i]) == rows(uses_[use]))
        return i;
    return use;
  }

  const std::vector<autograd::ParameterUse>& uses_;
  const std::vector<bool>& read_;
  int64_t examples_;
  std::vector<Tensor> sums_;  // (examples, r)
};

}  // namespace plumb
