/// Networks written down in a test, and what their kernels and products are held against.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <torch/torch.h>

#include "plumb/analysis/jacobian.hpp"
#include "plumb/analysis/network_function.hpp"
#include "plumb/analysis/tangent_kernel.hpp"

namespace plumb::test {

/// A float64 tensor of normal numbers.
inline Tensor normal(at::IntArrayRef sizes) { return torch::randn(sizes, torch::kDouble); }

/// Parameters and modules by name, and a forward.
class CaseNetwork {
 public:
  explicit CaseNetwork(uint64_t seed = 0) { torch::manual_seed(seed); }

  Tensor parameter(const std::string& name, const Tensor& values, bool trained = true) {
    return module->register_parameter(name, values, trained);
  }
  Tensor parameter(const std::string& name, at::IntArrayRef sizes) {
    return parameter(name, torch::randn(sizes, torch::kDouble));
  }
  template <class Holder>
  Holder part(const std::string& name, Holder holder) {
    module->register_module(name, holder);
    holder->to(torch::kDouble);
    return holder;
  }

  NetworkFunction function() const { return NetworkFunction(*module, forward); }
  /// J by one backward pass for each output of each example alone, (n c, p), float64.
  Tensor jacobian(const Tensor& inputs) const;

  std::shared_ptr<torch::nn::Module> module = std::make_shared<torch::nn::Module>();
  std::function<Tensor(const Tensor&)> forward;
};

/// Checks that the route `automatic` gives the kernel of `inputs` (with `others`, where given), whole, summed
/// and by parameter, each held against its own size, and that every other route gives the same or an Error.
void check_kernels(const CaseNetwork& network, const Tensor& inputs, const Tensor& others = {},
                   double tolerance = 1e-10);

/// Checks J, J v and J^T u in the same way; J v may be refused where `may_refuse`.
void check_products(const CaseNetwork& network, const Tensor& inputs, double tolerance = 1e-10,
                    bool may_refuse = false);

/// Checks that every route and product throws an Error, in whose message is one of `words`.
void check_refused(const CaseNetwork& network, const Tensor& inputs, const std::vector<std::string>& words);

/// A kernel's notes in one line.
std::string notes_of(const TangentKernel& kernel);

}  // namespace plumb::test
