/// Run folders written by hand, as running an experiment leaves them.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "plumb/core/files.hpp"

namespace plumb::test {

/// One run whose training accuracy rises as `accuracies` at evaluations 100 steps apart.
struct FakeRun {
  std::string id;
  std::string axes;           // JSON members: "randomization": "p = 0"
  std::string randomization;  // YAML after `randomization: `
  int seed = 0;
  std::vector<double> accuracies;                  // of the training set
  double test_accuracy = 0.5;                      // at every evaluation
  std::string outcome = "train_accuracy_reached";  // empty: unfinished
  std::string model = "mlp";
};

inline void write_text(const std::filesystem::path& file, const std::string& text) {
  make_directory(file.parent_path());
  write_file_atomically(file, text);
}

inline void write_run(const std::filesystem::path& experiment, const FakeRun& run) {
  const auto folder = experiment / run.id;
  write_text(folder / "run.yaml", fmt::format("name: e\nseed: {}\nmodel:\n  type: {}\nrandomization: {}\n",
                                              run.seed, run.model, run.randomization));
  write_text(
      folder / "provenance.json",
      fmt::format(
          "{{\"plumb\": \"0.1.0\", \"commit\": \"abc\", \"seed\": {}, \"axes\": {{{}}}, \"threads\": 2}}",
          run.seed, run.axes));
  std::string steps = "step,epoch,learning_rate,loss,accuracy\n";
  std::string timing = "step,training_seconds,evaluation_seconds,examples_per_second\n";
  std::string evaluations =
      "step,epoch,learning_rate,batch_loss,batch_accuracy,train_loss,train_accuracy,clean_accuracy,"
      "memorization,"
      "recovery,test_loss,test_accuracy\n";
  for (size_t i = 0; i < run.accuracies.size(); ++i) {
    const size_t step = 100 * i;
    const double accuracy = run.accuracies[i];
    if (i > 0)
      steps += fmt::format("{},{},0.1,{},{}\n", step, 0.5 * static_cast<double>(i), 2 - accuracy, accuracy);
    timing += fmt::format("{},{},0,1000\n", step, 3 * i);
    evaluations +=
        fmt::format("{},{},0.1,nan,nan,{},{},{},nan,nan,1,{}\n", step, 0.5 * static_cast<double>(i),
                    2 - accuracy, accuracy, accuracy, run.test_accuracy);
  }
  write_text(folder / "steps.csv", steps);
  write_text(folder / "timing.csv", timing);
  write_text(folder / "evaluations.csv", evaluations);
  if (!run.outcome.empty())
    write_text(folder / "outcome.json",
               fmt::format("{{\"outcome\": \"{}\", \"message\": \"said so\", \"training_seconds\": 7.5}}",
                           run.outcome));
}

/// p = 0: two seeds fit after 100 and 300 steps; p = 0.5: 400 and 600; p = 1: one diverged, one unfinished.
inline void write_experiment(const std::filesystem::path& folder) {
  write_text(folder / "experiment.yaml",
             "name: corruption\nquestion: What does it cost?\nreport: {fit_accuracy: 0.9}\n");
  const std::string p0 = "\"randomization\": \"p = 0\"", half = "\"randomization\": \"p = 0.5\"",
                    p1 = "\"randomization\": \"p = 1\"";
  write_run(folder, {"a0", p0, "true_labels", 0, {0.1, 0.95, 0.97}, 0.8});
  write_run(folder, {"a1", p0, "true_labels", 1, {0.1, 0.5, 0.6, 0.9}, 0.6});
  const std::string corrupted = "{type: corrupted_labels, probability: 0.5}";
  write_run(folder, {"b0", half, corrupted, 0, {0.1, 0.2, 0.3, 0.4, 0.99}, 0.5});
  write_run(folder, {"b1", half, corrupted, 1, {0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 1.0}, 0.4});
  write_run(folder, {"c0", p1, "random_labels", 0, {0.1, 0.12}, 0.1, "diverged"});
  write_run(folder, {"c1", p1, "random_labels", 1, {0.1, 0.11}, 0.1, ""});
}

}  // namespace plumb::test
