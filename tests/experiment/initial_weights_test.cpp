// Oracle: the last evaluation of the run whose weights are taken; the labels themselves.
#include "plumb/experiment/initial_weights.hpp"

#include "support/catch.hpp"
#include "support/files.hpp"
#include <torch/torch.h>

#include "plumb/core/error.hpp"
#include "plumb/experiment/runner.hpp"

using namespace plumb;

namespace {

/// 60 points of 3 classes with random labels, which nothing but memory gets right; one update that moves next
/// to nothing.
Run start_of(const std::string& more) {
  return Run::read(Config::parse(
      "name: start\ndata: {type: sphere, train_examples: 60, test_examples: 30, dimension: 6, classes: 3}\n"
      "preprocessing: {normalize: none}\nrandomization: random_labels\n"
      "training: {optimizer: {type: gd, learning_rate: 1e-30}, stop: {epochs: 1}}\n" +
      more));
}

std::string model_text(const std::string& widths) { return "model: {type: mlp_widths, widths: " + widths; }

const std::string exact = "compute: {device: cpu, threads: 1, precision: float64}\n";

/// The columns of one evaluation; `line` 0 is the first.
std::map<std::string, double> evaluation_of(const RunDirectory& directory, bool last) {
  std::istringstream text(read_file(directory.evaluations()));
  std::vector<std::vector<std::string>> rows;
  for (std::string line; std::getline(text, line);) {
    std::istringstream cells(line);
    rows.emplace_back();
    for (std::string cell; std::getline(cells, cell, ',');) rows.back().push_back(cell);
  }
  std::map<std::string, double> values;
  const auto& row = last ? rows.back() : rows.at(1);
  for (size_t i = 0; i < row.size(); ++i)
    if (!row[i].empty()) values[rows[0].at(i)] = std::stod(row[i]);
  return values;
}

std::string refusal_of(const Run& run) {
  const test::TemporaryFolder folder;
  try {
    execute(run, RunDirectory(folder.path()), {});
  } catch (const Error& error) {
    return error.what();
  }
  return "nothing was refused";
}

}  // namespace

TEST_CASE("a run that begins memorizing has every random label right before its first update",
          "[experiment][initial_weights]") {
  const test::TemporaryFolder folder;
  const RunDirectory directory(folder.path());
  execute(start_of(model_text("[16, 16, 12]}\n") + exact + "initial_weights: memorizing\n"), directory, {});
  CHECK(evaluation_of(directory, false)["train_accuracy"] == 1);
}

TEST_CASE("a run that begins with saved weights continues where the other one ended",
          "[experiment][initial_weights]") {
  const test::TemporaryFolder first, second;
  Run run = start_of(model_text("[5]}\n") + exact);
  run.training = read_options<TrainingOptions>(
      Config::parse("optimizer: {type: gd, learning_rate: 0.5}\nstop: {epochs: 20}"));
  execute(run, RunDirectory(first.path()), {});
  execute(start_of(model_text("[5]}\n") + exact +
                   "initial_weights: {type: saved, file: " + (first / "model.pt").string() + "}\n"),
          RunDirectory(second.path()), {});
  const auto ended = evaluation_of(RunDirectory(first.path()), true);
  const auto began = evaluation_of(RunDirectory(second.path()), false);
  for (const char* column : {"train_loss", "train_accuracy", "test_loss"})
    CHECK(began.at(column) == ended.at(column));
  CHECK(ended.at("train_loss") < evaluation_of(RunDirectory(first.path()), false).at("train_loss"));

  CHECK_THAT(refusal_of(start_of(model_text("[6]}\n") + "initial_weights: {type: saved, file: " +
                                 (first / "model.pt").string() + "}\n")),
             ContainsSubstring("model.pt: saved tensor 'hidden1.") &&
                 ContainsSubstring("has another shape than the network's"));
  CHECK_THAT(refusal_of(start_of(model_text("[6]}\n") + "initial_weights: saved\n")),
             ContainsSubstring("initial_weights.file: empty"));
}

TEST_CASE("a run begins with the state_dict of a Python network", "[experiment][initial_weights]") {
  // Written by Python's torch 2.15 from modules of these names, with the weights 1/64, 2/64, ...
  const std::string file = PLUMB_FIXTURES "/state_dict.pt";
  const test::TemporaryFolder folder;
  const RunDirectory directory(folder.path());
  execute(start_of(model_text("[5]}\n") + exact + "initial_weights: {type: saved, file: " + file + "}\n"),
          directory, {});
  const Archive weights = Archive::load(directory.model());
  const Tensor numbers = torch::arange(1, 54, torch::kDouble) / 64;
  CHECK(weights.tensor("hidden1.weight").equal(numbers.slice(0, 0, 30).view({5, 6})));
  CHECK(weights.tensor("hidden1.bias").equal(numbers.slice(0, 30, 35)));
  CHECK(weights.tensor("output.weight").equal(numbers.slice(0, 35, 50).view({3, 5})));
  CHECK(weights.tensor("output.bias").equal(numbers.slice(0, 50, 53)));
}

