// Oracle: the same run done in one sitting, compared byte for byte; and the files' own invariants.
#include "plumb/experiment/runner.hpp"

#include "experiment/small_run.hpp"
#include <nlohmann/json.hpp>
#include <torch/torch.h>

#include "plumb/core/error.hpp"
#include "plumb/core/torch_file.hpp"
#include "plumb/experiment/prepare.hpp"

using namespace plumb;
using test::small_run;

TEST_CASE("a finished run's folder holds everything, and is not run again", "[experiment][runner]") {
  const test::TemporaryFolder folder;
  const RunDirectory directory(folder.path());
  RunnerOptions options;
  options.axes = {{"setting", "half"}};
  CHECK(execute(small_run(), directory, options) == Outcome::epoch_limit);
  CHECK(directory.finished());
  CHECK(std::filesystem::exists(directory.checkpoint()));  // to go on from when limits are raised
  CHECK(Run::read(Config::load(directory.description())).fingerprint() == small_run().fingerprint());
  const auto provenance = nlohmann::json::parse(read_file(directory.provenance()));
  CHECK(provenance["axes"]["setting"] == "half");
  CHECK(provenance["parameters"] == 6 * 8 + 8 + 8 * 3 + 3);
  const Archive labels = Archive::load(directory.labels());
  const Tensor changed = labels.tensor("labels").ne(labels.tensor("clean_labels"));
  CHECK(changed.sum().item<int64_t>() == std::llround(provenance["corrupted_fraction"].get<double>() * 60));
  CHECK_FALSE(changed.logical_and(labels.tensor("redrawn").logical_not()).any().item<bool>());
  const Archive weights = Archive::load(directory.model());
  int64_t saved = 0;
  for (const auto& [name, value] : weights.values()) saved += std::get<Tensor>(value).numel();
  CHECK(saved == 6 * 8 + 8 + 8 * 3 + 3);
  const std::string before = read_file(directory.evaluations());
  CHECK(execute(small_run(), directory, options) == Outcome::epoch_limit);
  CHECK(read_file(directory.evaluations()) == before);
}

TEST_CASE("a run stopped and resumed writes the same files as one sitting", "[experiment][runner][resume]") {
  const test::TemporaryFolder whole, parts;
  CHECK(execute(small_run(), RunDirectory(whole.path()), {}) == Outcome::epoch_limit);
  const RunDirectory directory(parts.path());
  int sittings = 0;
  for (Outcome outcome = Outcome::interrupted; outcome == Outcome::interrupted; ++sittings) {
    REQUIRE(sittings < 20);
    test::StopAtReport stopper(2);
    outcome = execute(small_run(), directory, stopper.options);
    if (outcome == Outcome::interrupted) CHECK(directory.resumable());
  }
  CHECK(sittings > 2);
  for (const char* file : {"steps.csv", "evaluations.csv"})
    CHECK(read_file(whole / file) == read_file(parts / file));
  const Archive left = Archive::load(whole / "model.pt"), right = Archive::load(parts / "model.pt");
  for (const auto& [name, value] : left.values()) CHECK(std::get<Tensor>(value).equal(right.tensor(name)));
}

TEST_CASE("a checkpoint of another description or a damaged one is refused, not overwritten",
          "[experiment][runner]") {
  const test::TemporaryFolder folder;
  const RunDirectory directory(folder.path());
  test::StopAtReport stopper(2);
  CHECK(execute(small_run(), directory, stopper.options) == Outcome::interrupted);
  const std::string saved = read_file(directory.checkpoint());
  CHECK_THROWS_WITH(execute(small_run("seed: 9\n"), directory, {}),
                    ContainsSubstring("belongs to another description"));
  CHECK(read_file(directory.checkpoint()) == saved);
  write_file_atomically(directory.checkpoint(), saved.substr(0, saved.size() / 2));
  CHECK_THROWS_WITH(execute(small_run(), directory, {}),
                    ContainsSubstring("checkpoint.pt: not a readable archive"));
}

