#include <fmt/format.h>
#include <unistd.h>

#include "plumb/command_line/verbs.hpp"
#include "plumb/data/fetch.hpp"

namespace plumb {
namespace {

struct FetchArguments {
  std::string name;
  std::string data_folder = default_data_folder();
  std::string url;
};

int fetch_data(const FetchArguments& arguments) {
  const bool terminal = ::isatty(STDERR_FILENO) == 1;
  const auto progress = [&](const std::string& file, int64_t received, int64_t total) {
    if (!terminal) return;
    fmt::print(stderr, "\r{}  {:.1f} of {:.1f} MB", file, static_cast<double>(received) / 1e6,
               static_cast<double>(total) / 1e6);
  };
  const auto files = fetch(arguments.name, arguments.data_folder, {.progress = progress}, arguments.url);
  if (terminal) fmt::print(stderr, "\r\x1b[K");
  for (const auto& file : files) fmt::print("{}: complete, checksum right\n", file.string());
  return status_done;
}

}  // namespace

void add_fetch_verb(CLI::App& program, Action& action) {
  const auto arguments = std::make_shared<FetchArguments>();
  CLI::App* verb =
      program.add_subcommand("fetch", "Download a data set, checked; an interrupted download goes on");
  verb->add_option("name", arguments->name, "cifar10, fashion_mnist or mnist")->required();
  verb->add_option("--data", arguments->data_folder, "folder with data sets")->capture_default_str();
  verb->add_option("--url", arguments->url, "take the files from this address instead of the usual one");
  verb->callback([&action, arguments] { action = [arguments] { return fetch_data(*arguments); }; });
}

}  // namespace plumb
