#include "plumb/analysis/coupling.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <optional>

#include <fmt/ranges.h>
#include <torch/torch.h>

#include "plumb/analysis/kernel_check.hpp"
#include "plumb/analysis/random_weights.hpp"
#include "plumb/autograd/dense_gradient.hpp"
#include "plumb/autograd/forward_derivative.hpp"
#include "plumb/core/double_arithmetic.hpp"
#include "plumb/core/error.hpp"

namespace plumb {
namespace {

/// The coarsest of the dtypes that the predictions went through.
at::ScalarType working_dtype(const NetworkFunction& function, const Tensor& predictions) {
  const auto digits = [](at::ScalarType dtype) {
    return dtype == at::kDouble ? 3 : dtype == at::kFloat ? 2 : dtype == at::kHalf ? 1 : 0;
  };
  at::ScalarType coarsest = predictions.scalar_type();
  for (const Tensor& parameter : function.parameters())
    if (digits(parameter.scalar_type()) < digits(coarsest)) coarsest = parameter.scalar_type();
  return coarsest;
}

struct Rounding {
  double unit;   // of one operation
  double share;  // of the predictions' size, that sums in another order may differ by
  double units;  // times what one rounding of all weights and inputs moves them, that they may differ by
};

Rounding rounding_of(at::ScalarType dtype) {
  switch (dtype) {
    case at::kDouble:
      return {1.2e-16, 1e-12, 1024};
    case at::kFloat:
      return {6e-8, 1e-5, 64};
    case at::kHalf:
      return {5e-4, 1e-2, 64};
    default:
      return {4e-3, 6e-2, 64};
  }
}

/// How many binary digits tell n places apart.
int64_t digits_of(int64_t n) { return static_cast<int64_t>(std::ceil(std::log2(n))); }

/// Two halves of a random `order` of the examples for each of the first binary digits of their places. All
/// digits part every pair, two of them three pairs of four, one a half.
std::vector<std::vector<int64_t>> halves_of(const std::vector<int64_t>& order, int64_t digits) {
  const auto n = static_cast<int64_t>(order.size());
  std::vector<std::vector<int64_t>> lists;
  for (int64_t digit = 0; digit < std::min(digits, digits_of(n)); ++digit) {
    std::vector<int64_t> halves[2];
    for (int64_t place = n - 1; place >= 0; --place)
      halves[place >> digit & 1].push_back(order[static_cast<size_t>(place)]);
    for (auto& half : halves) lists.push_back(std::move(half));
  }
  return lists;
}

std::string first_sentence(const std::string& text) { return text.substr(0, text.find('\n')); }

class CouplingCheck {
 public:
  CouplingCheck(const NetworkFunction& function, const Tensor& inputs, const Tensor& predictions,
                bool thorough)
      : function_(function),
        thorough_(thorough),
        inputs_(inputs.detach()),
        predictions_(predictions.detach()),
        rounding_(rounding_of(working_dtype(function, predictions))),
        sizes_(predictions_.abs().amax(1).to(at::kDouble)) {
    // An example whose prediction happens to be small rounds as the others do.
    sizes_ = sizes_.maximum(0.05 * sizes_.max()).clamp_min(1e-300);
  }

  void run() {
    CheckDraws draws;
    for (const auto& company : companies(draws)) {
      const Tensor rows = at::tensor(company, at::kLong).to(inputs_.device());
      const Tensor moved = (predict(company) - predictions_.index_select(0, rows)).abs().amax(1);
      const Tensor excess = (moved.to(at::kDouble) / sizes_.index_select(0, rows)).cpu();
      const Tensor suspects = excess.le(rounding_.share).logical_not().nonzero().flatten();  // NaN among them
      for (int64_t s = 0; s < suspects.size(0); ++s) {
        const auto place = suspects[s].item<int64_t>();
        const int64_t example = company[static_cast<size_t>(place)];
        if (is_beyond_rounding(moved[place].item<double>(), example, place, [&] { return predict(company); }))
          report(example);
      }
    }
  }

