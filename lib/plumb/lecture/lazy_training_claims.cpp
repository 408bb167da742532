#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <map>

#include <fmt/format.h>

#include "plumb/core/error.hpp"
#include "plumb/lecture/lazy_training.hpp"
#include "plumb/theory/scaling_fit.hpp"

namespace plumb {
namespace {

using theory::Measured;
using theory::PredictedSeries;
using theory::Relation;
using theory::Ruling;

using LazyList = std::vector<LazyRun>;

LazyList joined(const std::vector<const LazyList*>& lists) {
  LazyList all;
  for (const LazyList* list : lists) all.insert(all.end(), list->begin(), list->end());
  return all;
}

/// One number of every run against the same bound.
Claim lazy_claim(std::string statement, PredictedSeries bound, double value, const LazyList& runs,
                 double LazyRun::*number) {
  std::vector<double> measured;
  std::vector<std::string> places;
  for (const LazyRun& run : runs) {
    bound.values.push_back(value);
    measured.push_back(run.*number);
    places.push_back(run.place);
  }
  return judged(std::move(statement), bound, measured, places);
}

/// A computed eigenvalue is off by n 2^-52 lambda_max at most, which must not pass for definiteness.
Claim lazy_definite_claim(const LazyList& runs) {
  PredictedSeries bound =
      theory::predicted_series("lambda_min(G(0))", Relation::at_least, "slides; Du et al. 2019, Thm 3.1");
  std::vector<double> measured;
  std::vector<std::string> places;
  for (const LazyRun& run : runs) {
    bound.values.push_back(1e-12 * run.lambda_max);
    measured.push_back(run.lambda_min);
    places.push_back(run.place);
  }
  return judged("The kernel at the start is definite: lambda_min(G(0)) > 0", bound, measured, places);
}

/// From step 1 on: at step 0 both sides are the same number.
Claim lazy_contraction_claim(const LazyList& runs) {
  PredictedSeries bound;
  std::vector<double> measured;
  std::vector<std::string> places;
  for (const LazyRun& run : runs) {
    PredictedSeries part = run.contraction;
    part.values.insert(part.values.begin(), bound.values.begin(), bound.values.end());
    part.values.erase(part.values.begin() + static_cast<std::ptrdiff_t>(bound.values.size()));
    part.assumptions.insert(part.assumptions.end(), bound.assumptions.begin(), bound.assumptions.end());
    bound = part;
    for (size_t k = 1; k < run.linearized.size(); ++k) {
      measured.push_back(run.linearized[k]);
      places.push_back(fmt::format("{}, step {}", run.place, k));
    }
  }
  // What rounding leaves of a residual of order 1.
  bound.absolute_tolerance = 1e-12;
  return judged("so that the linearized model contracts: ||r_k|| <= (1 - gamma lambda_min(G(0)))^k ||r_0||",
                bound, measured, places);
}

Claim follows_claim(const LazyRun& widest) {
  PredictedSeries constant = widest.constant;
  constant.relative_tolerance = 0.1;
  std::vector<std::string> places;
  for (size_t k = 0; k < widest.network.size(); ++k)
    places.push_back(fmt::format("{}, step {}", widest.place, k));
  return judged("The widest smooth network's residual is ||(I - gamma G(0))^k r_0|| at every step, to 10 %",
                constant, widest.network, places);
}

/// Fitted to means over starts: those of one alpha repeat the starts of the others.
theory::PowerLaw lazy_law(const LazyList& runs, double LazyRun::*number) {
  std::map<double, std::pair<double, double>> sums;
  for (const LazyRun& run : runs) {
    // Either the widths differ or the alphas do.
    const double x = static_cast<double>(run.setting.width) * run.setting.alpha;
    sums[x].first += run.*number;
    sums[x].second += 1;
  }
  std::vector<double> xs, means;
  for (const auto& [x, sum] : sums) {
    xs.push_back(x);
    means.push_back(sum.first / sum.second);
  }
  return theory::fit_power_law(xs, means);
}

/// What an exponent is of, and what is claimed of it.
struct LazyExponent {
  std::string statement;
  std::string quantity;
  double LazyRun::*number;
  double bound;
};

Claim lazy_exponent_claim(const LazyExponent& exponent, const LazyList& runs, std::string_view source,
                          Ruling expected = Ruling::holds) {
  const theory::PowerLaw law = lazy_law(runs, exponent.number);
  return judged(
      exponent.statement,
      theory::predicted("exponent of " + exponent.quantity, Relation::at_most, exponent.bound, source),
      {law.exponent, law.half_width, fmt::format("{} points", law.points)}, expected);
}

/// The theory's -1/2 is a bound, and lower orders bend the lines: a tenth is allowed.
void add_width_claims(std::vector<Claim>& claims, const std::string& kind, const LazyList& runs) {
  const std::string_view source = "Lee et al. 2019, Thm 2.1; for ReLU Du et al. 2019, Remark 3.1";
  const std::vector<LazyExponent> exponents{
      {kind + ": r_{k+1} = (I - gamma G(k)) r_k to an error that is at most of order m^-1/2",
       "the one-step errors' sum over m", &LazyRun::one_step_gap, -0.4},
      {kind + ": the kernel drifts at most as m^-1/2", "max_k ||G(k) - G(0)||/||G(0)|| over m",
       &LazyRun::drift, -0.4},
      {kind + ": the weights move at most as m^-1/2 of their size", "||w - w_0||/||w_0|| over m",
       &LazyRun::movement, -0.4},
      {kind + ": network and linearized model differ at most as m^-1/2", "max_k ||h - h_lin|| over m",
       &LazyRun::linearization, -0.4}};
  for (const LazyExponent& exponent : exponents)
    claims.push_back(lazy_exponent_claim(exponent, runs, source));
}

void add_alpha_claims(std::vector<Claim>& claims, const LazyRuns& runs) {
  const std::string_view source = "Chizat, Oyallon, Bach 2019, sec. 2";
  const auto claim = [&](const std::string& statement, const std::string& quantity, double LazyRun::*number,
                         double bound, const LazyList& list, Ruling expected = Ruling::holds) {
    claims.push_back(
        lazy_exponent_claim({statement, quantity + " over alpha", number, bound}, list, source, expected));
  };
  const std::string moved = "||w - w_0||/||w_0||", drifted = "max_k ||G(k) - G(0)||/||G(0)||",
                    differ = "max_k alpha ||h - h_lin||";
  claim("Centred, the weights move at most as 1/alpha", moved, &LazyRun::movement, -0.9, runs.smooth_centred);
  claim("the kernel drifts at most as 1/alpha", drifted, &LazyRun::drift, -0.9, runs.smooth_centred);
  claim("and network and linearized model differ at most as 1/alpha", differ, &LazyRun::linearization, -0.9,
        runs.smooth_centred);
  claim("With mirrored units the weights move at most as 1/alpha", moved, &LazyRun::movement, -0.9,
        runs.smooth_mirrored);
  claim("but the kernel drifts at most as alpha^-2", drifted, &LazyRun::drift, -1.8, runs.smooth_mirrored);
  claim("and network and linearized model differ at most as alpha^-2", differ, &LazyRun::linearization, -1.8,
        runs.smooth_mirrored);
  claim("Centring alone would not give alpha^-2", differ, &LazyRun::linearization, -1.8, runs.smooth_centred,
        Ruling::fails);
  claim("and ReLU, which is not smooth, has a kernel that drifts more than 1/alpha", drifted, &LazyRun::drift,
        -0.9, runs.relu_centred, Ruling::fails);
}

}  // namespace

std::vector<Claim> lazy_training_claims(const LazyRuns& runs) {
  expects(!runs.smooth_widths.empty(), "lazy training: no runs; at least two widths and alphas are expected");
  const LazyList widths = joined({&runs.relu_widths, &runs.smooth_widths});
  const LazyList all = joined({&widths, &runs.smooth_centred, &runs.smooth_mirrored, &runs.relu_centred});
  std::vector<Claim> claims{
      lazy_definite_claim(all),
      lazy_claim("and stays so while the network trains: lambda_min(G(k)) >= lambda_min(G(0))/2",
                 theory::predicted_series("lambda_min(G(k))/lambda_min(G(0))", Relation::at_least,
                                          "Du et al. 2019, Lemma 3.2"),
                 0.5, all, &LazyRun::lowest),
      lazy_claim("The linearized model's residual is (I - gamma G(0))^k r_0, to rounding",
                 theory::predicted_series("max_k ||r_k - (I - gamma G(0))^k r_0||/||r_0||", Relation::at_most,
                                          "slides; Lee et al. 2019, eq. 8"),
                 1e-12, all, &LazyRun::linear_gap),
      lazy_contraction_claim(all), follows_claim(runs.smooth_widths.back())};
  add_width_claims(claims, "ReLU", runs.relu_widths);
  add_width_claims(claims, activation_names[static_cast<size_t>(runs.smooth)], runs.smooth_widths);
  add_alpha_claims(claims, runs);
  return claims;
}

}  // namespace plumb