TEST_CASE("saved weights that are not all of the network's and only those are refused by name",
          "[experiment][initial_weights]") {
  const test::TemporaryFolder folder;
  const Archive weights = Archive::load(PLUMB_FIXTURES "/state_dict.pt");
  const auto refused = [&](const Archive& archive) {
    archive.save(folder / "w.pt");
    return refusal_of(start_of(model_text("[5]}\n") +
                               "compute: {device: cpu, threads: 1}\ninitial_weights: {type: saved, file: " +
                               (folder / "w.pt").string() + "}\n"));
  };
  const auto with = [&](const std::string& name, const auto& value) {
    Archive archive = weights;
    archive.put(name, value);
    return archive;
  };
  Archive inside, behind_prefix, fewer;
  inside.put("model", weights);
  for (const auto& [name, value] : weights.values()) {
    behind_prefix.put("module." + name, std::get<Tensor>(value));
    if (name != "hidden1.bias") fewer.put(name, std::get<Tensor>(value));
  }
  CHECK_THAT(refused(with("extra", torch::ones({2}))),
             ContainsSubstring("w.pt: the network has no tensor 'extra'"));
  CHECK_THAT(refused(fewer), ContainsSubstring("1 of the network's 4 tensors are not in it: 'hidden1.bias'"));
  CHECK_THAT(refused(inside), ContainsSubstring("4 of the network's 4 tensors are not in it") &&
                                  ContainsSubstring("; save its dict 'model' alone"));
  CHECK_THAT(refused(behind_prefix), ContainsSubstring("; save the network within: net.module.state_dict()"));
  CHECK_THAT(refused(with("output.bias", int64_t{1})),
             ContainsSubstring("entry 'output.bias' is not a tensor"));
  CHECK_THAT(refused(with("output.bias", torch::ones({3}, torch::kLong))),
             ContainsSubstring("saved tensor 'output.bias' is Long; the network's is Float"));
  CHECK_THAT(refused(with("output.bias", torch::ones({3}, torch::kComplexFloat))),
             ContainsSubstring("is ComplexFloat"));
  CHECK_THAT(refused(with("output.bias", torch::full({3}, 1e300, torch::kDouble))),
             ContainsSubstring("'output.bias' has numbers that are not finite in Float"));
  CHECK_THAT(refused(with("output.bias", torch::full({3}, NAN))), ContainsSubstring("not finite"));
  CHECK_THAT(refused(with("output.bias", torch::ones({4}))), ContainsSubstring("has another shape"));
}

TEST_CASE("networks that cannot memorize by construction are refused with the reason",
          "[experiment][initial_weights]") {
  const auto refused = [](const std::string& model, const std::string& compute = exact) {
    return refusal_of(start_of(model + compute + "initial_weights: memorizing\n"));
  };
  CHECK_THAT(refused(model_text("[16, 16, 12]}\n"), "compute: {device: cpu}\n"),
             ContainsSubstring("initial_weights memorizing: compute.precision is float32;"));
  CHECK_THAT(refused(model_text("[16, 16]}\n")),
             ContainsSubstring("the model has not four layers with biases"));
  CHECK_THAT(refused(model_text("[16, 16, 13]}\n")),
             ContainsSubstring("the third hidden layer has 13 units for 3 classes"));
  CHECK_THAT(refused(model_text("[8, 16, 12]}\n")),
             ContainsSubstring("memorize 32 examples, and there are 60"));
  CHECK_THAT(refused(model_text("[16, 16, 12], activation: tanh}\n")),
             ContainsSubstring("the model does something else between its layers than ReLU"));
}

TEST_CASE("the fingerprint of a run with drawn weights does not know that there are others",
          "[experiment][initial_weights]") {
  const std::string model = model_text("[5]}\n");
  const std::string drawn = start_of(model).fingerprint();
  CHECK(start_of(model + "initial_weights: drawn\n").fingerprint() == drawn);
  CHECK(start_of(model + "initial_weights: memorizing\n").fingerprint() != drawn);
  CHECK_FALSE(start_of(model).description().to_yaml().find("initial_weights") == std::string::npos);
}
