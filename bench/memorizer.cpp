// Times the building of a memorizing network (Yun, Sra, Jadbabaie 2019) over the number of CIFAR-10 images,
// and counts its errors. Prints a JSON object for each number.
#include "plumb/theory/memorizer.hpp"

#include <algorithm>
#include <chrono>
#include <functional>
#include <iostream>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <torch/torch.h>

#include "plumb/data/dataset.hpp"
#include "plumb/experiment/provenance.hpp"

using namespace plumb;

namespace {

struct BenchOptions {
  std::string data;
  std::vector<int64_t> sizes{1000, 2000, 5000, 10000, 20000, 50000};
  int64_t projections = 20, rounds = 3;
  int threads = 1;
  bool random_labels = false;
};

double seconds_of(const std::function<void()>& work) {
  const auto began = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
}

/// Seconds, least first.
std::vector<double> repeat(int64_t rounds, const std::function<void()>& work) {
  std::vector<double> seconds;
  for (int64_t i = 0; i < rounds; ++i) seconds.push_back(seconds_of(work));
  std::sort(seconds.begin(), seconds.end());
  return seconds;
}

nlohmann::ordered_json measure(const Tensor& inputs, const Tensor& labels, const BenchOptions& options) {
  const theory::MemorizerOptions memorizer{.projections = options.projections};
  theory::MemorizingNetwork network;
  theory::ShallowMemorizer shallow;
  const auto deep_seconds = repeat(options.rounds, [&] {
    at::Generator generator = Seed(0).stream("directions");
    network = theory::memorize_classes(inputs, labels, 10, memorizer, generator);
  });
  const auto shallow_seconds = repeat(options.rounds, [&] {
    at::Generator generator = Seed(0).stream("directions");
    shallow = theory::memorize_shallow(inputs, labels, memorizer, generator);
  });
  Tensor outputs, values;
  const double evaluation = seconds_of([&] { outputs = network.evaluate(inputs); });
  const double shallow_evaluation = seconds_of([&] { values = shallow.evaluate(inputs); });
  const Tensor codes = at::one_hot(labels, 10).to(at::kDouble);
  return {{"n", inputs.size(0)},
          {"width", 2 * network.groups},
          {"build_seconds", deep_seconds},
          {"evaluate_seconds", evaluation},
          {"accuracy", outputs.argmax(1).eq(labels).to(at::kDouble).mean().item<double>()},
          {"largest_error", (outputs - codes).abs().max().item<double>()},
          {"smallest_gap", network.smallest_gap},
          {"largest_weight", network.largest_weight},
          {"dense_weights", network.dense_weights()},
          {"distinct_weights", network.distinct_weights()},
          {"shallow_build_seconds", shallow_seconds},
          {"shallow_evaluate_seconds", shallow_evaluation},
          {"shallow_weights", shallow.weight_count()},
          {"shallow_largest_error", (values - labels).abs().max().item<double>()}};
}

void run(const BenchOptions& options) {
  at::set_num_threads(options.threads);
  const Dataset cifar = datasets().at("cifar10")->make({options.data, Seed(0)});
  const Versions version = versions();
  for (const int64_t n : options.sizes) {
    Tensor labels = cifar.train.targets.slice(0, 0, n);
    if (options.random_labels) labels = at::randint(10, {n}, Seed(0).stream("labels"), at::kLong);
    nlohmann::ordered_json line = measure(cifar.train.inputs.slice(0, 0, n), labels, options);
    line["threads"] = at::get_num_threads();
    line["commit"] = version.commit;
    line["libtorch"] = version.libtorch;
    line["cpu_model"] = processor_name();
    std::cout << line.dump() << std::endl;
  }
}

}  // namespace

int main(int argc, char** argv) {
  BenchOptions options;
  CLI::App app("Times the building of memorizing networks; prints JSON lines.");
  app.add_option("--data", options.data, "folder that holds CIFAR-10")->required();
  app.add_option("--sizes", options.sizes, "numbers of images");
  app.add_option("--projections", options.projections, "directions to choose from");
  app.add_option("--rounds", options.rounds, "times each building is repeated");
  app.add_option("--threads", options.threads);
  app.add_flag("--random-labels", options.random_labels);
  CLI11_PARSE(app, argc, argv);
  try {
    run(options);
  } catch (const std::exception& error) {
    std::cerr << "plumb-memorizer: " << error.what() << "\n";
    return 1;
  }
}
