#include "plumb/probes/shared_kernel.hpp"

#include <torch/torch.h>

#include "plumb/analysis/eigen.hpp"
#include "plumb/analysis/tangent_kernel.hpp"

namespace plumb {

const Tensor& SharedKernel::matrix(const Moment& moment, const ProbeSet& set,
                                   const std::optional<ByteSize>& memory) {
  if (step_ == moment.step) return matrix_;
  TangentKernelOptions options;
  options.accumulate_double = true;
  if (memory) options.memory = memory->bytes;
  matrix_ = eigenvalues_ = Tensor();  // before another is made
  TangentKernel kernel = tangent_kernel(function(moment), set.inputs, options);
  matrix_ = std::move(kernel.matrix);
  notes_ = std::move(kernel.notes);
  step_ = moment.step;
  return matrix_;
}

const Tensor& SharedKernel::eigenvalues(const Moment& moment, const ProbeSet& set,
                                        const std::optional<ByteSize>& memory) {
  const Tensor& g = matrix(moment, set, memory);
  if (!eigenvalues_.defined()) eigenvalues_ = symmetric_eigenvalues(g);
  return eigenvalues_;
}

bool SharedKernel::predictions_finite(const Moment& moment, const ProbeSet& set) {
  if (finite_step_ == moment.step) return finite_;
  const at::NoGradGuard no_grad;
  finite_ = at::isfinite(moment.network.forward(set.inputs)).all().item<bool>();
  finite_step_ = moment.step;
  return finite_;
}

const NetworkFunction& SharedKernel::function(const Moment& moment) {
  if (network_ != &moment.network) {
    network_ = &moment.network;
    function_.emplace(moment.network);
  }
  return *function_;
}

}  // namespace plumb
