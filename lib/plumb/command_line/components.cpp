#include "plumb/command_line/components.hpp"

#include <fmt/ranges.h>

#include "plumb/experiment/run.hpp"
#include "plumb/lecture/system.hpp"

namespace plumb {
namespace {

template <class Signature>
ComponentKind component_kind(std::string name, std::string where, const Registry<Signature>& registry) {
  return {
      std::move(name),
      std::move(where),
      registry.names(),
      [&registry](const std::string& type) { return std::make_unique<Choice<Signature>>(registry, type); },
      [&registry](const std::string& type) { return std::string(registry.at(type)->help()); },
      {},
      {}};
}

/// What a probe measures, beside its options.
std::vector<std::pair<std::string, std::string>> probe_columns(const std::string& type) {
  std::vector<std::pair<std::string, std::string>> columns;
  for (const Column& column : probes().at(type)->make()->columns())
    columns.emplace_back(column.name, column.meaning);
  return columns;
}

/// What a theorem states, beside its options.
std::vector<std::pair<std::string, std::string>> theorem_text(const std::string& type) {
  const std::unique_ptr<Theorem> theorem = theorems().at(type)->make();
  const TheoremText text = theorem->text();
  std::vector<std::string> needs;
  for (const ProbeRequest& request : theorem->needs()) needs.push_back(request.description.to_line());
  return {{"theorem", text.title},
          {"statement", text.statement},
          {"source", text.source},
          {"caveats", text.caveats},
          {"records", fmt::format("{}", fmt::join(needs, "; "))}};
}

}  // namespace

std::vector<ComponentKind> component_kinds() {
  ComponentKind probe = component_kind("probe", "probes", probes());
  probe.columns = probe_columns;
  ComponentKind theorem = component_kind("theorem", "theorems", theorems());
  theorem.text = theorem_text;
  return {component_kind("data", "data", datasets()),
          component_kind("model", "model", models()),
          component_kind("initial_weights", "initial_weights", initial_weights()),
          component_kind("randomization", "randomization", randomizations()),
          component_kind("loss", "training.loss", losses()),
          component_kind("optimizer", "training.optimizer", optimizers()),
          component_kind("schedule", "training.schedule", schedules()),
          std::move(probe),
          std::move(theorem),
          component_kind("system", "system", systems())};
}

}  // namespace plumb
