#include "plumb/report/point_names.hpp"

#include <algorithm>
#include <map>
#include <set>

#include <fmt/format.h>

#include "plumb/experiment/identity.hpp"

namespace plumb {
namespace {

using Settings = std::map<std::string, std::string>;

std::string labels_without(const TextPairs& axes, const std::set<std::string>& without) {
  std::string label;
  for (const auto& [axis, text] : axes)
    if (!without.contains(axis)) label += (label.empty() ? "" : ", ") + text;
  return label;
}

/// The axes along which points that agree on all other axes differ in their corruption.
std::set<std::string> corruption_axes(const std::vector<Point>& points) {
  std::set<std::string> found;
  for (const Point& a : points)
    for (const Point& b : points) {
      if (!a.planned || !b.planned || a.axes.size() != b.axes.size()) continue;
      std::vector<std::string> differing;
      for (size_t i = 0; i < a.axes.size(); ++i)
        if (a.axes[i] != b.axes[i]) differing.push_back(a.axes[i].first);
      const bool randomized_differently =
          a.runs.front()->setting("randomization") != b.runs.front()->setting("randomization") ||
          a.corruption != b.corruption;
      if (differing.size() == 1 && randomized_differently) found.insert(differing.front());
    }
  return found;
}

std::set<std::string> all_axes(const std::vector<Point>& points) {
  std::set<std::string> axes;
  for (const Point& point : points)
    for (const auto& [axis, label] : point.axes) axes.insert(axis);
  return axes;
}

/// The last part of a path where that is unique among `paths`, else all of it.
std::string short_key(const std::string& path, const std::vector<std::string>& paths) {
  const std::string last = path.substr(path.rfind('.') + 1);
  const auto ends_alike = [&](const std::string& other) {
    return other == last || other.ends_with("." + last);
  };
  return std::count_if(paths.begin(), paths.end(), ends_alike) > 1 ? path : last;
}

/// The settings in which `all` differ: those that all have first, as the others belong to components of which
/// only some are chosen; these only where the first do not tell all apart.
std::vector<std::string> differing_paths(const std::vector<Settings>& all) {
  std::map<std::string, std::set<std::string>> texts;
  std::map<std::string, size_t> holders;
  for (const Settings& settings : all)
    for (const auto& [path, text] : settings) {
      texts[path].insert(text);
      ++holders[path];
    }
  std::vector<std::string> shared, partial;
  for (const auto& [path, values] : texts) {
    if (holders[path] < all.size())
      partial.push_back(path);
    else if (values.size() > 1)
      shared.push_back(path);
  }
  std::set<std::vector<std::string>> told;
  for (const Settings& settings : all) {
    std::vector<std::string> values;
    for (const std::string& path : shared) values.push_back(settings.at(path));
    told.insert(std::move(values));
  }
  if (told.size() < std::set<Settings>(all.begin(), all.end()).size())
    shared.insert(shared.end(), partial.begin(), partial.end());
  return shared;
}

/// "learning_rate 0.01, width 8"
std::string difference_text(const Settings& settings, const std::vector<std::string>& paths) {
  std::string text;
  for (const std::string& path : paths)
    if (const auto found = settings.find(path); found != settings.end())
      text += fmt::format("{}{} {}", text.empty() ? "" : ", ", short_key(path, paths), found->second);
  return text;
}

Settings settings_of(const Config& config) {
  const auto pairs = flat_settings(config);
  return {pairs.begin(), pairs.end()};
}

/// Whether a thing without a name is told from all others, or from others without a name.
enum class Nameless { unlike_all, unlike_each_other };

/// Adds to names that several things have what those differ in.
std::vector<std::string> told_apart(std::vector<std::string> names, const std::vector<Settings>& settings,
                                    Nameless nameless) {
  std::map<std::string, std::vector<Settings>> alike;
  for (size_t i = 0; i < names.size(); ++i) alike[names[i]].push_back(settings[i]);
  if (nameless == Nameless::unlike_all && alike.contains("")) alike[""] = settings;
  std::map<std::string, std::vector<std::string>> paths;
  for (const auto& [name, same] : alike)
    if (same.size() > 1) paths[name] = differing_paths(same);
  for (size_t i = 0; i < names.size(); ++i) {
    const std::string difference = difference_text(settings[i], paths[names[i]]);
    if (!difference.empty()) names[i] += (names[i].empty() ? "" : ", ") + difference;
  }
  return names;
}

/// What points share whose runs differ in the corruption of their labels alone. Redrawing from all classes or
/// from the other ones are two kinds of corruption; clean labels are the beginning of whichever there is.
std::vector<Settings> comparable_settings(const std::vector<Point>& points) {
  std::vector<Settings> shared;
  std::map<Settings, std::set<std::string>> kinds;
  const auto kind_of = [](const Point& point) {
    const std::string kind = point.runs.front()->setting("randomization.replacement");
    return kind == "uniform" ? std::string{} : kind;
  };
  const auto is_clean = [](const Point& point) {
    return point.runs.front()->setting("randomization") == "true_labels";
  };
  for (const Point& point : points) {
    Config identity = point.runs.front()->identity;
    identity.erase("randomization");
    shared.push_back(settings_of(identity));
    if (point.corruption && !is_clean(point)) kinds[shared.back()].insert(kind_of(point));
  }
  for (size_t i = 0; i < points.size(); ++i) {
    const std::set<std::string>& found = kinds[shared[i]];
    const bool sole = is_clean(points[i]) && found.size() == 1;
    if (const std::string kind = sole ? *found.begin() : kind_of(points[i]); !kind.empty())
      shared[i].emplace("randomization.replacement", kind);
  }
  return shared;
}

/// Puts points into groups: by what they share beside the corruption, and by their labels on other axes.
void name_groups(std::vector<Point>& points, const std::set<std::string>& corrupting) {
  const std::vector<Settings> shared = comparable_settings(points);
  std::map<std::pair<std::string, Settings>, size_t> places;
  std::vector<std::string> names;
  std::vector<Settings> settings;
  std::vector<size_t> group_of_point;
  for (size_t i = 0; i < points.size(); ++i) {
    std::string label = points[i].planned ? labels_without(points[i].axes, corrupting) : points[i].label;
    const auto [place, added] = places.emplace(std::pair{label, shared[i]}, names.size());
    if (added) {
      names.push_back(std::move(label));
      settings.push_back(shared[i]);
    }
    group_of_point.push_back(place->second);
  }
  names = told_apart(std::move(names), settings, Nameless::unlike_each_other);
  for (size_t i = 0; i < points.size(); ++i) points[i].group = names[group_of_point[i]];
}

}  // namespace

std::string label_of(const TextPairs& axes) { return labels_without(axes, {}); }

void name_points(std::vector<Point>& points) {
  const std::set<std::string> corrupting = corruption_axes(points);
  std::set<std::string> others = all_axes(points);
  std::erase_if(others, [&](const std::string& axis) { return corrupting.contains(axis); });
  std::vector<std::string> labels;
  std::vector<Settings> settings;
  for (Point& point : points) {
    labels.push_back(label_of(point.axes));
    settings.push_back(settings_of(point.runs.front()->identity));
    point.variant = labels_without(point.axes, others);
  }
  labels = told_apart(std::move(labels), settings, Nameless::unlike_all);
  std::map<std::string, int> seen;
  for (size_t i = 0; i < points.size(); ++i) {
    points[i].label = labels[i].empty() ? "all runs" : labels[i];
    if (++seen[points[i].label] > 1) points[i].label += fmt::format(" ({})", points[i].runs.front()->id);
  }
  name_groups(points, corrupting);
}

}  // namespace plumb
