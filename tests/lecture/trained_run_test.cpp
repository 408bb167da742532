// Oracle: the same description run into a folder.
#include "plumb/lecture/trained_run.hpp"

#include <sstream>

#include "support/catch.hpp"
#include "support/files.hpp"
#include <torch/torch.h>

#include "plumb/experiment/runner.hpp"
#include "plumb/models/construct.hpp"
#include "plumb/models/layers.hpp"

using namespace plumb;

namespace {

/// Small convolutional networks, one of which draws from LibTorch's global generator in training.
struct TinyImages {
  static Dataset make() {
    at::Generator generator = Seed(3).stream("images");
    Dataset dataset;
    dataset.train = {torch::randint(256, {24, 3, 12, 12}, generator, torch::kByte),
                     torch::randint(4, {24}, generator, torch::kLong)};
    dataset.test = {torch::randint(256, {8, 3, 12, 12}, generator, torch::kByte),
                    torch::randint(4, {8}, generator, torch::kLong)};
    dataset.num_classes = 4;
    dataset.source = "random images";
    return dataset;
  }
  void fields(Fields&) {}
};

struct DropoutImages final : Network {
  explicit DropoutImages(int64_t outputs) {
    convolution = register_module("convolution", same_convolution(3, 8, 5));
    output = register_module("output", torch::nn::Linear(8, outputs));
  }
  Tensor forward(Tensor x) override {
    return output(torch::dropout(torch::relu(convolution(x)).mean({2, 3}), 0.5, is_training()));
  }
  torch::nn::Conv2d convolution{nullptr};
  torch::nn::Linear output{nullptr};
};

struct NoOptionsHere {
  void fields(Fields&) {}
};

void register_once() {
  static const bool done = [] {
    datasets().add<TinyImages>("tiny_images_of_test", "",
                               [](const TinyImages&, const DataContext&) { return TinyImages::make(); });
    models().add<NoOptionsHere>("dropout_images_of_test", "",
                                [](const NoOptionsHere&, const Signature& signature,
                                   at::Generator& generator) -> std::shared_ptr<Network> {
                                  auto network = construct<DropoutImages>(signature.outputs);
                                  const torch::NoGradGuard no_grad;
                                  for (Tensor& parameter : network->parameters())
                                    parameter.normal_(0, 0.3, generator);
                                  return network;
                                });
    return true;
  }();
  static_cast<void>(done);
}

/// The column `train_loss` of evaluations.csv.
std::vector<double> losses_of(const RunDirectory& directory) {
  std::istringstream text(read_file(directory.evaluations()));
  std::vector<double> losses;
  std::string line;
  std::getline(text, line);
  while (std::getline(text, line)) {
    std::istringstream cells(line);
    std::string cell;
    for (int i = 0; i < 6; ++i) std::getline(cells, cell, ',');
    losses.push_back(std::stod(cell));
  }
  return losses;
}

}  // namespace

TEST_CASE("a run without a folder has the numbers of the same run with one", "[lecture][trained_run]") {
  register_once();
  const std::string model = GENERATE(as<std::string>{}, "small_alexnet", "dropout_images_of_test", "mlp");
  INFO(model);
  const Run run = Run::read(Config::parse("name: same\ndata: tiny_images_of_test\nmodel: " + model +
                                          "\ntraining: {optimizer: {type: sgd, learning_rate: 0.05, "
                                          "momentum: 0.9}, batch_size: 8, stop: {epochs: 2}}\n"
                                          "compute: {device: cpu, threads: 1}\n"));
  const test::TemporaryFolder folder;
  const RunDirectory directory(folder.path());
  execute(run, directory, {});
  torch::rand({7});  // the global generator stands elsewhere now
  const TrainedRun trained = train_run(run, "");
  std::vector<double> losses;
  for (const Evaluation& evaluation : trained.evaluations) losses.push_back(evaluation.fit.train_loss);
  CHECK(losses == losses_of(directory));
}
