#include "plumb/command_line/command_line.hpp"

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <new>

#include <c10/util/Exception.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include "plumb/command_line/output.hpp"
#include "plumb/command_line/verbs.hpp"
#include "plumb/core/blas.hpp"
#include "plumb/core/error.hpp"
#include "plumb/experiment/provenance.hpp"

namespace plumb {
namespace {

std::string version_text() {
  const Versions version = versions();
  return fmt::format("plumb {} ({}), {}\nLibTorch {}, matrix products by {}", version.plumb, version.commit,
                     version.compiler, version.libtorch, version.blas);
}

/// The command line as it can be typed again.
std::string command_words(int argc, char** argv) {
  std::string words;
  for (int i = 0; i < argc; ++i) {
    const std::string word = argv[i];
    const bool plain = !word.empty() && word.find_first_of(" '\"$`\\*?[]{}()<>|&;#~!") == std::string::npos;
    words += (i == 0 ? "" : " ") + (plain ? word : "'" + word + "'");
  }
  return words;
}

/// Starts the program anew with the settings of OpenMP and OpenBLAS that are read when a process starts,
/// unless the user gave others.
void settle_threads_and_blas(char** argv) {
  bool changed = false;
  const auto set = [&](const char* name, const std::string& value) {
    if (std::getenv(name) != nullptr) return;
    ::setenv(name, value.c_str(), 1);
    changed = true;
  };
  // Threads that spin while they wait slow down everything else on the machine.
  set("OMP_WAIT_POLICY", "passive");
  if (const auto kernels = faster_openblas_kernels(blas_in_use().kernels)) set("OPENBLAS_CORETYPE", *kernels);
  if (changed)
    ::execv("/proc/self/exe", argv);  // returns only where that cannot be done, which costs speed alone
}

/// What a process may have inherited and a program needs to be otherwise.
void settle_process() {
  open_standard_streams();
  ::signal(SIGCHLD, SIG_DFL);  // ignored, it would take away how a child ended
}

/// The verb of this name; null when there is none.
const CLI::App* find_verb(const CLI::App& program, const std::string& name) {
  const auto found = program.get_subcommands([&](const CLI::App* verb) { return verb->get_name() == name; });
  return found.empty() ? nullptr : found.front();
}

/// The verbs that people may use.
std::vector<std::string> verbs_of(const CLI::App& program) {
  std::vector<std::string> names;
  for (const CLI::App* verb : program.get_subcommands([](const CLI::App*) { return true; }))
    if (!verb->get_group().empty()) names.push_back(verb->get_name());
  return names;
}

int usage(const CLI::App& program) {
  fmt::print(stderr,
             "plumb runs experiments: plumb run FILE. Verbs: {}.\n"
             "`plumb help` says what they do, `plumb help run` how one is used.\n",
             fmt::join(verbs_of(program), ", "));
  return status_wrong_input;
}

int unknown_verb(const CLI::App& program, const std::string& word) {
  return complain(status_wrong_input,
                  fmt::format("no verb is called '{}'{}", word, suggestion(word, verbs_of(program))));
}

int help(const CLI::App& program, const std::string& word) {
  const CLI::App* verb = word.empty() ? &program : find_verb(program, word);
  if (verb == nullptr) return unknown_verb(program, word);
  say("{}", verb->help());
  return status_done;
}

/// Runs the verb that the words choose, and turns what goes wrong into a message and a status.
int run_chosen(CLI::App& program, const Action& action, int argc, char** argv) {
  const std::string verb = argc > 1 ? argv[1] : "";
  if (verb.empty()) return usage(program);
  if (verb == "help") return help(program, argc > 2 ? argv[2] : "");
  if (verb.front() != '-' && find_verb(program, verb) == nullptr) return unknown_verb(program, verb);
  try {
    program.parse(argc, argv);
    return action ? action() : usage(program);
  } catch (const CLI::ParseError& error) {
    return program.exit(error) == 0 ? status_done : status_wrong_input;
  } catch (const ConfigError& error) {
    return complain(status_wrong_input, error.what());
  } catch (const DataError& error) {
    return complain(status_wrong_input, error.what());
  } catch (const c10::Error& error) {
    return complain(status_failed, error.what_without_backtrace());
  } catch (const std::bad_alloc&) {
    return complain(status_failed, out_of_memory);
  } catch (const std::exception& error) {
    return complain(status_failed, error.what());
  }
}

}  // namespace

std::string default_data_folder() {
  if (const char* folder = std::getenv("PLUMB_DATA"); folder != nullptr && *folder != '\0') return folder;
  if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache != nullptr && *cache != '\0')
    return (std::filesystem::path(cache) / "plumb").string();
  const char* home = std::getenv("HOME");
  return (std::filesystem::path(home != nullptr ? home : ".") / ".cache" / "plumb").string();
}

int command_line(int argc, char** argv) {
  settle_process();
  const std::string verb = argc > 1 ? argv[1] : "";
  for (const char* computing : {"run", "train", "verify", "--version"})
    if (verb == computing) settle_threads_and_blas(argv);
  CLI::App program("Trains networks on real and randomized data and measures what theory talks about.",
                   "plumb");
  program.require_subcommand(0, 1);
  program.set_version_flag("--version", version_text);
  program.get_formatter()->column_width(34);
  Action action;
  add_run_verb(program, action, command_words(argc, argv));
  add_check_verb(program, action);
  add_list_verb(program, action);
  add_show_verb(program, action);
  add_fetch_verb(program, action);
  add_report_verb(program, action);
  add_judge_verb(program, action);
  add_verify_verb(program, action);
  add_train_verb(program, action);
  const int status = run_chosen(program, action, argc, argv);
  return all_output_arrived() || status != status_done ? status : status_failed;
}

}  // namespace plumb
