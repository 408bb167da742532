// Oracle: the theorems' own inequalities on runs that meet their hypotheses; mutants, where what was recorded is made
// wrong by a known factor and the verdict must say so; and definitions written out: norms, cosines, H^inf by its
// arc-cosine formula.
#include <cmath>
#include <set>

#include "theorems/recorded.hpp"
#include <torch/torch.h>

#include "plumb/core/error.hpp"
#include "plumb/experiment/prepare.hpp"

using namespace plumb;
using test::claim_about;
using test::hypothesis_about;
using theory::Ruling;

namespace {

Judgement judged_as(const RecordedRun& run, const std::string& theorem) {
  return judge(run, Config::parse(theorem));
}

}  // namespace

TEST_CASE("every theorem says what it states, where from, and what it needs", "[theorems]") {
  for (const std::string& name : theorems().names()) {
    INFO(name);
    const auto theorem = theorems().at(name)->make();
    CHECK_FALSE(theorem->text().title.empty());
    CHECK_FALSE(theorem->text().statement.empty());
    CHECK_FALSE(theorem->text().source.empty());
    for (const ProbeRequest& request : theorem->needs()) CHECK_NOTHROW(probes().at(request.type()));
  }
}

TEST_CASE("the rate of descent under PL holds on a wide network, with its margin", "[theorems][pl]") {
  const RecordedRun run = test::recorded(test::wide_run());
  const Judgement judgement = judged_as(run, "pl_linear_rate");
  for (const theory::Assumption& hypothesis : judgement.hypotheses) {
    INFO(hypothesis.statement << ": " << hypothesis.measured);
    CHECK(hypothesis.holds());
  }
  for (const Claim& claim : judgement.claims) {
    INFO(claim.statement << ": " << claim.verdict.text());
    CHECK(claim.verdict.ruling == Ruling::holds);
    CHECK(claim.verdict.margin >= 1);
    CHECK(claim.verdict.margin < 1e6);
    CHECK(claim.series.x.size() == claim.series.measured.size());
    CHECK(claim.series.x.size() == claim.series.predicted.size());
  }
}

TEST_CASE("a wrong kernel, loss or gradient makes the claims under PL fail", "[theorems][pl][mutants]") {
  const RecordedRun run = test::recorded(test::wide_run());
  const auto with = [&](const std::string& type, std::vector<std::string> columns, double factor) {
    RecordedRun wrong = run;
    for (const std::string& column : columns) test::scale_column(wrong, type, column, factor);
    return judged_as(wrong, "pl_linear_rate");
  };
  const std::vector<std::string> eigenvalues{"lambda_min", "lambda_min_lower", "lambda_min_upper",
                                             "lambda_max"};
  CHECK(claim_about(with("tangent_kernel", eigenvalues, 10), "is PL").verdict.ruling == Ruling::fails);
  CHECK(claim_about(with("tangent_kernel", eigenvalues, 10), "linear rate").verdict.ruling == Ruling::fails);
  CHECK(claim_about(with("gradient", {"gradient_norm"}, 0.3), "is PL").verdict.ruling == Ruling::fails);
  CHECK(hypothesis_about(with("sharpness", {"sharpness"}, 100), "the step is short").ruling() ==
        Ruling::fails);
  RecordedRun slow = run;  // a loss that does not fall
  for (RecordedProbe& probe : slow.probes)
    if (probe.type == "gradient")
      for (auto& row : probe.table.rows) row[2] = probe.table.rows.front()[2];
  CHECK(claim_about(judged_as(slow, "pl_linear_rate"), "linear rate").verdict.ruling == Ruling::fails);
}

TEST_CASE("the rate under PL is a matter of its hypotheses", "[theorems][pl]") {
  const auto unmet = [](const std::vector<std::string>& changes, std::string_view words) {
    const Judgement judgement = judged_as(test::recorded(test::wide_run(changes)), "pl_linear_rate");
    INFO(words);
    CHECK(hypothesis_about(judgement, words).ruling() == Ruling::fails);
    CHECK(claim_about(judgement, "linear rate").verdict.ruling == Ruling::hypotheses_not_met);
  };
  unmet({"training.optimizer={type: sgd, learning_rate: 0.1, momentum: 0.5}"}, "plain gradient steps");
  unmet({"training.optimizer={type: sgd, learning_rate: 0.1}", "training.batch_size=4"},
        "every update takes all");
  unmet({"training.schedule={type: exponential, gamma: 0.9}"}, "the step is constant");
  unmet({"data.train_examples=300", "training.stop.steps=2"},
        "all 300 training examples were looked at, not 256");
  unmet({"model.width=2", "data.dimension=3"}, "the tangent kernel is definite");  // 6 weights, 12 examples
  unmet({"data.targets=classes", "training.loss=cross_entropy"}, "the loss is square; it is cross_entropy");
}

