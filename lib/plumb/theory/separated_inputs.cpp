#include "plumb/theory/separated_inputs.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <unordered_map>
#include <utility>

#include <torch/torch.h>

#include "plumb/core/error.hpp"

namespace plumb::theory {
namespace {

/// FNV-1a over the words of `count` numbers; 0 and -0 are one number.
uint64_t hash_of(const double* values, int64_t count) {
  uint64_t hash = 0xcbf29ce484222325;
  for (int64_t i = 0; i < count; ++i) {
    const double value = values[i] + 0.0;
    uint64_t word = 0;
    std::memcpy(&word, &value, sizeof word);
    hash = (hash ^ word) * 0x100000001b3;
    hash ^= hash >> 29;
  }
  return hash;
}

/// One hash for each input, all of which must be finite.
std::vector<uint64_t> input_hashes(const Tensor& inputs) {
  std::vector<uint64_t> hashes;
  for (int64_t begin = 0; begin < inputs.size(0); begin += memorizer_chunk) {
    const int64_t end = std::min(begin + memorizer_chunk, inputs.size(0));
    const Tensor rows = inputs.slice(0, begin, end).flatten(1).to(at::kDouble).contiguous();
    const Tensor finite = rows.isfinite().all(1);
    if (!finite.all().item<bool>())
      throw DataError(fmt::format("memorizer: input {} holds values that are not finite; all must be numbers",
                                  begin + finite.to(at::kInt).argmin().item<int64_t>()));
    for (int64_t i = 0; i < rows.size(0); ++i)
      hashes.push_back(hash_of(rows.data_ptr<double>() + i * rows.size(1), rows.size(1)));
  }
  return hashes;
}

double smallest_difference(const Tensor& ascending) {
  if (ascending.size(0) < 2) return std::numeric_limits<double>::infinity();
  return ascending.diff().min().item<double>();
}

Tensor projections_of(const Tensor& inputs, const std::vector<int64_t>& distinct, const Tensor& directions) {
  const bool all = static_cast<int64_t>(distinct.size()) == inputs.size(0);
  const Tensor indices = torch::tensor(distinct, at::kLong);
  std::vector<Tensor> parts;
  for (int64_t begin = 0; begin < indices.size(0); begin += memorizer_chunk) {
    const int64_t end = std::min(begin + memorizer_chunk, indices.size(0));
    const Tensor rows =
        all ? inputs.slice(0, begin, end) : inputs.index_select(0, indices.slice(0, begin, end));
    parts.push_back(rows.flatten(1).to(at::kDouble).mm(directions));
  }
  const Tensor projections = at::cat(parts);
  if (!projections.isfinite().all().item<bool>())
    throw DataError("memorizer: projections of the inputs exceed float64; smaller numbers are expected");
  return projections;
}

}  // namespace

std::vector<int64_t> distinct_inputs(const Tensor& inputs, const Tensor& targets) {
  expects(inputs.dim() >= 2 && inputs.size(0) > 0 && inputs.numel() > 0,
          "a memorizer needs inputs of shape (n, ...) with n > 0; got {} dimensions", inputs.dim());
  expects(targets.dim() >= 1 && targets.size(0) == inputs.size(0),
          "a memorizer needs one target for each of {} inputs; got {}", inputs.size(0),
          targets.dim() > 0 ? targets.size(0) : 0);
  const std::vector<uint64_t> hashes = input_hashes(inputs);
  std::unordered_multimap<uint64_t, int64_t> seen;
  std::vector<int64_t> distinct;
  for (int64_t i = 0; i < inputs.size(0); ++i) {
    const uint64_t hash = hashes[static_cast<size_t>(i)];
    const auto [begin, end] = seen.equal_range(hash);
    const auto same =
        std::find_if(begin, end, [&](const auto& entry) { return inputs[i].equal(inputs[entry.second]); });
    if (same == end) {
      seen.emplace(hash, i);
      distinct.push_back(i);
    } else if (!targets[i].equal(targets[same->second])) {
      throw DataError(
          fmt::format("memorizer: inputs {} and {} are equal and their targets are not; a function has one "
                      "value there",
                      same->second, i));
    }
  }
  return distinct;
}

SortedLine separate(const Tensor& inputs, const std::vector<int64_t>& distinct, int64_t projections,
                    at::Generator& generator) {
  expects(projections > 0, "a memorizer needs at least one direction; got {}", projections);
  const int64_t d = inputs.numel() / inputs.size(0);
  const Tensor directions = at::randn({d, projections}, generator, at::kDouble);
  const Tensor projected = projections_of(inputs, distinct, directions);
  SortedLine best;
  Tensor ascending, order;
  for (int64_t i = 0; i < projections; ++i) {
    auto [sorted, permutation] = projected.select(1, i).sort();
    const double gap = smallest_difference(sorted);
    if (best.direction.defined() && !(gap > best.smallest_gap)) continue;
    best.direction = directions.select(1, i).contiguous();
    best.smallest_gap = gap;
    ascending = sorted.contiguous();
    order = permutation.contiguous();
  }
  for (int64_t i = 0; i < order.numel(); ++i)
    best.order.push_back(distinct[static_cast<size_t>(order[i].item<int64_t>())]);
  if (best.smallest_gap <= 0) {
    const auto at = static_cast<size_t>(ascending.diff().argmin().item<int64_t>());
    const auto [first, second] = std::minmax(best.order[at], best.order[at + 1]);
    throw DataError(
        fmt::format("memorizer: inputs {} and {} have the same projection in float64; draw more directions",
                    first, second));
  }
  best.points.assign(ascending.data_ptr<double>(), ascending.data_ptr<double>() + ascending.numel());
  return best;
}

void refuse_unless_memorized(const Tensor& right, const SortedLine& line) {
  const int64_t wrong = right.numel() - right.sum().item<int64_t>();
  if (wrong == 0) return;
  // The narrowest gap makes the steepest slopes, whose rounding may show at other inputs.
  std::string where;
  if (line.order.size() > 1) {
    size_t at = 0;
    while (line.points[at + 1] - line.points[at] > line.smallest_gap) ++at;
    const auto [first, second] = std::minmax(line.order[at], line.order[at + 1]);
    where = fmt::format(
        "; inputs {} and {} lie only {:.1e} apart along the line they are told apart by, of "
        "{:.1e} between the outermost",
        first, second, line.smallest_gap, line.points.back() - line.points.front());
  }
  throw DataError(
      fmt::format("memorizer: in float64 the network gets {} of {} inputs wrong{}; inputs farther "
                  "apart, fewer of them, or more directions are needed",
                  wrong, right.numel(), where));
}

}  // namespace plumb::theory
