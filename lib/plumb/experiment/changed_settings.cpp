#include "plumb/experiment/changed_settings.hpp"

#include <map>

#include <fmt/format.h>

namespace plumb {
namespace {

void flatten(const Config& config, const std::string& path, std::map<std::string, std::string>& settings) {
  if (!config.is_mapping()) {
    settings[path] = config.to_line();
    return;
  }
  for (const Config::Entry& entry : config.entries) {
    const bool type = entry.key == "type" && !path.empty();
    flatten(entry.value, type ? path : path.empty() ? entry.key : path + "." + entry.key, settings);
  }
}

std::map<std::string, std::string> flat(const Config& config) {
  std::map<std::string, std::string> settings;
  flatten(config, "", settings);
  return settings;
}

}  // namespace

std::vector<ChangedSetting> changed_settings(const Config& then, const Config& now) {
  const auto before = flat(then), after = flat(now);
  const auto value = [](const auto& settings, const std::string& path) {
    const auto found = settings.find(path);
    return found == settings.end() ? std::string("nothing") : found->second;
  };
  std::map<std::string, std::string> paths = before;
  paths.insert(after.begin(), after.end());
  std::vector<ChangedSetting> changes;
  for (const auto& [path, unused] : paths) {
    ChangedSetting change{path, value(before, path), value(after, path)};
    if (change.then != change.now) changes.push_back(std::move(change));
  }
  return changes;
}

std::string to_text(const std::vector<ChangedSetting>& changes) {
  std::string text;
  for (const ChangedSetting& change : changes)
    text +=
        fmt::format("{}{}: {} then, {} now", text.empty() ? "" : "; ", change.path, change.then, change.now);
  return text;
}

}  // namespace plumb
