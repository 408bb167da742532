/// Ways of computing what is read from a recorded graph, from the fastest to the one that reads nothing.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "plumb/analysis/kernel_plan.hpp"
#include "plumb/core/error.hpp"

namespace plumb {

struct KernelAttempt {
  KernelRoute route = KernelRoute::automatic;
  bool batching = true;                   // whether outputs may share a backward pass
  bool examine = false;                   // as in KernelTask
  std::vector<std::string> reasons = {};  // as in KernelTask
};

/// What was computed does not agree with LibTorch's backward pass.
class CaptureMismatch : public Error {
 public:
  /// `wrong`: by parameter, as in CaptureCheck; `names`: of the parameters.
  CaptureMismatch(const std::vector<std::string>& wrong, const std::vector<std::string>& names);
  explicit CaptureMismatch(const std::string& what) : Error(what) {}

  const std::vector<std::string>& wrong() const { return wrong_; }

 private:
  std::vector<std::string> wrong_;
};

/// The attempt after `last`, which threw `error`; none is left when that was the last one for the route asked
/// for: then `error` is to be thrown. `note`: what was found and what is done instead.
struct NextAttempt {
  bool exists = false;
  KernelAttempt attempt;
  std::string note;
};
NextAttempt next_attempt(KernelRoute asked, const KernelAttempt& last, const std::exception& error);

/// What is to be said of parameters that no gradient reaches (`reached`: by parameter), one sentence each.
std::vector<std::string> notes_of_unreached(const NetworkFunction& function, const std::vector<bool>& reached,
                                            const Tensor& inputs);

/// For predictions without a graph: throws ContractError when they depend on a parameter all the same.
void refuse_without_graph(const NetworkFunction& function, const Tensor& inputs);

/// compute(attempt), again by a slower attempt when it throws anything but a ContractError, which the caller
/// must mend. Automatic ends with everything by rows. `notes` receives what was done instead.
template <class Compute>
auto first_that_agrees(KernelRoute route, std::vector<std::string>& notes, const Compute& compute) {
  KernelAttempt attempt{route};
  for (;;) {
    NextAttempt next;
    try {
      return compute(std::as_const(attempt));
    } catch (const ContractError&) {
      throw;
    } catch (const std::exception& error) {
      next = next_attempt(route, attempt, error);
      if (!next.exists) throw;
    }
    notes = {next.note};
    attempt = next.attempt;
  }
}

}  // namespace plumb
