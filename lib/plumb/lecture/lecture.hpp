/// One system of the lecture from its description to a folder with verdicts, figures and a page.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "plumb/core/config.hpp"
#include "plumb/lecture/system.hpp"

namespace plumb {

/// The YAML:
///   name: S9_wide_networks      the folder's name; default: id and type of the system
///   question: text              what is asked
///   system: {type: wide_networks, examples: 200, ...}
///   seed: 0
struct LectureExperiment {
  std::string name;
  std::string question;
  Choice<std::unique_ptr<System>()> system{systems()};
  int64_t seed = 0;

  void fields(Fields& f);

  /// `overrides`: "key.path=value". Throws ConfigError for anything wrong in it.
  static LectureExperiment read(Config config, const std::vector<std::string>& overrides = {});
  /// The system called `word`, by id ("S9", "s9") or by type ("wide_networks"), with default options or, when
  /// `paper`, at the paper's size; overrides are of the system's own options: "examples=100". Throws
  /// ConfigError for a word that is neither.
  static LectureExperiment of_system(const std::string& word, bool paper,
                                     const std::vector<std::string>& overrides = {});
};

/// True when a description is that of a system and not of training runs.
bool describes_system(const Config& config);

/// Ids and types of all systems in the order of the lecture.
struct SystemName {
  std::string id, type, title;
};
std::vector<SystemName> lecture_systems();

/// What a system that was run gave, as a page and a table show it.
struct SystemReport {
  Statement statement;
  Evidence evidence;
  double seconds = 0;
  std::filesystem::path page;  // report.html; empty when gnuplot is missing

  bool as_expected() const;
};

/// Runs the system and writes `folder`: description.yaml, provenance.json, claims.json, figures/*.svg and
/// .csv, report.html. What stands there of an earlier run is replaced when this one has ended. Throws
/// DataError, ConfigError.
SystemReport run_lecture(const LectureExperiment& experiment, const std::filesystem::path& folder,
                         const Surroundings& surroundings);

/// The verdicts as lines for a terminal.
std::string verdict_table(const SystemReport& report);

/// `folder`/index.html: all systems with a claims.json in a folder of `folder`, in order, with their
/// verdicts. Returns its path.
std::filesystem::path write_lecture_index(const std::filesystem::path& folder);

}  // namespace plumb
