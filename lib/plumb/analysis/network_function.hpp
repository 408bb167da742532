/// The predictions h(w) of a network as a function of chosen parameters, held at one w.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "plumb/core/tensor.hpp"
#include "plumb/models/network.hpp"

namespace plumb {

/// What has been found out about a function of a network, whatever its weights: its copies share it.
struct FunctionFindings {
  /// The modes of its modules in which predictions depend on their example alone; empty: none yet.
  std::vector<bool> examples_alone;
  /// How many kernels passed their check, for each way of computing them; see KernelCheck.
  std::map<std::string, uint64_t> kernels;
};

/// A network, its forward and the parameters w that derivatives are taken with respect to: those that require
/// a gradient, in the order of torch::nn::Module::parameters(), a shared one once. The network is referred
/// to, not copied: it must outlive this, and analysis sees the weights that it has at the time.
class NetworkFunction {
 public:
  using Forward = std::function<Tensor(const Tensor&)>;

  explicit NetworkFunction(Network& network);
  /// For any module: `forward` maps inputs (n, ...) to outputs (n, c).
  NetworkFunction(torch::nn::Module& module, Forward forward);

  /// The same network with fewer parameters: those called `names` or lying in a submodule of that name
  /// ("output" takes output.weight and output.bias), also ones that do not require a gradient. Throws
  /// ContractError for a name that nothing has.
  NetworkFunction restricted(const std::vector<std::string>& names) const;

  /// h(w, inputs), (n, c), with whatever grad mode is on. Throws ContractError unless inputs are a batch on
  /// the parameters' device (and, when floating, of their dtype) and the outputs are (n, c).
  Tensor operator()(const Tensor& inputs) const;

  const std::vector<std::string>& names() const { return names_; }
  const std::vector<Tensor>& parameters() const { return parameters_; }
  int64_t parameter_count() const;  // p
  const torch::nn::Module& module() const { return *module_; }
  std::vector<bool> modes() const;  // is_training() of every module
  FunctionFindings& findings() const { return *findings_; }

  /// Throws ContractError when derivatives of `inputs`' predictions cannot be what they are taken for: no
  /// parameters, several dtypes or devices, weights that are not finite, an empty batch, a layer whose
  /// training mode couples examples or draws noise (named), predictions that change from call to call or that
  /// depend on the rest of the batch.
  void check(const Tensor& inputs) const;
  /// The same when the predictions of `inputs` are at hand. One example is predicted again, alone, unless
  /// this or a copy has passed before with every module in the same mode (train or eval): that predictions
  /// depend on their example alone is taken to be the network's nature, not that of its weights.
  void check(const Tensor& inputs, const Tensor& predictions) const;
  /// The part of it that needs no inputs: parameters and modules.
  void check_parameters() const;

  /// While it lives, exactly these parameters of the network require a gradient, and grad mode is on.
  class Differentiation;

 private:
  void check_modules() const;
  void check_finite(const Tensor& predictions) const;
  void check_examples(const Tensor& inputs) const;
  /// Whether no derivative of the first example's predictions by another example differs from 0.
  bool has_no_derivative_by_others(const Tensor& inputs) const;

  torch::nn::Module* module_;
  Forward forward_;
  std::vector<std::string> names_;
  std::vector<Tensor> parameters_;
  std::shared_ptr<FunctionFindings> findings_ = std::make_shared<FunctionFindings>();
};

class NetworkFunction::Differentiation {
 public:
  explicit Differentiation(const NetworkFunction& function);
  ~Differentiation();
  Differentiation(const Differentiation&) = delete;
  Differentiation& operator=(const Differentiation&) = delete;

 private:
  std::vector<Tensor> changed_;  // parameters whose requires_grad is the opposite of what it was
  bool grad_mode_;
};

}  // namespace plumb
