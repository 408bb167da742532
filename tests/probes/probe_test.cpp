// Oracle: steps, names and messages written out by hand.
#include "plumb/probes/probe.hpp"

#include "probes/watch.hpp"
#include "support/catch.hpp"

#include "plumb/core/error.hpp"
#include "plumb/probes/probe_check.hpp"

using namespace plumb;

namespace {

std::vector<int64_t> due_steps(const std::string& yaml) {
  const auto cadence = read_options<Cadence>(Config::parse(yaml));
  std::vector<int64_t> steps;
  for (int64_t step = 0; step < 40; ++step)
    if (cadence.due(step)) steps.push_back(step);
  return steps;
}

std::string refusal(const std::string& yaml) {
  try {
    test::probe_list(yaml);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "accepted";
}

}  // namespace

TEST_CASE("a cadence is due at the start and where it says", "[probes]") {
  CHECK(due_steps("{}") == std::vector<int64_t>{0, 1, 2, 4, 8, 16, 32});
  CHECK(due_steps("every: 15") == std::vector<int64_t>{0, 15, 30});
  CHECK(due_steps("{every: 15, at: doubling}") == std::vector<int64_t>{0, 1, 2, 4, 8, 15, 16, 30, 32});
  CHECK(due_steps("at: [3, 7]") == std::vector<int64_t>{0, 3, 7});
  CHECK(due_steps("{every: 20, at: [3]}") == std::vector<int64_t>{0, 3, 20});
  CHECK(due_steps("at: ends") == std::vector<int64_t>{0});
}

TEST_CASE("wrong probes are refused with their place", "[probes]") {
  CHECK_THAT(
      refusal("[gradiant]"),
      ContainsSubstring("p.yaml:1:10: probes[0]: 'gradiant' is not allowed; did you mean 'gradient'?"));
  CHECK(refusal("[{type: gradient, evry: 3}]") ==
        "p.yaml:1:27: probes[0].evry: unknown key; did you mean 'every'?");
  CHECK(refusal("[{type: gradient, every: 0}]") == "p.yaml:1:34: probes[0].every: 0 must be positive");
  CHECK(refusal("[{type: gradient, at: [-1]}]") == "p.yaml:1:32: probes[0].at[0]: -1 must not be negative");
  CHECK_THAT(refusal("[{type: gradient, at: doublings}]"), ContainsSubstring("did you mean 'doubling'?"));
}

TEST_CASE("probe sets are fixed by the seed, nested, and as evaluation sees them", "[probes]") {
  TrainingData data = test::random_data(20, 4, 3);
  data.prepare = [](const Tensor& stored) { return stored * 2; };
  const ProbeSet large = choose_probe_set(data, 12, Selection::random, Seed(3));
  const ProbeSet small = choose_probe_set(data, 5, Selection::random, Seed(3));
  CHECK(large.size() == 12);
  CHECK(small.indices.equal(large.indices.slice(0, 0, 5)));
  CHECK_FALSE(large.indices.equal(torch::arange(12)));
  CHECK(std::get<0>(large.indices.sort()).diff().gt(0).all().item<bool>());  // no example twice
  for (int64_t i = 0; i < 12; ++i) {
    const int64_t example = large.indices[i].item<int64_t>();
    CHECK(large.inputs[i].equal(2 * data.train.inputs[example]));
    CHECK(large.targets[i].equal(data.train.targets[example]));
  }
  CHECK_FALSE(choose_probe_set(data, 12, Selection::random, Seed(4)).indices.equal(large.indices));
  CHECK(choose_probe_set(data, 100, Selection::first, Seed(3)).indices.equal(torch::arange(20)));
}

TEST_CASE("every probe says what its columns mean, each once", "[probes]") {
  for (const std::string& type : probes().names()) {
    INFO(type);
    const auto probe = probes().at(type)->make();
    std::vector<std::string> names;
    for (const Column& column : probe->columns()) {
      CHECK_FALSE(column.meaning.empty());
      CHECK(std::find(names.begin(), names.end(), column.name) == names.end());
      names.push_back(column.name);
    }
    CHECK_FALSE(names.empty());
  }
}

TEST_CASE("the norm of float32 tensors is added up in double", "[probes]") {
  // Squares of 1e25 overflow float32.
  const Tensor large = torch::full({4}, 1e25F);
  CHECK(norm_of(large) == Approx(2e25).epsilon(1e-6));
  CHECK(norm_of(std::vector<Tensor>{large, large, large, large}) == Approx(4e25).epsilon(1e-6));
  CHECK(norm_of(torch::zeros({0})) == 0);
}

TEST_CASE("examples that there are not are refused, unless they were not asked for", "[probes]") {
  const auto said = [](const std::string& yaml) {
    try {
      check_probe_sizes(test::probe_list(yaml), 20);
    } catch (const ConfigError& error) {
      return std::string(error.what());
    }
    return std::string("accepted");
  };
  CHECK(said("[tangent_kernel, sharpness, gradient, parameter_distance]") ==
        "accepted");  // 64, 500, 32 and none
  CHECK(said("[{type: gradient, examples: 20, loss_examples: 20}]") == "accepted");
  CHECK(said("[gradient, {type: tangent_kernel, name: G, examples: 21}]") ==
        "probes: G: examples: 21 asked for; the training set has 20");
  CHECK(said("[{type: gradient, loss_examples: 21}]") ==
        "probes: gradient: loss_examples: 21 asked for; the training set has 20");
}
