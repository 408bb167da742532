// The program itself, as a person starts it: exit statuses, messages, kills and what is left behind.
// Oracle: messages written out by hand; for kills, the same experiment run without one, compared byte for
// byte.
#include "support/program.hpp"

#include <chrono>
#include <fstream>
#include <thread>

#include "support/catch.hpp"
#include "support/files.hpp"
#include <signal.h>
#include <sys/mount.h>
#include <unistd.h>

#include "plumb/core/archive.hpp"
#include "plumb/core/blas.hpp"
#include "plumb/core/files.hpp"

using namespace plumb;
using test::plumb_program;
using test::run_program;

namespace {

const std::string small_experiment =
    "name: small\n"
    "data: {type: sphere, train_examples: 200, test_examples: 50, dimension: 10, classes: 4}\n"
    "preprocessing: {normalize: none}\n"
    "model: {type: mlp, width: 16, depth: 1}\n"
    "training: {optimizer: {type: sgd, learning_rate: 0.1}, batch_size: 4, record_every: 5, stop: {epochs: "
    "30}}\n"
    "checkpoint: {every_steps: 11}\n"
    "compute: {device: cpu, threads: 1}\n";

std::filesystem::path write(const std::filesystem::path& file, const std::string& text) {
  write_file_atomically(file, text);
  return file;
}

test::ProgramResult run_small(const test::TemporaryFolder& folder, const std::vector<std::string>& more = {},
                              const std::string& yaml = small_experiment) {
  std::vector<std::string> arguments{plumb_program(),
                                     "run",
                                     write(folder / "small.yaml", yaml).string(),
                                     "--out",
                                     (folder / "out").string(),
                                     "--data",
                                     folder.path().string()};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return run_program(arguments);
}

std::filesystem::path only_run(const std::filesystem::path& experiment) {
  std::vector<std::filesystem::path> runs;
  for (const auto& entry : std::filesystem::directory_iterator(experiment))
    if (std::filesystem::exists(entry.path() / "run.yaml")) runs.push_back(entry.path());
  REQUIRE(runs.size() == 1);
  return runs.front();
}

/// Waits until `file` holds `rows` lines, or a minute has passed.
void wait_for_rows(const std::filesystem::path& file, int rows) {
  for (int i = 0; i < 6000; ++i) {
    std::ifstream stream(file);
    int found = 0;
    for (std::string line; std::getline(stream, line);) ++found;
    if (found >= rows) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

void check_same_results(const std::filesystem::path& left, const std::filesystem::path& right) {
  for (const char* file : {"steps.csv", "evaluations.csv", "run.yaml"}) {
    INFO(file);
    CHECK(read_file(left / file) == read_file(right / file));
  }
  const Archive weights = Archive::load(left / "model.pt"), others = Archive::load(right / "model.pt");
  for (const auto& [name, value] : weights.values())
    CHECK(std::get<Tensor>(value).equal(others.tensor(name)));
}

}  // namespace

TEST_CASE("a run killed at any moment resumes to the same bits", "[command_line][resume]") {
  const test::TemporaryFolder whole, killed;
  REQUIRE(run_small(whole).status == 0);
  // 1,500 updates, a row every 5, a checkpoint every 11, an epoch every 50: the kills fall inside epochs.
  REQUIRE(run_small(killed, {"training.stop.epochs=1"}).status == 0);
  const std::filesystem::path run = only_run(whole / "out" / "small");
  std::filesystem::remove_all(killed / "out");
  const std::filesystem::path again = killed / "out" / "small" / run.filename();
  std::filesystem::create_directories(again);
  std::filesystem::copy_file(run / "run.yaml", again / "run.yaml");
  for (const int rows : {4, 40, 41, 137, 250}) {
    const pid_t process =
        test::start_program({plumb_program(), "train", again.string(), "--data", killed.path().string()});
    wait_for_rows(again / "steps.csv", rows);
    ::kill(process, SIGKILL);
    CHECK(test::wait_for(process) == 128 + SIGKILL);
    CHECK_FALSE(std::filesystem::exists(again / "outcome.json"));
  }
  const auto last = run_small(killed);
  CHECK(last.status == 0);
  CHECK_THAT(last.output, ContainsSubstring("resumed at step"));
  check_same_results(run, again);
}

TEST_CASE("Ctrl-C saves, says how to go on, and going on gives the same bits", "[command_line][resume]") {
  const test::TemporaryFolder whole, stopped;
  REQUIRE(run_small(whole).status == 0);
  const std::filesystem::path run = only_run(whole / "out" / "small");
  const std::string log = (stopped / "log").string();
  const std::string command = plumb_program() + " run " +
                              write(stopped / "small.yaml", small_experiment).string() + " --out " +
                              (stopped / "out").string();
  const pid_t process = test::start_program({"sh", "-c", "exec " + command + " > " + log});
  wait_for_rows(stopped / "out" / "small" / run.filename() / "steps.csv", 60);
  ::kill(process, SIGINT);
  CHECK(test::wait_for(process) == 130);
  CHECK_THAT(read_file(log), ContainsSubstring("interrupted; what was done is saved. To go on: " + command));
  CHECK(run_small(stopped).status == 0);
  check_same_results(run, only_run(stopped / "out" / "small"));
}

TEST_CASE("a run resumed beside more or fewer others keeps its thread count", "[command_line][resume]") {
  const test::TemporaryFolder folder;
  std::string yaml = small_experiment;
  yaml.replace(yaml.find(", threads: 1"), 12, "");
  const std::filesystem::path file = write(folder / "small.yaml", yaml);
  const std::string out = (folder / "out").string();
  REQUIRE(
      run_program({plumb_program(), "run", file.string(), "--out", out, "training.stop.epochs=1"}).status ==
      0);
  const std::filesystem::path run = only_run(folder / "out" / "small");
  // As if the run had been started with 3 threads and stopped.
  std::filesystem::remove(run / "outcome.json");
  write(run / "checkpoint.pt", "");
  std::string provenance = read_file(run / "provenance.json");
  const size_t threads = provenance.find("\"threads\": ");
  provenance.replace(threads, provenance.find(',', threads) - threads, "\"threads\": 3");
  write(run / "provenance.json", provenance);
  const pid_t process =
      test::start_program({plumb_program(), "run", file.string(), "--out", out, "training.stop.epochs=1"});
  std::string environment;
  for (int i = 0; i < 2000 && environment.find("OMP_NUM_THREADS=3") == std::string::npos; ++i) {
    std::ifstream children("/proc/" + std::to_string(process) + "/task/" + std::to_string(process) +
                           "/children");
    std::string child;
    if (children >> child) {
      std::ifstream stream("/proc/" + child + "/environ", std::ios::binary);
      environment.assign(std::istreambuf_iterator<char>(stream), {});
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  test::wait_for(process);
  CHECK_THAT(environment, ContainsSubstring("OMP_NUM_THREADS=3"));
}

TEST_CASE("one failing run does not stop the others, and finished runs are skipped", "[command_line]") {
  const test::TemporaryFolder folder;
  const std::string sweep =
      "sweep:\n  setting:\n    good: {}\n    bad: {subset.train_examples: 999}\n    fine: {seed: 1}\n";
  std::string yaml = small_experiment + sweep;
  const auto first = run_small(folder, {"training.stop.epochs=1", "--jobs", "2"}, yaml);
  CHECK(first.status == 1);
  CHECK_THAT(first.output, ContainsSubstring("1 of 3 runs failed; the others are unharmed"));
  CHECK_THAT(first.output, ContainsSubstring("999"));
  CHECK(std::filesystem::exists(folder / "out" / "small" / "report.html"));
  const auto second = run_small(folder, {"training.stop.epochs=1"}, yaml);
  CHECK_THAT(second.output, ContainsSubstring("3 runs, 1 to do"));
}

TEST_CASE("a diverged run has an exit status of its own, now and when it is asked for again",
          "[command_line]") {
  const test::TemporaryFolder folder;
  const std::string yaml = small_experiment + "sweep: {training.optimizer.learning_rate: [0.1, 1e9, 0.2]}\n";
  const std::vector<std::string> more{"training.stop.epochs=2", "training.loss=square", "--jobs", "1"};
  for (int time = 0; time < 2; ++time) {
    const auto result = run_small(folder, more, yaml);
    CHECK(result.status == 4);
    CHECK_THAT(result.output,
               ContainsSubstring("1 of 3 runs diverged, the loss is no longer a number: 1e9-seed0-"));
  }
  int64_t finished = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder / "out" / "small"))
    if (std::filesystem::exists(entry.path() / "outcome.json")) ++finished;
  CHECK(finished == 3);
  CHECK(run_small(folder, more, small_experiment).status == 0);
}

TEST_CASE("raising a limit on the command line goes on where the run ended", "[command_line][resume]") {
  const test::TemporaryFolder whole, longer;
  REQUIRE(run_small(whole, {"training.stop.epochs=5"}).status == 0);
  REQUIRE(run_small(longer, {"training.stop.epochs=2"}).status == 0);
  const auto again = run_small(longer, {"training.stop.epochs=5"});
  CHECK(again.status == 0);
  CHECK_THAT(again.output, ContainsSubstring("ended (epoch_limit) and go on to the limits asked for now"));
  CHECK_THAT(again.output, ContainsSubstring("resumed at step"));
  check_same_results(only_run(whole / "out" / "small"), only_run(longer / "out" / "small"));
}

TEST_CASE("a run that was edited, one without a readable checkpoint and old words are told of",
          "[command_line]") {
  const test::TemporaryFolder folder;
  const std::string old_words =
      small_experiment.substr(0, small_experiment.find("batch_size")) +
      "schedule: {type: exponential, factor: 0.9}, batch_size: 4, stop: {epochs: 1}}\n";
  const auto first = run_small(folder, {}, old_words);
  CHECK(first.status == 0);
  CHECK_THAT(first.output, ContainsSubstring("write {type: step, step_size: 1, gamma: 0.9}"));
  const std::filesystem::path run = only_run(folder / "out" / "small");
  std::string text = read_file(run / "run.yaml");
  write(run / "run.yaml", text.replace(text.find("gamma: 0.9"), 10, "gamma: 0.8"));
  const auto edited = run_small(folder, {}, old_words);
  CHECK(edited.status == 1);
  CHECK_THAT(edited.output, ContainsSubstring("training.schedule.gamma: 0.9 then, 0.8 now"));
}

TEST_CASE("wrong input ends with status 2 and one line that says where", "[command_line]") {
  const test::TemporaryFolder folder;
  const auto refused = [&](const std::vector<std::string>& more, const std::string& yaml,
                           const std::string& message) {
    const auto result = run_small(folder, more, yaml);
    CHECK(result.status == 2);
    CHECK_THAT(result.output, ContainsSubstring(message));
    CHECK_FALSE(std::filesystem::exists(folder / "out"));
  };
  refused({}, small_experiment + "modell: x\n", "small.yaml:8:1: modell: unknown key; did you mean 'model'?");
  refused({"--device", "gpu"}, small_experiment,
          "device 'gpu' is not known; allowed: auto, cpu, cuda, cuda:N");
  refused({"training.batch_size=0"}, small_experiment, "training.batch_size: 0 must be positive");
  CHECK(run_program({plumb_program(), "run", (folder / "none.yaml").string()}).status == 2);
  CHECK(run_program({plumb_program(), "rum"}).status == 2);
  CHECK(run_program({plumb_program()}).status == 2);
  CHECK(run_program({plumb_program(), "report", folder.path().string()}).status == 2);
  CHECK(run_program({plumb_program(), "fetch", "cifar11"}).status == 2);
  const auto shape = run_program({plumb_program(), "show", "model", "mlp", "--input", "3xx2"});
  CHECK(shape.status == 2);
  CHECK_THAT(shape.output, ContainsSubstring("is not a shape"));
}

TEST_CASE("CUDA asked for where there is none is said before anything starts", "[command_line]") {
  const test::TemporaryFolder folder;
  write(folder / "small.yaml", small_experiment);
  const auto result = run_program({plumb_program(), "run", (folder / "small.yaml").string(), "--device",
                                   "cuda", "--out", (folder / "out").string()},
                                  {"CUDA_VISIBLE_DEVICES="});
  CHECK(result.status == 2);
  CHECK_THAT(result.output, ContainsSubstring("compute.device: 'cuda' was asked for, but LibTorch"));
  CHECK_FALSE(std::filesystem::exists(folder / "out"));
}

TEST_CASE("missing and damaged data are errors that name the file", "[command_line]") {
  const test::TemporaryFolder folder;
  const std::string yaml = "name: c\ndata: cifar10\nmodel: mlp_1x512\n";
  const auto missing = run_small(folder, {}, yaml);
  CHECK(missing.status == 1);
  CHECK_THAT(missing.output, ContainsSubstring("plumb fetch cifar10"));
  std::filesystem::create_directories(folder / "cifar-10-batches-bin");
  for (const char* name :
       {"data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch"})
    write(folder / "cifar-10-batches-bin" / (std::string(name) + ".bin"), std::string(100, 'x'));
  CHECK_THAT(run_small(folder, {}, yaml).output, ContainsSubstring("data_batch_1.bin"));
}

TEST_CASE("an output folder that cannot be written is an error", "[command_line]") {
  const test::TemporaryFolder folder;
  write(folder / "out", "a file, not a folder");
  const auto result = run_small(folder);
  CHECK(result.status == 2);
  CHECK_THAT(result.output, ContainsSubstring("cannot make the folder"));
  std::filesystem::remove(folder / "out");
  std::filesystem::create_directories(folder / "out");
  if (::mount("plumb-test", (folder / "out").c_str(), "tmpfs", MS_RDONLY, "size=1m") != 0) {
    WARN("cannot mount a read-only file system here; it is not tried");
    return;
  }
  const auto read_only = run_small(folder);
  CHECK(read_only.status == 2);
  CHECK_THAT(read_only.output, ContainsSubstring("Read-only file system"));
  ::umount((folder / "out").c_str());
}

TEST_CASE("a disk that fills up ends a run with an error, and what was saved before is resumed",
          "[command_line]") {
  const test::TemporaryFolder folder, whole;
  REQUIRE(run_small(whole).status == 0);
  std::filesystem::create_directories(folder / "out");
  if (::mount("plumb-test", (folder / "out").c_str(), "tmpfs", 0, "size=96k") != 0) {
    WARN("cannot mount a small file system here; a full disk is not tried");
    return;
  }
  const auto full = run_small(folder);
  CHECK(full.status != 0);
  CHECK_THAT(full.output, ContainsSubstring("No space left on device"));
  REQUIRE(::mount("plumb-test", (folder / "out").c_str(), "tmpfs", MS_REMOUNT, "size=64m") == 0);
  CHECK(run_small(folder).status == 0);
  check_same_results(only_run(whole / "out" / "small"), only_run(folder / "out" / "small"));
  ::umount((folder / "out").c_str());
}

TEST_CASE("show model counts the parameters of the four networks of Zhang et al.", "[command_line]") {
  const auto shown = [](const std::string& name) {
    return run_program({plumb_program(), "show", "model", name}).output;
  };
  CHECK_THAT(shown("small_inception"), ContainsSubstring("1649402 parameters"));
  CHECK_THAT(shown("small_alexnet"), ContainsSubstring("1387786 parameters"));
  CHECK_THAT(shown("mlp_3x512"), ContainsSubstring("1735178 parameters"));
  CHECK_THAT(shown("mlp_1x512"), ContainsSubstring("1209866 parameters"));
}

TEST_CASE("list names components and explains their options", "[command_line]") {
  CHECK_THAT(run_program({plumb_program(), "list"}).output, ContainsSubstring("small_inception"));
  CHECK_THAT(run_program({plumb_program(), "list", "model", "mlp"}).output, ContainsSubstring("width: "));
  CHECK_THAT(run_program({plumb_program(), "list", "keys"}).output,
             ContainsSubstring("training.stop.epochs: 100"));
  CHECK_THAT(run_program({plumb_program(), "list", "modle"}).output,
             ContainsSubstring("did you mean 'model'?"));
  CHECK_THAT(run_program({plumb_program(), "--version"}).output, ContainsSubstring("LibTorch"));
}

TEST_CASE("the program takes OpenBLAS's better choice of kernels unless told another", "[command_line]") {
  const std::string own = run_program({plumb_program(), "--version"}, {"OPENBLAS_CORETYPE=Prescott"}).output;
  if (own.find("Prescott kernels") == std::string::npos) return;  // another library, or another architecture
  const auto better = faster_openblas_kernels("Prescott");
  ::unsetenv("OPENBLAS_CORETYPE");
  const std::string chosen = run_program({plumb_program(), "--version"}).output;
  CHECK((chosen.find("Prescott kernels") == std::string::npos) == better.has_value());
}
