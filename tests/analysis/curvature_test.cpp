// Oracle: closed forms for linear models, central differences of the gradient, and dense Jacobians by rows.
#include "plumb/analysis/curvature.hpp"

#include "analysis/matrices.hpp"
#include "support/catch.hpp"

#include "plumb/analysis/lanczos.hpp"
#include "plumb/core/error.hpp"

using namespace plumb;

namespace {

Loss cross_entropy(Reduction reduction = Reduction::mean) {
  return {
      [](const Tensor& h, const Tensor& y) { return -at::log_softmax(h, 1).gather(1, y.unsqueeze(1)).sum(); },
      reduction};
}

Loss square(double factor, Reduction reduction = Reduction::mean) {
  return {[factor](const Tensor& h, const Tensor& y) {
            return (h - at::one_hot(y, h.size(1)).to(h.scalar_type())).square().sum() * factor;
          },
          reduction};
}

Tensor normal(at::IntArrayRef shape, const char* purpose) {
  at::Generator generator = Seed(21).stream(purpose);
  return at::randn(shape, generator, at::TensorOptions(at::kDouble));
}

constexpr int64_t kExamples = 11;
constexpr int64_t kInputs = 4;
constexpr int64_t kClasses = 3;

/// h = W x, W (kClasses, kInputs).
LossOverExamples linear_model(const Loss& loss) {
  const Tensor w = normal({kClasses, kInputs}, "w").requires_grad_();
  return {[w](const Tensor& x) { return at::mm(x, w.t()); }, {w},  normal({kExamples, kInputs}, "x"),
          at::arange(kExamples).remainder(kClasses),         loss, 4};
}

/// h = B tanh(A x + a) + b, and a parameter that nothing depends on.
LossOverExamples two_layers(const Loss& loss) {
  const Tensor a = normal({5, kInputs}, "A").requires_grad_();
  const Tensor bias = normal({5}, "a").requires_grad_();
  const Tensor b = normal({kClasses, 5}, "B").requires_grad_();
  const Tensor last = normal({kClasses}, "b").requires_grad_();
  const Tensor unused = normal({2}, "unused").requires_grad_();
  return {[=](const Tensor& x) { return at::mm(at::tanh(at::mm(x, a.t()) + bias), b.t()) + last; },
          {a, bias, b, last, unused},
          normal({kExamples, kInputs}, "x"),
          at::arange(kExamples).remainder(kClasses),
          loss,
          4};
}

Tensor flat(const std::vector<Tensor>& parts, const std::vector<Tensor>& like) {
  std::vector<Tensor> columns;
  for (size_t i = 0; i < like.size(); ++i)
    columns.push_back(parts[i].defined() ? parts[i].reshape(-1)
                                         : at::zeros({like[i].numel()}, like[i].options()));
  return at::cat(columns).detach();
}

Tensor gradient_of(const LossOverExamples& data, const Tensor& value) {
  return flat(torch::autograd::grad({value}, data.parameters, {}, true, false, true), data.parameters);
}

Tensor loss_gradient(const LossOverExamples& data) {
  const Tensor value = data.loss.sum(data.forward(data.inputs), data.targets) * data.loss.scale(kExamples);
  return gradient_of(data, value);
}

/// Column j is (g(w + h e_j) - g(w - h e_j)) / 2 h.
Tensor differences_of_gradient(const LossOverExamples& data) {
  constexpr double h = 1e-5;
  std::vector<Tensor> columns;
  for (const Tensor& parameter : data.parameters) {
    Tensor values = parameter.detach().view(-1);
    for (int64_t i = 0; i < values.numel(); ++i) {
      const double before = values[i].item<double>();
      values[i] = before + h;
      const Tensor up = loss_gradient(data);
      values[i] = before - h;
      const Tensor down = loss_gradient(data);
      values[i] = before;
      columns.push_back((up - down) / (2 * h));
    }
  }
  return at::stack(columns, 1);
}

/// J (examples * classes, p) by one gradient for each output.
Tensor jacobian_by_rows(const LossOverExamples& data) {
  const Tensor outputs = data.forward(data.inputs);
  std::vector<Tensor> rows;
  for (const Tensor& output : outputs.reshape(-1).unbind()) rows.push_back(gradient_of(data, output));
  return at::stack(rows);
}

/// diag(p) - p p^T of each example on the diagonal, (n c, n c).
Tensor softmax_blocks(const Tensor& outputs) {
  std::vector<Tensor> blocks;
  for (const Tensor& p : at::softmax(outputs.detach(), 1).unbind())
    blocks.push_back(at::diag(p) - at::outer(p, p));
  return at::block_diag(blocks);
}

}  // namespace

