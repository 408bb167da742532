#include "plumb/theory/memorizer.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>
#include <utility>

#include <torch/torch.h>

#include "plumb/core/error.hpp"
#include "plumb/theory/separated_inputs.hpp"

namespace plumb::theory {
namespace {

/// f(chunk) of all rows of `inputs`, flattened and in `dtype`, joined.
template <class Function>
Tensor by_memorizer_chunks(const Tensor& inputs, at::ScalarType dtype, const Function& f) {
  std::vector<Tensor> parts;
  for (int64_t begin = 0; begin < inputs.size(0); begin += memorizer_chunk) {
    const int64_t end = std::min(begin + memorizer_chunk, inputs.size(0));
    parts.push_back(f(inputs.slice(0, begin, end).flatten(1).to(dtype)));
  }
  return at::cat(parts);
}

std::vector<double> in_line_order(const Tensor& targets, const std::vector<int64_t>& order) {
  const Tensor values = targets.to(at::kCPU, at::kDouble).contiguous();
  const double* value = values.data_ptr<double>();
  std::vector<double> sorted;
  for (const int64_t i : order) sorted.push_back(value[i]);
  return sorted;
}

Tensor column_of(const std::vector<double>& values) { return torch::tensor(values, at::kDouble); }

/// Points beyond the last one, about as far apart as the others are on average.
void pad_line(std::vector<double>& points, size_t size) {
  const double step =
      points.size() < 2 ? 1 : (points.back() - points.front()) / static_cast<double>(points.size() - 1);
  while (points.size() < size) points.push_back(points.back() + step);
}

/// The cut of the sorted points into p groups of q.
struct Grouping {
  size_t p, q;
  const std::vector<double>& points;
  const std::vector<double>& values;

  double point(size_t j, size_t k) const { return points[j * q + k]; }
  double value(size_t j, size_t k) const { return values[j * q + k]; }

  /// t: first and last point of each group in turn, without the very last.
  std::vector<double> knots() const {
    std::vector<double> knots;
    for (size_t j = 0; j < p; ++j) {
      knots.push_back(point(j, 0));
      if (j + 1 < p) knots.push_back(point(j, q - 1));
    }
    return knots;
  }

  /// W_j = 2 (1 + eps) / smallest gap inside the group.
  std::vector<double> steepness() const {
    std::vector<double> steepness;
    for (size_t j = 0; j < p; ++j) {
      double gap = std::numeric_limits<double>::infinity();
      for (size_t k = 1; k < q; ++k) gap = std::min(gap, point(j, k) - point(j, k - 1));
      steepness.push_back(2.02 / gap);
    }
    return steepness;
  }

