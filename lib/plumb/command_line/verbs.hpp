/// The verbs, each of which adds itself to the parser and says what to do when it is chosen.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "plumb/lecture/lecture.hpp"

namespace plumb {

/// What the chosen verb does; returns the exit status.
using Action = std::function<int()>;

/// `command`: the words of this command line, for saying how to go on after an interruption.
void add_run_verb(CLI::App& program, Action& action, const std::string& command);
void add_train_verb(CLI::App& program, Action& action);  // hidden: one run, started by `run`
void add_check_verb(CLI::App& program, Action& action);
void add_list_verb(CLI::App& program, Action& action);
void add_show_verb(CLI::App& program, Action& action);
void add_fetch_verb(CLI::App& program, Action& action);
void add_report_verb(CLI::App& program, Action& action);
void add_judge_verb(CLI::App& program, Action& action);
void add_verify_verb(CLI::App& program, Action& action);

/// Measures a system of the lecture in a folder of `out`, prints its verdicts, returns the exit status.
int run_system(const LectureExperiment& experiment, const std::filesystem::path& out,
               const std::string& data_folder);

/// Begins the program anew with OpenMP threads that sleep while they wait, unless the environment says how
/// they should: libgomp reads that before main. For verbs that compute in this process, on cores that others
/// may use.
void wait_passively(char** argv);

/// The description in `file`, or on standard input when it is "-".
Config load_description(const std::string& file);

/// Takes the words "key.path=value" out of `words`, unless there is a file of that name.
std::vector<std::string> take_overrides(std::vector<std::string>& words);

/// Refuses an argument that is no whole number of at least `least`, in words of its own: CLI11's name the
/// limits of double, 309 digits long.
CLI::Validator at_least(int64_t least);

/// $PLUMB_DATA, or plumb/ in the user's cache folder.
std::string default_data_folder();

inline constexpr int status_done = 0;
inline constexpr int status_failed = 1;
inline constexpr int status_wrong_input = 2;
inline constexpr int status_not_as_expected = 3;  // a claim was judged otherwise than it should be
inline constexpr int status_diverged = 4;  // every run ended, the loss of at least one no longer a number
inline constexpr int status_interrupted = 130;

}  // namespace plumb
