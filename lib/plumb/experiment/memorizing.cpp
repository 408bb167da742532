#include <algorithm>

#include <ATen/ATen.h>

#include "plumb/experiment/initial_weights.hpp"
#include "plumb/theory/memorizer.hpp"
#include "plumb/theory/separated_inputs.hpp"

namespace plumb {
namespace {

struct MemorizingOptions {
  int64_t projections = 20;

  void fields(Fields& f) {
    f.field("projections", projections,
            "directions drawn, of which the one that keeps the projections of the training inputs farthest "
            "apart is taken",
            positive);
  }
};

[[noreturn]] void refuse_memorizing(const std::string& found) {
  throw ConfigError(
      fmt::format("initial_weights memorizing: {}; a ReLU network d - d1 - d2 - 4C - C with biases for C "
                  "classes in float64 is needed, for example {{type: mlp_widths, widths: [448, 448, 40]}} "
                  "for 50,000 examples of 10 classes",
                  found));
}

/// Weights and biases of the four layers, in order.
std::vector<Tensor> memorizer_parameters(const Network& network) {
  std::vector<Tensor> parameters = network.parameters();
  const bool four_layers = parameters.size() == 8 && network.buffers().empty();
  for (size_t i = 0; four_layers && i < 8; ++i)
    if (parameters[i].dim() != (i % 2 == 0 ? 2 : 1)) refuse_memorizing("the model has other layers");
  if (!four_layers) refuse_memorizing("the model has not four layers with biases");
  if (parameters[0].scalar_type() != at::kDouble) refuse_memorizing("compute.precision is float32");
  const int64_t classes = parameters[7].size(0);
  if (parameters[4].size(0) != 4 * classes)
    refuse_memorizing(
        fmt::format("the third hidden layer has {} units for {} classes", parameters[4].size(0), classes));
  return parameters;
}

int64_t wrong_labels(Network& network, const Examples& examples) {
  constexpr int64_t chunk = 1000;
  int64_t wrong = 0;
  for (int64_t begin = 0; begin < examples.size(); begin += chunk) {
    const int64_t end = std::min(begin + chunk, examples.size());
    const Tensor predicted = network.forward(examples.inputs.slice(0, begin, end)).argmax(1);
    wrong += predicted.ne(examples.targets.slice(0, begin, end)).sum().item<int64_t>();
  }
  return wrong;
}

void build_memorizing(const MemorizingOptions& options, Network& network, const TrainingData& data,
                      const Seed& seed) {
  const at::NoGradGuard no_grad;
  std::vector<Tensor> parameters = memorizer_parameters(network);
  if (data.augment) refuse_memorizing("augmentation changes the examples in every epoch");
  if (target_kind(data.train.targets) == TargetKind::real)
    refuse_memorizing("the targets are real numbers; the construction is of classes");
  const std::pair widths{parameters[0].size(0), parameters[2].size(0)};
  const int64_t capacity = (widths.first + 1) / 2 * (2 * (widths.second / 4));
  const auto examples = static_cast<int64_t>(
      theory::distinct_inputs(data.train.inputs.to(at::kCPU), data.train.targets.to(at::kCPU)).size());
  if (capacity < examples)
    refuse_memorizing(fmt::format("hidden layers of {} and {} units memorize {} examples, and there are {}",
                                  widths.first, widths.second, capacity, examples));
  at::Generator generator = seed.stream("memorizing");
  const theory::MemorizingNetwork built =
      theory::memorize_classes(data.train.inputs, data.train.targets, parameters[7].size(0),
                               {.projections = options.projections, .widths = widths}, generator);
  for (size_t i = 0; i < 4; ++i) {
    parameters[2 * i].copy_(built.layers[i].weight);
    parameters[2 * i + 1].copy_(built.layers[i].bias);
  }
  // Parameters do not tell what stands between them, nor does this network round as the one that was built.
  if (const int64_t wrong = wrong_labels(network, data.train); wrong > 0)
    refuse_memorizing(
        fmt::format("the model does something else between its layers than ReLU: with the weights "
                    "that were built {} of {} training labels are wrong",
                    wrong, data.train.size()));
}

}  // namespace

PLUMB_REGISTER(InitialWeights, memorizing, MemorizingOptions, build_memorizing,
               "built, not trained, so that every training label is right (Yun, Sra, Jadbabaie 2019)")

}  // namespace plumb
