#include "plumb/records/recorded_run.hpp"

#include <algorithm>
#include <cmath>

namespace plumb {

bool RecordedRun::completed() const {
  return ending && ending->outcome != "diverged" && ending->outcome != "failed";
}

std::string RecordedRun::setting(std::string_view dotted_path) const {
  const Config* config = &description;
  while (config != nullptr && !dotted_path.empty()) {
    const size_t dot = dotted_path.find('.');
    config = config->find(dotted_path.substr(0, dot));
    dotted_path.remove_prefix(dot == std::string_view::npos ? dotted_path.size() : dot + 1);
  }
  if (config != nullptr && config->is_mapping()) config = config->find("type");
  return config == nullptr ? std::string{} : config->text;
}

std::string RecordedRun::recorded(std::string_view key) const {
  for (const auto& [name, text] : provenance)
    if (name == key) return text;
  return {};
}

std::optional<double> RecordedRun::last(std::string_view column) const {
  if (!evaluations.has(column) || evaluations.rows.empty()) return {};
  const double value = evaluations.column(column).back();
  return std::isfinite(value) ? std::optional(value) : std::nullopt;
}

std::optional<double> RecordedProbe::last(std::string_view column) const {
  if (!table.has(column)) return {};
  const std::vector<double> values = table.column(column);
  const auto finite =
      std::find_if(values.rbegin(), values.rend(), [](double value) { return std::isfinite(value); });
  return finite == values.rend() ? std::nullopt : std::optional(*finite);
}

const RecordedProbe* RecordedRun::probe(std::string_view name) const {
  for (const RecordedProbe& found : probes)
    if (found.name == name) return &found;
  return nullptr;
}

}  // namespace plumb
