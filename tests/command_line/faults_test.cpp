// The program under faults: of its processes, its files, its output and its memory.
// Oracle: exit statuses and messages written out by hand; the same experiment undisturbed, compared byte for
// byte. Faults come from the operating system, or from tests/faults/fault_shim.cpp where it has none to give.
#include <chrono>
#include <fstream>
#include <thread>

#include "support/catch.hpp"
#include "support/files.hpp"
#include "support/program.hpp"
#include <signal.h>
#include <sys/mount.h>
#include <unistd.h>

#include "plumb/core/files.hpp"

using namespace plumb;
using test::plumb_program;
using test::run_program;

namespace {

using Words = std::vector<std::string>;

const std::string tiny_experiment =
    "name: tiny\n"
    "data: {type: sphere, train_examples: 40, test_examples: 10, dimension: 5, classes: 3}\n"
    "preprocessing: {normalize: none}\n"
    "model: {type: mlp, width: 6, depth: 1}\n"
    "training: {optimizer: {type: sgd, learning_rate: 0.1}, batch_size: 8, record_every: 1, stop: {steps: "
    "12}}\n"
    "checkpoint: {every_steps: 3}\n"
    "probes: [{type: parameter_distance, every: 2}]\n"
    "compute: {device: cpu, threads: 1}\n";

const std::string two_runs = "sweep: {model.width: [6, 7]}\n";

/// Too long to end within a test.
const std::string endless = "training.stop.steps=100000000";

std::string shim() { return PLUMB_FAULT_SHIM; }

class TinyExperiment {
 public:
  explicit TinyExperiment(const std::string& more = "") {
    write_file_atomically(folder_ / "tiny.yaml", tiny_experiment + more);
  }

