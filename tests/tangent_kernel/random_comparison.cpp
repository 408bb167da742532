#include "tangent_kernel/random_comparison.hpp"

#include <algorithm>
#include <functional>
#include <optional>
#include <stdexcept>

#include "tangent_kernel/random_reference.hpp"
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <torch/torch.h>

#include "plumb/analysis/jacobian.hpp"
#include "plumb/analysis/tangent_kernel.hpp"
#include "plumb/core/error.hpp"

namespace plumb::test {
namespace {

const std::vector<std::pair<KernelRoute, const char*>> routes{{KernelRoute::automatic, "automatic"},
                                                              {KernelRoute::structured, "structured"},
                                                              {KernelRoute::contraction, "contraction"},
                                                              {KernelRoute::rows, "rows"}};

std::string first_line(const std::string& text) {
  return text.substr(0, std::min<size_t>(text.find('\n'), 300));
}

/// What a call gave: how far it is from the reference, in units of what is allowed, with the words it gave.
struct Outcome {
  double error = 0;
  std::string words;
  std::vector<std::string> missing;  // names that its notes should have
};

class Examination {
 public:
  Examination(uint64_t seed, Comparison& result)
      : result_(result),
        reference_(seed),
        draw_(~seed, random_dtype(seed)),
        function_(network().function()),
        constant_(batch(0).jacobian.count_nonzero().item<int64_t>() == 0 &&
                  batch(1).jacobian.count_nonzero().item<int64_t>() == 0) {}

  void run() {
    result_.description =
        fmt::format("{}, {}", dtype() == at::kFloat ? "float32" : "float64", network().description);
    result_.fault = !network().fault.empty();
    remember();
    for (const auto& [route, name] : routes) kernel_by(route, name);
    for (int i = 0; i < 3; ++i) kernel_with_options();
    products();
    if (draw_.chance(0.3)) restricted();
    if (draw_.chance(0.1) && network().fault.empty()) without_graph();
    if (network().smooth && network().fault.empty() && draw_.chance(0.15)) finite_differences();
    if (draw_.chance(0.3) && network().fault.empty()) in_turn();
    compare_with_remembered();
  }

 private:
  const RandomNetwork& network() const { return reference_.network(); }
  at::ScalarType dtype() const { return reference_.dtype(); }
  const ReferenceBatch& batch(size_t i) const { return reference_.batches()[i]; }

  void add(Verdict verdict, const std::string& text) {
    ++result_.counts[static_cast<size_t>(verdict)];
    if (verdict != Verdict::agrees) result_.findings.push_back({verdict, text});
  }

  /// `coupled`: whether what the call looks at depends on the batch. `checked`: whether it must notice.
  void judge(const std::string& call, bool coupled, bool checked, const std::function<Outcome()>& made) {
    const int64_t changes = *network().changes;
    try {
      const Outcome outcome = made();
      const bool changed = *network().changes != changes;
      const std::string text =
          fmt::format("{}: off by {:.3g} of what is allowed. {}", call, outcome.error, outcome.words);
      const bool right = outcome.error <= 1;
      // Noise in a branch that no output reads changes nothing.
      if (coupled || (changed && !constant_)) {
        if (!checked || (changed && repeats())) return;
        add(right && !changed ? Verdict::unnoticed : Verdict::silent, text);
      } else if (network().fault.empty() || right) {
        if (!right && network().refusable && !checked) return;
        for (const std::string& name : outcome.missing)
          add(Verdict::unsaid, call + ": no note names " + name + ". " + outcome.words);
        add(right ? Verdict::agrees : Verdict::silent, text);
      }
    } catch (const std::domain_error&) {
      throw;  // of the reference
    } catch (const Error& error) {
      if (std::string(error.what()).find("memory budget") != std::string::npos) return;
      const bool wanted = coupled || !network().fault.empty() || network().refusable;
      add(wanted ? Verdict::agrees : Verdict::refused, call + ": " + first_line(error.what()));
    } catch (const std::exception& error) {
      add(Verdict::foreign, call + ": " + first_line(error.what()));
    }
  }

  /// Whether predictions stay the same from call to call within rounding: the numbers that a fault of chance
  /// changes have saturated what comes after them, and nobody could notice.
  bool repeats() const {
    const at::AutoGradMode graph(true);
    const Tensor first = network().forward(network().inputs).detach();
    const double rounding = (dtype() == at::kDouble ? 1e-14 : 1e-6) * first.abs().max().item<double>();
    for (int call = 0; call < 12; ++call)
      if ((network().forward(network().inputs) - first).abs().max().item<double>() > rounding) return false;
    return true;
  }

