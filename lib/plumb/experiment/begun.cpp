#include "plumb/experiment/begun.hpp"

#include <nlohmann/json.hpp>

#include "plumb/core/error.hpp"
#include "plumb/experiment/changed_settings.hpp"
#include "plumb/experiment/run.hpp"

namespace plumb {
namespace {

/// What differs between two descriptions in the course of their runs; empty when that is the same.
std::vector<ChangedSetting> changed_course(const Config& then, const Config& now) {
  const Run before = Run::read(then), after = Run::read(now);
  if (before.fingerprint() == after.fingerprint()) return {};
  return changed_settings(before.description(), after.description());
}

/// The description in provenance.json; nothing where there is none.
std::optional<Config> remembered_description(const RunDirectory& directory) {
  if (!std::filesystem::exists(directory.provenance())) return std::nullopt;
  const auto json = nlohmann::json::parse(read_file(directory.provenance()), nullptr, false);
  if (!json.is_object() || !json.contains("description") || !json["description"].is_string())
    return std::nullopt;
  return Config::parse(json["description"].get<std::string>(),
                       directory.provenance().string() + ": description");
}

}  // namespace

std::optional<Config> begun_description(const RunDirectory& directory) {
  if (!directory.begun()) return std::nullopt;
  if (auto remembered = remembered_description(directory)) return remembered;
  if (!std::filesystem::exists(directory.description())) return std::nullopt;
  return Config::load(directory.description());
}

std::string edited_description(const RunDirectory& directory) {
  const std::optional<Config> begun = begun_description(directory);
  if (!begun || !std::filesystem::exists(directory.description())) return "";
  return to_text(changed_course(*begun, Config::load(directory.description())));
}

void refuse_other_description(const Config& description, const RunDirectory& directory) {
  const std::optional<Config> begun = begun_description(directory);
  if (!begun) return;
  if (const std::string edited = edited_description(directory); !edited.empty())
    throw DataError(
        fmt::format("{}: was changed after the run had begun ({}); put it back, or remove the folder to run "
                    "anew",
                    directory.description().string(), edited));
  if (const auto changes = changed_course(*begun, description); !changes.empty())
    throw DataError(
        fmt::format("{}: holds a run that belongs to another description ({}); run in another "
                    "folder, or remove this one",
                    directory.path.string(), to_text(changes)));
}

}  // namespace plumb
