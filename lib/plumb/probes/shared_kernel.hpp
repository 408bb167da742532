/// The tangent kernel of one probe set, for all probes that look at it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "plumb/analysis/network_function.hpp"
#include "plumb/core/byte_size.hpp"
#include "plumb/probes/probe.hpp"

namespace plumb {

/// The kernel of all pairs of outputs, its eigenvalues, and whether the predictions are finite, found once at
/// every state that someone asks for them; and what was found out about the network, which outlives a state.
class SharedKernel {
 public:
  /// G = J J', (n c, n c), summed in float64.
  const Tensor& matrix(const Moment& moment, const ProbeSet& set, const std::optional<ByteSize>& memory = {});
  /// Its eigenvalues, ascending, float64. G must be finite.
  const Tensor& eigenvalues(const Moment& moment, const ProbeSet& set,
                            const std::optional<ByteSize>& memory = {});
  bool predictions_finite(const Moment& moment, const ProbeSet& set);
  /// What did not go by the structured route in the last kernel, and why; see TangentKernel::notes.
  const std::vector<std::string>& notes() const { return notes_; }
  /// The network's predictions as a function of its weights.
  const NetworkFunction& function(const Moment& moment);

 private:
  int64_t step_ = -1, finite_step_ = -1;
  bool finite_ = false;
  Tensor matrix_, eigenvalues_;
  std::vector<std::string> notes_;
  Network* network_ = nullptr;
  std::optional<NetworkFunction> function_;
};

}  // namespace plumb