  std::vector<std::string> missing_names(const TangentKernel& kernel) const {
    const std::string notes = fmt::format("{}", fmt::join(kernel.notes, "; "));
    std::vector<std::string> missing;
    for (const std::string& name : network().unused)
      if (notes.find(name) == std::string::npos) missing.push_back(name);
    return missing;
  }

  static std::string words_of(const TangentKernel& kernel) {
    return fmt::format("[{}; notes: {}; checked: {}, {:.1e}]", kernel.route, fmt::join(kernel.notes, "; "),
                       kernel.checked, kernel.error);
  }

  double whole_error(const TangentKernel& kernel, size_t left, size_t right, bool summed) const {
    const double symmetry = left == right && !kernel.matrix.equal(kernel.matrix.t()) ? 2 : 0;
    return std::max(symmetry, reference_.kernel_error(kernel.matrix, batch(left), batch(right),
                                                      reference_.columns(), summed));
  }

  Outcome by_parameter(const ParameterKernels& kernels, size_t left, size_t right, bool summed) const {
    Outcome outcome{whole_error(kernels.whole, left, right, summed), words_of(kernels.whole), {}};
    for (size_t p = 0; p < kernels.matrices.size(); ++p) {
      const double error = reference_.kernel_error(kernels.matrices[p], batch(left), batch(right),
                                                   {reference_.columns()[p]}, summed);
      if (error > 1 && error > outcome.error) {
        outcome.error = error;
        outcome.words = fmt::format("The part of {}. {}", kernels.names[p], words_of(kernels.whole));
      }
    }
    return outcome;
  }

  KernelCheck check() {
    return draw_.one_of<KernelCheck>({KernelCheck::in_turn, KernelCheck::in_turn, KernelCheck::complete});
  }

  /// The function that all calls share, or one that knows nothing yet.
  NetworkFunction function() { return draw_.chance(0.6) ? function_ : network().function(); }

  void kernel_by(KernelRoute route, const char* name) {
    const NetworkFunction function = this->function();
    TangentKernelOptions options;
    options.route = route;
    options.check = check();
    judge(fmt::format("kernel, {}", name), batch(0).coupled, true, [&] {
      const auto kernel = tangent_kernel(function, batch(0).inputs, options);
      Outcome outcome{whole_error(kernel, 0, 0, false), words_of(kernel), missing_names(kernel)};
      return outcome;
    });
    if (route != KernelRoute::automatic && draw_.chance(0.5)) return;
    judge(fmt::format("kernel by parameter, {}", name), batch(0).coupled, true, [&] {
      return by_parameter(tangent_kernel_by_parameter(function, batch(0).inputs, options), 0, 0, false);
    });
  }

  void kernel_with_options() {
    const NetworkFunction function = this->function();
    const auto [route, name] = draw_.one_of(routes);
    TangentKernelOptions options;
    options.route = route;
    const bool summed = draw_.chance(0.5), cross = draw_.chance(0.5), apart = draw_.chance(0.4);
    if (summed) options.outputs = KernelOutputs::summed;
    options.accumulate_double = dtype() == at::kFloat && draw_.chance(0.5);
    options.check =
        draw_.one_of<KernelCheck>({KernelCheck::none, KernelCheck::in_turn, KernelCheck::complete});
    if (draw_.chance(0.4)) options.memory = (int64_t{16} << 20) + draw_.between(5000, 90000);
    const size_t left = draw_.chance(0.5) ? 0 : 1, right = cross ? 1 - left : left;
    const std::string call =
        fmt::format("kernel {} {}, {}{}{}{}{}", cross ? "across" : "of", left == 0 ? "inputs" : "others",
                    name, summed ? ", summed" : "", options.accumulate_double ? ", float64 sums" : "",
                    options.memory ? fmt::format(", in {} bytes", *options.memory) : "",
                    options.check == KernelCheck::none ? ", unchecked" : "");
    const bool checked = options.check != KernelCheck::none;
    judge(call + (apart ? ", by parameter" : ""), batch(left).coupled || batch(right).coupled, checked, [&] {
      const Tensor &rows = batch(left).inputs, &columns = batch(right).inputs;
      if (apart)
        return by_parameter(cross ? tangent_kernel_by_parameter(function, rows, columns, options)
                                  : tangent_kernel_by_parameter(function, rows, options),
                            left, right, summed);
      const auto kernel =
          cross ? tangent_kernel(function, rows, columns, options) : tangent_kernel(function, rows, options);
      return Outcome{whole_error(kernel, left, right, summed), words_of(kernel), {}};
    });
  }

