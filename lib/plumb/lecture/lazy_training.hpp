/// S8, lazy training: networks beside their linearized models while they train, and the claims made of them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "plumb/core/random.hpp"
#include "plumb/core/tensor.hpp"
#include "plumb/lecture/system.hpp"
#include "plumb/models/activation.hpp"
#include "plumb/theory/prediction.hpp"

namespace plumb {

/// How the outputs at the start are dealt with.
enum class LazyStart {
  plain,     // h as it is drawn
  centred,   // h(w) - h(w_0) is trained in its place
  mirrored,  // units m/2 + r repeat units r with opposite sign, so that h(w_0) = 0
};

/// One network h = (1/sqrt m) sum_r a_r phi(w_r.x) to be trained.
struct LazySetting {
  Activation activation = Activation::tanh;
  int64_t width = 0;
  double alpha = 1;
  LazyStart start = LazyStart::plain;
  int64_t steps = 0;
  double relative_step = 1;  // gamma lambda_max(G(0))
};

/// Gradient descent in W on 1/(2 alpha^2) ||alpha h - y||^2 (Chizat, Oyallon, Bach 2019), beside the same
/// descent on the linearized model h(w_0) + <w - w_0, grad h(w_0)>. The residual is r = y - alpha h; the
/// kernel G = J J^T is that of h, so that r_{k+1} = (I - gamma G) r_k for the linearized model at any alpha.
/// float64.
struct LazyRun {
  LazySetting setting;
  std::string place;  // "tanh, width 256, start 0"

  double gamma = 0;
  double lambda_min = 0, lambda_max = 0;  // of G(0)
  std::vector<double> network;            // ||r_k|| at k = 0, 1, ...
  std::vector<double> linearized;         // ||r_k|| of the linearized model, whose weights are trained
  theory::PredictedSeries constant;       // ||(I - gamma G(0))^k r_0||, in closed form
  theory::PredictedSeries contraction;    // (1 - gamma lambda_min)^k ||r_0||

  // Relative to ||r_0||:
  double linear_gap = 0;     // max_k ||r_k - (I - gamma G(0))^k r_0|| of the linearized model: rounding
  double one_step_gap = 0;   // sum_k ||r_{k+1} - (I - gamma G(k)) r_k|| of the network
  double linearization = 0;  // max_k alpha ||h - h_lin||: between network and linearized model
  // Relative to what they start from:
  double drift = 0;     // max_k ||G(k) - G(0)||_op / ||G(0)||_op, k = 1, 2, 4, ... and the last
  double movement = 0;  // ||W(last) - W(0)||_F / ||W(0)||_F
  double lowest = 0;    // min_k lambda_min(G(k)) / lambda_min(G(0)), at the same k
};

/// Trains on `inputs` (n, d) and `targets` (n) from w_r ~ N(0, I), then a_r = +-1, drawn with `generator`.
/// Throws ContractError for an odd width with mirrored units, and as FirstLayer does.
LazyRun train_lazily(const LazySetting& setting, const Tensor& inputs, const Tensor& targets,
                     at::Generator& generator);

/// The runs of one evaluation.
struct LazyRuns {
  Activation smooth = Activation::tanh;
  std::vector<LazyRun> smooth_widths, relu_widths;  // plain, over ascending widths
  // Over alpha at one width:
  std::vector<LazyRun> smooth_centred, smooth_mirrored, relu_centred;
};

std::vector<Claim> lazy_training_claims(const LazyRuns& runs);

}  // namespace plumb
