/// The verbs, each of which adds itself to the parser and says what to do when it is chosen.
#pragma once

#include <functional>
#include <string>

#include <CLI/CLI.hpp>

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

/// $PLUMB_DATA, or plumb/ in the user's cache folder.
std::string default_data_folder();

inline constexpr int kDone = 0;
inline constexpr int kFailed = 1;
inline constexpr int kWrongInput = 2;
inline constexpr int kInterrupted = 130;

}  // namespace plumb