  /// A direction of one parameter or of all, in the network's dtype.
  Tensor direction() {
    const int64_t count = reference_.columns().back().second;
    Tensor v = draw_.normal({count});
    if (draw_.chance(0.5)) {
      const auto [begin, end] = draw_.one_of(reference_.columns());
      Tensor one = torch::zeros_like(v);
      one.slice(0, begin, end).copy_(v.slice(0, begin, end));
      return one;
    }
    return v;
  }

  void products() {
    const size_t which = draw_.chance(0.6) ? 0 : 1;
    const ReferenceBatch& chosen = batch(which);
    const int64_t n = chosen.inputs.size(0), part = draw_.chance(0.5) ? 256 : draw_.between(1, n + 1);
    const NetworkFunction function = this->function();
    const std::string call = fmt::format("Jacobian of {} by {}, ", which == 0 ? "inputs" : "others", part);
    const Tensor v = direction(), u = draw_.normal({chosen.jacobian.size(0)});
    const bool coupled = chosen.coupled && part >= n;
    // A part of a coupled batch may be coupled or not.
    if (chosen.coupled && part < n && part > 1) return;
    judge(call + "dense", coupled, true, [&] {
      return Outcome{
          reference_.jacobian_error(Jacobian(function, chosen.inputs, part).dense(), chosen), "", {}};
    });
    judge(call + "J v", coupled, true, [&] {
      return Outcome{
          reference_.product_error(Jacobian(function, chosen.inputs, part).apply(v), chosen, v), "", {}};
    });
    judge(call + "J^T u", coupled, true, [&] {
      const Tensor found = Jacobian(function, chosen.inputs, part).apply_transposed(u);
      return Outcome{reference_.transposed_error(found, chosen, u), "", {}};
    });
    if (!draw_.chance(0.4)) return;
    judge(call + "J V of two columns", coupled, true, [&] {
      const Tensor both = torch::stack({v, -2 * v.flip(0)}, 1);
      const Tensor found = Jacobian(function, chosen.inputs, part).apply(both);
      return Outcome{std::max(reference_.product_error(found.select(1, 0), chosen, both.select(1, 0)),
                              reference_.product_error(found.select(1, 1), chosen, both.select(1, 1))),
                     "",
                     {}};
    });
    judge(call + "J J^T u", coupled, true, [&] {
      const Jacobian jacobian(function, chosen.inputs, part);
      const Tensor found = GramOperator(jacobian, GramSide::rows).apply(u.unsqueeze(1)).squeeze(1);
      return Outcome{
          reference_.product_error(found, chosen, chosen.jacobian.t().mv(u.to(at::kDouble))), "", {}};
    });
  }

  void restricted() {
    const NetworkFunction all = this->function();
    const size_t p = static_cast<size_t>(draw_.between(0, static_cast<int64_t>(all.names().size()) - 1));
    const std::string& name = all.names()[p];
    const auto chosen = draw_.one_of(routes);
    judge(fmt::format("kernel restricted to {}, {}", name, chosen.second), batch(0).coupled, true, [&] {
      const NetworkFunction function = all.restricted({name});
      TangentKernelOptions options;
      options.route = chosen.first;
      const auto kernel = tangent_kernel(function, batch(0).inputs, options);
      return Outcome{
          reference_.kernel_error(kernel.matrix, batch(0), batch(0), {reference_.columns()[p]}, false),
          words_of(kernel),
          {}};
    });
  }

  /// Where the caller records no graph.
  void without_graph() {
    const NetworkFunction function = this->function();
    const bool inference = draw_.chance(0.3);
    judge(inference ? "kernel in inference mode" : "kernel under no_grad", batch(0).coupled, true, [&] {
      TangentKernel kernel;
      try {
        const torch::NoGradGuard no_graph;
        std::optional<c10::InferenceMode> mode;
        if (inference) mode.emplace();
        kernel = tangent_kernel(function, batch(0).inputs);
        kernel.matrix = kernel.matrix.clone();
      } catch (const Error&) {
        if (!inference) throw;
        return Outcome{};
      }
      return Outcome{whole_error(kernel, 0, 0, false), words_of(kernel), {}};
    });
  }

