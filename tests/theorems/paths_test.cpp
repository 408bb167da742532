// Oracle: the inequalities of the theorems on runs that meet their hypotheses, and mutants of what was
// recorded.
#include "theorems/recorded.hpp"

using namespace plumb;
using test::claim_about;
using test::hypothesis_about;
using theory::Ruling;

namespace {

/// Two layers with tanh, so wide that the constants of the short path hold on its whole ball.
std::string short_path_run(const std::vector<std::string>& changes = {}) {
  std::vector<std::string> all{
      "data.train_examples=8",
      "model={type: two_layer, width: 131072, activation: tanh, antisymmetric: true}",
      "training.optimizer.learning_rate=0.1", "training.stop.steps=16",
      "theorems=[oymak_soltanolkotabi_2019]"};
  all.insert(all.end(), changes.begin(), changes.end());
  return test::wide_run(all);
}

Judgement short_path(const RecordedRun& run) {
  return judge(run, Config::parse("oymak_soltanolkotabi_2019"));
}

}  // namespace

TEST_CASE("a wide network goes the short path of Oymak and Soltanolkotabi", "[theorems][short_path]") {
  const RecordedRun run = test::recorded(short_path_run());
  const Judgement judgement = short_path(run);
  for (const theory::Assumption& hypothesis : judgement.hypotheses) {
    INFO(hypothesis.statement << ": " << hypothesis.measured << " against " << hypothesis.required);
    CHECK(hypothesis.holds());
  }
  for (const Claim& claim : judgement.claims) {
    INFO(claim.statement << ": " << claim.verdict.text());
    CHECK(claim.verdict.ruling == Ruling::holds);
    CHECK(claim.verdict.margin < 100);
  }
  const auto with = [&](const std::string& type, const std::string& column, double factor) {
    RecordedRun wrong = run;
    test::scale_column(wrong, type, column, factor);
    return short_path(wrong);
  };
  CHECK(claim_about(with("parameter_distance", "distance", 20), "Distance is paid").verdict.ruling ==
        Ruling::fails);
  CHECK(claim_about(with("parameter_distance", "path_length", 100), "no longer than").verdict.ruling ==
        Ruling::fails);
  CHECK(hypothesis_about(with("tangent_kernel", "lambda_max", 100), "||J|| <= beta").ruling() ==
        Ruling::fails);
  CHECK(hypothesis_about(with("tangent_kernel", "lambda_min_lower", 0.1), "whole ball").ruling() ==
        Ruling::fails);
  RecordedRun slow = run;
  for (RecordedProbe& probe : slow.probes)
    if (probe.type == "gradient")
      for (auto& row : probe.table.rows) row[2] = probe.table.rows.front()[2];
  CHECK(claim_about(short_path(slow), "residual contracts").verdict.ruling == Ruling::fails);
}

TEST_CASE("the short path needs width, and says nothing of networks whose constants are not known",
          "[theorems][short_path]") {
  const Judgement narrow = short_path(test::recorded(short_path_run({"model.width=64"})));
  CHECK(hypothesis_about(narrow, "whole ball").ruling() == Ruling::fails);
  CHECK(claim_about(narrow, "residual contracts").verdict.ruling == Ruling::hypotheses_not_met);
  const Judgement relu =
      short_path(test::recorded(short_path_run({"model={type: two_layer, width: 64, activation: relu}"})));
  CHECK(hypothesis_about(relu, "whole ball").ruling() == Ruling::undecided);
  for (const Claim& claim : relu.claims) {
    INFO(claim.statement << ": " << claim.verdict.text());
    CHECK(claim.verdict.ruling == Ruling::undecided);
  }
}

TEST_CASE("every recorded step keeps to the descent lemma", "[theorems][descent_lemma]") {
  const RecordedRun run =
      test::recorded(test::wide_run({"theorems=[descent_lemma]", "training.stop.steps=12"}));
  const auto ruling = [](const RecordedRun& of) {
    const Judgement judgement = judge(of, Config::parse("descent_lemma"));
    INFO(judgement.claims.at(0).verdict.text());
    return judgement.claims.at(0).verdict.ruling;
  };
  CHECK(ruling(run) == Ruling::holds);
  CHECK(judge(run, Config::parse("descent_lemma")).claims.at(0).series.x.size() == 12);
  RecordedRun wrong = run;
  test::scale_column(wrong, "gradient", "gradient_norm", 2);
  CHECK(ruling(wrong) == Ruling::fails);
  // A step beyond 2/beta may raise the loss: that is no violation.
  CHECK(ruling(test::recorded(test::wide_run({"theorems=[descent_lemma]", "training.stop.steps=3",
                                              "training.optimizer.learning_rate=3"}))) == Ruling::holds);
  CHECK(ruling(test::recorded(test::wide_run(
            {"theorems=[descent_lemma]", "training.optimizer={type: sgd, learning_rate: 0.1, momentum: 0.9}",
             "training.stop.steps=3"}))) == Ruling::hypotheses_not_met);
}

TEST_CASE("no two recorded states one step apart leave the descent lemma undecided",
          "[theorems][descent_lemma]") {
  const RecordedRun run =
      test::recorded(test::wide_run({"theorems=[pl_linear_rate]", "training.stop.steps=8"}));
  RecordedRun sparse = run;
  for (RecordedProbe& probe : sparse.probes)
    std::erase_if(probe.table.rows, [](const auto& row) { return row[0] == 1 || row[0] == 2; });
  const Judgement judgement = judge(sparse, Config::parse("descent_lemma"));
  CHECK(judgement.claims.at(0).verdict.ruling == Ruling::undecided);
}
