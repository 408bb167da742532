#include <algorithm>

#include <fmt/format.h>

#include "plumb/command_line/verbs.hpp"
#include "plumb/core/error.hpp"
#include "plumb/core/random.hpp"
#include "plumb/models/describe.hpp"
#include "plumb/models/network.hpp"

namespace plumb {
namespace {

struct ShowArguments {
  std::string kind;
  std::string name;
  std::vector<std::string> overrides;
  std::string input = "3x28x28";
  int64_t outputs = 10;
};

std::vector<int64_t> parse_shape(const std::string& text) {
  std::vector<int64_t> shape;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find('x', begin), text.size());
    const std::string number = text.substr(begin, end - begin);
    const bool digits =
        !number.empty() && number.size() < 10 && std::all_of(number.begin(), number.end(), ::isdigit);
    if (!digits || std::stoll(number) == 0)
      throw ConfigError(fmt::format("command line: --input '{}' is not a shape; write 3x28x28 or 784", text));
    shape.push_back(std::stoll(number));
    begin = end + 1;
  }
  return shape;
}

/// The model with its overridden options, read exactly as a description would be.
struct ModelChoice {
  Choice<std::shared_ptr<Network>(const Signature&, at::Generator&)> model{models()};

  void fields(Fields& f) { f.component("model", model, "the network"); }
};

int show_model(const ShowArguments& arguments) {
  if (arguments.kind != "model")
    throw ConfigError(fmt::format("command line: cannot show '{}'; it can show a model", arguments.kind));
  Config config = Config::parse("{}", "command line");
  config.set("model.type", Config::parse(arguments.name, "command line"));
  for (const std::string& text : arguments.overrides) {
    const size_t equals = text.find('=');
    if (equals == std::string::npos)
      throw ConfigError(fmt::format("command line: '{}': an option reads key=value", text));
    config.set("model." + text.substr(0, equals),
               Config::parse(text.substr(equals + 1), "command line: " + text));
  }
  const auto choice = read_options<ModelChoice>(config);
  at::Generator generator = Seed(0).stream("weights");
  const auto network = choice.model.make({parse_shape(arguments.input), arguments.outputs}, generator);
  const NetworkTable table = describe(*network);
  size_t name_width = 5, kind_width = 4;
  for (const LayerRow& row : table.layers) {
    name_width = std::max(name_width, row.name.size());
    kind_width = std::max(kind_width, row.kind.size());
  }
  fmt::print("{}: {}\n", arguments.name, choice.model.help());
  fmt::print("{:<{}}  {:<{}}  {:>12}  {:>10}\n", "layer", name_width, "kind", kind_width, "trainable",
             "fixed");
  for (const LayerRow& row : table.layers)
    if (row.trainable + row.fixed > 0)
      fmt::print("{:<{}}  {:<{}}  {:>12L}  {:>10L}\n", row.name, name_width, row.kind, kind_width,
                 row.trainable, row.fixed);
  fmt::print("{} inputs, {} outputs, {} parameters", arguments.input, arguments.outputs, table.trainable);
  if (table.fixed > 0) fmt::print(" trained, {} fixed", table.fixed);
  fmt::print("\n");
  return status_done;
}

}  // namespace

void add_show_verb(CLI::App& program, Action& action) {
  const auto arguments = std::make_shared<ShowArguments>();
  CLI::App* verb = program.add_subcommand("show", "Show a model's layers and count its parameters");
  verb->add_option("kind", arguments->kind, "model")->required();
  verb->add_option("name", arguments->name, "its name")->required();
  verb->add_option("options", arguments->overrides, "key=value, as in width=512");
  verb->add_option("--input", arguments->input, "shape of one example")->capture_default_str();
  verb->add_option("--outputs", arguments->outputs, "number of classes")
      ->check(at_least(1))
      ->capture_default_str();
  verb->callback([&action, arguments] { action = [arguments] { return show_model(*arguments); }; });
}

}  // namespace plumb
