/// Verdicts as text and as JSON, the same wherever they are shown.
#pragma once

#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "plumb/theorems/theorem.hpp"

namespace plumb {

/// "≤", "≥" or "=".
std::string_view relation_sign(theory::Relation relation);
/// "0.0312", "3 .. 5", "0.21 ± 0.03".
std::string measured_text(const theory::Verdict& verdict);
std::string measured_text(const theory::Assumption& assumption);
/// "≥ 0.0301".
std::string required_text(const theory::Verdict& verdict);
std::string required_text(const theory::Assumption& assumption);
/// "met", "not met", "undecided".
std::string_view met_text(const theory::Assumption& assumption);

/// {statement, measured, range, relation, required, ruling}.
nlohmann::ordered_json assumption_json(const theory::Assumption& assumption);
/// Everything of a claim, its series, too.
nlohmann::ordered_json claim_json(const Claim& claim);
/// {theorem, title, source, missing, hypotheses, claims}.
nlohmann::ordered_json judgement_json(const Judgement& judgement);

/// What a terminal shows of one theorem on one run.
std::string judgement_text(const Judgement& judgement);

}  // namespace plumb
