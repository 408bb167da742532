#include <algorithm>
#include <cmath>

#include <fmt/format.h>
#include <torch/torch.h>

#include "plumb/analysis/kernel_check.hpp"
#include "plumb/analysis/kernel_plan.hpp"
#include "plumb/analysis/random_weights.hpp"

namespace plumb {
namespace {

using autograd::ParameterUse;
using autograd::UseKind;

/// At least what the rounding of a use's gradient is relative to: the gradient may cancel, as that of a bias
/// does which a softmax or a normalization takes away again; its summands, or the norms of its factors, do
/// not.
double size_of_factors(const ParameterUse& use, const Tensor& d) {
  if (!d.defined()) return 0;
  const double norm = fast_norm(d) * std::abs(use.factor);
  if (!use.saved.defined() || !use.saved.is_floating_point()) return norm;
  if (use.kind == UseKind::scale) return fast_norm(d * use.saved) * std::abs(use.factor);
  // As if every row were one of ten thousand: the norms bound sums whose rows all agree.
  return 1e-2 * norm * fast_norm(use.saved);
}

}  // namespace

bool CaptureCheck::passed() const {
  return std::all_of(wrong.begin(), wrong.end(), [](const std::string& reason) { return reason.empty(); });
}

void KernelPlan::check_terms(const KernelRecording& recording, const std::vector<KernelTerm>& terms,
                             const std::vector<Tensor>& gradients, const std::vector<Tensor>& arrived,
                             CaptureCheck& check) const {
  CheckDraws draws;
  const auto gradient_of = [&](int64_t p) {
    const Tensor& found = gradients[static_cast<size_t>(p)];
    return found.defined() ? found : at::zeros_like(function_.parameters()[static_cast<size_t>(p)]);
  };
  const auto allowed_of = [&](int64_t p) {
    return allowed_capture_error(function_.parameters()[static_cast<size_t>(p)].scalar_type());
  };
  const auto judge = [&](int64_t p, double error) {
    check.error = std::max(check.error, error);
    if (error <= allowed_of(p)) return;
    check.wrong[static_cast<size_t>(p)] =
        fmt::format("its recorded uses do not give its gradient, off by {:.1e}", error);
  };
  for (size_t t = 0; t < terms.size(); ++t) {
    const int64_t p = terms[t].parameter;
    if (!check.watched[static_cast<size_t>(p)]) continue;
    if (t >= parts_.size()) {  // by rows, from each example alone: nothing was read
      check.gradients[static_cast<size_t>(p)] = pull_back_rows(terms[t], check.weights);
      continue;
    }
    const Part& part = parts_[t];
    const Tensor gradient = gradient_of(p).detach();
    const Tensor bias = part.bias_parameter >= 0 ? gradient_of(part.bias_parameter).detach() : Tensor();
    check.gradients[static_cast<size_t>(p)] = gradient.reshape({-1});
    if (bias.defined()) check.gradients[static_cast<size_t>(part.bias_parameter)] = bias.reshape({-1});
    if (terms[t].form == TermForm::rows) {
      Tensor expected = gradient.reshape({-1});
      if (bias.defined()) expected = at::cat({expected, bias.reshape({-1})});
      const Tensor found = pull_back_rows(terms[t], check.weights);
      const double difference = fast_norm(found - expected.to(found.scalar_type()));
      double size = std::max(fast_norm(expected), 1e-300);
      if (!(difference <= 0.03 * allowed_of(p) * size)) {
        size = std::max(size, fast_norm(at::linalg_vector_norm(terms[t].rows, 2, at::IntArrayRef{2})));
        for (const size_t use : part.uses)
          size = std::max(size, size_of_factors(recording.uses[use], arrived[use]));
      }
      judge(p, difference / size);
      continue;
    }
    const ParameterUse& use = recording.uses[part.uses[0]];
    const int64_t b = use.matrix_rows(), begin = part.group * b;
    Tensor matrix = use.kind == UseKind::convolution ? gradient.reshape({part.groups * b, -1})
                    : use.transposed                 ? gradient.reshape({b, -1})
                                                     : gradient.reshape({-1, b}).t();
    if (use.kind == UseKind::convolution) matrix = matrix.slice(0, begin, begin + b);
    judge(p, gradient_error(terms[t], check.weights, matrix,
                            bias.defined() ? bias.reshape({-1}).slice(0, begin, begin + b) : bias,
                            allowed_of(p), draws));
  }
}

}  // namespace plumb
