#include "plumb/report/geometry_figures.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <optional>

#include <fmt/format.h>

#include "plumb/report/drawing.hpp"
#include "plumb/report/wording.hpp"

namespace plumb {
namespace {

/// A column worth a figure of its own.
struct DrawnColumn {
  std::string_view type, column;
  std::string_view title, axis;
  bool logarithmic;
  std::string_view caption;  // convention
};

constexpr std::array drawn_columns{
    DrawnColumn{"jacobian_rank", "at_least", "Rank of the Jacobian", "rank of J, at least", false,
                "J: derivatives of all outputs on the probe set with respect to all trainable parameters. "
                "The rank is certainly no less; it may be more where the method cannot resolve it."},
    // Runs of version 0.1.0 have no other.
    DrawnColumn{"jacobian_rank", "rank", "Numerical rank of the Jacobian", "numerical rank of J", false,
                "J: derivatives of all outputs on the probe set with respect to all trainable parameters; "
                "singular values above LAPACK's tolerance are counted."},
    DrawnColumn{"jacobian_rank", "condition", "Condition number of the Jacobian", "σ_max / σ_min", true,
                "J: derivatives of all outputs on the probe set with respect to all trainable parameters."},
    DrawnColumn{
        "tangent_kernel", "lambda_min", "Smallest eigenvalue of the tangent kernel", "λ_min(G)", true,
        "G = J Jᵀ on the probe set, all pairs of outputs. For L = Σ‖h − y‖² the PL constant μ of "
        "‖∇L‖² ≥ μ (L − L*) is 4 λ_min; that of ½‖∇L‖² ≥ μ (L − L*) (Karimi et al. 2016) is 2 λ_min."},
    DrawnColumn{
        "tangent_kernel", "relative_drift", "Drift of the tangent kernel", "‖G(k) − G(0)‖ / ‖G(0)‖", false,
        "Frobenius norms; G = J Jᵀ on the probe set. 0: the kernel of the start, as in lazy training."},
    DrawnColumn{"tangent_kernel", "target_alignment", "Alignment of the kernel with the labels",
                "⟨G, Y Yᵀ⟩ / (‖G‖ ‖Y Yᵀ‖)", false,
                "G: J Jᵀ on the probe set, summed over outputs; Y: the one-hot labels trained on "
                "(Cristianini et al. 2001)."},
    DrawnColumn{
        "gradient", "pl_ratio", "PL ratio", "‖∇L‖² / (L − L*)", true,
        "L in evaluation mode; half of it in the convention ½‖∇L‖² ≥ μ (L − L*) of Karimi et al. 2016."},
    DrawnColumn{"gradient", "gradient_norm", "Norm of the gradient", "‖∇L‖", true, "L in evaluation mode."},
    DrawnColumn{"parameter_distance", "relative_distance", "Distance from the initial weights",
                "‖w − w(0)‖ / ‖w(0)‖", false, "All trainable parameters as one vector."},
    DrawnColumn{"parameter_distance", "straightness", "Straightness of the path",
                "‖w − w(0)‖ / length of the path", false, "1: the weights went along a straight line."},
    DrawnColumn{"neuron_movement", "largest", "Largest movement of a unit", "max ‖w_r − w_r(0)‖", false,
                "w_r: the incoming weights of one unit or channel."},
    DrawnColumn{"activation_flips", "flipped", "Changed activation signs", "fraction changed since the start",
                false,
                "Pairs of a hidden unit and an example of the probe set whose sign is not that of step 0."},
    DrawnColumn{"sharpness", "sharpness", "Sharpness", "λ_max of the Hessian of L", true,
                "L in evaluation mode. Gradient descent with step size η is stable below 2 / η."},
    DrawnColumn{"linearized_model", "relative_gap", "Gap to the linearized model", "‖h − h_lin‖ / ‖h‖", false,
                "h_lin: the network linearized at w(0), trained on the same batches with the same steps."}};

/// The names under which probes of a type occur in the points, in order of appearance.
std::vector<std::string> names_of_type(const std::vector<Point>& points, std::string_view type) {
  std::vector<std::string> names;
  for (const Point& point : points)
    for (const RunResult* run : point.runs)
      for (const ProbeResult& probe : run->probes)
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
  figure.title =
      std::string(drawn.title) + (probe == drawn.type ? "" : fmt::format(" ({})", probe)) + group.title;
  figure.band = true;
  // Step 0 has no place on a logarithmic axis.
  figure.x = {.label = "training steps + 1", .logarithmic = true};
  figure.y = {.label = std::string(drawn.axis), .logarithmic = drawn.logarithmic};
  if (!drawn.logarithmic) figure.y.low = 0;  // none of these quantities is negative
  for (const Point* point : group.points) {
    Series series = probe_series(drawn_runs(*point), probe, drawn.column);
    for (double& step : series.x) step += 1;
    const std::string& label = group.variants && !point->variant.empty() ? point->variant : point->label;
    if (!series.x.empty())
      figure.curves.push_back(series_curve(label + status_mark(*point), std::move(series)));
  }
  figure.caption = fmt::format("{} {}", drawn.caption, seeds_note(group.points, "band"));
  return figure;
}

/// The last finite value of a probe's column over the completed runs of a point.
Estimate last_of_probe(const Point& point, std::string_view probe, std::string_view column) {
  std::vector<double> values;
  for (const RunResult* run : point.runs) {
    const ProbeResult* found = run->completed() ? run->probe(probe) : nullptr;
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
  for (const auto& [value, text] : parts) texts.push_back(text);
  return fmt::format("{}", fmt::join(texts, ", "));
}

/// Whether any run's table of the probe has the column.
bool has_column(const std::vector<Point>& points, const std::string& probe, std::string_view column) {
  for (const Point& point : points)
    for (const RunResult* run : point.runs)
      if (const ProbeResult* found = run->probe(probe);
          found != nullptr && found->table.has(std::string(column)))
        return true;
  return false;
}

/// How the rank of J compares with the most it can be, over all recorded states of the completed runs. Tables
/// of version 0.1.0 have their lower bound in `rank`.
std::string rank_sentence(const std::vector<Point>& points, const std::string& probe) {
  int64_t states = 0, full = 0, unresolved = 0, not_finite = 0;
  for (const Point& point : points)
    for (const RunResult* run : point.runs) {
      const ProbeResult* found = run->completed() ? run->probe(probe) : nullptr;
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
  for (const DrawnColumn& drawn : drawn_columns)
    for (const std::string& probe : names_of_type(points, drawn.type)) {
      if (drawn.type == "jacobian_rank" && drawn.column == "rank" && has_column(points, probe, "at_least"))
        continue;
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
    for (const RunResult* run : point.runs) {
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
