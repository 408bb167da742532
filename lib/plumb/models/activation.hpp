/// Elementwise nonlinearities by name.
#pragma once

#include <string>
#include <vector>

#include "plumb/core/tensor.hpp"

namespace plumb {

/// leaky_relu has slope 0.01 below zero unless given another.
enum class Activation { linear, relu, leaky_relu, tanh, gelu, softplus, erf };

inline const std::vector<std::string> activation_names{"linear", "relu",     "leaky_relu", "tanh",
                                                       "gelu",   "softplus", "erf"};

/// sigma(x), elementwise. gelu is the exact x Phi(x).
Tensor activate(const Tensor& inputs, Activation kind, double negative_slope = 0.01);

}  // namespace plumb
