#include "plumb/experiment/identity.hpp"

#include "plumb/core/error.hpp"
#include "plumb/experiment/run.hpp"

namespace plumb {
namespace {

void flatten(const Config& config, const std::string& path,
             std::vector<std::pair<std::string, std::string>>& settings) {
  if (!config.is_mapping()) {
    settings.emplace_back(path, config.kind == Config::Kind::scalar ? config.text : config.to_line());
    return;
  }
  for (const Config::Entry& entry : config.entries) {
    const bool type = entry.key == "type" && !path.empty();
    flatten(entry.value, path.empty() ? entry.key : type ? path : path + "." + entry.key, settings);
  }
}

Config with_defaults(const Config& description) {
  try {
    return Run::read(description).description();
  } catch (const Error&) {
    return description;
  }
}

}  // namespace

Config run_identity(const Config& description) {
  Config identity = with_defaults(description);
  for (const char* key : {"name", "seed", "checkpoint", "probes", "theorems"}) identity.erase(key);
  if (Config* compute = identity.find("compute")) compute->erase("threads");
  if (Config* training = identity.find("training")) training->erase("record_every");
  return identity;
}

std::vector<std::pair<std::string, std::string>> flat_settings(const Config& description) {
  std::vector<std::pair<std::string, std::string>> settings;
  flatten(description, "", settings);
  return settings;
}

}  // namespace plumb
