#include "plumb/lecture/trained_run.hpp"

#include <torch/nn/module.h>

#include "plumb/experiment/prepare.hpp"

namespace plumb {
namespace {

struct EvaluationKeeper final : TrainingObserver {
  std::vector<Evaluation> evaluations;
  void evaluated(const Evaluation& evaluation) override { evaluations.push_back(evaluation); }
};

}  // namespace

TrainedRun train_run(const Run& run, const std::filesystem::path& data_folder) {
  const at::Device device = find_device(run.compute.device);
  PreparedData prepared = prepare_data(run, data_folder, device);
  const Seed seed(static_cast<uint64_t>(run.seed));
  at::Generator weights = seed.stream("weights");
  TrainedRun trained;
  trained.network = run.model.make(prepared.signature, weights);
  trained.network->to(device, run.compute.precision == Precision::float64 ? at::kDouble : at::kFloat);
  run.initial_weights.make(*trained.network, prepared.data, seed);
  Trainer trainer(trained.network, std::move(prepared.data), run.training, seed);
  EvaluationKeeper keeper;
  trained.outcome = trainer.run(keeper);
  trained.step = trainer.step();
  trained.evaluations = std::move(keeper.evaluations);
  return trained;
}

}  // namespace plumb
