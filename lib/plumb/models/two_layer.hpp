/// The two-layer network of the theorems: f_k(x) = alpha s sum_{r=1}^{m} a_kr sigma(w_r.x + b_r).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "plumb/models/activation.hpp"
#include "plumb/models/network.hpp"

namespace plumb {

/// With d inputs and m = width, the deviations of the entries of w_r and a and the factor s:
///   standard    w_r ~ N(0, I/d)   a: deviation 1/sqrt(m)   s = 1            (suits ||x||^2 = d)
///   ntk         w_r ~ N(0, I)     a: deviation 1           s = 1/sqrt(m)    (suits ||x|| = 1; Du et al.
///   2019) mean_field  w_r ~ N(0, I)     a: deviation 1           s = 1/m          (Mei et al. 2018; Chizat &
///   Bach 2018)
enum class TwoLayerParameterization { standard, ntk, mean_field };

/// a_kr = +-deviation with probability 1/2 each, or N(0, deviation^2).
enum class OutputWeights { signs, gaussian };

enum class TrainedLayers { first, last, both };

struct TwoLayerOptions {
  int64_t width = 1024;
  Activation activation = Activation::relu;
  double negative_slope = 0.01;
  bool bias = false;
  TrainedLayers train = TrainedLayers::first;
  OutputWeights output_weights = OutputWeights::signs;
  TwoLayerParameterization parameterization = TwoLayerParameterization::ntk;
  bool antisymmetric = false;
  std::optional<double> first_deviation;
  std::optional<double> last_deviation;
  double alpha = 1;

  void fields(Fields& f) {
    f.field("width", width, "hidden units m", positive);
    f.field("activation", activation, "nonlinearity sigma", activation_names);
    f.field("negative_slope", negative_slope, "slope of leaky_relu below zero");
    f.field("bias", bias, "whether hidden units have biases b_r, 0 at the start and trained with w_r");
    f.field("train", train, "layers that move: first (w, b), last (a) or both", {"first", "last", "both"});
    f.field("output_weights", output_weights, "initial a: random signs or gaussian", {"signs", "gaussian"});
    f.field("parameterization", parameterization,
            "f = alpha s sum_r a_r sigma(w_r.x + b_r) with d inputs; standard: w ~ N(0, I/d), a of deviation "
            "1/sqrt(m), s = 1; ntk: w ~ N(0, I), a of deviation 1, s = 1/sqrt(m); mean_field: as ntk with s "
            "= 1/m",
            {"standard", "ntk", "mean_field"});
    f.field(
        "antisymmetric", antisymmetric,
        "units m/2 + r repeat units r with a of opposite sign, so that f = 0 at the start; m must be even");
    f.field("first_deviation", first_deviation,
            "deviation of the initial entries of w_r; none: as the parameterization says", non_negative);
    f.field("last_deviation", last_deviation,
            "deviation of the initial entries of a; none: as the parameterization says", non_negative);
    f.field("alpha", alpha, "factor of the whole network; large: lazy training (Chizat et al. 2019)",
            positive);
  }
};

/// Inputs of any shape are flattened. The submodules are `first` (w_r in rows, b) and `last` (a, one row per
/// output, no bias); a layer that is not trained does not require gradients. Draws w, then a. Throws
/// ConfigError for a signature without inputs or outputs, and for an odd width with antisymmetric.
std::shared_ptr<Network> make_two_layer(const TwoLayerOptions& options, const Signature& signature,
                                        at::Generator& generator);

}  // namespace plumb
