#include "plumb/analysis/tangent_kernel.hpp"
#include "plumb/probes/probe.hpp"

namespace plumb {

Tensor tangent_kernel_of(const Moment& moment, const ProbeSet& set, const std::optional<ByteSize>& memory) {
  if (set.kernel && set.kernel->step == moment.step) return set.kernel->matrix;
  TangentKernelOptions options;
  options.accumulate_double = true;
  if (memory) options.memory = memory->bytes;
  Tensor matrix = tangent_kernel(NetworkFunction(moment.network), set.inputs, options).matrix;
  if (set.kernel) *set.kernel = {moment.step, matrix};
  return matrix;
}

}  // namespace plumb