TEST_CASE("least squares has the Hessian 2 factor X^T X for each output", "[analysis][curvature]") {
  for (const Reduction reduction : {Reduction::mean, Reduction::sum}) {
    const LossOverExamples data = linear_model(square(0.5, reduction));
    const double scale = reduction == Reduction::mean ? 1.0 / kExamples : 1.0;
    const Tensor block = at::mm(data.inputs.t(), data.inputs) * scale;
    const Tensor expected = at::block_diag({block, block, block});
    CHECK(largest_difference(dense_matrix(HessianOperator(data)), expected) < 1e-13);
    CHECK(largest_difference(dense_matrix(GaussNewtonOperator(data)), expected) < 1e-13);
  }
}

TEST_CASE("softmax regression has sum (diag p - p p^T) x x^T for Hessian, Gauss-Newton and Fisher",
          "[analysis][curvature]") {
  const LossOverExamples data = linear_model(cross_entropy());
  const Tensor p = at::softmax(data.forward(data.inputs).detach(), 1);
  Tensor expected = at::zeros({kClasses * kInputs, kClasses * kInputs}, torch::kDouble);
  for (int64_t i = 0; i < kExamples; ++i) {
    const Tensor x = data.inputs[i];
    expected += at::kron(at::diag(p[i]) - at::outer(p[i], p[i]), at::outer(x, x)) / kExamples;
  }
  CHECK(largest_difference(dense_matrix(HessianOperator(data)), expected) < 1e-13);
  CHECK(largest_difference(dense_matrix(GaussNewtonOperator(data)), expected) < 1e-13);
  CHECK(largest_difference(dense_matrix(FisherOperator(data)), expected) < 1e-13);
}

TEST_CASE("the Hessian of two layers is that of differences, under either loss", "[analysis][curvature]") {
  for (const Loss& loss : {cross_entropy(), square(1)}) {
    const LossOverExamples data = two_layers(loss);
    const Tensor hessian = dense_matrix(HessianOperator(data));
    CHECK(largest_difference(hessian, differences_of_gradient(data)) < 1e-8);
    CHECK(largest_difference(hessian, hessian.t()) < 1e-12);
    CHECK(hessian.narrow(0, 43, 2).abs().max().item<double>() == 0);
  }
}

TEST_CASE("Gauss-Newton is J^T M J with the dense Jacobian", "[analysis][curvature]") {
  const LossOverExamples entropy = two_layers(cross_entropy());
  const Tensor j = jacobian_by_rows(entropy);
  const Tensor middle = softmax_blocks(entropy.forward(entropy.inputs)) / kExamples;
  const Tensor expected = at::mm(j.t(), at::mm(middle, j));
  const Tensor found = dense_matrix(GaussNewtonOperator(entropy));
  CHECK(largest_difference(found, expected) < 1e-12);
  CHECK(largest_difference(dense_matrix(FisherOperator(entropy)), expected) < 1e-12);
  CHECK(largest_difference(found, dense_matrix(HessianOperator(entropy))) > 1e-3);

  const LossOverExamples squares = two_layers(square(1, Reduction::sum));
  CHECK(largest_difference(dense_matrix(GaussNewtonOperator(squares)), 2 * at::mm(j.t(), j)) < 1e-11);
}

