#include <torch/torch.h>

#include "plumb/experiment/prepare.hpp"
#include "plumb/lecture/memorization.hpp"
#include "plumb/lecture/trained_run.hpp"
#include "plumb/theory/memorizer.hpp"

namespace plumb {
namespace {

struct MemorizingNetworkOptions {
  int64_t train_examples = 50000;
  bool random_labels = false;
  int64_t projections = 20;
  int64_t epochs = 3;
  double learning_rate = 0.01;
  Choice<Dataset(const DataContext&)> data{datasets(), "cifar10"};

  void fields(Fields& f) {
    f.component("data", data, "the data set");
    f.field("train_examples", train_examples, "how many training examples are memorized", positive);
    f.field("random_labels", random_labels, "draw every label anew before");
    f.field("projections", projections, "directions drawn, of which the best is taken", positive);
    f.field("epochs", epochs, "of SGD from random weights", positive);
    f.field("learning_rate", learning_rate, "of SGD, with momentum 0.9 and batches of 128", positive);
  }
};

double accuracy_of(const theory::MemorizingNetwork& network, const Examples& examples) {
  return network.evaluate(examples.inputs)
      .argmax(1)
      .eq(examples.targets)
      .to(at::kDouble)
      .mean()
      .item<double>();
}

class MemorizingNetworkSystem final : public System {
 public:
  explicit MemorizingNetworkSystem(const MemorizingNetworkOptions& options) : options_(options) {}

  Statement statement() const override {
    return {
        "S11", "Small ReLU networks memorize (Yun, Sra, Jadbabaie 2019)",
        "A ReLU network with O(sqrt(n)) units in each of two hidden layers, that is O(n) weights, can have "
        "any labels on n examples: for CIFAR-10 with its 50,000 images 448 and 448 units.",
        "Proposition 3.2, for ReLU and one-hot codes of C classes: 4 floor(d1/4) floor(d2/4) >= n and d3 >= "
        "4 C suffice. Theorem 3.3: two hidden layers fail on some labels if 2 d1 d2 + d2 + 2 < n.",
        "The theorem says that weights exist, and here they are built; it does not say that gradient "
        "descent finds them. The weights are as large as the inverse gaps between projections of the "
        "inputs: in float32 nothing is left of them."};
  }

  std::vector<std::string> paper_size() const override {
    return {"train_examples=50000", "random_labels=true", "epochs=100"};
  }

  Evidence run(const Surroundings& surroundings) const override {
    const auto say = [&](const char* what) {
      if (surroundings.progress) surroundings.progress(what);
    };
    Run run = description(surroundings.seed);
    say("reading and building");
    PreparedData prepared = prepare_data(run, surroundings.data_folder, at::kCPU);
    const int64_t classes = prepared.signature.outputs;
    at::Generator directions = surroundings.seed.stream("memorizing");
    const theory::MemorizingNetwork network =
        theory::memorize_classes(prepared.data.train.inputs, prepared.data.train.targets, classes,
                                 {.projections = options_.projections}, directions);
    say("evaluating the construction");
    MemorizationMeasured measured = measure(network, prepared.data.train, classes);
    prepared = {};  // SGD reads its own; twice the images would be too much for small machines
    run.model.select("mlp_widths");
    const std::string widths =
        fmt::format("widths: [{}, {}, {}]", measured.first_width, measured.second_width, 4 * classes);
    const Config config = Config::parse(widths);
    FieldReader reader(config);
    run.model.fields(reader);
    say("SGD on the same architecture");
    const TrainedRun sgd = train_run(run, surroundings.data_folder);
    measured.sgd_accuracy = sgd.last().train_accuracy;
    measured.sgd_epochs = sgd.evaluations.back().batches.epoch;
    return evidence(measured, network, sgd, classes);
  }

