// The largest eigenvalue of the Hessian of the training loss: the smoothness constant beta along the run, and
// what gradient descent with step size eta holds near 2 / eta (Cohen, Kaur, Li, Kolter and Talwalkar 2021,
// who take the mean over at most 5,000 examples, as here by default over 500).
#include <cmath>

#include "plumb/analysis/curvature.hpp"
#include "plumb/analysis/lanczos.hpp"
#include "plumb/probes/probe.hpp"

namespace plumb {
namespace {

struct SharpnessOptions : ProbeSetOptions {
  SharpnessOptions() { examples = 500; }

  int64_t chunk = 500;
  double tolerance = 1e-3;
  int64_t products = 200;

  void fields(Fields& f) {
    ProbeSetOptions::fields(f);
    f.field("chunk", chunk, "examples per backward pass", positive);
    f.field("tolerance", tolerance, "residual, as a part of the eigenvalue, at which Lanczos stops",
            positive);
    f.field("products", products, "products with the Hessian at most", positive);
  }
};

class Sharpness final : public ProbeOnSet<SharpnessOptions> {
 public:
  using ProbeOnSet::ProbeOnSet;

  std::vector<Column> columns() const override {
    return {{"sharpness", "largest eigenvalue of the Hessian of L over the probe set, in evaluation mode",
             ColumnFigure{"Sharpness", "λ_max of the Hessian of L", true,
                          "L in evaluation mode. Gradient descent with step size η is stable below 2 / η."}},
            {"residual", "||H v - sharpness v||: an eigenvalue lies within this distance"},
            {"products", "products with H that were needed"},
            {"converged", "1 when the residual met the tolerance"}};
  }

  ProbeSet examples(const TrainingData& data, const Seed& seed) override {
    seed_ = seed;
    return ProbeOnSet::examples(data, seed);
  }

  Measurement measure(const Moment& moment, const ProbeSet& set) override {
    if (!std::isfinite(loss_gradient(moment, set.indices, options_.chunk).loss))
      return {{not_defined, not_defined, 0, 0}, {}};
    LossOverExamples over{[&](const Tensor& inputs) { return moment.network.forward(inputs); },
                          {},
                          set.inputs,
                          set.targets,
                          moment.loss,
                          options_.chunk};
    for (const auto& [name, parameter] : trained_parameters(moment.network))
      over.parameters.push_back(parameter);
    const HessianOperator hessian(std::move(over));
    LanczosOptions lanczos_options;
    lanczos_options.tolerance = options_.tolerance;
    lanczos_options.products = options_.products;
    lanczos_options.multiple = false;
    lanczos_options.vectors = false;
    // The same start at every step: what changes is the Hessian.
    at::Generator generator = seed_.stream("sharpness");
    const EigenpairResult top = lanczos(hessian, lanczos_options, generator);
    return {{top.value(), top.residual(), static_cast<double>(top.products), top.converged ? 1.0 : 0.0}, {}};
  }

 private:
  Seed seed_{0};
};

std::unique_ptr<Probe> make_sharpness(const SharpnessOptions& options) {
  return std::make_unique<Sharpness>(options);
}

}  // namespace

PLUMB_REGISTER(Probes, sharpness, SharpnessOptions, make_sharpness,
               "largest eigenvalue of the Hessian of the training loss, with its residual")

}  // namespace plumb