TEST_CASE("the empirical Fisher is the mean of gradients times themselves", "[analysis][curvature]") {
  const LossOverExamples data = two_layers(cross_entropy());
  Tensor expected = at::zeros({45, 45}, torch::kDouble);
  for (int64_t i = 0; i < kExamples; ++i) {
    const Tensor outputs = data.forward(data.inputs.narrow(0, i, 1));
    const Tensor g = gradient_of(data, data.loss.sum(outputs, data.targets.narrow(0, i, 1)));
    expected += at::outer(g, g) / kExamples;
  }
  CHECK(largest_difference(dense_matrix(FisherOperator(data, FisherLabels::given)), expected) < 1e-12);
}

TEST_CASE("chunks of examples and blocks of vectors do not show in the products", "[analysis][curvature]") {
  LossOverExamples data = two_layers(cross_entropy());
  const Tensor x = normal({45, 3}, "block");
  data.chunk = kExamples;
  const Tensor whole = HessianOperator(data).apply(x);
  const Tensor whole_newton = GaussNewtonOperator(data).apply(x);
  for (const int64_t chunk : {1, 3, 100}) {
    data.chunk = chunk;
    CHECK(largest_difference(HessianOperator(data).apply(x), whole) < 1e-13);
    CHECK(largest_difference(GaussNewtonOperator(data).apply(x), whole_newton) < 1e-13);
  }
  CHECK(largest_difference(HessianOperator(data).apply(x.narrow(1, 1, 1)), whole.narrow(1, 1, 1)) < 1e-13);
}

TEST_CASE("products leave stored gradients alone and work with autograd switched off",
          "[analysis][curvature]") {
  const LossOverExamples data = two_layers(cross_entropy());
  const torch::NoGradGuard off;
  const Tensor product = HessianOperator(data).apply(normal({45, 1}, "v"));
  CHECK_FALSE(product.requires_grad());
  CHECK_FALSE(data.parameters[0].grad().defined());
  CHECK(product.abs().max().item<double>() > 0);
}

TEST_CASE("the sharpness by Lanczos is the dense Hessian's largest eigenvalue", "[analysis][curvature]") {
  const HessianOperator hessian(two_layers(cross_entropy()));
  at::Generator generator = Seed(22).stream("sharpness");
  const EigenpairResult found = lanczos(hessian, {}, generator);
  const Tensor dense = at::linalg_eigvalsh(dense_matrix(hessian));
  CHECK(found.converged);
  CHECK(found.value() == Approx(dense[-1].item<double>()).epsilon(1e-10));
}

TEST_CASE("descriptions that do not fit together are refused", "[analysis][curvature]") {
  const LossOverExamples good = linear_model(cross_entropy());
  LossOverExamples bad = good;
  bad.parameters.clear();
  CHECK_THROWS_AS(HessianOperator(bad), ContractError);
  bad = good;
  bad.inputs = good.inputs.narrow(0, 0, 0);
  CHECK_THROWS_AS(HessianOperator(bad), ContractError);
  bad = good;
  bad.targets = good.targets.narrow(0, 0, 2);
  CHECK_THROWS_AS(HessianOperator(bad), ContractError);
  bad = good;
  bad.parameters.push_back(at::ones({2}, torch::kFloat).requires_grad_());
  CHECK_THROWS_AS(HessianOperator(bad), ContractError);
  bad = good;
  bad.parameters.push_back(at::ones({2}, torch::kDouble));
  CHECK_THROWS_AS(HessianOperator(bad), ContractError);
  bad = good;
  bad.forward = [](const Tensor& x) { return x; };
  CHECK_THROWS_AS(HessianOperator(bad).apply(at::ones({12, 1}, torch::kDouble)), ContractError);
  CHECK_THROWS_AS(HessianOperator(good).apply(at::ones({11, 1}, torch::kDouble)), ContractError);
}
