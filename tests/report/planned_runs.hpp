/// Run folders as `run` lays them out, of real descriptions, with tables made up.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "report/runs.hpp"
#include <nlohmann/json.hpp>

#include "plumb/experiment/experiment.hpp"
#include "plumb/experiment/experiment_file.hpp"

namespace plumb::test {

inline const std::string sphere_experiment =
    "name: e\ndata: {type: sphere, train_examples: 20, classes: 2}\nmodel: {type: mlp, width: 8}\n"
    "training: {optimizer: {type: sgd, learning_rate: 0.1}, stop: {epochs: 3}}\n";

/// Writes experiment.yaml and a finished run of 100 steps for each that `yaml` expands to, each of which
/// ended at `accuracy` on training and test set; returns the names of their folders.
inline std::vector<std::string> write_planned(const std::filesystem::path& folder, const std::string& yaml,
                                              const std::vector<std::string>& overrides, double accuracy,
                                              bool describe = true) {
  const Experiment experiment = Experiment::read(Config::parse(yaml, "e.yaml"), overrides);
  make_directory(folder);
  keep_experiment_file(folder, experiment.description.to_yaml());
  std::vector<std::string> names;
  for (const PlannedRun& planned : experiment.runs) {
    const auto run = folder / planned.id;
    names.push_back(planned.id);
    if (std::filesystem::exists(run / "outcome.json")) continue;
    const std::string description = planned.run.description().to_yaml();
    write_text(run / "run.yaml", description);
    nlohmann::ordered_json provenance{{"seed", planned.run.seed}, {"axes", nlohmann::ordered_json::object()}};
    if (describe) provenance["description"] = description;
    for (const auto& [axis, label] : planned.axes) provenance["axes"][axis] = label;
    write_text(run / "provenance.json", provenance.dump());
    write_text(run / "steps.csv", "step,epoch,learning_rate,loss,accuracy\n100,3,0.1,0.5,0.5\n");
    write_text(
        run / "evaluations.csv",
        fmt::format("step,epoch,train_loss,train_accuracy,test_accuracy\n0,0,1,0.1,0.1\n100,3,0.5,{0},{0}\n",
                    accuracy));
    write_text(run / "outcome.json", R"({"outcome": "epoch_limit", "step": 100, "training_seconds": 1})");
  }
  return names;
}

}  // namespace plumb::test