  Words command(const Words& more = {}) const {
    Words words{plumb_program(), "run", (folder_ / "tiny.yaml").string(), "--out", out().string()};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
  test::ProgramResult run(const Words& more = {}, Words environment = {}) const {
    if (!environment.empty()) environment.push_back("LD_PRELOAD=" + shim());
    return run_program(command(more), environment);
  }
  std::filesystem::path out() const { return folder_ / "out"; }

  /// The folders of the runs, in the order of their names.
  std::vector<std::filesystem::path> runs() const {
    std::vector<std::filesystem::path> found;
    for (const auto& entry : std::filesystem::directory_iterator(out() / "tiny"))
      if (std::filesystem::exists(entry.path() / "run.yaml")) found.push_back(entry.path());
    std::sort(found.begin(), found.end());
    return found;
  }

 private:
  test::TemporaryFolder folder_;
};

void check_equal_runs(const std::filesystem::path& left, const std::filesystem::path& right) {
  for (const char* file : {"steps.csv", "evaluations.csv", "run.yaml", "model.pt", "labels.pt",
                           "probes/parameter_distance.csv"}) {
    INFO(file);
    CHECK(read_file(left / file) == read_file(right / file));
  }
}

std::vector<pid_t> children_of(pid_t process) {
  std::ifstream file("/proc/" + std::to_string(process) + "/task/" + std::to_string(process) + "/children");
  std::vector<pid_t> children;
  for (pid_t child; file >> child;) children.push_back(child);
  return children;
}

bool runs_still(pid_t process) {
  std::ifstream file("/proc/" + std::to_string(process) + "/stat");
  std::string text{std::istreambuf_iterator<char>(file), {}};
  const size_t name_end = text.rfind(')');
  return name_end != std::string::npos && text[name_end + 2] != 'Z';
}

template <class Condition>
bool comes_true(Condition condition, std::chrono::seconds patience) {
  const auto end = std::chrono::steady_clock::now() + patience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

/// Runs a shell line, with the words of a command as its "$@".
test::ProgramResult run_in_shell(const std::string& line, const Words& command) {
  Words words{"bash", "-c", line, "bash"};
  words.insert(words.end(), command.begin(), command.end());
  return run_program(words);
}

}  // namespace

TEST_CASE("however a run's process ends, its run alone fails, and says how", "[command_line][faults]") {
  const std::vector<std::pair<std::string, std::string>> ends{
      {"exit", "exit status 7; see "},
      {"abort", "killed by signal 6 (Aborted): the last words; see "},
      {"kill", "killed by signal 9 (Killed), perhaps for want of memory; see "},
      {"close", "exit status 7; see "},
      {"half", "exit status 7; see "},
      {"garbage", "exit status 7; see "},
      {"chatter", "exit status 7; see "}};
  // Widths 1 to 7 end so; those of 8 and 9 are well.
  std::string starts = "FAULT_START=";
  for (size_t i = 0; i < ends.size(); ++i) starts += ends[i].first + "@/" + std::to_string(i + 1) + "-seed ";
  const TinyExperiment experiment("sweep: {model.width: [1, 2, 3, 4, 5, 6, 7, 8, 9]}\n");
  const auto result = experiment.run({"--jobs", "3"}, {starts, "FAULT_VERB=train"});
  INFO(result.output);
  CHECK(result.status == 1);
  CHECK_THAT(result.output, ContainsSubstring("7 of 9 runs failed; the others are unharmed"));
  const std::vector<std::filesystem::path> runs = experiment.runs();
  REQUIRE(runs.size() == 9);
  for (size_t i = 0; i < ends.size(); ++i) {
    CHECK_FALSE(std::filesystem::exists(runs[i] / "outcome.json"));
    CHECK_THAT(result.output, ContainsSubstring(runs[i].filename().string() + ": " + ends[i].second +
                                                (runs[i] / "log.txt").string()));
  }
  CHECK(std::filesystem::exists(runs[7] / "outcome.json"));
  CHECK(std::filesystem::exists(runs[8] / "outcome.json"));
}

TEST_CASE("a run that is finished while another process waits to train it is not trained again",
          "[command_line][faults]") {
  const TinyExperiment experiment;
  // A first program lays the run out and is ended; two processes then take it up.
  REQUIRE(experiment.run({}, {"FAULT_START=exit@seed", "FAULT_VERB=train"}).status == 1);
  const std::filesystem::path run = experiment.runs().front();
  const std::string outcome = (run / "outcome.json").string();
  const Words train{plumb_program(), "train", run.string(), "--data", "none"};
  Words late{"env",
             "LD_PRELOAD=" + shim(),
             "FAULT_VERB=train",
             "FAULT_CALL=open",
             "FAULT_BELOW=/lock",
             "FAULT_AT=1",
             "FAULT_ACTION=WAIT",
             "FAULT_UNTIL=" + outcome,
             "FAULT_LOG=" + (run / "hits").string()};
  late.insert(late.end(), train.begin(), train.end());
  const pid_t process = test::start_program(late);
  REQUIRE(comes_true([&] { return std::filesystem::exists(run / "hits"); }, std::chrono::seconds(60)));
  REQUIRE(run_program(train).status == 0);
  const std::string before = read_file(outcome), provenance = read_file(run / "provenance.json");
  CHECK(test::wait_for(process) == 0);
  CHECK(read_file(outcome) == before);
  CHECK(read_file(run / "provenance.json") == provenance);
  CHECK(std::filesystem::exists(run / "model.pt"));
}

TEST_CASE("a run whose parent is killed ends, however early that is", "[command_line][faults]") {
  for (const int milliseconds : {0, 5, 50, 300}) {
    INFO(milliseconds);
    const TinyExperiment experiment;
    const pid_t parent = test::start_program(experiment.command({endless}));
    std::vector<pid_t> children;
    const auto has_child = [&] { return !(children = children_of(parent)).empty(); };
    REQUIRE(comes_true(has_child, std::chrono::seconds(60)));
    std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
    ::kill(parent, SIGKILL);
    test::wait_for(parent);
    const bool ended = comes_true([&] { return !runs_still(children.front()); }, std::chrono::seconds(120));
    CHECK(ended);
    if (!ended) ::kill(children.front(), SIGKILL);
  }
}

TEST_CASE("Ctrl-C is an interruption at any moment", "[command_line][faults]") {
  for (const int milliseconds : {50, 400, 700, 1000, 1500}) {
    INFO(milliseconds);
    const TinyExperiment experiment(two_runs);
    const std::string log = (experiment.out().parent_path() / "log").string();
    Words words{"bash", "-c", "exec \"$@\" >" + log + " 2>&1", "bash"};
    const Words command = experiment.command({endless, "--jobs", "1"});
    words.insert(words.end(), command.begin(), command.end());
    const pid_t process = test::start_program(words);
    std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
    ::kill(process, SIGINT);
    CHECK(test::wait_for(process) == 130);
    // On a busy machine the shell may be interrupted before it opens the log.
    const std::string said = std::filesystem::exists(log) ? read_file(log) : "";
    CHECK_THAT(said, !ContainsSubstring("killed by signal"));
    if (!said.empty()) CHECK_THAT(said, ContainsSubstring("interrupted; what was done is saved. To go on: "));
  }
}

TEST_CASE("Ctrl-C reaches the runs although one has closed its pipe", "[command_line][faults]") {
  const TinyExperiment experiment(two_runs);
  Words words{"env", "LD_PRELOAD=" + shim(), "FAULT_START=mute@/6-seed"};
  const Words command = experiment.command({endless, "--jobs", "2"});
  words.insert(words.end(), command.begin(), command.end());
  const pid_t process = test::start_program(words);
  const auto has_begun = [&] {
    return std::filesystem::exists(experiment.out() / "tiny") && experiment.runs().size() == 2 &&
           std::filesystem::exists(experiment.runs()[1] / "steps.csv");
  };
  REQUIRE(comes_true(has_begun, std::chrono::seconds(60)));
  const auto begin = std::chrono::steady_clock::now();
  ::kill(process, SIGINT);
  CHECK(test::wait_for(process) == 130);
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(15));
}

TEST_CASE("signals and stops during input and output change nothing", "[command_line][faults]") {
  const TinyExperiment whole, disturbed, alarmed;
  REQUIRE(whole.run().status == 0);
  SECTION("every second call is interrupted before it does anything") {
    const auto result =
        disturbed.run({}, {"FAULT_CALL=any", "FAULT_AT=odd", "FAULT_ACTION=4", "FAULT_BELOW=/out/"});
    INFO(result.output);
    CHECK(result.status == 0);
    check_equal_runs(whole.runs().front(), disturbed.runs().front());
  }
  SECTION("a signal every millisecond, without restart of what it interrupts") {
    const auto result = alarmed.run({}, {"FAULT_ALARM=1000"});
    INFO(result.output);
    CHECK(result.status == 0);
    check_equal_runs(whole.runs().front(), alarmed.runs().front());
  }
  SECTION("stopped and continued") {
    const pid_t process = test::start_program(disturbed.command());
    for (int i = 0; i < 10; ++i) {
      for (const int signal : {SIGSTOP, SIGCONT, SIGWINCH}) ::kill(process, signal);
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    CHECK(test::wait_for(process) == 0);
    check_equal_runs(whole.runs().front(), disturbed.runs().front());
  }
}

TEST_CASE("a folder or a log that cannot be written costs its run, not the sweep", "[command_line][faults]") {
  const TinyExperiment experiment(two_runs);
  REQUIRE(experiment.run({"training.stop.steps=1"}).status == 0);
  const std::filesystem::path run = experiment.runs().front();
  const auto again = [&](const std::string& message) {
    std::error_code read_only;
    for (const auto& folder : experiment.runs()) std::filesystem::remove(folder / "outcome.json", read_only);
    const auto result = experiment.run({"training.stop.steps=1"});
    CHECK(result.status == 1);
    CHECK_THAT(result.output, ContainsSubstring(message));
    CHECK_THAT(result.output, ContainsSubstring("1 of 2 runs failed"));
    CHECK_FALSE(std::filesystem::exists(run / "outcome.json"));
  };
  std::filesystem::remove(run / "log.txt");
  std::filesystem::create_directory(run / "log.txt");
  again("log.txt: cannot write: Is a directory");
  std::filesystem::remove(run / "log.txt");
  std::filesystem::rename(run / "run.yaml", run / "kept.yaml");
  std::filesystem::create_directory(run / "run.yaml");
  again("run.yaml");
  std::filesystem::remove(run / "run.yaml");
  std::filesystem::rename(run / "kept.yaml", run / "run.yaml");
  std::filesystem::remove(run / "lock");
  std::filesystem::create_directory(run / "lock");
  again("lock: cannot write: Is a directory");
  std::filesystem::remove(run / "lock");
  for (const auto& folder : experiment.runs()) std::filesystem::remove(folder / "outcome.json");
  if (::mount(run.c_str(), run.c_str(), nullptr, MS_BIND, nullptr) != 0 ||
      ::mount(nullptr, run.c_str(), nullptr, MS_BIND | MS_REMOUNT | MS_RDONLY, nullptr) != 0) {
    WARN("cannot mount a folder read-only here; it is not tried");
    return;
  }
  again("Read-only file system");
  ::umount(run.c_str());
}

TEST_CASE("what standard output does not take is an error, and no run is lost for it",
          "[command_line][faults]") {
  if (!std::filesystem::exists("/dev/full")) {
    WARN("skipped: no /dev/full");
    return;
  }
  const auto list = run_in_shell("\"$@\" >/dev/full", {plumb_program(), "list", "keys"});
  CHECK(list.status == 1);
  CHECK_THAT(list.output, ContainsSubstring("plumb: "));
  CHECK_THAT(list.output, ContainsSubstring("No space left on device"));
  const auto version = run_in_shell("\"$@\" >/dev/full", {plumb_program(), "--version"});
  CHECK(version.status == 1);
  CHECK_THAT(version.output, ContainsSubstring("standard output: cannot write"));
  const TinyExperiment experiment(two_runs);
  for (const char* redirection : {">/dev/full 2>&1", ">&-", ">&- 2>&- <&-"}) {
    INFO(redirection);
    std::filesystem::remove_all(experiment.out());
    CHECK(run_in_shell(std::string("\"$@\" ") + redirection, experiment.command()).status == 1);
    REQUIRE(experiment.runs().size() == 2);
    for (const auto& run : experiment.runs()) CHECK(std::filesystem::exists(run / "outcome.json"));
    CHECK(std::filesystem::exists(experiment.out() / "tiny" / "report.html"));
  }
}

TEST_CASE("a lack of memory is said and ends the program", "[command_line][faults]") {
#if defined(__SANITIZE_ADDRESS__)
  WARN("sanitizers need more address space than there is");
#else
  const TinyExperiment experiment;
  for (const int kibibytes : {400000, 600000, 800000}) {
    INFO(kibibytes);
    const std::string limited = "ulimit -v " + std::to_string(kibibytes) + "; exec timeout 60 \"$@\"";
    const auto result = run_in_shell(limited, experiment.command());
    CHECK(result.status != 124);
    if (result.status != 0) CHECK_FALSE(result.output.empty());
  }
#endif
}
