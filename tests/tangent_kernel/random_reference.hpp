/// What a random network's kernels and products should be, and how far rounding may take them from it.
#pragma once

#include <optional>
#include <utility>
#include <vector>

#include "tangent_kernel/random_network.hpp"

namespace plumb::test {

/// Where the columns of some parameters lie in J.
using Columns = std::vector<std::pair<int64_t, int64_t>>;

/// A batch with its Jacobian.
struct ReferenceBatch {
  Tensor inputs;            // in the network's dtype
  Tensor jacobian;          // (n c, p) float64, every example alone
  bool coupled = false;     // predictions or derivatives depend on the other examples of the batch
  mutable Tensor rounding;  // (n c, p): what float32 makes of the Jacobian; when asked for
};

class RandomReference {
 public:
  /// Throws std::domain_error where the reference itself is not to be trusted.
  explicit RandomReference(uint64_t seed);

  const RandomNetwork& network() const { return network_; }
  const std::vector<ReferenceBatch>& batches() const { return batches_; }
  int64_t outputs() const { return outputs_; }
  at::ScalarType dtype() const { return dtype_; }

  /// How far `found` is from the kernel of the parameters in `columns`, in units of what rounding explains,
  /// entry by entry: more than 1 is a difference.
  double kernel_error(const Tensor& found, const ReferenceBatch& left, const ReferenceBatch& right,
                      const Columns& columns, bool summed) const;
  /// The same of J v, (n c), and of J^T u, (p).
  double product_error(const Tensor& found, const ReferenceBatch& batch, const Tensor& v) const;
  double transposed_error(const Tensor& found, const ReferenceBatch& batch, const Tensor& u) const;
  /// The same of J.
  double jacobian_error(const Tensor& found, const ReferenceBatch& batch) const;

  /// All columns, each parameter's apart.
  const Columns& columns() const { return columns_; }

  /// Multiplies all weights by 3/4 and computes the Jacobians again.
  void scale_weights();

 private:
  /// Takes an error in units of `size` (rows or columns' norms), then with rounding where that is too large.
  template <class Error>
  double with_rounding(const Error& error, const ReferenceBatch& batch, const ReferenceBatch& other) const;
  const Tensor& rounding(const ReferenceBatch& batch) const;
  /// (p): what J^T u of every example alone is off in float32, in units of its epsilon.
  Tensor pull_back_rounding(const ReferenceBatch& batch, const Tensor& u) const;
  ReferenceBatch reference(const Tensor& inputs, const Tensor& exact_inputs, bool first) const;
  bool is_coupled(const ReferenceBatch& batch, const Tensor& exact_inputs) const;

  at::ScalarType dtype_;
  const RandomNetwork& coarse() const;

  RandomNetwork network_, exact_;                // in its dtype, in float64
  mutable std::optional<RandomNetwork> coarse_;  // in float32, when asked for
  int scalings_ = 0;
  std::vector<ReferenceBatch> batches_;
  Columns columns_;
  int64_t outputs_ = 0;
};

}  // namespace plumb::test