  /// z_k at the first and last point of group j.
  std::pair<double, double> ends(size_t j, size_t k, double slope) const {
    return {value(j, k) + slope * (point(j, 0) - point(j, k)),
            value(j, k) + slope * (point(j, q - 1) - point(j, k))};
  }
};

/// One z_k as sum_i weights_i relu(c - t_i) + bias, which is right for c >= t_1.
double piecewise_linear(const Grouping& groups, const std::vector<double>& steepness, size_t k,
                        double* weights) {
  const double sign = k % 2 == 0 ? 1 : -1;
  double previous = 0;
  for (size_t j = 0; j < groups.p; ++j) {
    const double slope = sign * steepness[j];
    *weights++ = slope - std::exchange(previous, slope);
    if (j + 1 == groups.p) break;
    const double here = groups.ends(j, k, slope).second;
    const double next = groups.ends(j + 1, k, sign * steepness[j + 1]).first;
    const double across = (next - here) / (groups.point(j + 1, 0) - groups.point(j, groups.q - 1));
    *weights++ = across - std::exchange(previous, across);
  }
  return groups.ends(0, k, sign * steepness[0]).first;
}

/// The 2q units of the second layer for one coordinate of the targets, reading `inputs` units.
DenseLayer second_layer_part(const Grouping& groups, int64_t inputs) {
  const std::vector<double> steepness = groups.steepness();
  const auto units = static_cast<int64_t>(2 * groups.q);
  DenseLayer layer{at::zeros({units, inputs}, at::kDouble), at::zeros({units}, at::kDouble)};
  double* weight = layer.weight.data_ptr<double>();
  double* bias = layer.bias.data_ptr<double>();
  for (size_t k = 0; k < groups.q; ++k) {
    double* row = weight + 2 * k * static_cast<size_t>(inputs);
    const double start = piecewise_linear(groups, steepness, k, row);
    std::copy(row, row + inputs, row + inputs);
    bias[2 * k] = start + 1;
    bias[2 * k + 1] = start - 1;
  }
  return layer;
}

/// p and q for the widths that were asked for, or the smallest even p = q.
std::pair<int64_t, int64_t> choose_grouping(int64_t n, int64_t coordinates, const MemorizerOptions& options) {
  if (!options.widths) {
    int64_t side = 2;
    while (side * side < n) side += 2;
    return {side, side};
  }
  const auto [first, second] = *options.widths;
  const int64_t p = (first + 1) / 2;
  const int64_t q = 2 * (second / (4 * coordinates));
  expects(p > 0 && q > 0 && p * q >= n,
          "hidden layers of {} and {} units memorize {} inputs by this construction; there are {}", first,
          second, std::max<int64_t>(0, p * q), n);
  return {p, q};
}

/// All coordinates one below the other, and units without weights up to `units`.
DenseLayer second_layer(const SortedLine& line, const Tensor& targets, const MemorizingNetwork& network,
                        int64_t inputs, int64_t units) {
  DenseLayer layer{at::zeros({units, inputs}, at::kDouble), at::zeros({units}, at::kDouble)};
  for (int64_t i = 0; i < network.coordinates; ++i) {
    std::vector<double> values = in_line_order(targets.select(1, i), line.order);
    values.resize(line.points.size(), 0);
    const DenseLayer part = second_layer_part(
        {static_cast<size_t>(network.groups), static_cast<size_t>(network.group_size), line.points, values},
        inputs);
    const int64_t begin = 2 * network.group_size * i;
    layer.weight.narrow(0, begin, part.weight.size(0)).copy_(part.weight);
    layer.bias.narrow(0, begin, part.bias.size(0)).copy_(part.bias);
  }
  return layer;
}

/// A network before its last layers, and the line that its first one projects on.
struct HiddenPart {
  MemorizingNetwork network;
  SortedLine line;
};

/// The two hidden layers for targets (n, c); for each coordinate the sum over its units of the second layer
/// with signs +, -, +, ... is f + q + 1.
HiddenPart hidden_layers(const Tensor& inputs, const Tensor& targets, const MemorizerOptions& options,
                         at::Generator& generator) {
  expects(targets.dim() == 2 && targets.size(1) > 0, "targets (n) or (n, c) are needed; got {} dimensions",
          targets.dim());
  expects(targets.abs().le(1).all().item<bool>(), "targets must lie in [-1, 1]; the largest is {}",
          targets.abs().max().item<double>());
  const std::vector<int64_t> distinct = distinct_inputs(inputs, targets);
  MemorizingNetwork network;
  network.coordinates = targets.size(1);
  std::tie(network.groups, network.group_size) =
      choose_grouping(static_cast<int64_t>(distinct.size()), network.coordinates, options);
  const int64_t p = network.groups, q = network.group_size;
  const auto [first, second] = options.widths.value_or(std::pair{2 * p, 2 * q * network.coordinates});
  HiddenPart part{{}, separate(inputs, distinct, options.projections, generator)};
  SortedLine line = part.line;
  pad_line(line.points, static_cast<size_t>(p * q));
  const std::vector<double> none;
  const Grouping groups{static_cast<size_t>(p), static_cast<size_t>(q), line.points, none};

  DenseLayer projection{line.direction.expand({first, -1}).clone(), at::zeros({first}, at::kDouble)};
  const Tensor knots = column_of(groups.knots());
  projection.bias.narrow(0, 0, knots.size(0)).copy_(-knots);
  // The units that are left over see nothing and feed nothing.
  projection.weight.slice(0, knots.size(0), first).zero_();
  network.smallest_gap = line.smallest_gap;
  network.layers = {projection, second_layer(line, targets, network, first, second)};
  part.network = std::move(network);
  return part;
}

/// (c, d2): +1, -1, +1, ... over the pairs of a coordinate, 0 elsewhere.
Tensor pair_signs(const MemorizingNetwork& network) {
  Tensor signs = at::zeros({network.coordinates, network.layers.back().weight.size(0)}, at::kDouble);
  const int64_t units = 2 * network.group_size;
  for (int64_t i = 0; i < network.coordinates; ++i) {
    Tensor own = signs[i].narrow(0, units * i, units);
    own.slice(0, 0, units, 2).fill_(1);
    own.slice(0, 1, units, 2).fill_(-1);
  }
  return signs;
}

/// Whether outputs are the targets within a share of 1, or of the largest target where that is more; a NaN is
/// not.
Tensor near_enough(const Tensor& outputs, const Tensor& targets, double tolerance) {
  const double scale = std::max(1.0, targets.abs().max().item<double>());
  return (outputs - targets).abs().le(tolerance * scale);
}

void finish_network(MemorizingNetwork& network) {
  for (const DenseLayer& layer : network.layers)
    network.largest_weight = std::max({network.largest_weight, layer.weight.abs().max().item<double>(),
                                       layer.bias.abs().max().item<double>()});
}

}  // namespace

int64_t ShallowMemorizer::weight_count() const {
  return direction.numel() + thresholds.numel() + weights.numel();
}

Tensor ShallowMemorizer::evaluate(const Tensor& inputs) const {
  const Tensor projections =
      by_memorizer_chunks(inputs, at::kDouble, [&](const Tensor& rows) { return rows.mv(direction); });
  Tensor values = at::empty_like(projections);
  const double* z = projections.data_ptr<double>();
  const double* b = thresholds.data_ptr<double>();
  const double* w = weights.data_ptr<double>();
  double* value = values.data_ptr<double>();
  const int64_t n = thresholds.numel();
  for (int64_t i = 0; i < projections.numel(); ++i) {
    double sum = 0;
    for (int64_t j = 0; j < n && b[j] < z[i]; ++j) sum += w[j] * (z[i] - b[j]);
    value[i] = sum;
  }
  return values;
}

ShallowMemorizer memorize_shallow(const Tensor& inputs, const Tensor& targets,
                                  const MemorizerOptions& options, at::Generator& generator) {
  expects(targets.dim() == 1, "one target for each input is needed; got {} dimensions", targets.dim());
  const Tensor wanted = targets.to(at::kCPU, at::kDouble);
  if (!wanted.isfinite().all().item<bool>())
    throw DataError("memorizer: targets that are not finite; all must be numbers");
  const Tensor here = inputs.to(at::kCPU);
  const SortedLine line = separate(here, distinct_inputs(here, wanted), options.projections, generator);
  const std::vector<double> values = in_line_order(wanted, line.order);
  std::vector<double> thresholds, weights;
  double slope = 0, value = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    thresholds.push_back(i == 0 ? line.points[0] - 1 : line.points[i - 1]);
    const double next = (values[i] - std::exchange(value, values[i])) / (line.points[i] - thresholds[i]);
    weights.push_back(next - std::exchange(slope, next));
  }
  ShallowMemorizer network{line.direction, column_of(thresholds), column_of(weights)};
  refuse_unless_memorized(near_enough(network.evaluate(here), wanted, options.tolerance), line);
  return network;
}

