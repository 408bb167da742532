// What theorems about wide networks ask of the examples themselves: norms, angles, targets, and the smallest
// eigenvalue of the kernel of an infinitely wide first layer of ReLU units,
//   H^inf_ij = E_w [x_i.x_j 1{w.x_i > 0, w.x_j > 0}],  w ~ N(0, I)   (Du, Zhai, Poczos and Singh 2019).
#include <torch/torch.h>

#include "plumb/probes/shared_kernel.hpp"
#include "plumb/theory/infinite_width.hpp"
#include "plumb/theory/wide_networks.hpp"

namespace plumb {
namespace {

struct InputsOptions : ProbeSetOptions {
  bool kernel = false;

  void fields(Fields& f) {
    ProbeSetOptions::fields(f);
    f.field(
        "kernel", kernel,
        "also the distance of the network's own tangent kernel from H^inf; the network must have one output");
  }
};

/// The examples as theorems read them: vectors (n, d), and targets (n) of which only the size counts.
std::pair<Tensor, Tensor> as_vectors(const ProbeSet& set) {
  const Tensor inputs = set.inputs.flatten(1).to(at::kDouble);
  if (target_kind(set.targets) == TargetKind::classes)
    return {inputs, at::ones({set.size()}, inputs.options())};  // of one-hot vectors
  return {inputs, set.targets.to(at::kDouble).abs().amax(1)};
}

class Inputs final : public ProbeOnSet<InputsOptions> {
 public:
  using ProbeOnSet::ProbeOnSet;

  std::vector<Column> columns() const override {
    std::vector<Column> all{
        {"norm_error", "max | ||x_i|| - 1 |, of the network's inputs as vectors"},
        {"largest_cosine", "max over pairs of |cos(x_i, x_j)|; 1 when two are parallel"},
        {"gram_norm", "||X X'||, largest eigenvalue"},
        {"largest_target", "max |y|; 1 of classes, which are one-hot vectors"},
        {"limit_lambda_min", "smallest eigenvalue of H^inf, the kernel of infinitely many ReLU units"}};
    if (options_.kernel)
      all.push_back({"limit_distance", "||G - H^inf||_F; nan for a network of more than one output"});
    return all;
  }

  Measurement measure(const Moment& moment, const ProbeSet& set) override {
    const at::NoGradGuard no_grad;
    const auto [inputs, targets] = as_vectors(set);
    const theory::WideSetting setting = theory::wide_setting(inputs, targets);
    Measurement measured{{setting.norm_error, setting.largest_cosine, setting.gram_norm,
                          setting.largest_target, setting.lambda0}};
    if (options_.kernel) measured.values.push_back(limit_distance(moment, set, inputs));
    return measured;
  }

 private:
  static double limit_distance(const Moment& moment, const ProbeSet& set, const Tensor& inputs) {
    const at::AutoGradMode grad_mode(true);
    const Tensor& kernel = set.kernel->matrix(moment, set);
    if (kernel.size(0) != inputs.size(0)) return not_defined;
    const Tensor limit = theory::first_layer_kernel({theory::Nonlinearity::Kind::relu}, inputs);
    return norm_of(kernel.to(at::kDouble) - limit);
  }
};

std::unique_ptr<Probe> make_inputs(const InputsOptions& options) { return std::make_unique<Inputs>(options); }

}  // namespace

PLUMB_REGISTER(
    Probes, inputs, InputsOptions, make_inputs,
    "norms and angles of the examples, size of the targets, smallest eigenvalue of the kernel of an "
    "infinitely wide first layer")

}  // namespace plumb
