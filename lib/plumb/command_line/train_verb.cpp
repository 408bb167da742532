#include <algorithm>
#include <csignal>
#include <new>

#include <c10/util/Exception.h>
#include <nlohmann/json.hpp>
#include <poll.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "plumb/command_line/interruption.hpp"
#include "plumb/command_line/output.hpp"
#include "plumb/command_line/progress.hpp"
#include "plumb/command_line/verbs.hpp"
#include "plumb/core/error.hpp"
#include "plumb/core/system_call.hpp"
#include "plumb/experiment/runner.hpp"

namespace plumb {
namespace {

struct TrainArguments {
  std::string folder;
  std::string data_folder;
  std::string axes = "{}";
  pid_t parent = 0;  // 0: started by hand
};

/// The pipe to the process that started this one, if it did not come from a person's hands. A parent that is
/// gone is of no interest, and one that was stopped holds nothing up.
class ParentPipe {
 public:
  explicit ParentPipe(bool open) : open_(open) { ::signal(SIGPIPE, SIG_IGN); }

  /// Says a line, or nothing while the pipe is full.
  void say(const std::string& line) const {
    if (open_) write_all(progress_descriptor, line);
  }

  /// Waits a while for room: this is the last word.
  void say_at_last(const std::string& line) const {
    pollfd room{progress_descriptor, POLLOUT, 0};
    constexpr int patience = 5000;  // milliseconds
    if (open_) uninterrupted([&] { return ::poll(&room, 1, patience); });
    say(line);
  }

 private:
  bool open_;
};

/// A line of JSON that says `text` under `key`, no more of it than a pipe takes at once: messages of LibTorch
/// go on for pages.
std::string message_line(const char* key, std::string text) {
  constexpr size_t enough = 2000;
  text.resize(std::min(text.size(), enough));
  return nlohmann::json{{key, text}}.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

/// Should the parent die, its runs save and stop instead of running on unseen. One that has died already is
/// nobody's parent any more.
void end_with(pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (::getppid() != parent) interrupt();
}

int report_failure(const ParentPipe& parent, int status, const std::string& message) {
  parent.say_at_last(message_line("error", message));
  return complain(status, message);
}

int train_run(const TrainArguments& arguments, const ParentPipe& parent) {
  const RunDirectory directory{arguments.folder};
  const Run run = Run::read(Config::load(directory.description()));
  RunnerOptions options;
  options.data_folder = arguments.data_folder;
  options.stop = &interruption();
  options.progress = [&](const Progress& progress) { parent.say(encode_progress(progress)); };
  options.note = [&](const std::string& note) {
    parent.say(message_line("note", note));
    complain(note);
  };
  const auto axes = nlohmann::ordered_json::parse(arguments.axes);
  for (const auto& [axis, label] : axes.items()) options.axes.emplace_back(axis, label.get<std::string>());
  return execute(run, directory, options) == Outcome::interrupted ? status_interrupted : status_done;
}

int train(const TrainArguments& arguments) {
  const std::atomic<bool>& interrupted = interruption();
  const ParentPipe parent(arguments.parent > 0);
  if (arguments.parent > 0) end_with(arguments.parent);
  if (interrupted) return status_interrupted;
  try {
    return train_run(arguments, parent);
  } catch (const c10::Error& error) {
    return report_failure(parent, status_failed, error.what_without_backtrace());
  } catch (const ContractError& error) {
    return report_failure(parent, status_failed, error.what());
  } catch (const Error& error) {
    return report_failure(parent, status_wrong_input, error.what());
  } catch (const std::bad_alloc&) {
    return report_failure(parent, status_failed, std::string(out_of_memory));
  } catch (const std::exception& error) {
    return report_failure(parent, status_failed, error.what());
  }
}

}  // namespace

void add_train_verb(CLI::App& program, Action& action) {
  const auto arguments = std::make_shared<TrainArguments>();
  CLI::App* verb = program.add_subcommand("train", "Train the run described in a folder's run.yaml");
  verb->group("");  // started by `run`, not by people
  verb->add_option("folder", arguments->folder)->required();
  verb->add_option("--data", arguments->data_folder)->required();
  verb->add_option("--axes", arguments->axes);
  verb->add_option("--parent", arguments->parent,
                   "the process that it tells, on descriptor 3, and ends with");
  verb->callback([&action, arguments] { action = [arguments] { return train(*arguments); }; });
}

}  // namespace plumb