  /// Whether autograd itself is right, along a direction, by central differences.
  void finite_differences() {
    if (dtype() != at::kDouble) return;
    const Tensor v = direction();
    const torch::NoGradGuard no_graph;
    std::vector<Tensor> kept;
    for (const Tensor& parameter : function_.parameters()) kept.push_back(parameter.clone());
    const auto at = [&](double step) {
      for (size_t p = 0; p < kept.size(); ++p) {
        const auto [begin, end] = reference_.columns()[p];
        Tensor parameter = function_.parameters()[p];
        parameter.copy_(kept[p] + step * v.slice(0, begin, end).view(kept[p].sizes()));
      }
      std::vector<Tensor> rows;
      for (int64_t i = 0; i < batch(0).inputs.size(0); ++i)
        rows.push_back(network().forward(batch(0).inputs.slice(0, i, i + 1)).reshape({-1}));
      return torch::cat(rows);
    };
    const Tensor expected = batch(0).jacobian.mv(v);
    double error = 1;
    for (const double h : {1e-5, 1e-6, 1e-7, 1e-8, 1e-9}) {  // a kink may lie within a step, or a scale
      const Tensor after = at(h), before = at(-h);
      const Tensor found = (after - before) / (2 * h);
      const Tensor rounding = 1e-12 / h * (after.norm() + before.norm());
      error = std::min(
          error, ((found - expected).norm() / (expected.norm() + 1e-6 * v.norm() + rounding)).item<double>());
    }
    for (size_t p = 0; p < kept.size(); ++p) Tensor(function_.parameters()[p]).copy_(kept[p]);
    if (error > 1e-3)
      add(Verdict::unsaid, fmt::format("finite differences differ from autograd by {:.1e}", error));
  }

  /// One function, several batches and weights.
  void in_turn() {
    const auto whole = [&](size_t which, const std::string& when) {
      const auto [route, name] = draw_.one_of(routes);
      TangentKernelOptions options;
      options.route = draw_.chance(0.5) ? KernelRoute::automatic : route;
      judge(fmt::format("kernel of {}, {}, {}", which == 0 ? "inputs" : "others",
                        options.route == route ? name : "automatic", when),
            false, true, [&] {
              const auto kernel = tangent_kernel(function_, batch(which).inputs, options);
              return Outcome{whole_error(kernel, which, which, false), words_of(kernel), {}};
            });
    };
    whole(0, "in turn");
    whole(1, "in turn");
    whole(0, "in turn");
    reference_.scale_weights();
    remember();
    whole(0, "after its weights changed");
    whole(1, "after its weights changed");
  }

  void remember() {
    random_state_ = at::globalContext().defaultGenerator(at::kCPU).get_state();
    weights_.clear();
    for (const Tensor& parameter : network().module->parameters()) {
      weights_.push_back(parameter.detach().clone());
      required_.push_back(parameter.requires_grad());
    }
  }

  void compare_with_remembered() {
    const auto parameters = network().module->parameters();
    for (size_t p = 0; p < parameters.size(); ++p) {
      if (!parameters[p].equal(weights_[p])) add(Verdict::silent, "a weight was changed");
      if (parameters[p].requires_grad() != required_[p]) add(Verdict::silent, "requires_grad was changed");
      if (parameters[p].grad().defined()) add(Verdict::silent, "a gradient was left");
    }
    if (!at::GradMode::is_enabled()) add(Verdict::silent, "grad mode was left off");
    if (network().fault.empty() &&
        !random_state_.equal(at::globalContext().defaultGenerator(at::kCPU).get_state()))
      add(Verdict::silent, "LibTorch's generator was drawn from");
  }

  Comparison& result_;
  RandomReference reference_;
  Draw draw_;
  NetworkFunction function_;
  bool constant_;  // whether no output depends on a parameter
  Tensor random_state_;
  std::vector<Tensor> weights_;
  std::vector<bool> required_;
};

}  // namespace

std::string name_of(Verdict verdict) {
  static const std::array<const char*, verdicts> names{"agrees",    "REFUSED", "FOREIGN ERROR",
                                                       "UNNOTICED", "UNSAID",  "SILENT"};
  return names[static_cast<size_t>(verdict)];
}

Comparison compare_random_network(uint64_t seed) {
  Comparison result;
  result.seed = seed;
  torch::manual_seed(seed);
  try {
    Examination(seed, result).run();
  } catch (const std::domain_error& error) {
    result.skipped = true;
    result.description += fmt::format(" (skipped: {})", error.what());
    result.findings.clear();
    result.counts = {};
  } catch (const std::exception& error) {
    result.skipped = true;
    result.description += " (cannot be run: " + first_line(error.what()) + ")";
  }
  return result;
}

}  // namespace plumb::test
