#include "plumb/experiment/layout.hpp"

#include <algorithm>
#include <map>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "plumb/core/error.hpp"
#include "plumb/experiment/begun.hpp"
#include "plumb/experiment/changed_settings.hpp"
#include "plumb/experiment/ending.hpp"

namespace plumb {
namespace {

namespace fs = std::filesystem;

using State = LaidOutRun::State;

/// A run that stands in the folder and is none of those planned by name.
struct OtherRun {
  std::string name;
  std::string fingerprint;
  Config description;
};

/// Folders that hold no description that can be read are none of our business here.
std::vector<OtherRun> other_runs(const fs::path& folder, const std::set<std::string>& planned) {
  std::vector<OtherRun> others;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const RunDirectory directory(entry.path());
    const std::string name = entry.path().filename().string();
    std::error_code ignored;
    if (planned.contains(name) || !fs::is_regular_file(directory.description(), ignored)) continue;
    try {
      const Run run = Run::read(Config::load(directory.description()));
      others.push_back({name, run.fingerprint(), run.description()});
    } catch (const Error&) {
      continue;
    }
  }
  std::ranges::sort(others, {}, &OtherRun::name);
  return others;
}

/// "3 runs in runs/x went farther ...": the runs a remark is about, by name.
class Remarks {
 public:
  explicit Remarks(const fs::path& folder) : folder_(folder) {}

  void add(const std::string& remark, const std::string& run) { runs_[remark].push_back(run); }

  std::vector<std::string> sentences() const {
    std::vector<std::string> texts;
    for (const auto& [remark, runs] : runs_)
      texts.push_back(fmt::format("{} run{} in {} {}: {}", runs.size(), runs.size() == 1 ? "" : "s",
                                  folder_.string(), remark, fmt::join(runs, ", ")));
    return texts;
  }

 private:
  fs::path folder_;
  std::map<std::string, std::vector<std::string>> runs_;
};

class Planner {
 public:
  Planner(const Experiment& experiment, const fs::path& folder) : folder_(folder), remarks_(folder) {
    std::set<std::string> planned;
    for (const PlannedRun& run : experiment.runs) planned.insert(run.id);
    others_ = other_runs(folder, planned);
  }

  LaidOutRun place(PlannedRun planned) {
    LaidOutRun run{std::move(planned), RunDirectory(""), State::to_do, ""};
    find_folder(run);
    try {
      if (run.directory.begun())
        take_up(run);
      else
        begin(run);
    } catch (const Error& error) {
      run.state = State::refused;
      run.refusal = error.what();
    }
    return run;
  }

  std::vector<std::string> notes() const { return remarks_.sentences(); }

 private:
  /// The folder named after the run, or else one that already holds it under another name.
  void find_folder(LaidOutRun& run) {
    run.directory = RunDirectory(folder_ / run.planned.id);
    if (fs::exists(run.directory.description())) return;
    const std::string fingerprint = run.planned.run.fingerprint();
    const auto same = std::ranges::find(others_, fingerprint, &OtherRun::fingerprint);
    if (same == others_.end()) return;
    run.planned.id = same->name;
    run.directory = RunDirectory(folder_ / same->name);
    others_.erase(same);
  }

  void begin(LaidOutRun& run) {
    tell_of_other_limits(run);
    make_directory(run.directory.path);
    // Under the lock: what another process has begun by then is left to it.
    const std::optional<RunLock> lock = RunLock::if_free(run.directory);
    if (lock && !run.directory.begun())
      write_file_atomically(run.directory.description(), run.planned.run.description().to_yaml());
  }

  void take_up(LaidOutRun& run) {
    refuse_other_description(run.planned.run.description(), run.directory);
    keep_probes(run);
    const std::optional<Ending> ending = Ending::read(run.directory);
    const StopOptions& stop = run.planned.run.training.stop;
    if (ending && !ending->goes_on(stop)) {
      run.state = State::done;
      if (ending->beyond(stop))
        remarks_.add("went farther than asked for now, and stay as they are", run.planned.id);
      return;
    }
    if (ending && !run.directory.has_checkpoint())
      throw DataError(
          fmt::format("{}: ended before the limits asked for and has no checkpoint to go on from; remove "
                      "the folder to train it anew",
                      run.directory.path.string()));
    if (ending)
      remarks_.add(
          fmt::format("ended ({}) and go on to the limits asked for now", to_string(ending->outcome)),
          run.planned.id);
    const std::string text = run.planned.run.description().to_yaml();
    if (Config::load(run.directory.description()).to_yaml() == text) return;
    if (const std::optional<RunLock> lock = RunLock::if_free(run.directory))
      write_file_atomically(run.directory.description(), text);
  }

  /// Probes and theorems are no part of a run's course: a folder may hold a run that was begun with others.
  void keep_probes(LaidOutRun& run) {
    const Run begun = Run::read(Config::load(run.directory.description()));
    Run& planned = run.planned.run;
    const auto part_of = [](const Run& of, const char* key) { return of.description().find(key)->to_yaml(); };
    const bool same_probes = part_of(begun, "probes") == part_of(planned, "probes");
    if (!same_probes || part_of(begun, "theorems") != part_of(planned, "theorems")) {
      planned.probes = begun.probes;
      planned.theorems = begun.theorems;
    }
    if (same_probes) return;
    remarks_.add("begun with other probes than asked for keep them; to measure again, remove their folders",
                 run.planned.id);
  }

  /// With a schedule that needs an end, other limits make another run, which is begun at step 0.
  void tell_of_other_limits(const LaidOutRun& run) {
    const Run& asked = run.planned.run;
    if (!asked.training.schedule.make(asked.training.stop.epochs.value_or(1)).needs_end) return;
    for (const OtherRun& other : others_) {
      const auto changes = changed_settings(other.description, asked.description());
      const bool limits_alone = std::ranges::all_of(changes, [](const ChangedSetting& change) {
        return change.path.starts_with("training.stop.") || change.path == "name";
      });
      if (limits_alone)
        remarks_.add(
            fmt::format("begin at step 0, though there is one with other limits ({}): the schedule '{}' "
                        "runs over the limit",
                        other.name, asked.training.schedule.type()),
            run.planned.id);
    }
  }

  fs::path folder_;
  std::vector<OtherRun> others_;
  Remarks remarks_;
};

}  // namespace

Layout lay_out(const Experiment& experiment, const fs::path& folder) {
  Planner planner(experiment, folder);
  Layout layout;
  for (const PlannedRun& planned : experiment.runs) layout.runs.push_back(planner.place(planned));
  layout.notes = planner.notes();
  return layout;
}

}  // namespace plumb
