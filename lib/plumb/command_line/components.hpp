/// The kinds of components a description can name, for listing and showing.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "plumb/core/fields.hpp"

namespace plumb {

struct ComponentKind {
  std::string name;   // as on the command line: "model"
  std::string where;  // its key in a description: "training.optimizer"
  std::vector<std::string> types;
  std::function<std::unique_ptr<AnyChoice>(const std::string& type)> choose;
  std::function<std::string(const std::string& type)> help;
  /// Of probes: the columns of their table and what they mean.
  std::function<std::vector<std::pair<std::string, std::string>>(const std::string& type)> columns;
  /// Of theorems: what they state, under headings.
  std::function<std::vector<std::pair<std::string, std::string>>(const std::string& type)> text;
};

/// data, model, initial_weights, randomization, loss, optimizer, schedule, probe, theorem, system.
std::vector<ComponentKind> component_kinds();

}  // namespace plumb
