#include <map>
#include <optional>
#include <set>

#include <torch/cuda.h>

#include "plumb/command_line/output.hpp"
#include "plumb/command_line/shared_jobs.hpp"
#include "plumb/command_line/verbs.hpp"
#include "plumb/experiment/experiment_file.hpp"
#include "plumb/experiment/prepare.hpp"
#include "plumb/experiment/provenance.hpp"
#include "plumb/report/findings.hpp"
#include "plumb/report/report.hpp"
#include "plumb/report/results.hpp"

namespace plumb {
namespace {

struct RunArguments {
  std::string file;
  std::vector<std::string> overrides;
  std::vector<std::string> settings;  // the same, given as --set
  std::string data_folder = default_data_folder();
  std::string out = "runs";
  std::string device;
  int64_t jobs = 0;  // 0: as many as there are cores or GPUs
};

/// Devices are checked before anything is started, so that a wrong one is said once.
void check_devices(const Experiment& experiment) {
  std::set<std::string> names;
  for (const PlannedRun& planned : experiment.runs) names.insert(planned.run.compute.device);
  for (const std::string& name : names) find_device(name);
}

/// Probes are no part of a run's identity: a folder may hold a run that was begun with others.
bool has_other_probes(const PlannedRun& planned, const RunDirectory& directory) {
  const auto probes_in = [](const Config& description) {
    const Config* probes = description.find("probes");
    return probes == nullptr ? std::string("[]\n") : probes->to_yaml();
  };
  return probes_in(Config::load(directory.description())) != probes_in(planned.run.description());
}

void tell_of_other_probes(const std::vector<std::string>& runs, const std::filesystem::path& folder) {
  if (runs.empty()) return;
  say("{} run{} in {} {} begun with other probes than asked for, and keep{} them: {}. To measure again, "
      "remove "
      "the folder{} first.\n",
      runs.size(), runs.size() == 1 ? "" : "s", folder.string(), runs.size() == 1 ? "was" : "were",
      runs.size() == 1 ? "s" : "", fmt::join(runs, ", "), runs.size() == 1 ? "" : "s");
}

/// Writes the description of a run that has not begun. Under the lock: what another process has begun by
/// then, perhaps with other probes, is left to it.
void describe_run(const PlannedRun& planned, const RunDirectory& directory) {
  if (directory.resumable()) return;
  const std::optional<RunLock> lock = RunLock::if_free(directory);
  if (lock && !directory.finished() && !directory.resumable())
    write_file_atomically(directory.description(), planned.run.description().to_yaml());
}

/// Makes the folders, writes the descriptions, and returns the runs that are not finished. What is wrong with
/// one run's folder is that run's obstacle alone.
std::vector<Job> lay_out(const Experiment& experiment, const std::filesystem::path& folder) {
  make_directory(folder);
  keep_experiment_file(folder, experiment.description.to_yaml());
  std::vector<Job> jobs;
  std::vector<std::string> others;
  for (const PlannedRun& planned : experiment.runs) {
    Job job{planned, RunDirectory(folder / planned.id), {}};
    const RunDirectory& directory = job.directory;
    try {
      make_directory(directory.path);
      const bool begun = directory.finished() || directory.resumable();
      if (begun && has_other_probes(planned, directory)) others.push_back(planned.id);
      if (directory.finished()) continue;
      describe_run(planned, directory);
    } catch (const Error& error) {
      job.obstacle = error.what();
    }
    jobs.push_back(std::move(job));
  }
  tell_of_other_probes(others, folder);
  return jobs;
}

JobsOptions share_machine(const RunArguments& arguments, const std::vector<Job>& jobs) {
  JobsOptions options;
  options.data_folder = arguments.data_folder;
  const auto runs = static_cast<int64_t>(jobs.size());
  const auto uses_cuda = [](const Job& job) { return find_device(job.planned.run.compute.device).is_cuda(); };
  const bool cuda = std::any_of(jobs.begin(), jobs.end(), uses_cuda);
  if (cuda) options.cuda_devices = static_cast<int64_t>(torch::cuda::device_count());
  const int64_t cores = available_cores();
  const int64_t fair = cuda ? options.cuda_devices : cores;
  options.at_once = std::max<int64_t>(1, std::min(runs, arguments.jobs > 0 ? arguments.jobs : fair));
  options.threads = std::max<int64_t>(1, cores / options.at_once);
  return options;
}

int conclude(const std::vector<Job>& jobs, const std::vector<JobResult>& results,
             const std::string& command) {
  int64_t failed = 0;
  bool interrupted = false;
  std::map<std::string, std::vector<std::string>> complaints;  // what went wrong -> in which runs
  for (size_t i = 0; i < jobs.size(); ++i) {
    interrupted = interrupted || results[i].kind == JobResult::Kind::interrupted;
    if (results[i].kind != JobResult::Kind::failed) continue;
    ++failed;
    complaints[results[i].message].push_back(jobs[i].planned.id);
  }
  for (const auto& [message, runs] : complaints)
    complain(fmt::format("{}: {}", fmt::join(runs, ", "), message));
  if (interrupted) {
    say("interrupted; what was done is saved. To go on: {}\n", command);
    return kInterrupted;
  }
  if (failed > 0) {
    complain(fmt::format("{} of {} runs failed; the others are unharmed. To try again: {}", failed,
                         jobs.size(), command));
    return kFailed;
  }
  return kDone;
}

/// The status of a report: a figure that cannot be drawn does not make the runs worse, but is missing.
int show_results(const std::filesystem::path& folder) {
  const Results results = load_results(folder);
  for (const std::string& line : complaints(results)) complain(line);
  say("\n{}\n", summary_table(results));
  try {
    say("report  {}\n", write_report(results).string());
    return kDone;
  } catch (const DataError& error) {
    complain(fmt::format("no report: {}", error.what()));
    return kFailed;
  }
}

int run_experiment(RunArguments arguments, const std::string& command) {
  arguments.overrides.insert(arguments.overrides.end(), arguments.settings.begin(), arguments.settings.end());
  const Config description = load_description(arguments.file);
  if (describes_system(description))
    return run_system(LectureExperiment::read(description, arguments.overrides), arguments.out,
                      arguments.data_folder);
  std::vector<std::string> overrides = arguments.overrides;
  if (!arguments.device.empty()) overrides.push_back("compute.device=" + arguments.device);
  interruption();  // from here on, Ctrl-C says how to go on
  const Experiment experiment = Experiment::read(description, overrides);
  check_devices(experiment);
  const std::filesystem::path folder = std::filesystem::path(arguments.out) / experiment.name;
  const std::vector<Job> jobs = lay_out(experiment, folder);
  const JobsOptions options = share_machine(arguments, jobs);
  say("{}: {} run{}, {} to do", experiment.name, experiment.runs.size(),
             experiment.runs.size() == 1 ? "" : "s", jobs.size());
  if (!jobs.empty()) say(", {} at a time, {} CPU threads each", options.at_once, options.threads);
  say("; results in {}\n", folder.string());
  flush_output();
  const std::vector<JobResult> results = run_shared_jobs(jobs, options);
  // Standard input is read once; what was read lies in the folder.
  const std::string again =
      arguments.file == "-"
          ? fmt::format("plumb run {} --out {}", (folder / "experiment.yaml").string(), arguments.out)
          : command;
  const int status = conclude(jobs, results, again);
  if (status == kInterrupted) return status;
  return std::max(status, show_results(folder));
}

}  // namespace

void add_run_verb(CLI::App& program, Action& action, const std::string& command) {
  const auto arguments = std::make_shared<RunArguments>();
  CLI::App* verb =
      program.add_subcommand("run", "Train every run of an experiment that is not finished, and report");
  verb->add_option("experiment", arguments->file,
                   "YAML description, - for standard input; a run's own run.yaml repeats that run")
      ->required();
  verb->add_option("overrides", arguments->overrides, "key.path=value, as in training.batch_size=64");
  verb->add_option("--set", arguments->settings, "the same; may be given more than once");
  verb->add_option("--data", arguments->data_folder, "folder with data sets")->capture_default_str();
  verb->add_option("--out", arguments->out, "folder for results")->capture_default_str();
  verb->add_option("--device", arguments->device, "auto, cpu, cuda or cuda:N; instead of the description's");
  verb->add_option("--jobs", arguments->jobs, "runs at a time; default: one per core or GPU")
      ->check(at_least(1));
  verb->callback([&action, arguments, command] {
    action = [arguments, command] { return run_experiment(*arguments, command); };
  });
}

}  // namespace plumb
