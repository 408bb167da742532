// The tangent kernel G(k) = J(w_k) J(w_k)' on the probe set (Jacot, Gabriel and Hongler 2018): how far it
// moved from G(0), its extreme eigenvalues, and how it is aligned with the labels.
//
// Drift: ||G(k) - G(0)|| and cosine <G(k), G(0)> / (||G(k)|| ||G(0)||); both are constant in lazy training
// (Chizat, Oyallon and Bach 2019). Kernel-target alignment <K, Y Y'> / (||K|| ||Y Y'||) with K the kernel
// summed over outputs (Cristianini, Shawe-Taylor, Elisseeff and Kandola 2001).
//
// PL constants: for L = sum_i ||h_i - y_i||^2 over the probe set ||grad L||^2 = 4 r'G r >= 4 lambda_min(G) L.
// In the convention 1/2 ||grad L||^2 >= mu L of Karimi et al. 2016 the constant is 2 lambda_min.
#include "plumb/analysis/tangent_kernel.hpp"

#include <cmath>

#include <torch/torch.h>

#include "plumb/analysis/eigen.hpp"
#include "plumb/analysis/smallest_eigenvalue.hpp"
#include "plumb/probes/shared_kernel.hpp"

namespace plumb {
namespace {

struct TangentKernelProbeOptions : KernelProbeOptions {
  KernelOutputs outputs = KernelOutputs::pairs;
  bool by_parameter = false;
  bool certificate = false;
  SaveTensors save = SaveTensors::no;

  void fields(Fields& f) {
    KernelProbeOptions::fields(f);
    f.field("outputs", outputs, "pairs: (n c, n c), every pair of outputs; summed: (n, n), their trace",
            {"pairs", "summed"});
    f.field("by_parameter", by_parameter, "drift of each parameter's part of the kernel, too");
    f.field("certificate", certificate,
            "narrow lambda_min_lower by Cholesky factorizations (Rump 2006), which cost about as much as the "
            "eigenvalues");
    f.field("save", save,
            "write the kernel to a file for each row: true: for torch.load; npy: for numpy.load", save_words);
  }
};

double inner_product(const Tensor& a, const Tensor& b) { return (a * b).sum().item<double>(); }

class TangentKernelProbe final : public ProbeOnSet<TangentKernelProbeOptions> {
 public:
  using ProbeOnSet::ProbeOnSet;

  std::vector<Column> columns() const override {
    return {
        {"drift", "||G(k) - G(0)||_F"},
        {"relative_drift", "||G(k) - G(0)||_F / ||G(0)||_F",
         ColumnFigure{
             "Drift of the tangent kernel", "‖G(k) − G(0)‖ / ‖G(0)‖", false,
             "Frobenius norms; G = J Jᵀ on the probe set. 0: the kernel of the start, as in lazy training."}},
        {"operator_drift", "||G(k) - G(0)||_2"},
        {"relative_operator_drift", "||G(k) - G(0)||_2 / ||G(0)||_2"},
        {"alignment", "<G(k), G(0)> / (||G(k)||_F ||G(0)||_F)"},
        {"target_alignment",
         "<K, Y Y'> / (||K||_F ||Y Y'||_F), K: G summed over outputs, Y: targets, one-hot of classes",
         ColumnFigure{"Alignment of the kernel with the targets", "⟨G, Y Yᵀ⟩ / (‖G‖ ‖Y Yᵀ‖)", false,
                      "G: J Jᵀ on the probe set, summed over outputs; Y: the targets trained on, one-hot of "
                      "classes (Cristianini et al. 2001)."}},
        {"norm", "||G||_F"},
        {"lambda_max", "largest eigenvalue of G"},
        {"lambda_min", "smallest eigenvalue of G, never below 0",
         ColumnFigure{
             "Smallest eigenvalue of the tangent kernel", "λ_min(G)", true,
             "G = J Jᵀ on the probe set, all pairs of outputs. For L = Σ‖h − y‖² the PL constant μ of "
             "‖∇L‖² ≥ μ (L − L*) is 4 λ_min; that of ½‖∇L‖² ≥ μ (L − L*) (Karimi et al. 2016) is 2 λ_min."}},
        {"lambda_min_lower", "lambda_min is no less"},
        {"lambda_min_upper",
         "lambda_min is no more; what rounding did to the float64 sums of G is contained, what the network's "
         "own "
         "dtype did to the Jacobian is not"},
        {"pl_constant", "4 lambda_min: mu of ||grad L||^2 >= mu (L - L*) for L = sum ||h - y||^2"},
        {"pl_constant_karimi", "2 lambda_min: mu of 1/2 ||grad L||^2 >= mu (L - L*) for the same L"}};
  }
  std::vector<std::string> layer_columns(const Moment& moment, const ProbeSet&) override {
    if (!options_.by_parameter) return {};
    return parameter_columns(moment.network, "relative_drift");
  }

