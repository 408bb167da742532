#include "plumb/analysis/power_iteration.hpp"

#include <cmath>

#include <torch/torch.h>

#include "plumb/core/error.hpp"

namespace plumb {

EigenpairResult power_iteration(const SymmetricOperator& a, const PowerIterationOptions& options,
                                at::Generator& generator) {
  expects(a.size() > 0 && options.iterations > 0,
          "power iteration: {} steps on an operator of size {}; at least 1 of each is expected",
          options.iterations, a.size());
  const bool single = c10::typeMetaToScalarType(a.options().dtype()) == at::kFloat;
  const double tolerance = options.tolerance > 0 ? options.tolerance : single ? 1e-4 : 1e-6;
  Tensor v = at::randn({a.size(), 1}, generator, at::TensorOptions(at::kDouble)).to(a.options());
  v = v / v.norm();
  EigenpairResult result;
  for (;;) {
    const Tensor product = a.apply(v).detach();
    ++result.iterations;
    const Tensor wide = v.to(at::kDouble);
    const double square = wide.square().sum().item<double>();
    const double theta = (wide * product).sum().item<double>() / square;
    const double residual = (product - wide * theta).norm().item<double>() / std::sqrt(square);
    const double length = product.norm().item<double>();
    expects(std::isfinite(length), "power iteration: product {} with the operator is not finite",
            result.iterations);
    result.converged = residual <= tolerance * std::abs(theta);
    if (result.converged || length == 0 || result.iterations == options.iterations) {
      result.eigenvalues = at::full({1}, theta, at::kDouble);
      result.residuals = at::full({1}, residual, at::kDouble);
      result.eigenvectors = v;
      result.products = result.iterations;
      return result;
    }
    v = product / length;
  }
}

}  // namespace plumb