TEST_CASE("steps of more than 2/beta are no violation of the rate", "[theorems][pl]") {
  const Judgement judgement = judged_as(
      test::recorded(test::wide_run({"training.optimizer.learning_rate=4", "training.stop.steps=4"})),
      "pl_linear_rate");
  CHECK(hypothesis_about(judgement, "the step is short").ruling() == Ruling::fails);
  CHECK(claim_about(judgement, "linear rate").verdict.ruling == Ruling::hypotheses_not_met);
  // The inequality between gradient and loss asks for no step.
  CHECK(claim_about(judgement, "is PL").verdict.ruling == Ruling::holds);
}

TEST_CASE("the theorem of Du et al. asks for a width nobody has, and its conclusions are true",
          "[theorems][du]") {
  const RecordedRun run = test::recorded(test::wide_run());
  const Judgement judgement = judged_as(run, "du_2019");
  CHECK(hypothesis_about(judgement, "the width suffices").ruling() == Ruling::fails);
  CHECK(hypothesis_about(judgement, "the network is f").holds());
  CHECK(hypothesis_about(judgement, "inputs have norm 1").holds());
  CHECK(claim_about(judgement, "limit kernel is definite").verdict.ruling == Ruling::holds);
  CHECK(claim_about(judgement, "near its limit").verdict.ruling == Ruling::holds);
  for (const std::string_view words : {"Descent stays", "residual contracts", "No unit moves"}) {
    const theory::Verdict& verdict = claim_about(judgement, words).verdict;
    INFO(words << ": " << verdict.text());
    CHECK(verdict.ruling == Ruling::hypotheses_not_met);
    CHECK(verdict.relation_true);
  }
}

TEST_CASE("the numbers of the theorem of Du et al. are those of its definitions", "[theorems][du]") {
  const std::string yaml = test::wide_run();
  const RecordedRun run = test::recorded(yaml);
  const PreparedData prepared = prepare_data(Run::read(Config::parse(yaml)), "", at::kCPU);
  const Tensor x = prepared.data.train.inputs, gram = x.mm(x.t()).clamp(-1, 1);
  const Tensor limit = (gram * (M_PI - gram.acos()) / (2 * M_PI)).fill_diagonal_(0.5);
  const double lambda0 = std::get<0>(torch::linalg_eigh(limit))[0].item<double>();
  const Judgement judgement = judged_as(run, "du_2019");
  CHECK(claim_about(judgement, "limit kernel is definite").verdict.measured == Approx(lambda0).epsilon(1e-9));
  CHECK(claim_about(judgement, "Descent stays").verdict.predicted == Approx(lambda0 / 2).epsilon(1e-9));
  const double n = 12;
  CHECK(hypothesis_about(judgement, "the width suffices").required ==
        Approx(std::pow(n, 6) / (std::pow(lambda0, 4) * 1e-3)).epsilon(1e-6));
  CHECK(hypothesis_about(judgement, "the step is short").required == Approx(lambda0 / (n * n)).epsilon(1e-9));
  CHECK(hypothesis_about(judgement, "the step is short").measured == Approx(0.5).epsilon(1e-12));
  CHECK(hypothesis_about(judgement, "targets are bounded").measured ==
        Approx(prepared.data.train.targets.abs().max().item<double>()).epsilon(1e-12));
}

TEST_CASE("the loss may be normalized in any way: the theorem's step is that of 1/2 ||u - y||^2",
          "[theorems][du]") {
  const RecordedRun sum = test::recorded(test::wide_run());
  const RecordedRun mean = test::recorded(test::wide_run(
      {"training.loss={type: square, factor: 1, reduction: mean}", "training.optimizer.learning_rate=3"}));
  const Judgement left = judged_as(sum, "du_2019"), right = judged_as(mean, "du_2019");
  CHECK(hypothesis_about(right, "the step is short").measured == Approx(0.5).epsilon(1e-12));
  for (size_t i = 0; i < left.claims.size(); ++i) {
    INFO(left.claims[i].statement);
    CHECK(left.claims[i].verdict.measured == Approx(right.claims[i].verdict.measured).epsilon(1e-6));
    CHECK(left.claims[i].verdict.predicted == Approx(right.claims[i].verdict.predicted).epsilon(1e-6));
  }
}

