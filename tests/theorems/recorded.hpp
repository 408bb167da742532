/// Runs of a second with theorems, as their folders hold them.
#pragma once

#include "experiment/small_run.hpp"

#include "plumb/experiment/run_folder.hpp"
#include "plumb/theorems/theorem.hpp"

namespace plumb::test {

/// Trains the run that `yaml` describes and reads back what it recorded.
inline RecordedRun recorded(const std::string& yaml) {
  const TemporaryFolder folder;
  execute(Run::read(Config::parse(yaml)), RunDirectory(folder.path()), {});
  return load_run(folder.path());
}

/// The paper's network on the sphere: n 12, d 20, width 256, full-batch descent in float64; `more` are
/// further keys, and `changes` replace values, "key.path=value".
inline std::string wide_run(const std::vector<std::string>& changes = {}) {
  Config config = Config::parse(
      "name: wide\n"
      "data: {type: sphere, train_examples: 12, test_examples: 4, dimension: 20, targets: normal}\n"
      "preprocessing: {normalize: none}\n"
      "model: {type: two_layer, width: 256}\n"
      "training: {loss: {type: square, factor: 0.5, reduction: sum}, optimizer: {type: gd, learning_rate: "
      "0.5}, "
      "stop: {steps: 40, epochs: none}}\n"
      "compute: {precision: float64, device: cpu, threads: 1}\n"
      "theorems: [du_2019, pl_linear_rate]\n");
  for (const std::string& change : changes) config.set_from(change);
  return config.to_yaml();
}

inline const Claim& claim_about(const Judgement& judgement, std::string_view words) {
  for (const Claim& claim : judgement.claims)
    if (claim.statement.find(words) != std::string::npos) return claim;
  FAIL("no claim about " << words);
  throw std::logic_error("unreachable");
}

inline const theory::Assumption& hypothesis_about(const Judgement& judgement, std::string_view words) {
  for (const theory::Assumption& hypothesis : judgement.hypotheses)
    if (hypothesis.statement.find(words) != std::string::npos) return hypothesis;
  FAIL("no hypothesis about " << words);
  throw std::logic_error("unreachable");
}

/// The column of the probe of this type, for making it wrong.
inline void scale_column(RecordedRun& run, const std::string& type, const std::string& column,
                         double factor) {
  for (RecordedProbe& probe : run.probes) {
    if (probe.type != type) continue;
    for (size_t i = 0; i < probe.table.columns.size(); ++i)
      if (probe.table.columns[i] == column)
        for (auto& row : probe.table.rows) row[i] *= factor;
  }
}

}  // namespace plumb::test
