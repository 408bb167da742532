/// S14, the short path of gradient descent in wide networks (Oymak and Soltanolkotabi; Liu, Zhu and Belkin):
/// the claims made of its runs.
#pragma once

#include <vector>

#include "plumb/lecture/short_path_run.hpp"
#include "plumb/lecture/system.hpp"
#include "plumb/theory/scaling_fit.hpp"

namespace plumb {

struct ShortestPathRuns {
  ShortPathRun wide, narrow;
  std::vector<HessianNorm> hessians;
  theory::PowerLaw hessian_law;
  std::vector<GaussianConditioning> gaussians;
};

std::vector<Claim> shortest_path_claims(const ShortestPathRuns& runs);

}  // namespace plumb
