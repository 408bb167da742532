#include "plumb/lecture/lecture_page.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "plumb/core/error.hpp"
#include "plumb/core/files.hpp"
#include "plumb/report/figure.hpp"
#include "plumb/report/html.hpp"
#include "plumb/theorems/verdict_text.hpp"

namespace plumb {
namespace {

using Json = nlohmann::ordered_json;

std::string seconds_text(double seconds) {
  return seconds < 10 ? fmt::format("{:.2g}", seconds) : fmt::format("{:.0f}", seconds);
}

/// A verdict with what should have come out, where that is not the same or no theorem's "holds".
std::string ruling_with_expectation(const Claim& claim) {
  const std::string text = claim.verdict.text();
  if (!claim.as_expected())
    return fmt::format("NOT AS EXPECTED: {} (expected: {})", text, theory::ruling_text(claim.expected));
  if (claim.expected == theory::Ruling::fails) return text + ", as it should";
  return text;
}

HtmlTable verdict_rows(const SystemReport& report) {
  HtmlTable table;
  table.header = {"claim", "quantity", "verdict", "predicted", "measured"};
  table.text_columns = 3;
  for (const Claim& claim : report.evidence.claims)
    table.rows.push_back({claim.statement, claim.quantity, ruling_with_expectation(claim),
                          required_text(claim.verdict), measured_text(claim.verdict)});
  return table;
}

std::string sources_list(const SystemReport& report) {
  std::vector<std::string> sources;
  for (const Claim& claim : report.evidence.claims)
    if (!claim.source.empty() && claim.source != "none" &&
        std::find(sources.begin(), sources.end(), claim.source) == sources.end())
      sources.push_back(claim.source);
  std::string html = "<ul>\n";
  for (const std::string& source : sources) html += "<li>" + escape_html(source) + "</li>\n";
  return html + "</ul>\n";
}

std::string placed_figures(const std::vector<Figure>& figures, const std::filesystem::path& folder) {
  make_directory(folder);
  std::string html = "<div class=\"figures\">\n";
  for (const Figure& figure : figures) {
    if (!drawable(figure)) continue;
    const std::string svg = render_svg(figure);
    write_file_atomically(folder / (figure.name + ".svg"), svg);
    write_file_atomically(folder / (figure.name + ".csv"), figure_csv(figure));
    html += html_figure(svg, figure.title, figure.caption);
  }
  return html + "</div>\n";
}

std::string statement_html(const Statement& statement) {
  std::string html = html_paragraph(statement.slide);
  if (!statement.paper.empty())
    html += html_details("Exactly, with its constants", html_paragraph(statement.paper));
  if (!statement.traps.empty())
    html += html_details("What is easily got wrong", html_paragraph(statement.traps));
  return html;
}

std::string summary_line(const SystemReport& report) {
  const auto& claims = report.evidence.claims;
  const auto good =
      std::count_if(claims.begin(), claims.end(), [](const Claim& c) { return c.as_expected(); });
  return fmt::format("{} of {} claims came out as they should.", good, claims.size());
}

struct IndexEntry {
  Json claims;
  std::string folder;
};

std::vector<IndexEntry> index_entries(const std::filesystem::path& folder) {
  std::vector<IndexEntry> entries;
  for (const auto& item : std::filesystem::directory_iterator(folder)) {
    const auto file = item.path() / "claims.json";
    if (!std::filesystem::exists(file)) continue;
    Json claims = Json::parse(read_file(file), nullptr, /*allow_exceptions=*/false);
    if (claims.is_discarded() || !claims.contains("place") || !claims.contains("claims"))
      throw DataError(
          fmt::format("{}: no verdicts can be read; remove the folder or run it again", file.string()));
    entries.push_back({std::move(claims), item.path().filename().string()});
  }
  std::sort(entries.begin(), entries.end(), [](const IndexEntry& a, const IndexEntry& b) {
    return std::pair(a.claims["place"].get<int64_t>(), a.folder) <
           std::pair(b.claims["place"].get<int64_t>(), b.folder);
  });
  return entries;
}

Section index_section(const IndexEntry& entry) {
  HtmlTable table;
  table.header = {"claim", "verdict"};
  table.text_columns = 2;
  int64_t good = 0;
  for (const Json& claim : entry.claims["claims"]) {
    good += claim["as_expected"].get<bool>() ? 1 : 0;
    table.rows.push_back({claim["statement"].get<std::string>(), claim["verdict"].get<std::string>()});
  }
  const std::string id = entry.claims["id"].get<std::string>(),
                    title = entry.claims["title"].get<std::string>();
  Section section{fmt::format("{} {}", id, title), ""};
  section.body = fmt::format(
      "<p><a href=\"{0}/report.html\">{1} of {2} claims as expected; figures and numbers</a> "
      "<span class=\"note\">{3}; {4} s</span></p>\n",
      escape_html(entry.folder), good, entry.claims["claims"].size(),
      escape_html(entry.claims["setting"].get<std::string>()),
      seconds_text(entry.claims["seconds"].get<double>()));
  section.body += html_details("All verdicts", html_table(table));
  return section;
}

}  // namespace

std::string claims_json(const SystemReport& report) {
  Json json;
  json["id"] = report.statement.id;
  const auto all = lecture_systems();
  const auto place = std::find_if(all.begin(), all.end(),
                                  [&](const SystemName& name) { return name.id == report.statement.id; });
  json["place"] = std::distance(all.begin(), place);
  json["title"] = report.statement.title;
  json["slide"] = report.statement.slide;
  json["paper"] = report.statement.paper;
  json["traps"] = report.statement.traps;
  json["setting"] = report.evidence.setting;
  json["seconds"] = report.seconds;
  json["figures"] = Json::array();
  for (const Figure& figure : report.evidence.figures)
    if (drawable(figure))
      json["figures"].push_back(
          {{"name", figure.name}, {"title", figure.title}, {"caption", figure.caption}});
  json["tables"] = Json::array();
  for (const NamedTable& table : report.evidence.tables)
    json["tables"].push_back(
        {{"title", table.title}, {"header", table.table.header}, {"rows", table.table.rows}});
  json["remarks"] = report.evidence.remarks;
  json["claims"] = Json::array();
  for (const Claim& claim : report.evidence.claims) {
    Json judged = claim_json(claim);
    judged["expected"] = theory::ruling_text(claim.expected);
    judged["as_expected"] = claim.as_expected();
    judged["verdict"] = ruling_with_expectation(claim);
    json["claims"].push_back(std::move(judged));
  }
  return json.dump(2) + "\n";
}

std::filesystem::path write_system_page(const SystemReport& report, const std::string& type,
                                        const std::string& description, const std::filesystem::path& folder) {
  Page page{fmt::format("{} {}", report.statement.id, report.statement.title), report.evidence.setting, {}};
  page.sections.push_back(
      {"", "<div class=\"findings\">\n" + html_paragraph(summary_line(report)) + "</div>\n"});
  page.sections.push_back({"Statement", statement_html(report.statement)});
  if (!report.evidence.figures.empty())
    page.sections.push_back({"Measured", placed_figures(report.evidence.figures, folder / "figures")});
  page.sections.push_back({"Verdicts", html_table(verdict_rows(report))});
  for (const NamedTable& table : report.evidence.tables)
    page.sections.push_back({table.title, html_table(table.table)});
  std::string remarks;
  for (const std::string& remark : report.evidence.remarks) remarks += html_paragraph(remark);
  if (!remarks.empty()) page.sections.push_back({"Remarks", remarks});
  page.sections.push_back(
      {"Again",
       html_paragraph(
           fmt::format("It took {} s. At the default size, and exactly this one from its description, which "
                       "lies beside this page:",
                       seconds_text(report.seconds))) +
           fmt::format("<pre>plumb verify {}\nplumb run description.yaml</pre>\n",
                       escape_html(report.statement.id)) +
           html_details("Description (" + type + ")", "<pre>" + escape_html(description) + "</pre>")});
  page.sections.push_back({"Sources", sources_list(report)});
  write_file_atomically(folder / "report.html", html_page(page));
  return folder / "report.html";
}

std::string verdict_table(const SystemReport& report) {
  constexpr size_t longest = 72;  // a longer statement has a line of its own
  size_t width = 5, measured_width = 8;
  for (const Claim& claim : report.evidence.claims) {
    if (claim.statement.size() <= longest) width = std::max(width, claim.statement.size());
    measured_width = std::max(measured_width, measured_text(claim.verdict).size());
  }
  std::string text =
      fmt::format("{}  {}    {}\n", report.statement.id, report.statement.title, report.evidence.setting);
  text += fmt::format("    {:<{}}  {:>13}  {:>{}}  {}\n", "claim", width, "predicted", "measured",
                      measured_width, "verdict");
  for (const Claim& claim : report.evidence.claims) {
    const bool fits = claim.statement.size() <= width;
    if (!fits) text += fmt::format("    {}\n", claim.statement);
    const std::string predicted = required_text(claim.verdict);
    text += fmt::format("    {:<{}}  {:>13}  {:>{}}  {}\n", fits ? claim.statement : "", width, predicted,
                        measured_text(claim.verdict), measured_width, ruling_with_expectation(claim));
  }
  return text;
}

std::filesystem::path write_lecture_index(const std::filesystem::path& folder) {
  Page page{"The lecture, measured", "", {}};
  int64_t claims = 0, good = 0;
  for (const IndexEntry& entry : index_entries(folder)) {
    for (const Json& claim : entry.claims["claims"]) {
      ++claims;
      good += claim["as_expected"].get<bool>() ? 1 : 0;
    }
    page.sections.push_back(index_section(entry));
  }
  page.subtitle = fmt::format("{} of {} claims of {} systems came out as they should", good, claims,
                              page.sections.size());
  write_file_atomically(folder / "index.html", html_page(page));
  return folder / "index.html";
}

}  // namespace plumb
