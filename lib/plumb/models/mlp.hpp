/// Fully connected networks: `depth` hidden layers of `width` units and a linear output layer.
#pragma once

#include <string>
#include <vector>

#include "plumb/models/activation.hpp"
#include "plumb/models/initialization.hpp"
#include "plumb/models/network.hpp"

namespace plumb {

/// How the size of the initial weights is split between the weights and a factor in the layer, with fan_in
/// inputs and c^2 = 2 (he_normal) or 1 (lecun_normal):
///   standard  h = W x + b             W_ij ~ N(0, c^2/fan_in)
///   ntk       h = c/sqrt(fan_in) W x + b   W_ij ~ N(0, 1)   (Jacot et al. 2018)
/// Both begin as the same function, up to rounding, from the same generator state; they differ in how fast
/// layers learn.
enum class MlpParameterization { standard, ntk };

struct MlpOptions {
  int64_t width = 512;
  int64_t depth = 2;
  Activation activation = Activation::relu;
  double negative_slope = 0.01;
  bool bias = true;
  Initialization initialization = Initialization::he_normal;
  MlpParameterization parameterization = MlpParameterization::standard;

  void fields(Fields& f) {
    f.field("width", width, "units in each hidden layer", positive);
    f.field("depth", depth, "hidden layers; 0: a linear map", non_negative);
    f.field("activation", activation, "nonlinearity of the hidden layers", activation_names);
    f.field("negative_slope", negative_slope, "slope of leaky_relu below zero");
    f.field("bias", bias, "whether layers have biases; they start at 0 (uniform with initialization torch)");
    f.field("initialization", initialization, "distribution of the initial weights", initialization_names);
    f.field("parameterization", parameterization,
            "standard: W x + b, W drawn by initialization; ntk: c/sqrt(fan_in) W x + b, W from N(0, 1), with "
            "c^2 = 2 "
            "for he_normal and 1 for lecun_normal",
            {"standard", "ntk"});
  }
};

/// Inputs of any shape are flattened. Throws ConfigError for a signature without inputs or outputs, and for
/// ntk with an initialization other than he_normal and lecun_normal.
std::shared_ptr<Network> make_mlp(const MlpOptions& options, const Signature& signature,
                                  at::Generator& generator);

/// The same with hidden layers of `widths` units, whatever the options' width and depth say.
std::shared_ptr<Network> make_mlp_of_widths(const MlpOptions& options, const std::vector<int64_t>& widths,
                                            const Signature& signature, at::Generator& generator);

/// Options of the multilayer perceptrons of Zhang et al. (ICLR 2017), whose shape is fixed.
struct FixedMlpOptions {
  Initialization initialization = Initialization::he_normal;

  void fields(Fields& f) {
    f.field("initialization", initialization, "distribution of the initial weights", initialization_names);
  }
};

}  // namespace plumb
