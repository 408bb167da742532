#include "plumb/theorems/verdict_text.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace plumb {
namespace {

using Json = nlohmann::ordered_json;

std::string number_text(double value) { return fmt::format("{:.4g}", value); }

Json range_json(const std::optional<theory::Bounds>& range) {
  return range ? Json{range->lower, range->upper} : Json();
}

}  // namespace

std::string_view relation_sign(theory::Relation relation) {
  switch (relation) {
    case theory::Relation::at_most:
      return "≤";
    case theory::Relation::at_least:
      return "≥";
    case theory::Relation::equal:
      return "=";
  }
  return "";
}

std::string measured_text(const theory::Verdict& verdict) {
  if (verdict.range) return verdict.range->text();
  if (verdict.uncertainty == 0) return number_text(verdict.measured);
  return fmt::format("{:.4g} ± {:.2g}", verdict.measured, verdict.uncertainty);
}

std::string measured_text(const theory::Assumption& assumption) {
  return assumption.range ? assumption.range->text() : number_text(assumption.measured);
}

std::string required_text(const theory::Verdict& verdict) {
  return fmt::format("{} {}", relation_sign(verdict.relation), number_text(verdict.predicted));
}

std::string required_text(const theory::Assumption& assumption) {
  return fmt::format("{} {}", relation_sign(assumption.relation), number_text(assumption.required));
}

std::string_view met_text(const theory::Assumption& assumption) {
  switch (assumption.ruling()) {
    case theory::Ruling::holds:
      return "met";
    case theory::Ruling::fails:
      return "not met";
    default:
      return "undecided";
  }
}

Json assumption_json(const theory::Assumption& assumption) {
  return {{"statement", assumption.statement},     {"measured", assumption.measured},
          {"range", range_json(assumption.range)}, {"relation", relation_sign(assumption.relation)},
          {"required", assumption.required},       {"ruling", met_text(assumption)}};
}

Json claim_json(const Claim& claim) {
  const theory::Verdict& verdict = claim.verdict;
  const auto list = [](const std::vector<theory::Assumption>& assumptions) {
    Json all = Json::array();
    for (const theory::Assumption& assumption : assumptions) all.push_back(assumption_json(assumption));
    return all;
  };
  Json json{{"statement", claim.statement},
            {"quantity", claim.quantity},
            {"relation", relation_sign(verdict.relation)},
            {"predicted", verdict.predicted},
            {"measured", verdict.measured},
            {"uncertainty", verdict.uncertainty},
            {"range", range_json(verdict.range)},
            {"margin", verdict.margin},
            {"place", verdict.place},
            {"ruling", theory::ruling_text(verdict.ruling)},
            {"verdict", verdict.text()},
            {"unmet", list(verdict.unmet)},
            {"unresolved", list(verdict.unresolved)},
            {"source", claim.source}};
  if (!claim.series.x.empty())
    json["series"] = {{"over", claim.series.over},
                      {"x", claim.series.x},
                      {"measured", claim.series.measured},
                      {"predicted", claim.series.predicted}};
  return json;
}

Json judgement_json(const Judgement& judgement) {
  Json json{{"theorem", judgement.type},
            {"title", judgement.text.title},
            {"statement", judgement.text.statement},
            {"source", judgement.text.source},
            {"missing", judgement.missing},
            {"hypotheses", Json::array()},
            {"claims", Json::array()}};
  for (const theory::Assumption& hypothesis : judgement.hypotheses)
    json["hypotheses"].push_back(assumption_json(hypothesis));
  for (const Claim& claim : judgement.claims) json["claims"].push_back(claim_json(claim));
  return json;
}

std::string judgement_text(const Judgement& judgement) {
  std::string text =
      fmt::format("{}  {} ({})\n", judgement.type, judgement.text.title, judgement.text.source);
  for (const std::string& missing : judgement.missing) text += fmt::format("  undecided: {}\n", missing);
  if (!judgement.hypotheses.empty()) text += "  hypotheses\n";
  for (const theory::Assumption& hypothesis : judgement.hypotheses)
    text += fmt::format("    {:<9}  {}: {}, required {}\n", met_text(hypothesis), hypothesis.statement,
                        measured_text(hypothesis), required_text(hypothesis));
  if (!judgement.claims.empty()) text += "  claims\n";
  for (const Claim& claim : judgement.claims)
    text += fmt::format("    {}\n      measured {}, predicted {}: {}\n", claim.statement,
                        measured_text(claim.verdict), required_text(claim.verdict), claim.verdict.text());
  return text;
}

}  // namespace plumb