 private:
  /// Lists of examples to be predicted together.
  std::vector<std::vector<int64_t>> companies(CheckDraws& draws) const {
    const int64_t n = inputs_.size(0);
    if (n == 1) return {{0, 0}};
    const std::vector<int64_t> order = draws.permutation(n);
    const bool each = thorough_ && (n <= 16 || (n <= 256 && n * function_.parameter_count() <= 1 << 26));
    const int64_t some = thorough_ ? 4 : n < 4 ? 0 : 1;
    std::vector<std::vector<int64_t>> lists;
    for (int64_t i = 0; i < (each ? n : some); ++i) lists.push_back({order[static_cast<size_t>(i)]});
    if (each) return lists;
    for (auto& half : halves_of(order, !thorough_ ? 1 : n > 64 ? 2 : n)) lists.push_back(std::move(half));
    return lists;
  }

  Tensor predict(const std::vector<int64_t>& company) const {
    if (company.size() == 1) {
      try {
        return function_(inputs_.slice(0, company[0], company[0] + 1));
      } catch (const ContractError&) {
        throw;
      } catch (const std::exception&) {
        // Some layers refuse a single example: then twice the same.
        return predict({company[0], company[0]}).slice(0, 0, 1);
      }
    }
    return predict(inputs_.index_select(0, at::tensor(company, at::kLong).to(inputs_.device())), company);
  }

  Tensor predict(const Tensor& inputs, const std::vector<int64_t>& company) const {
    try {
      return function_(inputs);
    } catch (const ContractError&) {
      throw;
    } catch (const std::exception& error) {
      throw ContractError(
          fmt::format("the network couples examples: it predicts {} together, but not {} of them ({})",
                      inputs_.size(0), company.size(), first_sentence(error.what())));
    }
  }

  /// Whether the prediction for an example, which moved by so much in the batch that `predicted` predicts,
  /// where it stands at `place`, moved by more than arithmetic does.
  bool is_beyond_rounding(double moved, int64_t example, int64_t place,
                          const std::function<Tensor()>& predicted) {
    if (moved <= rounding_.share * sizes_[example].item<double>()) return false;
    // In float64 rounding is nothing beside that in fewer bits, and coupling is what it was.
    if (rounding_.unit > rounding_of(at::kDouble).unit && !wide_predictions_.defined())
      wide_predictions_ = in_double([&] { return function_(inputs_); });
    if (wide_predictions_.numel() > 0) {
      const Tensor wide = in_double(predicted);
      if (wide.numel() > 0)
        return !((wide[place] - wide_predictions_[example]).abs().max().item<double>() <= 1e-3 * moved);
    }
    if (!by_rounding_.defined()) by_rounding_ = moved_by_rounding();
    return !(moved <= rounding_.units * by_rounding_[example].item<double>());
  }

  /// What `predicted` predicts in float64, empty where it cannot be had.
  static Tensor in_double(const std::function<Tensor()>& predicted) {
    const DoubleArithmetic scope;
    try {
      const Tensor predictions = predicted();
      if (scope.complete() && predictions.scalar_type() == at::kDouble) return predictions;
    } catch (const std::exception&) {
      // Code that needs the dtype it knows.
    }
    return at::empty({0}, at::kDouble);
  }

  /// By how much the predictions of each example move, to first order, when all weights and inputs are
  /// rounded once: (n), the root mean square of some draws. What is small for an example by chance is taken
  /// for a quarter of the median.
  Tensor moved_by_rounding() const {
    CheckDraws draws;
    std::vector<Tensor> sources;
    const auto add = [&](const Tensor& source) {
      const bool seen = std::any_of(sources.begin(), sources.end(),
                                    [&](const Tensor& other) { return other.is_same(source); });
      if (source.is_floating_point() && source.numel() > 0 && !seen) sources.push_back(source);
    };
    const Tensor inputs = inputs_.is_floating_point() ? inputs_.clone() : inputs_;
    for (const Tensor& parameter : function_.module().parameters()) add(parameter);
    for (const Tensor& buffer : function_.module().buffers()) add(buffer);
    add(inputs);
    try {
      Tensor squares = at::zeros({inputs_.size(0)}, at::kDouble);
      constexpr int repetitions = 4;
      for (int i = 0; i < repetitions; ++i) {
        std::vector<Tensor> tangents;
        for (const Tensor& source : sources) {
          const Tensor signs = draws.signs(source.numel()).view(source.sizes());
          tangents.push_back(source.detach() * signs.to(source.options().requires_grad(false)));
        }
        const Tensor moved =
            autograd::jvp_of_parameters([&] { return function_(inputs); }, sources, tangents);
        squares += moved.abs().amax(1).to(at::kDouble).nan_to_num(0, 0, 0).square().cpu();
      }
      const Tensor moved = rounding_.unit * (squares / repetitions).sqrt();
      return moved.maximum(0.25 * moved.median());
    } catch (const std::exception&) {
      // An operator without a derivative: nothing is known about larger numbers inside.
      return at::zeros({inputs_.size(0)}, at::kDouble);
    }
  }

