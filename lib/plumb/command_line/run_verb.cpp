#include <map>
#include <set>

#include <torch/cuda.h>

#include "plumb/command_line/output.hpp"
#include "plumb/command_line/shared_jobs.hpp"
#include "plumb/command_line/verbs.hpp"
#include "plumb/experiment/ending.hpp"
#include "plumb/experiment/experiment_file.hpp"
#include "plumb/experiment/layout.hpp"
#include "plumb/experiment/prepare.hpp"
#include "plumb/experiment/provenance.hpp"
#include "plumb/report/findings.hpp"
#include "plumb/report/report.hpp"
#include "plumb/report/results.hpp"
#include "plumb/report/theorem_section.hpp"

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

/// Makes the experiment's folder and those of its runs; says what was found there.
Layout prepare_folder(const Experiment& experiment, const std::filesystem::path& folder) {
  make_directory(folder);
  keep_experiment_file(folder, experiment.description.to_yaml());
  Layout layout = lay_out(experiment, folder);
  for (const std::string& note : experiment.notes) say("{}\n", note);
  for (const std::string& note : layout.notes) say("{}\n", note);
  return layout;
}

std::vector<Job> jobs_to_do(const Layout& layout) {
  std::vector<Job> jobs;
  for (const LaidOutRun& run : layout.runs)
    if (run.state != LaidOutRun::State::done) jobs.push_back({run.planned, run.directory, run.refusal});
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

/// Says of the experiment's runs, also of those that were done before, which of them diverged.
bool tell_of_diverged(const Layout& layout) {
  std::vector<std::string> diverged;
  for (const LaidOutRun& run : layout.runs) {
    if (run.state == LaidOutRun::State::refused) continue;
    if (const auto ending = Ending::read(run.directory); ending && ending->outcome == Outcome::diverged)
      diverged.push_back(run.planned.id);
  }
  if (diverged.empty()) return false;
  complain(fmt::format("{} of {} runs diverged, the loss is no longer a number: {}", diverged.size(),
                       layout.runs.size(), fmt::join(diverged, ", ")));
  return true;
}

int conclude(const Layout& layout, const std::vector<Job>& jobs, const std::vector<JobResult>& results,
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
  const bool diverged = tell_of_diverged(layout);
  if (interrupted) {
    say("interrupted; what was done is saved. To go on: {}\n", command);
    return status_interrupted;
  }
  if (failed > 0) {
    complain(fmt::format("{} of {} runs failed; the others are unharmed. To try again: {}", failed,
                         layout.runs.size(), command));
    return status_failed;
  }
  return diverged ? status_diverged : status_done;
}

/// The status of a report: a figure that cannot be drawn does not make the runs worse, but is missing.
int show_results(const std::filesystem::path& folder) {
  const Results results = load_results(folder);
  for (const std::string& line : complaints(results)) complain(line);
  say("\n{}\n", summary_table(results));
  if (const std::string lines = theorem_lines(judge_runs(results)); !lines.empty()) say("{}\n", lines);
  try {
    say("report  {}\n", write_report(results).string());
    return status_done;
  } catch (const DataError& error) {
    complain(fmt::format("no report: {}", error.what()));
    return status_failed;
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
  const Layout layout = prepare_folder(experiment, folder);
  const std::vector<Job> jobs = jobs_to_do(layout);
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
  const int status = conclude(layout, jobs, results, again);
  if (status == status_interrupted) return status;
  const int reported = show_results(folder);
  return reported == status_done || status == status_failed ? status : reported;
}

}  // namespace

void add_run_verb(CLI::App& program, Action& action, const std::string& command) {
  const auto arguments = std::make_shared<RunArguments>();
  CLI::App* verb =
      program.add_subcommand("run", "Train every run of an experiment that is not finished, and report");
  verb->footer(
      "Exit status: 0 all runs ended; 4 all ended and at least one diverged; 1 a run or the report failed; "
      "2 the description is wrong; 130 interrupted.");
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
