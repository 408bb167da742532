// Oracle: each architecture written a second time, as a chain of functional calls on its named parameters,
// from the figures of Zhang et al. (2017), He et al. (2016) and Zagoruyko & Komodakis (2016).
#include "models/make.hpp"
#include "support/catch.hpp"
#include <ATen/ATen.h>

using at::Tensor;
using plumb::Signature;
using plumb::test::make_network;

namespace {
const Signature small{{3, 9, 8}, 4};

class Reference {
 public:
  explicit Reference(plumb::Network& network) : parameters_(network.named_parameters()) {}

  Tensor convolution(const std::string& name, const Tensor& x, int64_t stride = 1) const {
    const Tensor* bias = parameters_.find(name + ".bias");
    const Tensor& weight = parameters_[name + ".weight"];
    return at::conv2d(x, weight, bias != nullptr ? *bias : Tensor(), stride, weight.size(2) / 2);
  }
  // Batch normalization in training: by the batch's own mean and population variance.
  Tensor norm(const std::string& name, const Tensor& x) const {
    const Tensor centred = x - x.mean({0, 2, 3}, true);
    const Tensor normal = centred / (centred.square().mean({0, 2, 3}, true) + 1e-5).sqrt();
    const Tensor* weight = parameters_.find(name + ".weight");
    if (weight == nullptr) return normal;
    return normal * weight->view({1, -1, 1, 1}) + parameters_[name + ".bias"].view({1, -1, 1, 1});
  }
  Tensor output(const Tensor& x) const {
    return at::linear(x.mean({2, 3}), parameters_["output.weight"], parameters_["output.bias"]);
  }

 private:
  torch::OrderedDict<std::string, Tensor> parameters_;
};

std::shared_ptr<plumb::Network> random_network(const std::string& name, const std::string& options) {
  const auto network = make_network(name, options, small);
  network->to(at::kDouble);
  const torch::NoGradGuard no_grad;
  at::Generator generator = plumb::Seed(11).stream("shifts");
  // Scales and shifts at their initial 1 and 0 would hide a missing or misplaced one.
  for (auto& parameter : network->parameters())
    if (parameter.dim() == 1) parameter.uniform_(0.5, 1.5, generator);
  return network;
}

Tensor small_images() { return at::randn({6, 3, 9, 8}, plumb::Seed(12).stream("images"), at::kDouble); }

void check_against(plumb::Network& network, const Tensor& expected) {
  const Tensor outputs = network.forward(small_images());
  REQUIRE(outputs.sizes() == expected.sizes());
  CHECK(at::allclose(outputs, expected, 1e-9, 1e-9));
}
}  // namespace

TEST_CASE("small_inception is the network of the paper's figure 3", "[models][architectures]") {
  for (const std::string options : {"batch_norm: true", "batch_norm: false", "affine: true"}) {
    INFO(options);
    const auto network = random_network("small_inception", options);
    const Reference r(*network);
    const auto layer = [&](const std::string& name, const Tensor& x, int64_t stride) {
      const Tensor z = r.convolution(name + ".convolution", x, stride);
      return at::relu(options == "batch_norm: false" ? z : r.norm(name + ".norm", z));
    };
    Tensor x = layer("stem", small_images(), 1);
    for (int block = 1; block <= 10; ++block) {
      const std::string name = "block" + std::to_string(block);
      const bool down = block == 3 || block == 8;
      const Tensor wide = layer(name + ".branch_3x3", x, down ? 2 : 1);
      x = down ? at::cat({wide, at::max_pool2d(x, 3, 2, 1)}, 1)
               : at::cat({layer(name + ".branch_1x1", x, 1), wide}, 1);
    }
    check_against(*network, r.output(x));
  }
}

TEST_CASE("resnet18 adds each block to its input and activates the sum", "[models][architectures]") {
  const auto network = random_network("resnet18", "");
  const Reference r(*network);
  Tensor x = at::relu(r.norm("norm", r.convolution("stem", small_images())));
  for (int block = 1; block <= 8; ++block) {
    const std::string name = "block" + std::to_string(block) + ".";
    const bool down = block == 3 || block == 5 || block == 7;
    const Tensor inner =
        at::relu(r.norm(name + "norm1", r.convolution(name + "convolution1", x, down ? 2 : 1)));
    const Tensor sum = r.norm(name + "norm2", r.convolution(name + "convolution2", inner));
    x = at::relu(sum + (down ? r.norm(name + "shortcut_norm", r.convolution(name + "shortcut", x, 2)) : x));
  }
  check_against(*network, r.output(x));
}

TEST_CASE("wide_resnet activates before each convolution and adds the plain sum", "[models][architectures]") {
  const auto network = random_network("wide_resnet", "{depth: 16, widen_factor: 2}");
  const Reference r(*network);
  Tensor x = r.convolution("stem", small_images());
  for (int block = 1; block <= 6; ++block) {
    const std::string name = "block" + std::to_string(block) + ".";
    const int64_t stride = block == 3 || block == 5 ? 2 : 1;
    const Tensor active = at::relu(r.norm(name + "norm1", x));
    const Tensor inner =
        at::relu(r.norm(name + "norm2", r.convolution(name + "convolution1", active, stride)));
    const Tensor shortcut = block % 2 == 1 ? r.convolution(name + "shortcut", active, stride) : x;
    x = r.convolution(name + "convolution2", inner) + shortcut;
  }
  check_against(*network, r.output(at::relu(r.norm("norm", x))));
}
