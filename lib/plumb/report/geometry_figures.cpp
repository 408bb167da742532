#include "plumb/report/geometry_figures.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

#include <fmt/format.h>

#include "plumb/core/error.hpp"
#include "plumb/probes/probe.hpp"
#include "plumb/report/drawing.hpp"
#include "plumb/report/wording.hpp"

namespace plumb {
namespace {

/// A column of a probe that is drawn.
struct DrawnColumn {
  std::string type, column;
  ColumnFigure figure;
};

/// Probes in the points: each type with one of its tables' columns.
std::map<std::string, std::vector<std::string>> recorded_types(const std::vector<Point>& points) {
  std::map<std::string, std::vector<std::string>> types;
  for (const Point& point : points)
    for (const RecordedRun* run : point.runs)
      for (const RecordedProbe& probe : run->probes) types[probe.type] = probe.table.columns;
  return types;
}

/// What the probe says of its columns; nothing of a probe that this program does not have.
std::vector<Column> described_columns(const std::string& type) {
  try {
    return probes().at(type)->make()->columns();
  } catch (const Error&) {
    return {};
  }
}

/// Of a probe of this program the columns that it wants drawn, of another program's all.
std::vector<DrawnColumn> drawn_columns(const std::vector<Point>& points) {
  std::vector<DrawnColumn> drawn;
  for (const auto& [type, recorded] : recorded_types(points)) {
    const std::vector<Column> described = described_columns(type);
    for (const Column& column : described)
      if (column.figure) drawn.push_back({type, column.name, *column.figure});
    if (!described.empty()) continue;
    for (const std::string& column : recorded)
      if (column != "step" && column != "epoch")
        drawn.push_back({type, column, {fmt::format("{}: {}", type, column), column, false, ""}});
  }
  return drawn;
}

/// The names under which probes of a type occur in the points, in order of appearance.
std::vector<std::string> names_of_type(const std::vector<Point>& points, std::string_view type) {
  std::vector<std::string> names;
  for (const Point& point : points)
    for (const RecordedRun* run : point.runs)
      for (const RecordedProbe& probe : run->probes)
        if (probe.type == type && std::find(names.begin(), names.end(), probe.name) == names.end())
          names.push_back(probe.name);
  return names;
}

std::string geometry_file_name(const std::string& probe, std::string_view column) {
  std::string name = fmt::format("geometry_{}_{}", probe, column);
  for (char& c : name) {
    c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
  }
  return name;
}

Figure draw_column(const DrawnColumn& drawn, const std::string& probe, const DrawnGroup& group) {
  Figure figure;
  figure.title = drawn.figure.title + (probe == drawn.type ? "" : fmt::format(" ({})", probe)) + group.title;
  figure.band = true;
  // Step 0 has no place on a logarithmic axis.
  figure.x = {.label = "training steps + 1", .logarithmic = true};
  figure.y = {.label = drawn.figure.axis, .logarithmic = drawn.figure.logarithmic};
  for (const Point* point : group.points) {
    Series series = probe_series(drawn_runs(*point), probe, drawn.column);
    for (double& step : series.x) step += 1;
    const std::string& label = group.variants && !point->variant.empty() ? point->variant : point->label;
    if (!series.x.empty())
      figure.curves.push_back(series_curve(label + status_mark(*point), std::move(series)));
  }
  const bool negative = std::ranges::any_of(figure.curves, [](const Curve& curve) {
    return std::ranges::any_of(curve.y, [](double y) { return y < 0; });
  });
  if (!drawn.figure.logarithmic && !negative) figure.y.low = 0;
  const std::string note = seeds_note(group.points, "band");
  figure.caption = drawn.figure.caption.empty() ? note : fmt::format("{} {}", drawn.figure.caption, note);
  return figure;
}

/// The last finite value of a probe's column over the completed runs of a point.
Estimate last_of_probe(const Point& point, std::string_view probe, std::string_view column) {
  std::vector<double> values;
  for (const RecordedRun* run : point.runs) {
    const RecordedProbe* found = run->completed() ? run->probe(probe) : nullptr;
    if (const auto value = found != nullptr ? found->last(column) : std::nullopt) values.push_back(*value);
  }
  return estimate(values);
}

/// "0.31 (true labels), 0.83 (random labels)"; the lowest and the highest when there are many points.
std::string value_list(const std::vector<Point>& points, std::string_view probe, std::string_view column) {
  std::vector<std::pair<double, std::string>> parts;
  for (const Point& point : points)
    if (const Estimate value = last_of_probe(point, probe, column); value.count > 0)
      parts.emplace_back(value.mean, fmt::format("{} ({})", number_text(value), point.label));
  if (parts.size() > 8) {
    const auto [low, high] = std::minmax_element(parts.begin(), parts.end());
    return fmt::format("from {} to {}", low->second, high->second);
  }
  std::vector<std::string> texts;
  texts.reserve(parts.size());
  for (const auto& [value, text] : parts) texts.push_back(text);
  return fmt::format("{}", fmt::join(texts, ", "));
}

/// Whether any run's table of the probe has the column.
bool has_column(const std::vector<Point>& points, const std::string& probe, std::string_view column) {
  for (const Point& point : points)
    for (const RecordedRun* run : point.runs)
      if (const RecordedProbe* found = run->probe(probe);
          found != nullptr && found->table.has(std::string(column)))
        return true;
  return false;
}

/// How the rank of J compares with the most it can be, over all recorded states of the completed runs. Tables
/// of version 0.1.0 have their lower bound in `rank`.
std::string rank_sentence(const std::vector<Point>& points, const std::string& probe) {
  int64_t states = 0, full = 0, unresolved = 0, not_finite = 0;
  for (const Point& point : points)
    for (const RecordedRun* run : point.runs) {
      const RecordedProbe* found = run->completed() ? run->probe(probe) : nullptr;
      if (found == nullptr || !found->table.has("rank") || !found->table.has("full_rank") ||
          !found->table.has("resolved"))
        continue;
      const auto rank = found->table.column(found->table.has("at_least") ? "at_least" : "rank");
      const auto most = found->table.column("full_rank"), resolved = found->table.column("resolved");
      for (size_t i = 0; i < rank.size(); ++i) {
        ++states;
        if (!std::isfinite(rank[i])) {
          ++not_finite;
          continue;
        }
        full += rank[i] == most[i] ? 1 : 0;
        unresolved += resolved[i] == 1 ? 0 : 1;
      }
    }
  if (states == 0) return {};
  std::string sentence = fmt::format("The Jacobian on the probe set had full rank at {} of {}", full,
                                     counted(states, "recorded state"));
  if (unresolved > 0) sentence += fmt::format("; at {} its rank is not resolved", unresolved);
  if (not_finite > 0) sentence += fmt::format("; at {} it was not finite", not_finite);
  return sentence + ".";
}

}  // namespace

std::vector<Figure> geometry_figures(const std::vector<Point>& points) {
  std::vector<Figure> figures;
  const std::vector<DrawnGroup> groups = drawn_groups(points);
  for (const DrawnColumn& drawn : drawn_columns(points))
    for (const std::string& probe : names_of_type(points, drawn.type)) {
      if (!drawn.figure.unless.empty() && has_column(points, probe, drawn.figure.unless)) continue;
      for (size_t i = 0; i < groups.size(); ++i) {
        Figure figure = draw_column(drawn, probe, groups[i]);
        figure.name = numbered(geometry_file_name(probe, drawn.column), i, groups.size());
        if (drawable(figure)) figures.push_back(std::move(figure));
      }
    }
  // Names of probes that differ in capitals or dots would share a file.
  std::map<std::string, int> seen;
  for (Figure& figure : figures)
    if (const int times = ++seen[figure.name]; times > 1) figure.name += fmt::format("__{}", times);
  return figures;
}

std::vector<std::string> geometry_findings(const std::vector<Point>& points) {
  std::vector<std::string> sentences;
  for (const std::string& probe : names_of_type(points, "jacobian_rank"))
    if (std::string sentence = rank_sentence(points, probe); !sentence.empty())
      sentences.push_back(std::move(sentence));
  for (const std::string& probe : names_of_type(points, "tangent_kernel"))
    if (const std::string list = value_list(points, probe, "relative_drift"); !list.empty())
      sentences.push_back(fmt::format(
          "At the end the tangent kernel on the probe set had moved by this part of its norm: {}.", list));
  for (const std::string& probe : names_of_type(points, "gradient"))
    if (const std::string list = value_list(points, probe, "pl_infimum"); !list.empty())
      sentences.push_back(fmt::format("Smallest PL ratio ‖∇L‖² / (L − L*) recorded: {}.", list));
  return sentences;
}

std::string probe_cost_sentence(const std::vector<Point>& points) {
  double probes = 0, training = 0;
  bool any = false;
  for (const Point& point : points)
    for (const RecordedRun* run : point.runs) {
      if (!run->completed() || run->probes.empty() || !std::isfinite(run->ending->probe_seconds) ||
          !std::isfinite(run->ending->training_seconds))
        continue;
      any = true;
      probes += run->ending->probe_seconds;
      training += run->ending->training_seconds;
    }
  if (!any || training <= 0) return {};
  return fmt::format("Measuring took {:.2g} s beside {:.3g} s of training ({:.2g} %).", probes, training,
                     100 * probes / training);
}

}  // namespace plumb
