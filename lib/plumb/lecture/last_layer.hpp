/// S7, only the last layer is trained, at any depth: convex least squares on random features, its kernel as
/// the width grows, and the claims made of both.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "plumb/core/tensor.hpp"
#include "plumb/lecture/system.hpp"
#include "plumb/theory/infinite_width.hpp"
#include "plumb/theory/scaling_fit.hpp"

namespace plumb {

/// Q (n, m) = sigma(h_depth), the last hidden layer of a random network without biases whose hidden layers
/// all have m = `width` units: var (W_1)_ij = weight_variance (divided by d if input_fan_in), and
/// weight_variance/m above. `inputs`: (n, d) float64.
Tensor random_features(const theory::WideMlp& network, int64_t width, const Tensor& inputs,
                       at::Generator& generator);

/// Gradient descent on 1/2 ||Q a - y||^2 from a = 0 with step 1.9/(lambda_min + lambda_max) of the nonzero
/// eigenvalues of Q Q^T, beside its closed forms.
struct LastLayerRun {
  std::string place;  // "m 200, 3 hidden layers"
  int64_t n = 0, width = 0;
  theory::Bounds rank;                // of Q: at_least, at_most
  std::vector<int64_t> steps;         // recorded
  std::vector<double> residuals;      // ||y - Q a_k||/||y|| of gradient descent
  std::vector<double> predicted;      // of (I - eta Q Q^T)^k y
  std::vector<double> vector_error;   // ||residual - predicted residual||/||y||
  double least_residual = 0;          // of the least-squares solution, by the pseudo-inverse of Q
  double solution_error = 0;          // ||a_end - Q^+ y||/||Q^+ y||
  double distance = 0, shortest = 0;  // ||a_end||; sqrt(y^T (Q Q^T)^+ y)
};
LastLayerRun train_last_layer(std::string place, const Tensor& features, const Tensor& targets,
                              int64_t steps);

/// How far Q Q^T/m is from K^inf, over widths.
struct KernelConvergence {
  std::string place;           // "ReLU"
  std::vector<double> widths;  // m
  /// sqrt of the mean over draws of ||Q Q^T/m - K^inf||_F^2, over ||K^inf||_F. With one hidden layer its
  /// expectation is exactly proportional to 1/m: Q Q^T/m is a mean of m independent terms.
  std::vector<double> errors;
  theory::PowerLaw law;
};
KernelConvergence measure_convergence(std::string place, const theory::WideMlp& network, const Tensor& inputs,
                                      const std::vector<int64_t>& widths, int64_t draws,
                                      at::Generator& generator);

struct LastLayerRuns {
  std::vector<LastLayerRun> wide, narrow;  // m > n, m < n
  std::vector<KernelConvergence> kernels;
  /// max |K^inf - k_1(X X^T)| for one layer of ReLU and unit vectors, the recursion beside Cho and Saul's
  /// closed form.
  double arc_cosine_error = 0;
};

std::vector<Claim> last_layer_claims(const LastLayerRuns& runs);

}  // namespace plumb