TEST_CASE("wrong records are noticed by the claims of Du et al., as far as they are tight",
          "[theorems][du][mutants]") {
  const RecordedRun run = test::recorded(test::wide_run());
  const auto with = [&](const std::string& type, std::vector<std::string> columns, double factor) {
    RecordedRun wrong = run;
    for (const std::string& column : columns) test::scale_column(wrong, type, column, factor);
    return judged_as(wrong, "du_2019");
  };
  const std::vector<std::string> eigenvalues{"lambda_min", "lambda_min_lower", "lambda_min_upper"};
  CHECK(claim_about(with("tangent_kernel", eigenvalues, 0.2), "Descent stays").verdict.relation_false);
  CHECK(claim_about(with("inputs", {"limit_lambda_min"}, 10), "Descent stays").verdict.relation_false);
  CHECK(claim_about(with("inputs", {"limit_distance"}, 100), "near its limit").verdict.ruling ==
        Ruling::fails);
  CHECK(claim_about(with("inputs", {"limit_lambda_min"}, -1), "limit kernel is definite").verdict.ruling ==
        Ruling::fails);
  CHECK(claim_about(with("neuron_movement", {"largest"}, 1000), "No unit moves").verdict.relation_false);
  CHECK(claim_about(with("inputs", {"limit_lambda_min"}, 30), "residual contracts").verdict.relation_false);
}

TEST_CASE("another network is told from that of Du et al. by what differs", "[theorems][du]") {
  const auto network_of = [](const std::vector<std::string>& changes) {
    const Judgement judgement = judged_as(test::recorded(test::wide_run(changes)), "du_2019");
    const theory::Assumption& network = hypothesis_about(judgement, "the network is f");
    CHECK(network.ruling() == Ruling::fails);
    for (const std::string_view words : {"Descent stays", "residual contracts", "near its limit"})
      CHECK(claim_about(judgement, words).verdict.ruling == Ruling::hypotheses_not_met);
    return network.statement;
  };
  CHECK_THAT(network_of({"model={type: mlp, width: 16, depth: 2}"}), ContainsSubstring("the model is mlp"));
  CHECK_THAT(network_of({"model.activation=tanh"}), ContainsSubstring("no relu"));
  CHECK_THAT(network_of({"model.train=both"}), ContainsSubstring("first layer alone"));
  CHECK_THAT(network_of({"model.antisymmetric=true"}), ContainsSubstring("pairs of opposite sign"));
  CHECK_THAT(network_of({"model.first_deviation=0.5"}), ContainsSubstring("N(0, I)"));
  CHECK_THAT(network_of({"model.parameterization=mean_field", "training.optimizer.learning_rate=100"}),
             ContainsSubstring("1/sqrt m"));
}

TEST_CASE("parallel inputs and inputs of other norms are hypotheses that are not met", "[theorems][du]") {
  const Judgement far = judged_as(
      test::recorded(
          test::wide_run({"data={type: gaussian, train_examples: 10, dimension: 20, targets: signs}",
                          "training.optimizer.learning_rate=0.01", "training.stop.steps=3"})),
      "du_2019");
  CHECK(hypothesis_about(far, "inputs have norm 1").ruling() == Ruling::fails);
  // On a line, inputs are +-1: any two are parallel.
  const Judgement line =
      judged_as(test::recorded(test::wide_run({"data.dimension=1", "training.optimizer.learning_rate=0.01"})),
                "du_2019");
  CHECK(hypothesis_about(line, "no two inputs are parallel").ruling() == Ruling::fails);
  CHECK(claim_about(line, "limit kernel is definite").verdict.ruling == Ruling::hypotheses_not_met);
}

TEST_CASE("another network on two classes is judged, hypothesis by hypothesis", "[theorems]") {
  const RecordedRun run = test::recorded(
      "name: other\ndata: {type: gaussian_mixture, train_examples: 8, test_examples: 4, dimension: 16}\n"
      "targets: signs\npreprocessing: {normalize: unit_norm}\nmodel: {type: mlp, width: 8, depth: 2}\n"
      "training: {loss: {type: square, reduction: sum}, optimizer: {type: gd, learning_rate: 0.01}, stop: "
      "{steps: 3, "
      "epochs: none}}\ncompute: {device: cpu, threads: 1}\ntheorems: [du_2019, pl_linear_rate]\n");
  for (const char* theorem : {"du_2019", "pl_linear_rate"}) {
    const Judgement judgement = judged_as(run, theorem);
    CHECK(judgement.missing.empty());
    CHECK_FALSE(judgement.claims.empty());
    CHECK_FALSE(judgement.hypotheses.empty());
  }
  // Such a network has no width m, and a bound that needs one says nothing of it.
  const theory::Verdict movement = claim_about(judged_as(run, "du_2019"), "No unit moves").verdict;
  CHECK(movement.ruling == Ruling::hypotheses_not_met);
  CHECK_FALSE(movement.relation_true);
  CHECK_FALSE(movement.relation_false);
}

