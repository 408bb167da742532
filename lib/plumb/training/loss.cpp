#include "plumb/training/loss.hpp"

#include <torch/torch.h>

namespace plumb {
namespace {

const std::vector<std::string> reduction_names{"mean", "sum"};
constexpr std::string_view reduction_help = "over the examples: mean or sum";

struct CrossEntropyOptions {
  Reduction reduction = Reduction::mean;

  void fields(Fields& f) { f.field("reduction", reduction, reduction_help, reduction_names); }
};

Loss make_cross_entropy(const CrossEntropyOptions& options) {
  return {[](const Tensor& outputs, const Tensor& labels) {
            return at::cross_entropy_loss(outputs, labels, {}, at::Reduction::Sum);
          },
          options.reduction};
}

struct SquareOptions {
  Reduction reduction = Reduction::mean;
  double factor = 1;

  void fields(Fields& f) {
    f.field("reduction", reduction, reduction_help, reduction_names);
    f.field("factor", factor, "1 for ||h - y||^2, 0.5 for 1/2 ||h - y||^2", positive);
  }
};

Loss make_square(const SquareOptions& options) {
  return {[factor = options.factor](const Tensor& outputs, const Tensor& labels) {
            const Tensor targets = at::one_hot(labels, outputs.size(1)).to(outputs.scalar_type());
            return (outputs - targets).square().sum() * factor;
          },
          options.reduction};
}

}  // namespace

Losses& losses() {
  static Losses registry = [] {
    Losses built_in;
    built_in.add<CrossEntropyOptions>("cross_entropy", "-log softmax(h)_y", make_cross_entropy);
    built_in.add<SquareOptions>("square", "factor * ||h - one_hot(y)||^2", make_square);
    return built_in;
  }();
  return registry;
}

}  // namespace plumb
