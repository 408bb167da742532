#include "plumb/lecture/trained_run.hpp"

#include "plumb/experiment/set_up.hpp"

namespace plumb {
namespace {

struct EvaluationKeeper final : TrainingObserver {
  std::vector<Evaluation> evaluations;
  void evaluated(const Evaluation& evaluation) override { evaluations.push_back(evaluation); }
};

}  // namespace

TrainedRun train_run(const Run& run, const std::filesystem::path& data_folder) {
  SetUp made = set_up(run, data_folder, run.compute.threads);
  TrainedRun trained;
  trained.network = made.network;
  Trainer trainer(trained.network, std::move(made.prepared.data), run.training,
                  Seed(static_cast<uint64_t>(run.seed)));
  EvaluationKeeper keeper;
  trained.outcome = trainer.run(keeper);
  trained.step = trainer.step();
  trained.evaluations = std::move(keeper.evaluations);
  return trained;
}

}  // namespace plumb