int64_t MemorizingNetwork::dense_weights() const {
  int64_t count = 0;
  for (const DenseLayer& layer : layers) count += layer.weight.numel() + layer.bias.numel();
  return count;
}

int64_t MemorizingNetwork::distinct_weights() const {
  return layers.front().weight.size(1) + 2 * groups - 1 + coordinates * group_size * 2 * groups;
}

Tensor MemorizingNetwork::evaluate(const Tensor& inputs) const {
  const Tensor& first = layers.front().weight;
  return by_memorizer_chunks(inputs.to(first.device()), first.scalar_type(), [&](Tensor values) {
    for (size_t i = 0; i < layers.size(); ++i) {
      values = at::addmm(layers[i].bias, values, layers[i].weight.t());
      if (i + 1 < layers.size()) values.relu_();
    }
    return values;
  });
}

MemorizingNetwork memorize_values(const Tensor& inputs, const Tensor& targets,
                                  const MemorizerOptions& options, at::Generator& generator) {
  const Tensor here = inputs.to(at::kCPU);
  const Tensor wanted = (targets.dim() == 1 ? targets.unsqueeze(1) : targets).to(at::kCPU, at::kDouble);
  auto [network, line] = hidden_layers(here, wanted, options, generator);
  const auto excess = static_cast<double>(network.group_size + 1);
  network.layers.push_back({pair_signs(network), at::full({network.coordinates}, -excess, at::kDouble)});
  finish_network(network);
  refuse_unless_memorized(near_enough(network.evaluate(here), wanted, options.tolerance).all(1), line);
  return network;
}

MemorizingNetwork memorize_classes(const Tensor& inputs, const Tensor& labels, int64_t classes,
                                   const MemorizerOptions& options, at::Generator& generator) {
  expects(classes >= 2, "a classifier needs at least two classes; got {}", classes);
  expects(labels.numel() > 0 && labels.min().item<int64_t>() >= 0 && labels.max().item<int64_t>() < classes,
          "labels must lie in 0 .. {}", classes - 1);
  const double spacing = 2.0 / static_cast<double>(classes - 1);
  const Tensor here = inputs.to(at::kCPU);
  const Tensor targets = labels.to(at::kCPU, at::kDouble) * spacing - 1;
  auto [network, line] = hidden_layers(here, targets.clamp(-1, 1).unsqueeze(1), options, generator);

  // A bump is 1/2 [clip(a + 2) - clip(a - 2)] = 1/2 [relu(a + 3) - relu(a + 1) - relu(a - 1) + relu(a - 3)]
  // with a = kappa (f - v_c), which goes from 1 at |a| <= 1 to 0 at |a| >= 3, the distance of the next class.
  const double kappa = 3 / spacing;
  const Tensor centres = at::arange(classes, at::kDouble) * spacing - 1;
  const Tensor shifts = column_of({3, 1, -1, -3});
  const auto excess = static_cast<double>(network.group_size + 1);
  const Tensor bias = (-kappa * (centres + excess)).unsqueeze(1) + shifts;
  network.layers.push_back({(kappa * pair_signs(network)).repeat({4 * classes, 1}), bias.flatten()});
  const Tensor bump = column_of({0.5, -0.5, -0.5, 0.5}).unsqueeze(0);
  network.layers.push_back(
      {at::kron(at::eye(classes, at::kDouble), bump), at::zeros({classes}, at::kDouble)});
  finish_network(network);
  const Tensor outputs = network.evaluate(here);
  const Tensor finite = outputs.isfinite().all(1);
  refuse_unless_memorized(outputs.argmax(1).eq(labels.to(at::kCPU)).logical_and(finite), line);
  return network;
}

}  // namespace plumb::theory
