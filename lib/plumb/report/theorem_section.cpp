#include "plumb/report/theorem_section.hpp"

#include <algorithm>
#include <map>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "plumb/core/error.hpp"
#include "plumb/core/files.hpp"
#include "plumb/report/wording.hpp"
#include "plumb/theorems/verdict_text.hpp"

namespace plumb {
namespace {

using theory::Ruling;

/// One line of a theorem over its runs: a claim or a hypothesis.
struct Line {
  std::string statement;
  std::map<Ruling, int64_t> counts;
  const Judgement* worst = nullptr;  // whose verdict is shown
  size_t index = 0;                  // of the claim in it
  std::string worst_run;
};

int severity_of(Ruling ruling) {
  switch (ruling) {
    case Ruling::fails:
      return 3;
    case Ruling::undecided:
      return 2;
    case Ruling::hypotheses_not_met:
      return 1;
    case Ruling::holds:
      return 0;
  }
  return 0;
}

/// Of two claims with the same ruling the one with the smaller margin is the worse.
bool worse(const theory::Verdict& left, const theory::Verdict& right) {
  if (left.ruling != right.ruling) return severity_of(left.ruling) > severity_of(right.ruling);
  return left.relation == theory::Relation::equal ? left.margin > right.margin : left.margin < right.margin;
}

std::vector<Line> claim_lines(const JudgedRuns& judged) {
  std::vector<Line> lines;
  for (size_t run = 0; run < judged.judgements.size(); ++run) {
    const Judgement& judgement = judged.judgements[run];
    for (size_t i = 0; i < judgement.claims.size(); ++i) {
      const Claim& claim = judgement.claims[i];
      if (i == lines.size()) lines.push_back({claim.statement, {}, nullptr, i, ""});
      Line& line = lines[i];
      ++line.counts[claim.verdict.ruling];
      if (line.worst != nullptr && !worse(claim.verdict, line.worst->claims[i].verdict)) continue;
      line.worst = &judgement;
      line.worst_run = judged.runs[run];
    }
  }
  return lines;
}

/// "holds in 18 of 20 runs, fails in 2".
std::string counts_text(const std::map<Ruling, int64_t>& counts, size_t runs) {
  std::vector<std::string> parts;
  for (const Ruling ruling : {Ruling::holds, Ruling::fails, Ruling::undecided, Ruling::hypotheses_not_met})
    if (const auto found = counts.find(ruling); found != counts.end())
      parts.push_back(fmt::format(
          "{} in {}{}", theory::ruling_text(ruling), found->second,
          parts.empty() ? fmt::format(" of {}", counted(static_cast<int64_t>(runs), "run")) : ""));
  return fmt::format("{}", fmt::join(parts, ", "));
}

/// A line for each hypothesis, with the numbers of the first run that does not meet it, or else of the first.
HtmlTable hypothesis_table(const JudgedRuns& judged) {
  HtmlTable table{{"hypothesis", "met", "required", "measured"}, {}, 2};
  const auto& judgements = judged.judgements;
  size_t lines = 0;  // none of a run that lacks a probe
  for (const Judgement& judgement : judgements) lines = std::max(lines, judgement.hypotheses.size());
  for (size_t i = 0; i < lines; ++i) {
    int64_t met = 0;
    const theory::Assumption* shown = nullptr;
    size_t all = 0;
    for (const Judgement& judgement : judgements) {
      if (judgement.hypotheses.size() != lines) continue;
      const theory::Assumption& hypothesis = judgement.hypotheses[i];
      ++all;
      met += hypothesis.holds() ? 1 : 0;
      if (shown == nullptr || (shown->holds() && !hypothesis.holds())) shown = &hypothesis;
    }
    table.rows.push_back(
        {shown->statement,
         all == 1 ? std::string(met_text(*shown)) : fmt::format("in {} of {} runs", met, all),
         required_text(*shown), measured_text(*shown)});
  }
  return table;
}

std::string theorem_html(const JudgedRuns& judged) {
  const TheoremText& text = judged.judgements.front().text;
  std::string html = fmt::format("<h3>{}</h3>\n", escape_html(text.title));
  html += html_paragraph(text.statement);
  html += html_paragraph(fmt::format("Source: {}.", text.source));
  if (!text.caveats.empty())
    html += html_details("What the verdicts do not say", html_paragraph(text.caveats));
  for (size_t i = 0; i < judged.judgements.size(); ++i)
    for (const std::string& missing : judged.judgements[i].missing)
      html += html_paragraph(fmt::format("{}: undecided: {}.", judged.runs[i], missing));
  HtmlTable claims{{"claim", "came out", "worst verdict", "predicted", "measured"}, {}, 3};
  for (const Line& line : claim_lines(judged)) {
    const theory::Verdict& verdict = line.worst->claims[line.index].verdict;
    const std::string where = judged.runs.size() > 1 ? fmt::format(" ({})", line.worst_run) : "";
    claims.rows.push_back({line.statement, counts_text(line.counts, judged.judgements.size()),
                           verdict.text() + where, required_text(verdict), measured_text(verdict)});
  }
  if (!claims.rows.empty()) html += html_table(claims);
  if (HtmlTable hypotheses = hypothesis_table(judged); !hypotheses.rows.empty())
    html += html_details("Hypotheses, with the numbers that decide them", html_table(hypotheses));
  return html;
}

}  // namespace

std::vector<JudgedRuns> judge_runs(const Results& results) {
  std::vector<JudgedRuns> all;
  std::map<std::string, size_t> places;  // theorem with options -> where in `all`
  for (const RecordedRun& run : results.runs) {
    if (!run.planned || !run.ending || run.ending->outcome == "failed") continue;
    for (const Config& theorem : run.theorems) {
      const auto [place, added] = places.emplace(theorem.to_line(), all.size());
      if (added) {
        all.emplace_back();
        const Config* type = theorem.find("type");
        all.back().theorem = type == nullptr ? theorem.text : type->text;
      }
      JudgedRuns& judged = all[place->second];
      try {
        judged.judgements.push_back(judge(run, theorem));
        judged.runs.push_back(run.id);
      } catch (const Error& error) {  // of a run that this plumb cannot read in full
        judged.failures.push_back(fmt::format("{}: {}", run.id, error.what()));
      }
    }
  }
  return all;
}

Section theorem_section(const std::vector<JudgedRuns>& judged) {
  Section section{"Theorems", ""};
  for (const JudgedRuns& one : judged) {
    if (!one.judgements.empty()) section.body += theorem_html(one);
    for (const std::string& failure : one.failures)
      section.body += html_paragraph(fmt::format("{} could not be judged: {}", one.theorem, failure));
  }
  if (section.body.empty()) return section;
  section.body =
      html_paragraph(
          "Each claim is judged only where its hypotheses are met by the run. \"1.8 times over\" is a "
          "margin: by what factor the measured number is on the right side; \"loose N times\" is a "
          "margin so wide that a constant wrong by less would not be noticed. \"Undecided\": what was "
          "recorded does not say. All numbers are in theorems.json.") +
      section.body;
  return section;
}

std::string theorem_lines(const std::vector<JudgedRuns>& judged) {
  std::string text;
  for (const JudgedRuns& one : judged) {
    for (const std::string& failure : one.failures)
      text += fmt::format("{}  could not be judged: {}\n", one.theorem, failure);
    if (one.judgements.size() == 1) {
      text += judgement_text(one.judgements.front());
      continue;
    }
    if (one.judgements.empty()) continue;
    text += fmt::format("{}  {}\n", one.theorem, one.judgements.front().text.title);
    for (size_t i = 0; i < one.judgements.size(); ++i)
      for (const std::string& missing : one.judgements[i].missing)
        text += fmt::format("    {}: undecided: {}\n", one.runs[i], missing);
    for (const Line& line : claim_lines(one))
      text += fmt::format("    {}\n      {}; worst: {} ({})\n", line.statement,
                          counts_text(line.counts, one.judgements.size()),
                          line.worst->claims[line.index].verdict.text(), line.worst_run);
  }
  return text;
}

void write_judgements(const std::vector<JudgedRuns>& judged, const std::filesystem::path& folder) {
  auto json = nlohmann::ordered_json::array();
  for (const JudgedRuns& one : judged)
    for (size_t i = 0; i < one.judgements.size(); ++i) {
      nlohmann::ordered_json entry{{"run", one.runs[i]}};
      entry.update(judgement_json(one.judgements[i]));
      json.push_back(std::move(entry));
    }
  write_file_atomically(folder / "theorems.json", json.dump(2) + "\n");
}

}  // namespace plumb
