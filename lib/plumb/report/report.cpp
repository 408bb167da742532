#include "plumb/report/report.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "plumb/core/error.hpp"
#include "plumb/core/files.hpp"
#include "plumb/core/text.hpp"
#include "plumb/experiment/identity.hpp"
#include "plumb/report/aggregate.hpp"
#include "plumb/report/figure.hpp"
#include "plumb/report/findings.hpp"
#include "plumb/report/fit_figures.hpp"
#include "plumb/report/geometry_figures.hpp"
#include "plumb/report/html.hpp"
#include "plumb/report/theorem_section.hpp"
#include "plumb/report/wording.hpp"

namespace plumb {
namespace {

/// Draws a figure, leaves its files in `folder` and returns it as HTML.
std::string place_figure(const Figure& figure, const std::filesystem::path& folder) {
  const std::string svg = render_svg(figure);
  write_file_atomically(folder / (figure.name + ".svg"), svg);
  write_file_atomically(folder / (figure.name + ".csv"), figure_csv(figure));
  return html_figure(svg, figure.title, figure.caption);
}

std::string place_figures(const std::vector<Figure>& figures, const std::filesystem::path& folder) {
  std::string html = "<div class=\"figures\">\n";
  for (const Figure& figure : figures) html += place_figure(figure, folder);
  return html + "</div>\n";
}

Section findings_section(const Results& results, const std::vector<Point>& points) {
  Section section{"", "<div class=\"findings\">\n"};
  for (const std::string& sentence : findings(results, points)) section.body += html_paragraph(sentence);
  section.body += "</div>\n";
  return section;
}

Section first_figure(const Results& results, const std::vector<Point>& points,
                     const std::filesystem::path& folder) {
  std::vector<Figure> figures = learning_curve_figures(points);
  for (Figure& figure : figures) figure.title = "(a) " + figure.title;
  if (Figure figure = time_to_fit_figure(results, points); !figure.curves.empty()) {
    figure.title = "(b) " + figure.title;
    figures.push_back(std::move(figure));
  }
  if (Figure figure = test_error_figure(points); !figure.curves.empty()) {
    figure.title = "(c) " + figure.title;
    figures.push_back(std::move(figure));
  }
  return {"Figure 1", place_figures(figures, folder)};
}

Section accuracy_section(const std::vector<Point>& points, const std::filesystem::path& folder) {
  Section section{"Accuracy", ""};
  if (const std::vector<Figure> figures = final_accuracy_figures(points); !figures.empty())
    section.body += place_figures(figures, folder);
  if (const std::vector<Figure> figures = accuracy_figures(points); !figures.empty())
    section.body += html_details(
        fmt::format("Along training ({})", counted(static_cast<int64_t>(figures.size()), "figure")),
        place_figures(figures, folder));
  if (section.body.empty()) section.body = html_paragraph("No run has been evaluated yet.");
  return section;
}

/// What stands beside the tables of probes, with the number of runs in which it does.
std::string probe_remarks(const std::vector<Point>& points) {
  std::map<std::pair<std::string, std::string>, int64_t> counts;
  for (const Point& point : points)
    for (const RecordedRun* run : point.runs)
      for (const RecordedProbe& probe : run->probes)
        for (const std::string& remark : probe.remarks) ++counts[{probe.name, remark}];
  if (counts.empty()) return {};
  HtmlTable table{{"probe", "remark", "runs"}, {}, 2};
  for (const auto& [remark, count] : counts)
    table.rows.push_back({remark.first, remark.second, fmt::format("{}", count)});
  return html_details("Remarks on how it was measured", html_table(table));
}

/// What probes recorded; without a body when there were none.
Section geometry_section(const std::vector<Point>& points, const std::filesystem::path& folder) {
  Section section{"Geometry while training", ""};
  const std::vector<Figure> figures = geometry_figures(points);
  if (figures.empty()) return section;
  section.body = place_figures(figures, folder);
  section.body += fmt::format(
      "<p>Recorded by probes, which change nothing of the runs; every column is in the folder probes/ of "
      "each run, and <code>plumb list probe NAME</code> says what it means. {}</p>\n",
      escape_html(probe_cost_sentence(points)));
  section.body += probe_remarks(points);
  return section;
}

HtmlTable points_table(const Results& results, const std::vector<Point>& points) {
  HtmlTable table;
  table.header = {"point",         "steps to fit", "T(p)/T(0)", "train %", "memorized %",
                  "true labels %", "recovered %",  "test %",    "steps",   "epochs",
                  "training time", "completed",    "outcome"};
  if (results.options.fit_loss)
    table.header.push_back(fmt::format("steps to loss ≤ {:.4g}", *results.options.fit_loss));
  // Real targets have no accuracy.
  const bool losses = std::ranges::any_of(points, [](const Point& point) {
    return point.completed > 0 && point.last("train_accuracy").count == 0;
  });
  if (losses) table.header.insert(table.header.end(), {"train loss", "test loss"});
  for (const Point& point : points) {
    const std::string fit = point.fits || point.completed == 0
                                ? number_text(point.steps_to_fit)
                                : fmt::format("{} of {} reached it", point.fitted, point.completed);
    table.rows.push_back(
        {point.label, fit, number_text(point.slowdown.value_or(Estimate{})),
         percent_text(point.last("train_accuracy")), percent_text(point.last("memorization")),
         percent_text(point.last("clean_accuracy")), percent_text(point.last("recovery")),
         percent_text(point.last("test_accuracy")), number_text(point.steps()), number_text(point.epochs()),
         duration_text(point.training_seconds()), fmt::format("{} of {}", point.completed, point.runs.size()),
         outcome_text(point.outcomes())});
    if (results.options.fit_loss) table.rows.back().push_back(number_text(point.steps_to_loss));
    if (losses)
      for (const char* column : {"train_loss", "test_loss"})
        table.rows.back().push_back(number_text(point.last(column)));
  }
  return table;
}

Section points_section(const Results& results, const std::vector<Point>& points) {
  Section section{"Every point", html_table(points_table(results, points))};
  section.body +=
      fmt::format("<p class=\"note\">{}</p>\n",
                  escape_html(fmt::format("Means over completed runs with the standard error over seeds; "
                                          "accuracies at the last evaluation. Fit: first "
                                          "evaluation with training accuracy ≥ {:.6g} %. True labels: "
                                          "accuracy on examples whose label was left or "
                                          "redrawn as it was; memorized: on wrong labels, as given; "
                                          "recovered: on wrong labels, against the true class. "
                                          "{}: not reached or not measured.",
                                          100 * results.options.fit_accuracy, absent)));
  if (!results.all_planned_because.empty())
    section.body += fmt::format(
        "<p class=\"note\">{}</p>\n",
        escape_html(fmt::format("Every run in the folder is counted as one of this experiment: {}.",
                                plain_line(results.all_planned_because))));
  return section;
}

/// Runs that the folder's description does not mean, for whoever looks for them.
Section other_runs_section(const Results& results, const std::vector<Point>& others) {
  if (others.empty()) return {};
  const std::string body =
      html_paragraph(
          "They were made under other descriptions, earlier ones of which are kept as experiment.1.yaml, "
          "experiment.2.yaml, ...; no figure and no finding above contains them. Points are told apart by "
          "the settings in which they differ.") +
      html_table(points_table(results, others));
  return {"", html_details(fmt::format("Other runs in this folder ({})",
                                       counted(static_cast<int64_t>(others.size()), "point")),
                           body)};
}

/// Runs that no mean contains, each with its reason, and runs that a reader should know something of.
Section missing_section(const Results& results) {
  HtmlTable table{{"run", "what happened", "last evaluated step"}, {}, 2};
  for (const RecordedRun& run : results.runs) {
    if (run.completed()) continue;
    const std::string message = run.ending && !run.ending->message.empty() ? ": " + run.ending->message : "";
    const auto step = run.last("step");
    table.rows.push_back({run.id, outcome_text(run.outcome()) + message,
                          step ? fmt::format("{}", *step) : std::string(absent)});
  }
  for (const Results::Skipped& skipped : results.skipped)
    table.rows.push_back({skipped.folder, "left out: " + skipped.reason, std::string(absent)});
  return {"Left out of every mean", table.rows.empty() ? "" : html_table(table)};
}

Section remarks_section(const Results& results) {
  HtmlTable table{{"run", "remark"}, {}, 2};
  for (const RecordedRun& run : results.runs)
    for (const std::string& remark : run.remarks) table.rows.push_back({run.id, remark});
  return {"Changed after it was run", table.rows.empty() ? "" : html_table(table)};
}

/// The distinct texts under each key, in order of appearance.
std::vector<std::pair<std::string, std::vector<std::string>>> distinct_texts(
    const std::vector<TextPairs>& runs) {
  std::vector<std::pair<std::string, std::vector<std::string>>> all;
  for (const TextPairs& run : runs)
    for (const auto& [key, text] : run) {
      auto found = std::find_if(all.begin(), all.end(),
                                [&key = key](const auto& entry) { return entry.first == key; });
      if (found == all.end()) found = all.insert(all.end(), {key, {}});
      if (std::find(found->second.begin(), found->second.end(), text) == found->second.end())
        found->second.push_back(text);
    }
  return all;
}

std::string joined_texts(const std::vector<std::string>& texts) {
  if (texts.size() <= 12) return fmt::format("{}", fmt::join(texts, "; "));
  const std::vector<std::string> first(texts.begin(), texts.begin() + 12);
  return fmt::format("{}; and {} more", fmt::join(first, "; "), texts.size() - 12);
}

Section settings_section(const Results& results) {
  std::vector<TextPairs> runs;
  for (const RecordedRun& run : results.runs)
    if (run.planned) runs.push_back(flat_settings(run.description));
  HtmlTable common{{"setting", "value"}, {}, 2};
  HtmlTable varied{{"setting", "values"}, {}, 2};
  for (const auto& [key, texts] : distinct_texts(runs)) {
    const bool everywhere = std::all_of(runs.begin(), runs.end(), [&key = key](const TextPairs& run) {
      return std::any_of(run.begin(), run.end(), [&key](const auto& pair) { return pair.first == key; });
    });
    (texts.size() == 1 && everywhere ? common : varied).rows.push_back({key, joined_texts(texts)});
  }
  Section section{"Settings", ""};
  if (!varied.rows.empty()) section.body += html_details("What differs between runs", html_table(varied));
  section.body += html_details("What all runs share", html_table(common));
  section.body += html_details("The description as given",
                               fmt::format("<pre>{}</pre>\n", escape_html(results.description.to_yaml())));
  return section;
}

Section provenance_section(const Results& results) {
  std::vector<TextPairs> runs;
  for (const RecordedRun& run : results.runs)
    if (run.planned) runs.push_back(run.provenance);
  HtmlTable table{{"what", "recorded"}, {}, 2};
  for (auto& [key, texts] : distinct_texts(runs)) {
    const bool time = key == "started" || key == "finished";
    if (time && texts.size() > 1) {
      const auto [first, last] = std::minmax_element(texts.begin(), texts.end());
      table.rows.push_back({key, fmt::format("{} to {}", *first, *last)});
    } else {
      table.rows.push_back({key, joined_texts(texts)});
    }
  }
  Section section{"Where the numbers come from", html_table(table)};
  const std::string name = escape_html(results.folder.filename().string());
  section.body += html_paragraph(
      "To go on with the experiment where it was stopped, and to draw this page again, from the folder above "
      "this one:");
  section.body += fmt::format("<pre>plumb run {0}/experiment.yaml --out .\nplumb report {0}</pre>\n", name);
  section.body += html_paragraph("To repeat it from the start, into another folder:");
  section.body += fmt::format("<pre>plumb run {}/experiment.yaml --out again</pre>\n", name);
  section.body += html_paragraph(
      "Data sets that are not in plumb's own folder need --data FOLDER. experiment.yaml lies beside this "
      "page; each run's folder holds its complete settings (run.yaml), its provenance and every measured "
      "number (CSV). figures/ holds each figure as SVG and its numbers as CSV.");
  return section;
}

}  // namespace

std::filesystem::path write_report(const Results& results) {
  if (results.runs.empty())
    throw DataError(fmt::format(
        "{}: holds no readable run{}; run the experiment first", results.folder.string(),
        results.skipped.empty()
            ? std::string{}
            : fmt::format(" ({}: {})", results.skipped.front().folder, results.skipped.front().reason)));
  const std::vector<Point> all = aggregate(results), points = planned_points(all);
  const std::filesystem::path figures = results.folder / "figures";
  make_directory(figures);
  Page page{results.options.title.empty() ? results.name : results.options.title, results.question, {}};
  page.sections.push_back(findings_section(results, points));
  page.sections.push_back(first_figure(results, points, figures));
  page.sections.push_back(accuracy_section(points, figures));
  page.sections.push_back(geometry_section(points, figures));
  const std::vector<JudgedRuns> judged = judge_runs(results);
  if (!judged.empty()) write_judgements(judged, results.folder);
  page.sections.push_back(theorem_section(judged));
  page.sections.push_back(points_section(results, points));
  page.sections.push_back(missing_section(results));
  page.sections.push_back(remarks_section(results));
  page.sections.push_back(other_runs_section(results, planned_points(all, false)));
  page.sections.push_back(settings_section(results));
  page.sections.push_back(provenance_section(results));
  std::erase_if(page.sections, [](const Section& section) { return section.body.empty(); });
  const std::filesystem::path file = results.folder / "report.html";
  write_file_atomically(file, html_page(page));
  return file;
}

std::filesystem::path write_report(const std::filesystem::path& folder) {
  return write_report(load_results(folder));
}

}  // namespace plumb
