/// Inputs as different points on a line, which is how the memorizing constructions see them.
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

#include <ATen/core/Generator.h>

#include "plumb/core/tensor.hpp"

namespace plumb::theory {

constexpr int64_t memorizer_chunk = 1000;  // examples that are widened to float64 at a time

/// Which of the inputs (n, ...) differ from all before them: their indices, ascending; equal in every number
/// means equal. Throws DataError naming an input that is not finite.
///
/// `targets`: (n) or (n, c). Inputs that are equal are one point, and must have one value there: DataError
/// naming two that have not.
std::vector<int64_t> distinct_inputs(const Tensor& inputs, const Tensor& targets);

/// The inputs along one direction, in order.
struct SortedLine {
  Tensor direction;            // (d)
  std::vector<double> points;  // ascending, all different
  std::vector<int64_t> order;  // points[i] is the projection of input order[i]
  double smallest_gap = std::numeric_limits<double>::infinity();
};

/// The given inputs projected on that one of `projections` Gaussian directions along which the smallest gap
/// is largest. Throws DataError, naming the two, where no direction tells two inputs apart in float64.
SortedLine separate(const Tensor& inputs, const std::vector<int64_t>& distinct, int64_t projections,
                    at::Generator& generator);

/// Throws DataError unless all of `right` (n, bool) is true: it says how many inputs do not get what they
/// should, which two lie nearest along the line, and how near.
void refuse_unless_memorized(const Tensor& right, const SortedLine& line);

}  // namespace plumb::theory
