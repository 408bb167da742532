/// What theorems say of the runs of an experiment: a section of its page, lines for a terminal, and a file of
/// numbers.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "plumb/report/html.hpp"
#include "plumb/report/results.hpp"
#include "plumb/theorems/theorem.hpp"

namespace plumb {

/// One theorem, with the options it was asked with, on every planned run of which it was asked and that has
/// ended.
struct JudgedRuns {
  std::string theorem;                // its type
  std::vector<std::string> runs;      // by id
  std::vector<Judgement> judgements;  // of each run
  std::vector<std::string> failures;  // "RUN: why it could not be judged"
};

/// In the order in which the description asks.
std::vector<JudgedRuns> judge_runs(const Results& results);

/// Statement, hypotheses and claims of each theorem, counted over runs; without a body when none was asked.
Section theorem_section(const std::vector<JudgedRuns>& judged);

/// For a terminal: everything of a single run, and of several how often each claim came out in which way.
/// Empty when no theorem was asked.
std::string theorem_lines(const std::vector<JudgedRuns>& judged);

/// Writes `folder`/theorems.json: for each theorem and run the hypotheses and claims with all their numbers.
void write_judgements(const std::vector<JudgedRuns>& judged, const std::filesystem::path& folder);

}  // namespace plumb