TEST_CASE("tables that somebody has cut are no reason to fail", "[theorems]") {
  RecordedRun run = test::recorded(test::wide_run({"training.stop.steps=4"}));
  const RecordedRun whole = run;
  for (RecordedProbe& probe : run.probes)
    if (probe.type == "sharpness") probe.table.rows.erase(probe.table.rows.begin());
  CHECK_THAT(judged_as(run, "pl_linear_rate").missing.at(0),
             ContainsSubstring("no measurement of the start"));
  run = whole;  // a step twice in one table, and not at all in another
  for (RecordedProbe& probe : run.probes) {
    if (probe.type == "gradient") probe.table.rows.insert(probe.table.rows.begin() + 1, probe.table.rows[1]);
    if (probe.type == "sharpness") probe.table.rows.erase(probe.table.rows.begin() + 1);
  }
  CHECK(claim_about(judged_as(run, "pl_linear_rate"), "linear rate").series.x == std::vector<double>{2, 4});
}

TEST_CASE("a loss of rounding is no violation", "[theorems]") {
  RecordedRun run =
      test::recorded(test::wide_run({"theorems=[pl_linear_rate, descent_lemma]", "training.stop.steps=6"}));
  for (RecordedProbe& probe : run.probes)
    if (probe.type == "gradient") {
      const double start = probe.table.rows.front()[2];
      auto& last = probe.table.rows;
      last[last.size() - 2][2] = 1e-28 * start;  // and up again
      last[last.size() - 1][2] = 1e-27 * start;
      last[last.size() - 2][3] = last[last.size() - 1][3] = 1e-14;
    }
  CHECK(claim_about(judged_as(run, "pl_linear_rate"), "linear rate").verdict.ruling == Ruling::holds);
  CHECK(judged_as(run, "descent_lemma").claims.at(0).verdict.ruling == Ruling::holds);
  for (RecordedProbe& probe : run.probes)
    if (probe.type == "gradient") probe.table.rows.back()[2] = probe.table.rows.back()[3] = 0;
  CHECK(claim_about(judged_as(run, "pl_linear_rate"), "is PL").verdict.ruling == Ruling::holds);
}

TEST_CASE("a theorem whose probes were not recorded says which", "[theorems]") {
  const RecordedRun run = test::recorded(test::wide_run({"theorems=[]", "probes=[gradient]"}));
  const Judgement judgement = judged_as(run, "pl_linear_rate");
  CHECK(judgement.claims.empty());
  REQUIRE(judgement.missing.size() == 2);  // the gradient probe looks at the whole training set by default
  CHECK_THAT(judgement.missing[0], ContainsSubstring("tangent_kernel"));
  CHECK_THROWS_AS(judged_as(run, "du_2020"), ConfigError);
  CHECK_THROWS_AS(judged_as(run, "{type: du_2019, delto: 1}"), ConfigError);
}

TEST_CASE("what a run records for itself serves a theorem, too", "[theorems]") {
  const std::string own =
      "probes=[{type: tangent_kernel, examples: 256, certificate: true}, {type: gradient, name: g}, {type: "
      "sharpness}]";
  // Probes that ask for more examples than there are are refused where a person wrote them.
  CHECK_THROWS_WITH(test::recorded(test::wide_run({own, "theorems=[pl_linear_rate]"})),
                    ContainsSubstring("256 asked for; the training set has 12"));
  const Run run = Run::read(Config::parse(test::wide_run(
      {"probes=[{type: gradient, name: g}, {type: jacobian_rank}]", "theorems=[pl_linear_rate, du_2019]"})));
  std::multiset<std::string> types;
  for (const auto& probe : run.all_probes()) types.insert(probe.type());
  CHECK(types == std::multiset<std::string>{"gradient", "inputs", "jacobian_rank", "neuron_movement",
                                            "sharpness", "tangent_kernel"});
  // A theorem is no part of a run's course.
  CHECK(run.fingerprint() == Run::read(Config::parse(test::wide_run({"theorems=[]"}))).fingerprint());
}

TEST_CASE("a run of no updates is judged at its start", "[theorems]") {
  const RecordedRun run = test::recorded(test::wide_run({"training.stop.steps=0"}));
  const Judgement judgement = judged_as(run, "du_2019");
  CHECK(claim_about(judgement, "near its limit").verdict.ruling == Ruling::holds);
  CHECK(claim_about(judgement, "Descent stays").series.x == std::vector<double>{0});
}
