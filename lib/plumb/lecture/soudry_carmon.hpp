/// S4, no bad local minima in layers of leaky ReLU with multiplicative noise (Soudry and Carmon 2016): ranks
/// of Jacobians, local minima, and the claims made of them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "plumb/core/tensor.hpp"
#include "plumb/lecture/system.hpp"
#include "plumb/theory/jacobian_structure.hpp"

namespace plumb {

/// How the units of a layer point.
enum class UnitDirections {
  gaussian,  // w_r ~ N(0, I)
  one_cone,  // w_r = w_0 + 1e-6 N(0, I): every unit sees the same sign of an example
};

/// Ranks of J = d f/d W, f(x_i) = sum_r v_r eps_ir sigma(w_r.x_i), over independent draws of everything:
/// Gaussian inputs and v, eps uniform on [1 - spread/2, 1 + spread/2].
struct RankDraws {
  std::string place;  // "d0 10, d1 10, n 50"
  theory::NoisyLayer layer;
  std::vector<theory::Bounds> ranks;  // one a draw: at_least, at_most

  /// min(n, d0 d1), as a number.
  double generic() const;
  /// The share of draws that have that rank for certain.
  double full_share() const;
};

/// J by autograd, its rank by singular values from below, and from above, where they do not tell, by exact
/// arithmetic on the features and slopes that it is the product of. `below` leaky layers of d0 units with
/// noise of their own stand between the inputs (of dimension d0) and the layer: a network of `below` + 2
/// layers of weights whose last hidden one is W.
RankDraws draw_ranks(const theory::NoisyLayer& layer, UnitDirections directions, int64_t below, int64_t draws,
                     at::Generator& generator);

/// A point of small gradient of MSE = 1/n sum_i (f(x_i) - y_i)^2 in W, away from the kinks.
struct LocalMinimum {
  theory::NoisyLayer layer;
  double error = 0;          // MSE
  double gradient_norm = 0;  // ||grad_W MSE||
  double smallest = 0;       // sigma_n(J)
  double clearance = 0;      // min |w_r.x_i|
  int64_t steps = 0;
};

/// Gradient descent in W on labels +-1, with the noise drawn once and kept, until the gradient has shrunk by
/// 1e-12 or `most_steps` are done.
LocalMinimum train_noisy_layer(const theory::NoisyLayer& layer, int64_t most_steps, at::Generator& generator);

/// A local minimum without noise that is not global, with d1 units for n > d0 examples: all units are
/// positive multiples of one u and v > 0, so that nearby the network is linear in sum_r v_r w_r and the error
/// is convex there; the labels are what it gives plus noise orthogonal to all it could give nearby, which
/// makes u the minimum. It persists when inputs and labels are moved a little.
LocalMinimum one_cone_minimum(const theory::NoisyLayer& layer, at::Generator& generator);

struct SoudryCarmonRuns {
  std::vector<RankDraws> noisy;    // one hidden layer or more, with noise
  RankDraws cone, plane, relu;     // without noise: units in one cone; d0 = 2; slope 0
  RankDraws relu_noisy;            // slope 0 with noise
  LocalMinimum trained, one_cone;  // with noise; without
};

std::vector<Claim> soudry_carmon_claims(const SoudryCarmonRuns& runs);

}  // namespace plumb
