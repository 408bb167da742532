// Oracle: the same run done in one session, compared byte for byte; which file was damaged.
#include "plumb/experiment/checkpoint.hpp"

#include "experiment/small_run.hpp"
#include <nlohmann/json.hpp>
#include <torch/torch.h>

#include "plumb/core/error.hpp"

using namespace plumb;
using test::small_run;

namespace {

/// Stops the run after a few updates, with two checkpoints behind it.
void begin_and_stop(const RunDirectory& directory) {
  test::StopAtReport stopper(3);
  REQUIRE(execute(small_run("checkpoint: {every_steps: 1}\n"), directory, stopper.options) ==
          Outcome::interrupted);
  REQUIRE(std::filesystem::exists(directory.checkpoint()));
  REQUIRE(std::filesystem::exists(directory.previous_checkpoint()));
}

void cut_in_half(const std::filesystem::path& file) {
  const std::string bytes = read_file(file);
  write_file_atomically(file, std::string_view(bytes).substr(0, bytes.size() / 2));
}

struct SaidByRun {
  std::vector<std::string> notes;
  RunnerOptions options;

  SaidByRun() {
    options.note = [this](const std::string& note) { notes.push_back(note); };
  }
};

}  // namespace

TEST_CASE("a damaged checkpoint costs the time since the one before it, and is named",
          "[experiment][checkpoint][resume]") {
  const test::TemporaryFolder whole, damaged;
  REQUIRE(execute(small_run(), RunDirectory(whole.path()), {}) == Outcome::epoch_limit);
  const RunDirectory directory(damaged.path());
  begin_and_stop(directory);
  const int64_t newest = Archive::load(directory.checkpoint()).archive("trainer").integer("step");
  const int64_t before = Archive::load(directory.previous_checkpoint()).archive("trainer").integer("step");
  CHECK(before == newest - 1);
  std::string problem;
  SECTION("cut") {
    cut_in_half(directory.checkpoint());
    problem = "checkpoint.pt cannot be used (";
  }
  SECTION("empty") {
    write_file_atomically(directory.checkpoint(), "");
    problem = "checkpoint.pt cannot be used (";
  }
  SECTION("another archive") {
    Archive archive;
    archive.put("something", int64_t{1});
    archive.save(directory.checkpoint());
    problem = "checkpoint.pt cannot be used (the archive has no entry 'trainer')";
  }
  SECTION("missing") {
    std::filesystem::remove(directory.checkpoint());
    problem = "checkpoint.pt is missing";
  }
  CHECK(directory.resumable());
  SaidByRun said;
  CHECK(execute(small_run(), directory, said.options) == Outcome::epoch_limit);
  REQUIRE(said.notes.size() == 1);
  CHECK_THAT(said.notes[0], ContainsSubstring(problem));
  CHECK_THAT(said.notes[0],
             ContainsSubstring(fmt::format("going on from the checkpoint before it, at step {}", before)));
  const auto provenance = nlohmann::json::parse(read_file(directory.provenance()));
  CHECK(provenance["notes"][0] == said.notes[0]);
  test::check_same_files(whole.path(), damaged.path());
}

TEST_CASE("when no checkpoint can be read, the files to remove are named", "[experiment][checkpoint]") {
  const test::TemporaryFolder folder;
  const RunDirectory directory(folder.path());
  begin_and_stop(directory);
  cut_in_half(directory.checkpoint());
  cut_in_half(directory.previous_checkpoint());
  const std::string remove =
      fmt::format("remove {} and {} to begin again at step 0", directory.checkpoint().string(),
                  directory.previous_checkpoint().string());
  CHECK_THROWS_WITH(execute(small_run(), directory, {}), ContainsSubstring(remove));
  CHECK_THROWS_WITH(execute(small_run(), directory, {}),
                    ContainsSubstring(remove));  // nothing was overwritten
  remove_checkpoints(directory);
  SaidByRun said;
  CHECK(execute(small_run(), directory, said.options) == Outcome::epoch_limit);
  REQUIRE(said.notes.size() == 1);
  CHECK_THAT(said.notes[0], ContainsSubstring("begins again at step 0: no checkpoint"));
}

TEST_CASE("one checkpoint of a finished run is kept, none of a diverged one", "[experiment][checkpoint]") {
  const test::TemporaryFolder finished, diverged;
  const RunDirectory end(finished.path()), nowhere(diverged.path());
  execute(small_run("checkpoint: {every_steps: 1}\n"), end, {});
  CHECK(std::filesystem::exists(end.checkpoint()));
  CHECK_FALSE(std::filesystem::exists(end.previous_checkpoint()));
  Run wild = small_run("checkpoint: {every_steps: 1}\n");
  const Config linear = Config::parse("activation: linear");
  FieldReader reader(linear);
  wild.model.fields(reader);
  wild.training = read_options<TrainingOptions>(Config::parse(
      "{loss: square, optimizer: {type: sgd, learning_rate: 1e9}, batch_size: 16, stop: {epochs: 99}}"));
  CHECK(execute(wild, nowhere, {}) == Outcome::diverged);
  CHECK_FALSE(nowhere.has_checkpoint());
}
