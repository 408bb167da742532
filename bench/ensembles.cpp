// Times many small trainings advanced together against the same trainings one after another, as a user of
// LibTorch writes them: a torch::nn network, backward, and an update. Prints a JSON object for each size.
#include <chrono>
#include <cmath>
#include <functional>
#include <iostream>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <torch/torch.h>

#include "plumb/core/memory.hpp"
#include "plumb/core/random.hpp"
#include "plumb/experiment/provenance.hpp"
#include "plumb/models/network.hpp"
#include "plumb/training/ensemble.hpp"
#include "plumb/training/optimizer.hpp"

using namespace plumb;

namespace {

struct BenchOptions {
  int64_t members = 1024, alone = 32, steps = 200, dimension = 16, rounds = 3;
  std::vector<int64_t> examples{16, 32, 64}, widths{4, 16, 64};
  int threads = 1;
  bool float32 = false;
};

double seconds_of(const std::function<void()>& work) {
  const auto began = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
}

/// f(x) = (1/sqrt m) sum_r a_r relu(w_r.x), only w trained, points on the sphere, random signs as targets.
EnsembleMember draw(const BenchOptions& options, int64_t n, int64_t m, at::Generator& generator) {
  const auto dtype = options.float32 ? at::kFloat : at::kDouble;
  EnsembleMember member;
  const Tensor points = at::randn({n, options.dimension}, generator, at::kDouble);
  member.inputs = (points / points.norm(2, 1, true)).to(dtype);
  member.targets = at::randn({n, 1}, generator, at::kDouble).sign().to(dtype);
  member.weights = {at::randn({m, options.dimension}, generator, at::kDouble).to(dtype),
                    at::randn({1, m}, generator, at::kDouble).sign().to(dtype)};
  member.scale = 1 / std::sqrt(static_cast<double>(m));
  return member;
}

/// Plumb's two_layer network and optimizer, L = 1/2 ||f - y||^2; `steps` updates.
double train_alone(const EnsembleMember& member, int64_t steps) {
  Choice<std::shared_ptr<Network>(const Signature&, at::Generator&)> chosen(models(), "two_layer");
  const Config width = Config::parse(fmt::format("{{width: {}}}", member.weights[0].size(0)));
  FieldReader reader(width);
  chosen.fields(reader);
  at::Generator generator = Seed(0).stream("weights");
  const auto network = chosen.make({{member.inputs.size(1)}, 1}, generator);
  network->to(member.inputs.scalar_type());
  {
    const torch::NoGradGuard no_grad;
    network->parameters()[0].copy_(member.weights[0]);
    network->parameters()[1].copy_(member.weights[1]);
  }
  const auto optimizer =
      Choice<std::unique_ptr<Optimizer>(std::vector<Tensor>)>(optimizers(), "gd").make(network->parameters());
  double loss = 0;
  for (int64_t step = 0; step < steps; ++step) {
    for (Tensor& parameter : network->parameters()) parameter.mutable_grad() = Tensor();
    const Tensor value = (network->forward(member.inputs) - member.targets).square().sum() * 0.5;
    value.backward();
    loss = value.item<double>();
    optimizer->step(member.learning_rate);
  }
  return loss;
}

nlohmann::ordered_json measure(const BenchOptions& options, int64_t n, int64_t m) {
  at::Generator generator = Seed(1).stream("members");
  std::vector<EnsembleMember> members;
  for (int64_t i = 0; i < options.members; ++i) members.push_back(draw(options, n, m, generator));
  EnsembleOptions together;
  together.trained = {true, false};
  together.max_steps = options.steps;
  double best_together = INFINITY, best_alone = INFINITY;
  // The two sides alternate, so that both meet the same machine.
  for (int64_t round = 0; round < options.rounds; ++round) {
    best_together = std::min(best_together, seconds_of([&] { train_ensemble(members, together); }));
    best_alone = std::min(best_alone, seconds_of([&] {
                            for (int64_t i = 0; i < options.alone; ++i)
                              train_alone(members[static_cast<size_t>(i)], options.steps);
                          }));
  }
  const auto updates = static_cast<double>(options.steps);
  const double us_together = 1e6 * best_together / (updates * static_cast<double>(options.members));
  const double us_alone = 1e6 * best_alone / (updates * static_cast<double>(options.alone));
  return {{"n", n},
          {"width", m},
          {"dimension", options.dimension},
          {"members", options.members},
          {"microseconds_together", us_together},
          {"microseconds_alone", us_alone},
          {"ratio", us_alone / us_together},
          {"dtype", options.float32 ? "float32" : "float64"},
          {"threads", at::get_num_threads()},
          {"commit", versions().commit},
          {"libtorch", versions().libtorch},
          {"cpu_model", processor_name()}};
}

}  // namespace

int main(int argc, char** argv) {
  BenchOptions options;
  CLI::App app("Times ensembles of small trainings against single ones; prints JSON lines.");
  app.add_option("--members", options.members, "trained together");
  app.add_option("--alone", options.alone, "of them trained one after another");
  app.add_option("--steps", options.steps);
  app.add_option("--dimension", options.dimension);
  app.add_option("--examples", options.examples);
  app.add_option("--widths", options.widths);
  app.add_option("--rounds", options.rounds, "the best one counts");
  app.add_option("--threads", options.threads);
  app.add_flag("--float32", options.float32);
  CLI11_PARSE(app, argc, argv);
  try {
    keep_freed_memory();
    at::set_num_threads(options.threads);
    for (const int64_t n : options.examples)
      for (const int64_t m : options.widths) std::cout << measure(options, n, m).dump() << std::endl;
  } catch (const std::exception& error) {
    std::cerr << "plumb-ensembles: " << error.what() << "\n";
    return 1;
  }
}
