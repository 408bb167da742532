#include "tangent_kernel/random_reference.hpp"

#include <algorithm>
#include <limits>
#include <stdexcept>

#include "tangent_kernel/per_example_jacobian.hpp"

namespace plumb::test {
namespace {

constexpr double float_epsilon = 0x1p-23, double_epsilon = 0x1p-52;

double epsilon_of(at::ScalarType dtype) { return dtype == at::kDouble ? double_epsilon : float_epsilon; }
/// What is granted without asking how the network rounds: relative to the sizes of two rows of J.
double granted(at::ScalarType dtype) { return dtype == at::kDouble ? 1e-10 : 2e-5; }

/// What is granted beside measured rounding, which may be 0 by chance, for whole rows of J of these sizes and
/// roundings. What float32 rounds to 0 (a softmax that is 1) can be small numbers with large errors in
/// float64: there any parameter may round as much as all of them.
Tensor floor_of(at::ScalarType dtype, const Tensor& sizes, const Tensor& roundings) {
  return dtype == at::kDouble ? 1e-15 * sizes + double_epsilon * roundings : 2e-9 * sizes;
}

std::vector<Tensor> parameters_of(const RandomNetwork& network) { return network.function().parameters(); }

Tensor picked(const Tensor& matrix, const Columns& columns) {
  std::vector<Tensor> parts;
  for (const auto& [begin, end] : columns) parts.push_back(matrix.slice(1, begin, end));
  return parts.size() == 1 ? parts[0] : torch::cat(parts, 1);
}

Tensor row_sizes(const Tensor& matrix, int64_t outputs, bool summed) {
  const Tensor squares = matrix.square().sum(1);
  return (summed ? squares.view({-1, outputs}).sum(1) : squares).sqrt();
}

double largest(const Tensor& difference, const Tensor& allowed) {
  if (difference.numel() == 0) return 0;
  if (!difference.isfinite().all().item<bool>()) return std::numeric_limits<double>::infinity();
  return (difference.abs() / (allowed + 1e-290)).max().item<double>();
}

void scale_weights_of(const RandomNetwork& network) {
  const torch::NoGradGuard no_graph;
  for (Tensor& parameter : network.module->parameters()) {
    const auto strides = parameter.strides();
    if (std::find(strides.begin(), strides.end(), 0) == strides.end()) parameter.mul_(0.75);
  }
}

}  // namespace

RandomReference::RandomReference(uint64_t seed)
    : dtype_(random_dtype(seed)),
      network_(random_network(seed, dtype_)),
      exact_(random_network(seed, at::kDouble)) {
  int64_t begin = 0;
  for (const Tensor& parameter : parameters_of(network_)) {
    columns_.emplace_back(begin, begin + parameter.numel());
    begin += parameter.numel();
  }
  if (columns_.empty()) throw std::domain_error("no parameter");
  batches_.push_back(reference(network_.inputs, exact_.inputs, true));
  batches_.push_back(reference(network_.others, exact_.others, true));
  outputs_ = batches_[0].jacobian.size(0) / network_.inputs.size(0);
}

ReferenceBatch RandomReference::reference(const Tensor& inputs, const Tensor& exact_inputs,
                                          bool first) const {
  ReferenceBatch batch;
  batch.inputs = inputs;
  batch.jacobian = per_example_jacobian(exact_.forward, parameters_of(exact_), exact_inputs);
  if (!batch.jacobian.isfinite().all().item<bool>() || batch.jacobian.abs().max().item<double>() > 1e6)
    throw std::domain_error("numbers are not finite or too large");
  if (first && !network_.fault.empty() && !network_.chance) batch.coupled = is_coupled(batch, exact_inputs);
  return batch;
}

bool RandomReference::is_coupled(const ReferenceBatch& batch, const Tensor& exact_inputs) const {
  if (exact_inputs.size(0) < 2) return false;
  const torch::NoGradGuard no_graph;
  const Tensor alone = per_example_predictions(exact_.forward, exact_inputs);
  const Tensor together = exact_.forward(exact_inputs).reshape(alone.sizes());
  double rounding = 1e-10;
  if (dtype_ == at::kFloat) {
    const Tensor rough = per_example_predictions(coarse().forward, batch.inputs);
    rounding = 1e-5 + 200 * ((rough - alone).abs().max() / alone.abs().max()).item<double>();
  }
  if (((together - alone).abs().max() / (alone.abs().max() + 1e-30)).item<double>() > rounding) return true;
  const at::AutoGradMode graph(true);
  const Tensor rows = whole_batch_jacobian(exact_.forward, parameters_of(exact_), exact_inputs);
  const Tensor scale = row_sizes(batch.jacobian, 1, false).unsqueeze(1);
  return largest(rows - batch.jacobian, (dtype_ == at::kFloat ? 1e-2 : 1e-7) * scale + 1e-12) > 1;
}

const Tensor& RandomReference::rounding(const ReferenceBatch& batch) const {
  if (!batch.rounding.defined()) {
    const Tensor rough =
        per_example_jacobian(coarse().forward, parameters_of(coarse()),
                             batch.inputs.is_floating_point() ? batch.inputs.to(at::kFloat) : batch.inputs);
    batch.rounding = (rough - batch.jacobian) / float_epsilon;
    const Tensor off = row_sizes(rough - batch.jacobian, 1, false),
                 size = row_sizes(batch.jacobian, 1, false);
    if ((off > 2e-2 * size + 1e-7).any().item<bool>() || !off.isfinite().all().item<bool>())
      throw std::domain_error("a kink lies within rounding");
  }
  return batch.rounding;
}

Tensor RandomReference::pull_back_rounding(const ReferenceBatch& batch, const Tensor& u) const {
  const Tensor rough = per_example_pull_back(
      coarse().forward, parameters_of(coarse()),
      batch.inputs.is_floating_point() ? batch.inputs.to(at::kFloat) : batch.inputs, u.to(at::kDouble));
  return (rough - batch.jacobian.t().mv(u)) / float_epsilon;
}

template <class Error>
double RandomReference::with_rounding(const Error& error, const ReferenceBatch& batch,
                                      const ReferenceBatch& other) const {
  const double plain = error(Tensor(), Tensor());
  if (plain <= 1) return plain;
  return error(rounding(batch), rounding(other));
}

double RandomReference::kernel_error(const Tensor& found, const ReferenceBatch& left,
                                     const ReferenceBatch& right, const Columns& columns, bool summed) const {
  const Tensor l = picked(left.jacobian, columns), r = picked(right.jacobian, columns);
  Tensor expected = l.mm(r.t());
  if (summed) expected = summed_over_outputs(expected, outputs_);
  if (found.sizes() != expected.sizes()) return std::numeric_limits<double>::infinity();
  const Tensor difference = found.detach().to(at::kDouble) - expected;
  return with_rounding(
      [&](const Tensor& left_rounding, const Tensor& right_rounding) {
        Tensor a = row_sizes(l, outputs_, summed), b = row_sizes(r, outputs_, summed);
        Tensor allowed = granted(dtype_) * a.outer(b);
        if (left_rounding.defined()) {
          // Sizes before numbers cancelled: one row may have rounded to nothing by chance.
          const auto before = [&](const Tensor& rounded) {
            const Tensor sizes = row_sizes(picked(rounded, columns), outputs_, summed);
            return torch::maximum(sizes, sizes.mean());
          };
          a = a + before(left_rounding);
          b = b + before(right_rounding);
          allowed += 50 * epsilon_of(dtype_) * a.outer(b);
          const Tensor mine = row_sizes(left.jacobian, outputs_, summed),
                       theirs = row_sizes(right.jacobian, outputs_, summed);
          allowed += floor_of(dtype_, mine, row_sizes(left_rounding, outputs_, summed)).outer(theirs) +
                     mine.outer(floor_of(dtype_, theirs, row_sizes(right_rounding, outputs_, summed)));
        }
        return largest(difference, allowed);
      },
      left, right);
}

double RandomReference::product_error(const Tensor& found, const ReferenceBatch& batch,
                                      const Tensor& v) const {
  const Tensor w = v.to(at::kDouble);
  const Tensor expected = batch.jacobian.matmul(w);
  if (found.sizes() != expected.sizes()) return std::numeric_limits<double>::infinity();
  // Parameters that v does not reach add nothing to what may be rounded.
  const Tensor reached = (w != 0).to(at::kDouble);
  return with_rounding(
      [&](const Tensor& rounded, const Tensor&) {
        Tensor allowed = granted(dtype_) * row_sizes(batch.jacobian * reached, 1, false) * w.norm();
        if (rounded.defined()) {
          const Tensor sizes = row_sizes(rounded * reached, 1, false);
          allowed += 50 * epsilon_of(dtype_) * torch::maximum(sizes, sizes.mean()) * w.norm();
          allowed +=
              floor_of(dtype_, row_sizes(batch.jacobian, 1, false), row_sizes(rounded, 1, false)) * w.norm();
        }
        return largest(found.detach().to(at::kDouble) - expected, allowed);
      },
      batch, batch);
}

double RandomReference::transposed_error(const Tensor& found, const ReferenceBatch& batch,
                                         const Tensor& u) const {
  const Tensor w = u.to(at::kDouble);
  const Tensor expected = batch.jacobian.t().mv(w);
  if (found.sizes() != expected.sizes()) return std::numeric_limits<double>::infinity();
  return with_rounding(
      [&](const Tensor& rounded, const Tensor&) {
        // Derivatives that cancel for every output alone can round where outputs are pulled back together.
        const Tensor together = rounded.defined() ? pull_back_rounding(batch, w) : Tensor();
        double worst = 0;
        for (const auto& [begin, end] : columns_) {
          Tensor allowed = granted(dtype_) * batch.jacobian.slice(1, begin, end).norm() * w.norm();
          if (rounded.defined())
            allowed +=
                50 * epsilon_of(dtype_) *
                    (rounded.slice(1, begin, end).norm() * w.norm() + together.slice(0, begin, end).norm()) +
                10 * floor_of(dtype_, batch.jacobian.norm(), rounded.norm()) * w.norm();
          worst = std::max(
              worst, largest((found.detach().to(at::kDouble) - expected).slice(0, begin, end), allowed));
        }
        return worst;
      },
      batch, batch);
}

double RandomReference::jacobian_error(const Tensor& found, const ReferenceBatch& batch) const {
  if (found.sizes() != batch.jacobian.sizes()) return std::numeric_limits<double>::infinity();
  const Tensor difference = found.detach().to(at::kDouble) - batch.jacobian;
  return with_rounding(
      [&](const Tensor& rounded, const Tensor&) {
        double worst = 0;
        for (const auto& [begin, end] : columns_) {
          const auto sizes = [begin = begin, end = end](const Tensor& matrix) {
            return row_sizes(matrix.slice(1, begin, end), 1, false).unsqueeze(1);
          };
          Tensor allowed = granted(dtype_) * sizes(batch.jacobian);
          if (rounded.defined()) {
            const Tensor before = torch::maximum(sizes(rounded), sizes(rounded).mean());
            allowed = allowed + 50 * epsilon_of(dtype_) * before +
                      10 * floor_of(dtype_, row_sizes(batch.jacobian, 1, false), row_sizes(rounded, 1, false))
                               .unsqueeze(1);
          }
          worst = std::max(worst, largest(difference.slice(1, begin, end), allowed));
        }
        return worst;
      },
      batch, batch);
}

const RandomNetwork& RandomReference::coarse() const {
  if (!coarse_) {
    coarse_ = random_network(network_.seed, at::kFloat);
    for (int i = 0; i < scalings_; ++i) scale_weights_of(*coarse_);
  }
  return *coarse_;
}

void RandomReference::scale_weights() {
  scale_weights_of(network_);
  scale_weights_of(exact_);
  coarse_.reset();
  ++scalings_;
  batches_[0] = reference(network_.inputs, exact_.inputs, false);
  batches_[1] = reference(network_.others, exact_.others, false);
}

}  // namespace plumb::test