  [[noreturn]] void report(int64_t example) {
    std::vector<int64_t> all(static_cast<size_t>(inputs_.size(0)));
    std::iota(all.begin(), all.end(), 0);
    expects(!moves(example, [&] { return predict(inputs_, all); }),
            "the network's predictions change from one call to the next; is noise drawn in forward?");
    std::vector<int64_t> others = all;
    others.erase(others.begin() + example);
    if (!moves_with(others, example))
      throw ContractError(fmt::format(
          "the network couples examples: its prediction for example {} depends on the number or the order of "
          "the examples in its batch",
          example));
    while (others.size() > 1) {
      const auto middle = others.begin() + static_cast<std::ptrdiff_t>(others.size() / 2);
      const std::vector<int64_t> first(others.begin(), middle), second(middle, others.end());
      others = moves_with(first, example) ? first : second;
    }
    throw ContractError(
        fmt::format("the network couples examples: its prediction for example {0} depends on the rest of the "
                    "batch, among others on example {1} (example {0} depends on example {1})",
                    example, others[0]));
  }

  /// Whether the prediction moves when the inputs of others are replaced by the example's own.
  bool moves_with(const std::vector<int64_t>& others, int64_t example) {
    Tensor inputs = inputs_.clone();
    inputs.index_copy_(
        0, at::tensor(others, at::kLong).to(inputs.device()),
        inputs_.slice(0, example, example + 1).repeat_interleave(static_cast<int64_t>(others.size()), 0));
    return moves(example, [&] { return predict(inputs, others); });
  }

  /// Whether a prediction, at its own place, is another one in the batch that `predicted` predicts.
  bool moves(int64_t example, const std::function<Tensor()>& predicted) {
    const Tensor moved = (predicted()[example] - predictions_[example]).abs().max();
    return is_beyond_rounding(moved.item<double>(), example, example, predicted);
  }

