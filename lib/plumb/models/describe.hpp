/// What a network consists of, as a table of its layers.
#pragma once

#include <string>
#include <vector>

#include <torch/nn/module.h>

namespace plumb {

/// A module that has parameters of its own or no submodules.
struct LayerRow {
  std::string name;      // "block1.branch_3x3.convolution"; empty for the root
  std::string kind;      // "Conv2d"
  std::string settings;  // "64, 32, kernel_size=[3, 3], ..." as LibTorch prints them; may be empty
  int64_t trainable = 0;
  int64_t fixed = 0;  // parameters that do not require gradients
};

struct NetworkTable {
  std::vector<LayerRow> layers;  // in the order of registration
  int64_t trainable = 0;
  int64_t fixed = 0;
};

/// The layers of `module` and their numbers of parameters; buffers (running means, ...) are not counted.
NetworkTable describe(const torch::nn::Module& module);

}  // namespace plumb
