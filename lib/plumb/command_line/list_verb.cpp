#include <algorithm>

#include <fmt/format.h>

#include "plumb/command_line/components.hpp"
#include "plumb/command_line/verbs.hpp"
#include "plumb/core/error.hpp"
#include "plumb/experiment/run.hpp"

namespace plumb {
namespace {

struct ListArguments {
  std::string kind;
  std::string name;
};

void print_kind(const ComponentKind& kind) {
  fmt::print("{} ({}:)\n", kind.name, kind.where);
  size_t width = 20;
  for (const std::string& type : kind.types) width = std::max(width, type.size());
  for (const std::string& type : kind.types) fmt::print("  {:<{}} {}\n", type, width, kind.help(type));
}

void print_fields(const std::vector<FieldHelp::Line>& lines) {
  size_t width = 0;
  for (const FieldHelp::Line& line : lines) width = std::max(width, line.key.size() + line.value.size() + 2);
  for (const FieldHelp::Line& line : lines) {
    fmt::print("  {:<{}}  {}", line.key + ": " + line.value, width, line.help);
    if (!line.allowed.empty()) fmt::print(" ({})", line.allowed);
    fmt::print("\n");
  }
}

void print_columns(const std::vector<std::pair<std::string, std::string>>& columns) {
  size_t width = 0;
  for (const auto& [name, meaning] : columns) width = std::max(width, name.size());
  fmt::print("columns:\n");
  for (const auto& [name, meaning] : columns) fmt::print("  {:<{}}  {}\n", name, width, meaning);
}

const ComponentKind& find_kind(const std::vector<ComponentKind>& kinds, const std::string& name) {
  std::vector<std::string> names;
  for (const ComponentKind& kind : kinds) {
    if (kind.name == name || kind.name + "s" == name) return kind;
    names.push_back(kind.name);
  }
  names.emplace_back("keys");
  throw ConfigError(
      fmt::format("command line: no components of the kind '{}'{}", name, suggestion(name, names)));
}

int list(const ListArguments& arguments) {
  const std::vector<ComponentKind> kinds = component_kinds();
  if (arguments.kind.empty()) {
    for (const ComponentKind& kind : kinds) print_kind(kind);
    return status_done;
  }
  FieldHelp help;
  if (arguments.kind == "keys") {
    Run{}.fields(help);
    print_fields(help.lines);
    return status_done;
  }
  const ComponentKind& kind = find_kind(kinds, arguments.kind);
  if (arguments.name.empty()) {
    print_kind(kind);
    return status_done;
  }
  if (std::find(kind.types.begin(), kind.types.end(), arguments.name) == kind.types.end())
    throw ConfigError(fmt::format("command line: no {} is called '{}'{}", kind.name, arguments.name,
                                  suggestion(arguments.name, kind.types)));
  fmt::print("{}: {}\n", arguments.name, kind.help(arguments.name));
  kind.choose(arguments.name)->fields(help);
  print_fields(help.lines);
  if (kind.columns) print_columns(kind.columns(arguments.name));
  if (kind.text)
    for (const auto& [heading, text] : kind.text(arguments.name)) fmt::print("{}: {}\n", heading, text);
  return status_done;
}

}  // namespace

void add_list_verb(CLI::App& program, Action& action) {
  const auto arguments = std::make_shared<ListArguments>();
  CLI::App* verb = program.add_subcommand("list", "Say what a description can name, and with which options");
  verb->add_option(
      "kind", arguments->kind,
      "data, model, randomization, loss, optimizer, schedule, probe, theorem, system; or keys, for every "
      "key of a run");
  verb->add_option("name", arguments->name, "one component: its options, defaults and what they mean");
  verb->callback([&action, arguments] { action = [arguments] { return list(*arguments); }; });
}

}  // namespace plumb
