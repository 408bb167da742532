/// The predictions h(w) of a network as a function of chosen parameters, held at one w.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "plumb/autograd/exclusive_use.hpp"
#include "plumb/core/tensor.hpp"
#include "plumb/models/network.hpp"

namespace plumb {

/// What has been found out about a function of a network: its copies share it.
struct FunctionFindings {
  std::mutex mutex;  // of the rest
  /// The predictions (n, c) of the last batch whose examples were found not to be coupled, and the modes of
  /// the modules then; see NetworkFunction::check.
  Tensor uncoupled;
  std::vector<bool> modes;
  /// Examples in the largest batch that was looked at thoroughly (see check_uncoupled) in these modes, and
  /// the last small batches of which all were.
  int64_t examined = 0;
  std::vector<Tensor> examined_batches;
  /// Examples in the largest batch of which gradients were compared with those of examples alone, likewise.
  int64_t compared_alone = 0;
  /// How many kernels passed their check, for each way of computing them; see KernelCheck.
  std::map<std::string, uint64_t> kernels;
};

/// A network, its forward and the parameters w that derivatives are taken with respect to: those that require
/// a gradient, in the order of torch::nn::Module::parameters(), a shared one once. The network is referred
/// to, not copied: it must outlive this, and analysis sees the weights that it has at the time. Several
/// threads may analyse one network at once, while none changes its weights.
class NetworkFunction {
 public:
  using Forward = std::function<Tensor(const Tensor&)>;

  explicit NetworkFunction(Network& network);
  /// For any module: `forward` maps inputs (n, ...) to outputs (n, ...), each example for itself.
  NetworkFunction(torch::nn::Module& module, Forward forward);

  /// The same network with fewer parameters: those called `names` or lying in a submodule of that name
  /// ("output" takes output.weight and output.bias), also ones that do not require a gradient. Throws
  /// ContractError for a name that nothing has.
  NetworkFunction restricted(const std::vector<std::string>& names) const;

  /// h(w, inputs) as (n, c), with whatever grad mode is on: c counts the outputs of an example, whatever axes
  /// they come on, the last one fastest. Throws ContractError unless inputs are a batch on the parameters'
  /// device (and, when floating, of their dtype), the outputs are real and floating with n first, and forward
  /// left LibTorch's generator of random numbers alone.
  Tensor operator()(const Tensor& inputs) const;

  const std::vector<std::string>& names() const { return names_; }
  const std::vector<Tensor>& parameters() const { return parameters_; }
  int64_t parameter_count() const;  // p
  const torch::nn::Module& module() const { return *module_; }
  std::vector<bool> modes() const;  // is_training() of every module
  FunctionFindings& findings() const { return *findings_; }

  /// Throws ContractError when derivatives of `inputs`' predictions cannot be what they are taken for: no
  /// parameters, several dtypes or devices, weights that are not finite, an empty batch, a layer whose
  /// training mode couples examples or draws noise (named), predictions that change from call to call, or
  /// that depend, or have a derivative that depends, on other examples of the batch (two of them named).
  /// `batch` examples are taken at a time.
  void check(const Tensor& inputs, int64_t batch = 256) const;
  /// The same when the predictions (n, c) of the whole batch `inputs` are at hand, without the derivative. A
  /// batch is predicted again unless its predictions are, bit for bit, those that passed last.
  void check_predictions(const Tensor& inputs, const Tensor& predictions) const;
  /// The part of it that needs no inputs: parameters and modules.
  void check_parameters() const;

  /// Whether the predictions of `inputs` change with the value of a parameter, whatever its gradient says.
  bool depends_on(size_t parameter, const Tensor& inputs) const;

  /// While it lives, these parameters of the network require a gradient, and grad mode is on.
  class Differentiation;

 private:
  void check_modules() const;
  void check_finite(const Tensor& predictions) const;
  /// check_uncoupled, thoroughly for the first batch of this size.
  void check_examples_apart(const Tensor& inputs, const Tensor& predictions) const;

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
  autograd::SharedUse use_;
  std::vector<Tensor> frozen_;  // parameters that require no gradient by themselves
  bool grad_mode_;
};

}  // namespace plumb
