// Run folders that something damaged: each is left out with its reason, and costs nothing but itself.
// Oracle: the damage, done by hand.
#include <functional>

#include "report/planned_runs.hpp"
#include "support/catch.hpp"
#include "support/files.hpp"
#include <sys/stat.h>

#include "plumb/report/findings.hpp"
#include "plumb/report/report.hpp"

using namespace plumb;
using test::sphere_experiment;
using test::TemporaryFolder;
using test::write_planned;
using test::write_text;

namespace {

namespace fs = std::filesystem;

struct Damage {
  std::string what;
  std::function<void(const fs::path&)> act;
  std::string reason;
};

std::function<void(const fs::path&)> put(const std::string& file, const std::string& text) {
  return [=](const fs::path& run) { write_text(run / file, text); };
}

std::function<void(const fs::path&)> instead_of(const std::string& file,
                                                const std::function<void(const fs::path&)>& make) {
  return [=](const fs::path& run) {
    fs::remove_all(run / file);
    make(run / file);
  };
}

std::string cut_in_half(const fs::path& file) {
  const std::string text = read_file(file);
  return text.substr(0, text.size() / 2);
}

const std::string header = "step,epoch,train_loss,train_accuracy,test_accuracy\n";

std::vector<Damage> damages() {
  return {
      {"description gone", [](const fs::path& run) { fs::remove(run / "run.yaml"); }, "has no run.yaml"},
      {"description empty", put("run.yaml", ""), "run.yaml: is no description of a run"},
      {"description is a word", put("run.yaml", "hello\n"), "run.yaml: is no description of a run"},
      {"description is bytes", put("run.yaml", std::string("\x00\xff\x01", 3)), "run.yaml"},
      {"description is deep", put("run.yaml", std::string(200000, '[')), "run.yaml"},
      {"description is a folder",
       instead_of("run.yaml", [](const auto& path) { fs::create_directory(path); }), "run.yaml: is no file"},
      {"description is a link to nothing",
       instead_of("run.yaml", [](const auto& path) { fs::create_symlink("nowhere", path); }),
       "run.yaml: is no file"},
      {"description is a pipe",
       instead_of("run.yaml", [](const auto& path) { ::mkfifo(path.c_str(), 0644); }),
       "run.yaml: is no file"},
      {"provenance is cut",
       [](const fs::path& run) { write_text(run / "provenance.json", cut_in_half(run / "provenance.json")); },
       "provenance.json: is no JSON"},
      {"provenance gone", [](const fs::path& run) { fs::remove(run / "provenance.json"); },
       "provenance.json"},
      {"provenance is deep", put("provenance.json", "{\"a\":" + std::string(200000, '[')),
       "provenance.json: lists and objects are more than 64 deep"},
      {"outcome has a number beyond numbers",
       put("outcome.json", R"({"outcome": "step_limit", "step": 1e400})"), "outcome.json: is no JSON"},
      {"outcome is a list", put("outcome.json", "[]"), "outcome.json: is no JSON object"},
      {"outcome is none", put("outcome.json", R"({"outcome": "step_limjt"})"), "'step_limjt' is no outcome"},
      {"outcome is a folder",
       instead_of("outcome.json", [](const auto& path) { fs::create_directory(path); }),
       "outcome.json: is no file"},
      {"table is short", put("evaluations.csv", header + "0,0,1,0.1,0.1\n"),
       "evaluations.csv: ends at step 0; the run ended at step 100"},
      {"table has only a header", put("evaluations.csv", header), "evaluations.csv: is empty"},
      {"table is empty", put("evaluations.csv", ""), "evaluations.csv"},
      {"last row is cut", put("evaluations.csv", header + "0,0,1,0.1,0.1\n100,3,0.5,0.5,0."), "has no end"},
      {"row is short", put("evaluations.csv", header + "0,0,1\n100,3,0.5,0.5,0.5\n"),
       "evaluations.csv:2: holds 3 fields"},
      {"other columns", put("evaluations.csv", "a,b\n1,2\n"), "evaluations.csv: has no column 'step'"},
      {"column twice", put("evaluations.csv", "step,step\n1,2\n"), "column 'step' is given twice"},
      {"number beyond numbers", put("evaluations.csv", header + "0,0,1e400,0.1,0.1\n100,3,1,1,1\n"), "1e400"},
      {"step is nan", put("evaluations.csv", header + "nan,0,1,0.1,0.1\n100,3,1,1,1\n"),
       "step: nan does not go on"},
      {"steps go back", put("evaluations.csv", header + "50,0,1,0.1,0.1\n0,0,1,0.1,0.1\n100,3,1,1,1\n"),
       "step: 0 does not go on"},
      {"accuracy is none", put("evaluations.csv", header + "0,0,1,0.1,0.1\n100,3,0.5,9.5,0.5\n"),
       "train_accuracy: 9.5 is no accuracy"},
      {"table is another run's",
       put("outcome.json", R"({"outcome": "epoch_limit", "step": 100, "train_accuracy": 0.75})"),
       "evaluations.csv: ends with train_accuracy 0.5; outcome.json has 0.75"},
      {"table is bytes", put("steps.csv", std::string("\x00\xff\x01", 3)), "steps.csv"},
      {"table is a folder", instead_of("steps.csv", [](const auto& path) { fs::create_directory(path); }),
       "steps.csv: is no file"},
      {"table of a probe ends early", put("probes/gradient.csv", "step,epoch,loss\n0,0,1\n"),
       "probes/gradient.csv: ends at step 0; the run ended at step 100"},
      {"table of a probe is a folder",
       [](const fs::path& run) { fs::create_directories(run / "probes/x.csv"); }, "probes/x.csv: is no file"},
  };
}

}  // namespace