  const NetworkFunction& function_;
  bool thorough_;
  Tensor inputs_, predictions_;
  Rounding rounding_;
  Tensor sizes_;             // (n) float64: what the share is of
  Tensor wide_predictions_;  // computed in float64, empty when they cannot be
  Tensor by_rounding_;       // (n) float64
};

/// The first parameter whose gradient is not the same in both lists, beyond what rounding and a kink that it
/// takes an example over may do. A part that vanishes is rounding of the whole.
std::optional<size_t> differing_part(const std::vector<Tensor>& one, const std::vector<Tensor>& other,
                                     at::ScalarType dtype) {
  const double share = dtype == at::kDouble ? 1e-6 : dtype == at::kFloat ? 1e-2 : 0.2;
  double whole = 0;
  std::vector<Tensor> left, right;
  for (size_t p = 0; p < one.size(); ++p) {
    left.push_back(one[p].defined() ? autograd::dense_gradient(one[p]) : Tensor());
    right.push_back(other[p].defined() ? autograd::dense_gradient(other[p]) : Tensor());
    if (left[p].defined()) whole = std::hypot(whole, fast_norm(left[p]));
    if (right[p].defined()) whole = std::hypot(whole, fast_norm(right[p]));
  }
  if (!std::isfinite(whole)) return std::nullopt;
  const double rounding = (dtype == at::kDouble ? 1e-14 : dtype == at::kFloat ? 1e-6 : 0.1) * whole;
  for (size_t p = 0; p < one.size(); ++p) {
    if (!left[p].defined() && !right[p].defined()) continue;
    const Tensor& like = left[p].defined() ? left[p] : right[p];
    const Tensor a = left[p].defined() ? left[p] : at::zeros_like(like);
    const Tensor b = right[p].defined() ? right[p] : at::zeros_like(like);
    const double size = std::max(fast_norm(a), fast_norm(b));
    if (!(fast_norm(a - b) <= share * size + rounding)) return p;
  }
  return std::nullopt;
}

}  // namespace

void check_uncoupled(const NetworkFunction& function, const Tensor& inputs, const Tensor& predictions,
                     bool thorough) {
  const at::NoGradGuard no_grad;
  CouplingCheck(function, inputs, predictions, thorough).run();
}

void check_gradients_alone(const NetworkFunction& function, const Tensor& inputs) {
  constexpr int64_t enough = 64;  // examples, for the sake of time
  const Tensor batch = inputs.slice(0, 0, enough).detach();
  const int64_t n = batch.size(0);
  if (n < 2) return;
  const NetworkFunction::Differentiation differentiation(function);
  const Tensor together = function(batch);
  if (!together.requires_grad()) return;
  CheckDraws draws;
  const std::vector<int64_t> order = draws.permutation(n);
  std::string disagreeing;
  for (size_t k = 0; k < 2; ++k) {
    const int64_t i = order[k];
    const Tensor weights =
        draws.weights(together.size(1)).to(together.options().requires_grad(false)).unsqueeze(0);
    Tensor in_batch = at::zeros_like(weights).expand_as(together).contiguous();
    in_batch[i].copy_(weights[0]);
    const Tensor alone = function(batch.slice(0, i, i + 1));
    if (!alone.requires_grad()) return;
    const auto gradients = [&](const Tensor& outputs, const Tensor& cotangents) {
      return torch::autograd::grad({outputs}, function.parameters(), {cotangents}, /*retain_graph=*/true,
                                   /*create_graph=*/false, /*allow_unused=*/true);
    };
    const std::optional<size_t> p = differing_part(gradients(together, in_batch), gradients(alone, weights),
                                                   working_dtype(function, together));
    if (!p) return;
    disagreeing = function.names()[*p];
  }
  throw Error(fmt::format("gradients by {} of an example in the batch are not those of the example alone",
                          disagreeing));
}

void check_uncoupled_derivatives(const NetworkFunction& function, const Tensor& inputs) {
  const int64_t n = inputs.size(0);
  if (!inputs.is_floating_point() || n < 2) return;
  const autograd::SharedUse use;
  const at::AutoGradMode on(true);
  const Tensor examples = inputs.detach().clone().requires_grad_();
  Tensor outputs;
  try {
    outputs = function(examples.clone());  // forward may work in place, which a leaf refuses
  } catch (const c10::Error&) {
    return;  // an operator without a derivative by its inputs
  }
  if (!outputs.requires_grad()) return;
  CheckDraws draws;
  const Tensor weights = draws.weights(outputs.numel()).view(outputs.sizes()).to(outputs.options());
  const std::vector<std::vector<int64_t>> halves = halves_of(draws.permutation(n), n > 64 ? 2 : n);
  for (size_t h = 0; h < halves.size(); ++h) {
    const Tensor half = at::tensor(halves[h], at::kLong).to(inputs.device());
    const Tensor rest = at::tensor(halves[h ^ 1], at::kLong).to(inputs.device());
    const Tensor cotangents = at::zeros_like(outputs, outputs.options().requires_grad(false));
    cotangents.index_copy_(0, half, weights.index_select(0, half));
    const Tensor gradient = torch::autograd::grad({outputs}, {examples}, {cotangents}, /*retain_graph=*/true,
                                                  /*create_graph=*/false, /*allow_unused=*/true)[0];
    if (!gradient.defined()) return;
    const Tensor foreign = gradient.index_select(0, rest).nan_to_num(0, 0, 0);
    // Kernels that gather may leave rounding where zeros belong.
    const double allowed = allowed_capture_error(working_dtype(function, outputs)) * 0.1 *
                           fast_norm(gradient.nan_to_num(0, 0, 0));
    if (fast_norm(foreign) <= allowed) continue;
    const int64_t place = foreign.reshape({foreign.size(0), -1}).abs().amax(1).argmax().item<int64_t>();
    throw ContractError(fmt::format(
        "the network couples examples: predictions of others have a derivative by the inputs of example {}",
        rest[place].item<int64_t>()));
  }
}

}  // namespace plumb