TEST_CASE("a run is not taken up again when a number that it recorded was changed",
          "[experiment][runner][resume]") {
  for (const std::string name :
       {"steps.csv", "evaluations.csv", "timing.csv", "probes/gradient.csv", "checkpoint.pt"}) {
    INFO(name);
    const test::TemporaryFolder folder;
    const RunDirectory directory(folder.path());
    const Run run = small_run("probes: [gradient]\n");
    test::StopAtReport stopper(2);
    REQUIRE(execute(run, directory, stopper.options) == Outcome::interrupted);
    std::string bytes = read_file(folder / name);
    const size_t place = name.ends_with(".csv") ? bytes.find('\n') + 1 : bytes.size() / 2;
    REQUIRE(place < bytes.size());
    bytes[place] = static_cast<char>(bytes[place] ^ 1);
    write_file_atomically(folder / name, bytes);
    CHECK_THROWS_WITH(execute(run, directory, {}), ContainsSubstring(name));
    CHECK_FALSE(directory.finished());
  }
}

TEST_CASE("of a thousand flipped bits in a run's archives none is overlooked", "[experiment][runner]") {
  const test::TemporaryFolder folder;
  const RunDirectory directory(folder.path());
  const Run run = small_run("probes: [{type: jacobian_rank, examples: 4}]\n");
  test::StopAtReport stopper(2);
  REQUIRE(execute(run, directory, stopper.options) == Outcome::interrupted);
  std::vector<std::string> files{read_file(directory.checkpoint())};
  REQUIRE(execute(run, directory, {}) == Outcome::epoch_limit);
  for (const auto& file :
       {directory.model(), directory.labels(), directory.probes() / "jacobian_rank" / "step_0.pt"})
    files.push_back(read_file(file));
  int silent = 0;
  for (int i = 0; i < 1000; ++i) {
    std::string bytes = files[static_cast<size_t>(i) % files.size()];
    REQUIRE_NOTHROW(i >= 4 || !read_torch_file(bytes).values.empty());
    const auto bit = torch::randint(static_cast<int64_t>(8 * bytes.size()), {1},
                                    Seed(7).stream(std::to_string(i)), torch::kLong)
                         .item<int64_t>();
    char& byte = bytes[static_cast<size_t>(bit / 8)];
    byte = static_cast<char>(byte ^ (1 << (bit % 8)));
    try {
      read_torch_file(bytes);
      ++silent;
    } catch (const DataError&) {
    }
  }
  CHECK(silent == 0);
}

TEST_CASE("two processes cannot train one run", "[experiment][runner]") {
  const test::TemporaryFolder folder;
  const RunDirectory directory(folder.path());
  const RunLock lock(directory);
  CHECK_THROWS_WITH(execute(small_run(), directory, {}),
                    ContainsSubstring("another process is training this run"));
}

TEST_CASE("a diverged run is a result", "[experiment][runner]") {
  const test::TemporaryFolder folder;
  const RunDirectory directory(folder.path());
  const Run run = Run::read(Config::parse(
      "name: d\ndata: {type: sphere, train_examples: 30}\nmodel: {type: mlp, activation: "
      "linear}\npreprocessing: {normalize: none}\n"
      "training: {loss: square, optimizer: {type: sgd, learning_rate: 1e6}, stop: {epochs: 50}}\n"));
  CHECK(execute(run, directory, {}) == Outcome::diverged);
  CHECK(execute(run, directory, {}) == Outcome::diverged);
}

TEST_CASE("what is random in the data does not depend on the model or the batches", "[experiment][prepare]") {
  Run other = small_run();
  other.training.batch_size = 5;
  other.model.select("two_layer");
  const PreparedData left = prepare_data(small_run(), "", torch::kCPU),
                     right = prepare_data(other, "", torch::kCPU);
  CHECK(left.data.train.targets.equal(right.data.train.targets));
  CHECK(left.data.train.inputs.equal(right.data.train.inputs));
}

TEST_CASE("float64 runs compute in float64", "[experiment][prepare]") {
  Run run = small_run();
  run.compute.precision = Precision::float64;
  CHECK(prepare_data(run, "", torch::kCPU).data.train.inputs.scalar_type() == torch::kDouble);
  const test::TemporaryFolder folder;
  CHECK(execute(run, RunDirectory(folder.path()), {}) == Outcome::epoch_limit);
  CHECK(std::get<Tensor>(Archive::load(folder / "model.pt").values().begin()->second).scalar_type() ==
        torch::kDouble);
}