TEST_CASE("each damage to a run's folder costs that run and is named", "[report][damaged]") {
  for (const Damage& damage : damages()) {
    INFO(damage.what);
    const TemporaryFolder folder;
    const auto names = write_planned(folder.path(), sphere_experiment + "seeds: [0, 1]\n", {}, 0.5);
    damage.act(folder / names[0]);
    const Results results = load_results(folder.path());
    REQUIRE(results.runs.size() == 1);
    CHECK(results.runs[0].id == names[1]);
    REQUIRE(results.skipped.size() == 1);
    CHECK(results.skipped[0].folder == names[0]);
    CHECK_THAT(results.skipped[0].reason, ContainsSubstring(damage.reason));
    CHECK(results.missing == 0);
    REQUIRE(complaints(results).size() == 1);
    CHECK_THAT(complaints(results)[0], ContainsSubstring(names[0] + ": left out: "));
  }
}

TEST_CASE("an unfinished run may lack what it had no time to write", "[report][damaged]") {
  const TemporaryFolder folder;
  const auto names = write_planned(folder.path(), sphere_experiment + "seeds: [0, 1, 2]\n", {}, 0.5);
  for (const char* file : {"outcome.json", "provenance.json", "steps.csv", "evaluations.csv"})
    fs::remove(folder / names[0] / file);
  fs::remove(folder / names[1] / "outcome.json");
  write_text(folder / names[1] / "evaluations.csv", "step,ep");
  const Results results = load_results(folder.path());
  CHECK(results.skipped.empty());
  REQUIRE(results.runs.size() == 3);
  CHECK(results.runs[0].outcome() == "unfinished");
  CHECK(results.runs[1].outcome() == "unfinished");
}

TEST_CASE("no name hides a run or breaks a page", "[report][damaged]") {
  const TemporaryFolder folder;
  const auto names = write_planned(folder.path(), sphere_experiment, {}, 0.5);
  const std::vector<std::string> odd{".5",
                                     "..x",
                                     "-rf",
                                     "a\nb",
                                     "<script>alert(1)<b>",
                                     "\"'`$(x)",
                                     "日本語",
                                     "\xff",
                                     std::string(250, 'x'),
                                     "figures",
                                     "a,b;c"};
  for (size_t i = 0; i < odd.size(); ++i) {
    fs::copy(folder / names[0], folder / odd[i], fs::copy_options::recursive);
    std::string yaml = read_file(folder / odd[i] / "run.yaml");
    const std::string seed = fmt::format("seed: {}", i + 1);
    yaml.replace(yaml.find("seed: 0"), 7, seed);
    write_text(folder / odd[i] / "run.yaml", yaml);
    write_text(folder / odd[i] / "provenance.json", fmt::format(R"({{"seed": {}}})", i + 1));
  }
  fs::create_directory(folder / ".hidden");
  fs::create_symlink("nowhere", folder / "lost");
  const Results results = load_results(folder.path());
  CHECK(results.runs.size() == 1 + odd.size());
  REQUIRE(results.skipped.size() == 2);
  CHECK(results.skipped[0].folder == ".hidden");
  CHECK(results.skipped[1].reason == "is a link to nothing");
  const std::string page = read_file(write_report(results));
  CHECK(page.find("<script") == std::string::npos);
  CHECK(page.find('\xff') == std::string::npos);
}

TEST_CASE("no value of a sweep gives a hidden folder", "[experiment]") {
  const Experiment experiment = Experiment::read(Config::parse(
      sphere_experiment +
      "sweep:\n  setting:\n    '..': {}\n    .5: {model.width: 1}\n    -rf: {model.width: 2}\n    "
      "\"a\\nb\": {model.width: 3}\n    日本: {model.width: 4}\n    ../../x: {model.width: 5}\n"));
  for (const PlannedRun& planned : experiment.runs) {
    INFO(planned.id);
    CHECK(planned.id.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") ==
          std::string::npos);
    CHECK(planned.id.front() != '.');
    CHECK(planned.id.front() != '-');
  }
}
