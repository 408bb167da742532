// Size of the gradient of the training loss, and the Polyak-Lojasiewicz ratio ||grad L(w)||^2 / (L(w) - L*)
// (Polyak 1963; Karimi, Nutini and Schmidt 2016; Liu, Zhu and Belkin 2022). A loss whose ratio stays above mu
// on a set satisfies ||grad L||^2 >= mu (L - L*) there. Karimi et al. write 1/2 ||grad L||^2 >= mu (L - L*):
// their mu is half of this one.
#include <algorithm>
#include <cmath>

#include <torch/torch.h>

#include "plumb/probes/probe.hpp"

namespace plumb {
namespace {

struct GradientOptions : ProbeSetOptions {
  GradientOptions() { examples = 32; }

  std::optional<int64_t> loss_examples;
  int64_t chunk = 500;
  double optimum = 0;

  void fields(Fields& f) {
    ProbeSetOptions::fields(f);
    f.field(
        "loss_examples", loss_examples,
        "examples over which L and its gradient are taken, chosen like the others; none: the training set",
        positive);
    f.field("chunk", chunk, "examples per backward pass", positive);
    f.field("optimum", optimum, "L*, the lowest value of L");
  }
};

class Gradient final : public ProbeOnSet<GradientOptions> {
 public:
  using ProbeOnSet::ProbeOnSet;

  std::vector<Column> columns() const override {
    return {
        {"loss", "L in evaluation mode, without weight decay"},
        {"gradient_norm", "||grad L||",
         ColumnFigure{"Norm of the gradient", "‖∇L‖", true, "L in evaluation mode."}},
        {"pl_ratio",
         "||grad L||^2 / (L - L*), half of it in the convention of Karimi et al. 2016; nan at L <= L*",
         ColumnFigure{
             "PL ratio", "‖∇L‖² / (L − L*)", true,
             "L in evaluation mode; half of it in the convention ½‖∇L‖² ≥ μ (L − L*) of Karimi et al. "
             "2016."}},
        {"pl_infimum", "the smallest pl_ratio recorded so far"},
        {"largest_sample_gradient", "max over the probe set of ||grad l_i||, l_i the loss of one example"},
        {"mean_sample_gradient", "root of the mean over the probe set of ||grad l_i||^2"}};
  }

  ProbeSet examples(const TrainingData& data, const Seed& seed) override {
    if (options_.loss_examples)
      loss_examples_ = choose_examples(data, *options_.loss_examples, options_.choose, seed);
    return ProbeOnSet::examples(data, seed);
  }

  Measurement measure(const Moment& moment, const ProbeSet& set) override {
    const LossGradient whole = loss_gradient(moment, loss_examples_, options_.chunk);
    const double norm = norm_of(whole.gradient);
    const double gap = whole.loss - options_.optimum;
    const double ratio = gap > 0 ? norm * norm / gap : not_defined;
    if (std::isfinite(ratio) && !(infimum_ <= ratio)) infimum_ = ratio;
    double largest = 0, squares = 0;
    for (int64_t i = 0; i < set.size(); ++i) {
      const double sample = sample_gradient(moment, set, i);
      largest = std::max(largest, sample);
      squares += sample * sample;
    }
    return {
        {whole.loss, norm, ratio, infimum_, largest, std::sqrt(squares / static_cast<double>(set.size()))},
        {}};
  }

  Archive state() const override {
    Archive archive;
    archive.put("infimum", infimum_);
    return archive;
  }
  void load(const Archive& archive, const at::Device&) override { infimum_ = archive.number("infimum"); }

 private:
  static double sample_gradient(const Moment& moment, const ProbeSet& set, int64_t i) {
    std::vector<Tensor> weights;
    for (const auto& [name, parameter] : trained_parameters(moment.network)) weights.push_back(parameter);
    const Tensor loss = moment.loss.sum(moment.network.forward(set.inputs.slice(0, i, i + 1)),
                                        set.targets.slice(0, i, i + 1));
    std::vector<Tensor> gradients;
    for (const Tensor& gradient : torch::autograd::grad({loss}, weights, {}, /*retain_graph=*/false,
                                                        /*create_graph=*/false, /*allow_unused=*/true))
      if (gradient.defined()) gradients.push_back(gradient);
    return norm_of(gradients);
  }

  Tensor loss_examples_;  // undefined: the training set
  double infimum_ = not_defined;
};

std::unique_ptr<Probe> make_gradient(const GradientOptions& options) {
  return std::make_unique<Gradient>(options);
}

}  // namespace

PLUMB_REGISTER(
    Probes, gradient, GradientOptions, make_gradient,
    "norm of the gradient of the training loss, PL ratio ||grad L||^2 / (L - L*) and its infimum, largest "
    "gradient of a single example")

}  // namespace plumb
