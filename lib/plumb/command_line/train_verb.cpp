#include <csignal>

#include <c10/util/Exception.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sys/prctl.h>
#include <unistd.h>

#include "plumb/command_line/jobs.hpp"
#include "plumb/command_line/progress.hpp"
#include "plumb/command_line/verbs.hpp"
#include "plumb/core/error.hpp"
#include "plumb/experiment/runner.hpp"

namespace plumb {
namespace {

struct TrainArguments {
  std::string folder;
  std::string data_folder;
  std::string axes = "{}";
};

/// The parent's pipe, when there is one; a write to a parent that is gone is of no interest.
class ParentPipe {
 public:
  ParentPipe() : open_(::fcntl(3, F_GETFD) >= 0) { ::signal(SIGPIPE, SIG_IGN); }

  void say(const std::string& line) const {
    if (open_ && ::write(3, line.data(), line.size()) < 0) return;
  }

 private:
  bool open_;
};

/// A line of JSON that says `text` under `key`.
std::string message_line(const char* key, const std::string& text) {
  return nlohmann::json{{key, text}}.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

int report_failure(const ParentPipe& parent, int status, const std::string& message) {
  parent.say(message_line("error", message));
  fmt::print(stderr, "plumb: {}\n", message);
  return status;
}

int train(const TrainArguments& arguments) {
  // Should the parent die, its runs save and stop instead of running on unseen.
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  const ParentPipe parent;
  try {
    const RunDirectory directory{arguments.folder};
    const Run run = Run::read(Config::load(directory.description()));
    RunnerOptions options;
    options.data_folder = arguments.data_folder;
    options.stop = &interruption();
    options.progress = [&](const Progress& progress) { parent.say(encode_progress(progress)); };
    options.note = [&](const std::string& note) {
      parent.say(message_line("note", note));
      fmt::print(stderr, "plumb: {}\n", note);
    };
    const auto axes = nlohmann::ordered_json::parse(arguments.axes);
    for (const auto& [axis, label] : axes.items()) options.axes.emplace_back(axis, label.get<std::string>());
    return execute(run, directory, options) == Outcome::interrupted ? kInterrupted : kDone;
  } catch (const c10::Error& error) {
    return report_failure(parent, kFailed, error.what_without_backtrace());
  } catch (const ContractError& error) {
    return report_failure(parent, kFailed, error.what());
  } catch (const Error& error) {
    return report_failure(parent, kWrongInput, error.what());
  } catch (const std::exception& error) {
    return report_failure(parent, kFailed, error.what());
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
  verb->callback([&action, arguments] { action = [arguments] { return train(*arguments); }; });
}

}  // namespace plumb
