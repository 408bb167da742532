// Rank and conditioning of the Jacobian J = dh/dw of the predictions on the probe set, (n c) x p: full rank n
// c makes the tangent kernel positive definite, and with it the square loss satisfies a Polyak-Lojasiewicz
// inequality (Liu, Zhu and Belkin 2022).
//
// By default the singular values come from G = J J' summed in float64, which resolves sigma > about 4e-7
// sigma_max for a probe set of 64 examples and 10 classes; the decomposition of J itself (svd, or tsqr, which
// never holds more of J than one parameter's part) resolves more and costs more.
//
// J is what the network's own dtype makes of it. `at_least` holds for every J whose rows differ from it by
// eight unit roundoffs of that dtype, relative to the row, and rows may have any scale (examples on which
// every unit is saturated); see analysis/rank.hpp. `at_most` is about J as computed.
#include <cmath>
#include <optional>

#include <torch/torch.h>

#include "plumb/analysis/jacobian.hpp"
#include "plumb/analysis/rank.hpp"
#include "plumb/analysis/tsqr.hpp"
#include "plumb/probes/shared_kernel.hpp"

namespace plumb {
namespace {

enum class RankMethod { gram, svd, tsqr };

struct JacobianRankOptions : KernelProbeOptions {
  RankMethod method = RankMethod::gram;
  SaveTensors save = SaveTensors::pt;

  void fields(Fields& f) {
    KernelProbeOptions::fields(f);
    f.field(
        "method", method,
        "gram: eigenvalues of J J', summed in float64; svd: singular values of J; tsqr: the same by the QR "
        "factorization of J', one parameter after the other",
        {"gram", "svd", "tsqr"});
    f.field("save", save,
            "write the singular values to a file for each row: true: for torch.load; npy: for numpy.load",
            save_words);
  }
};

const std::string jacobian_caption =
    "J: derivatives of all outputs on the probe set with respect to all trainable parameters.";

class JacobianRank final : public ProbeOnSet<JacobianRankOptions> {
 public:
  using ProbeOnSet::ProbeOnSet;

  std::vector<Column> columns() const override {
    return {{"rank", "numerical rank: how many singular values of J exceed the tolerance",
             ColumnFigure{"Numerical rank of the Jacobian", "numerical rank of J", false,
                          jacobian_caption + " Singular values above LAPACK's tolerance are counted.",
                          /*unless=*/"at_least"}},
            {"at_least", "the rank is certainly no less, whatever the scale of examples",
             ColumnFigure{"Rank of the Jacobian", "rank of J, at least", false,
                          jacobian_caption +
                              " The rank is certainly no less; it may be more where the method cannot "
                              "resolve it."}},
            {"at_most", "and certainly no more"},
            {"full_rank", "min(n c, p): n examples of the probe set, c outputs, p trainable parameters"},
            {"resolved", "1 when at_least = at_most; 0: the method cannot see the rank"},
            {"gap_rank", "how many singular values stand above the largest gap"},
            {"sigma_max", "largest singular value of J"},
            {"sigma_min", "smallest of min(n c, p) singular values; below the tolerance it is noise"},
            {"tolerance", "on singular values, by LAPACK's policy for the method"},
            {"condition", "sigma_max / sigma_min; nan where sigma_min does not exceed the tolerance",
             ColumnFigure{"Condition number of the Jacobian", "σ_max / σ_min", true, jacobian_caption}},
            {"stable_rank", "||J||_F^2 / sigma_max^2"},
            {"effective_rank", "exp of the entropy of sigma_i / sum sigma (Roy and Vetterli 2007)"}};
  }

  Measurement measure(const Moment& moment, const ProbeSet& set) override {
    const NetworkFunction& function = set.kernel->function(moment);
    Measurement measured;
    const std::optional<RankReport> found = report_of(function, moment, set);
    if (!found) {
      measured.values.assign(columns().size(), not_defined);
      return measured;
    }
    const RankReport& report = *found;
    const auto full = static_cast<double>(std::min(report.rows, function.parameter_count()));
    measured.values = {static_cast<double>(report.numerical_rank),
                       static_cast<double>(report.at_least),
                       static_cast<double>(report.at_most),
                       full,
                       report.resolved ? 1.0 : 0.0,
                       static_cast<double>(report.gap_rank),
                       report.sigma_max,
                       report.sigma_min,
                       report.tolerance,
                       report.sigma_min > report.tolerance ? report.spectrum.condition_number() : not_defined,
                       report.spectrum.stable_rank(),
                       report.spectrum.effective_rank()};
    measured.save = options_.save;
    if (options_.save != SaveTensors::no) measured.tensors.put("singular_values", report.spectrum.values);
    if (options_.method == RankMethod::gram) measured.notes = set.kernel->notes();
    return measured;
  }

 private:
  /// None where J is not finite.
  std::optional<RankReport> report_of(const NetworkFunction& function, const Moment& moment,
                                      const ProbeSet& set) const {
    RankOptions options;
    options.error = InputError::rowwise;
    options.computed_in = moment.network.parameters().front().scalar_type();
    const auto finite = [](const Tensor& matrix) { return at::isfinite(matrix).all().item<bool>(); };
    if (options_.method == RankMethod::gram) {
      if (!finite(set.kernel->matrix(moment, set, options_.memory))) return std::nullopt;
      return rank_of_gram(set.kernel->matrix(moment, set), function.parameter_count(), options,
                          set.kernel->eigenvalues(moment, set));
    }
    if (options_.method == RankMethod::svd) {
      const Tensor jacobian = Jacobian(function, set.inputs).dense();
      return finite(jacobian) ? std::optional(rank_of_matrix(jacobian, options)) : std::nullopt;
    }
    std::optional<Tsqr> factorization;
    for (const std::string& name : function.names()) {
      const Tensor part = Jacobian(function.restricted({name}), set.inputs).dense();
      if (!finite(part)) return std::nullopt;
      if (!factorization) factorization.emplace(part.size(0));
      factorization->add(part.t());
    }
    return factorization->rank(/*transposed=*/true, options);
  }
};

std::unique_ptr<Probe> make_jacobian_rank(const JacobianRankOptions& options) {
  return std::make_unique<JacobianRank>(options);
}

}  // namespace

PLUMB_REGISTER(
    Probes, jacobian_rank, JacobianRankOptions, make_jacobian_rank,
    "rank of the Jacobian of the predictions with respect to the weights, its extreme singular values, "
    "condition number, stable and effective rank")

}  // namespace plumb
