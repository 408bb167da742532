/// An experiment: a description with axes to sweep over, resolved into complete runs before anything is
/// started.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "plumb/experiment/report_options.hpp"
#include "plumb/experiment/run.hpp"

namespace plumb {

/// A run with its place in the sweep.
struct PlannedRun {
  Run run;
  std::string id;  // folder name: the swept values, the seed and the fingerprint
  std::vector<std::pair<std::string, std::string>>
      axes;  // axis -> label of this run's point, without the seed
};

/// The YAML: the keys of a run, and
///   question: text            what the experiment asks
///   seeds: [0, 1, 2]          one run per seed at every point
///   sweep:                    the product of all axes, the first one slowest
///     model: [mlp, two_layer]                       a key path and its values, or
///     setting: {easy: {model.width: 8}, hard: {}}   named points that set several key paths
///   report: {...}             see ReportOptions
struct Experiment {
  std::string name;
  std::string question;
  ReportOptions report;
  std::vector<PlannedRun> runs;
  Config description;              // as given, overrides applied
  std::vector<std::string> notes;  // words of an earlier version, and what they are called now

  /// `overrides`: "key.path=value" with the value in YAML. Throws ConfigError for anything that can be found
  /// wrong in any run before data is read; two equal runs are an error as well. Runs that differ in their
  /// limits alone are two, each in a folder of its own.
  static Experiment read(Config config, const std::vector<std::string>& overrides = {});
};

}  // namespace plumb