 private:
  Run description(const Seed& seed) const {
    Run run;
    run.name = "memorizing_network";
    run.seed = static_cast<int64_t>(seed.value());
    run.data = options_.data;
    run.subset.train_examples = options_.train_examples;
    run.subset.test_examples = {};
    if (options_.random_labels) run.randomization.select("random_labels");
    run.compute.device = "cpu";
    run.training = read_options<TrainingOptions>(Config::parse(
        fmt::format("{{optimizer: {{type: sgd, learning_rate: {}, momentum: 0.9}}, batch_size: 128, stop: "
                    "{{epochs: {}}}}}",
                    options_.learning_rate, options_.epochs)));
    return run;
  }

  static MemorizationMeasured measure(const theory::MemorizingNetwork& network, const Examples& train,
                                      int64_t classes) {
    MemorizationMeasured measured;
    measured.examples = train.size();
    measured.first_width = network.layers[0].weight.size(0);
    measured.second_width = network.layers[1].weight.size(0);
    measured.smallest_gap = network.smallest_gap;
    const Tensor outputs = network.evaluate(train.inputs);
    measured.accuracy = outputs.argmax(1).eq(train.targets).to(at::kDouble).mean().item<double>();
    measured.largest_error =
        (outputs - at::one_hot(train.targets, classes).to(at::kDouble)).abs().max().item<double>();
    theory::MemorizingNetwork rounded = network;
    for (theory::DenseLayer& layer : rounded.layers)
      layer = {layer.weight.to(at::kFloat), layer.bias.to(at::kFloat)};
    measured.float32_accuracy = accuracy_of(rounded, train);
    return measured;
  }

  static Evidence evidence(const MemorizationMeasured& measured, const theory::MemorizingNetwork& network,
                           const TrainedRun& sgd, int64_t classes) {
    Evidence evidence;
    evidence.setting = fmt::format("n {}  widths {} {} {}  {} classes", measured.examples,
                                   measured.first_width, measured.second_width, 4 * classes, classes);
    evidence.claims = memorization_claims(measured, classes);
    Curve random{"SGD from random weights", {}, {}, {}}, built{"built", {}, {}, {}};
    for (const Evaluation& evaluation : sgd.evaluations) {
      random.x.push_back(evaluation.batches.epoch);
      random.y.push_back(evaluation.fit.train_accuracy);
      built.x.push_back(evaluation.batches.epoch);
      built.y.push_back(measured.accuracy);
    }
    evidence.figures.push_back(
        {"memorized",
         "The same network, built and trained",
         "Accuracy on the training examples after each epoch; the built network is not "
         "trained.",
         {"epoch"},
         {"training accuracy", false, 0, 1.05},
         {built, random}});
    NamedTable table{"Construction against SGD", {}};
    table.table.header = {"", "accuracy", "largest error of one-hot outputs", "weights", "largest weight"};
    const std::string weights = fmt::format("{}", network.dense_weights());
    table.table.rows = {{"built, float64", fmt::format("{:.5f}", measured.accuracy),
                         fmt::format("{:.1e}", measured.largest_error), weights,
                         fmt::format("{:.1e}", network.largest_weight)},
                        {"built, rounded to float32", fmt::format("{:.5f}", measured.float32_accuracy), "",
                         weights, fmt::format("{:.1e}", network.largest_weight)},
                        {fmt::format("SGD, {} epochs", measured.sgd_epochs),
                         fmt::format("{:.5f}", measured.sgd_accuracy), "", weights, ""}};
    evidence.tables.push_back(std::move(table));
    evidence.remarks.push_back(fmt::format(
        "Of {} weights, {} numbers differ and hold what was memorized: {:.2f} for each example beside the "
        "direction of projection.",
        network.dense_weights(), network.distinct_weights(),
        static_cast<double>(network.distinct_weights() - network.layers[0].weight.size(1)) /
            static_cast<double>(measured.examples)));
    return evidence;
  }

  MemorizingNetworkOptions options_;
};

std::unique_ptr<System> make_memorizing_network(const MemorizingNetworkOptions& options) {
  return std::make_unique<MemorizingNetworkSystem>(options);
}

}  // namespace

PLUMB_REGISTER(Systems, memorizing_network, MemorizingNetworkOptions, make_memorizing_network,
               "S11: a small ReLU network built to memorize CIFAR-10, and SGD on the same architecture")

}  // namespace plumb
