/// Trains small networks with probes beside them.
#pragma once

#include <optional>

#include "support/files.hpp"
#include "support/problems.hpp"

#include "plumb/probes/probe_recorder.hpp"
#include "plumb/records/table.hpp"

namespace plumb::test {

struct ProbeList {
  ProbeChoices probes{plumb::probes()};
  void fields(Fields& f) { f.components("probes", probes, "probes"); }
};

/// Probes from YAML: "[gradient, {type: ...}]".
inline ProbeChoices probe_list(const std::string& yaml) {
  return read_options<ProbeList>(Config::parse("probes: " + yaml, "p.yaml")).probes;
}

/// Passes states on to probes and keeps a copy of every weight at every state.
class Watcher final : public TrainingObserver {
 public:
  Watcher(const std::string& probes, const std::filesystem::path& folder, int64_t stop_after = -1,
          std::optional<Archive> resume_from = std::nullopt)
      : recorder(probe_list(probes), folder / "probes", Seed(1), std::move(resume_from)),
        stop_after_(stop_after) {}

  void before_step(const Moment& moment) override {
    keep(moment);
    recorder.before_step(moment);
  }
  void after_last_step(const Moment& moment) override {
    keep(moment);
    recorder.after_last_step(moment);
  }
  bool after_step(const Trainer& trainer) override { return trainer.step() != stop_after_; }

  ProbeRecorder recorder;
  std::vector<std::vector<Tensor>> weights;  // at state k: one tensor per trainable parameter

 private:
  void keep(const Moment& moment) {
    weights.emplace_back();
    for (const auto& [name, parameter] : trained_parameters(moment.network))
      weights.back().push_back(parameter.detach().clone());
  }

  int64_t stop_after_;
};

/// Trains `network` and returns the watcher, whose probes have left their tables in `folder`/probes.
inline std::unique_ptr<Watcher> watch(const std::shared_ptr<Network>& network, const TrainingData& data,
                                      const std::string& training, const std::string& probes,
                                      const std::filesystem::path& folder) {
  auto watcher = std::make_unique<Watcher>(probes, folder);
  Trainer trainer(network, data, training_options(training), Seed(1));
  trainer.run(*watcher);
  return watcher;
}

inline Table probe_table(const std::filesystem::path& folder, const std::string& name) {
  return Table::load(folder / "probes" / (name + ".csv"));
}

/// A network with one hidden layer of ReLUs, float64, weights drawn with a seed.
struct ReluNetwork final : Network {
  ReluNetwork(int64_t inputs, int64_t width, int64_t outputs)
      : hidden(register_module("hidden", torch::nn::Linear(inputs, width))),
        output(register_module("output", torch::nn::Linear(width, outputs))) {
    to(torch::kDouble);
    at::Generator generator = Seed(5).stream("weights");
    const torch::NoGradGuard no_grad;
    for (Tensor& parameter : parameters()) parameter.normal_(0, 0.5, generator);
  }
  Tensor forward(Tensor x) override { return output(torch::relu(hidden(x))); }

  torch::nn::Linear hidden, output;
};

}  // namespace plumb::test
