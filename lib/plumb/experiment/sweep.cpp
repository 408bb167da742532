#include "plumb/experiment/sweep.hpp"

#include "plumb/core/error.hpp"

namespace plumb {
namespace {

/// A mapping's label is its component's name first: "corrupted_labels, probability: 0.5".
std::string point_label(const Config& value) {
  const Config* type = value.is_mapping() ? value.find("type") : nullptr;
  if (type == nullptr) return value.to_line();
  Config rest = value;
  rest.erase("type");
  return rest.entries.empty() ? type->text : type->text + ", " + rest.to_line();
}

SweepAxis read_axis(const Config::Entry& entry) {
  SweepAxis axis{entry.key, {}};
  const Config& values = entry.value;
  if (values.kind == Config::Kind::sequence) {
    for (const Config& value : values.items)
      axis.points.push_back({point_label(value), {{entry.key, value}}});
  } else if (values.is_mapping()) {
    for (const Config::Entry& named : values.entries) {
      if (!named.value.is_mapping() && !named.value.is_null())
        named.value.fail("a named point maps key paths to values");
      SweepPoint point{named.key, {}};
      for (const Config::Entry& setting : named.value.entries)
        point.assignments.emplace_back(setting.key, setting.value);
      axis.points.push_back(std::move(point));
    }
  } else {
    values.fail("an axis is a list of values, or a mapping of names to settings");
  }
  if (axis.points.empty()) values.fail("an axis needs at least one point");
  return axis;
}

}  // namespace

std::vector<SweepAxis> read_sweep(const Config& sweep) {
  std::vector<SweepAxis> axes;
  if (sweep.is_null()) return axes;
  if (!sweep.is_mapping()) sweep.fail("a sweep maps axes to their values");
  for (const Config::Entry& entry : sweep.entries) axes.push_back(read_axis(entry));
  return axes;
}

}  // namespace plumb