  Measurement measure(const Moment& moment, const ProbeSet& set) override {
    const NetworkFunction& function = set.kernel->function(moment);
    Measurement measured;
    const std::vector<Tensor> kernels = kernels_of(function, moment, set, measured.notes);
    if (moment.step == 0) start_ = kernels;
    const Tensor& g = kernels.front();
    if (!at::isfinite(g).all().item<bool>()) {
      measured.values.assign(columns().size() + kernels.size() - 1, not_defined);
      return measured;
    }
    const Tensor& start = start_.front();
    const Tensor change = g - start;
    const double norm = norm_of(g), start_norm = norm_of(start);
    SmallestEigenvalueOptions eigen_options;
    eigen_options.inner = function.parameter_count();
    if (!options_.certificate) eigen_options.factorizations = 0;
    if (shares_kernel()) eigen_options.eigenvalues = set.kernel->eigenvalues(moment, set);
    const SmallestEigenvalue smallest = smallest_eigenvalue(g, eigen_options);
    if (moment.step == 0) start_largest_ = smallest.lambda_max;
    const double operator_drift = symmetric_eigenvalues(change).abs().max().item<double>();
    measured.values = {norm_of(change),
                       norm_of(change) / start_norm,
                       operator_drift,
                       operator_drift / start_largest_,
                       inner_product(g, start) / (norm * start_norm),
                       target_alignment(g, set),
                       norm,
                       smallest.lambda_max,
                       smallest.value,
                       smallest.lower,
                       smallest.upper,
                       4 * smallest.value,
                       2 * smallest.value};
    for (size_t i = 1; i < kernels.size(); ++i)
      measured.values.push_back(norm_of(kernels[i] - start_[i]) / norm_of(start_[i]));
    measured.save = options_.save;
    if (options_.save != SaveTensors::no) measured.tensors.put("kernel", g);
    return measured;
  }

  Archive state() const override {
    Archive archive;
    archive.put("start", save_list(start_));
    archive.put("start_largest", start_largest_);
    return archive;
  }
  void load(const Archive& archive, const at::Device& device) override {
    start_ = load_list(archive.archive("start"), device);
    start_largest_ = archive.number("start_largest");
  }

 private:
  /// Whether other probes can use the same kernel.
  bool shares_kernel() const { return !options_.by_parameter && options_.outputs == KernelOutputs::pairs; }

  /// The whole kernel, then those of single parameters where they are asked for; float64.
  std::vector<Tensor> kernels_of(const NetworkFunction& function, const Moment& moment, const ProbeSet& set,
                                 std::vector<std::string>& notes) const {
    if (shares_kernel()) {
      const Tensor matrix = set.kernel->matrix(moment, set, options_.memory);
      notes = set.kernel->notes();
      return {matrix};
    }
    TangentKernelOptions options;
    if (options_.memory) options.memory = options_.memory->bytes;
    options.outputs = options_.outputs;
    options.accumulate_double = true;
    if (!options_.by_parameter) {
      TangentKernel kernel = tangent_kernel(function, set.inputs, options);
      notes = std::move(kernel.notes);
      return {kernel.matrix};
    }
    ParameterKernels parts = tangent_kernel_by_parameter(function, set.inputs, options);
    notes = std::move(parts.whole.notes);
    std::vector<Tensor> kernels{parts.whole.matrix};
    kernels.insert(kernels.end(), parts.matrices.begin(), parts.matrices.end());
    return kernels;
  }

  double target_alignment(const Tensor& g, const ProbeSet& set) const {
    const int64_t n = set.size(), c = g.size(0) / n;
    const Tensor summed =
        options_.outputs == KernelOutputs::summed ? g : g.view({n, c, n, c}).diagonal(0, 1, 3).sum(-1);
    // Of classes, (Y Y')_ij = 1 where they agree.
    const Tensor y = set.targets;
    const Tensor products = target_kind(y) == TargetKind::classes
                                ? y.unsqueeze(0).eq(y.unsqueeze(1)).to(g.dtype())
                                : at::mm(y.to(g.dtype()), y.to(g.dtype()).t());
    return inner_product(summed, products) / (norm_of(summed) * norm_of(products));
  }

  std::vector<Tensor> start_;  // at step 0: G, then the parts
  double start_largest_ = 0;   // lambda_max of G(0)
};

std::unique_ptr<Probe> make_tangent_kernel(const TangentKernelProbeOptions& options) {
  return std::make_unique<TangentKernelProbe>(options);
}

}  // namespace

PLUMB_REGISTER(Probes, tangent_kernel, TangentKernelProbeOptions, make_tangent_kernel,
               "drift of the tangent kernel from its start, its extreme eigenvalues with PL constants in two "
               "conventions, its alignment with the labels")

}  // namespace plumb
