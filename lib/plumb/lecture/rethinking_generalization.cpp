#include <algorithm>

#include <torch/torch.h>

#include "plumb/experiment/prepare.hpp"
#include "plumb/lecture/rethinking.hpp"
#include "plumb/lecture/trained_run.hpp"
#include "plumb/theory/memorizer.hpp"

namespace plumb {
namespace {

struct RethinkingOptions {
  std::vector<std::string> models{"mlp_1x512", "mlp_3x512"};
  std::string model_options = "{}";
  int64_t train_examples = 2000;
  int64_t test_examples = 1000;
  int64_t construction_examples = 5000;
  int64_t max_epochs = 300;
  double learning_rate = 0.01;
  int64_t crop = 28;
  Choice<Dataset(const DataContext&)> data{datasets(), "cifar10"};

  void fields(Fields& f) {
    f.component("data", data, "the data set");
    f.field("models", models, "networks; the first one is trained on every version of the data", {});
    f.field("model_options", model_options, "options of the networks, as YAML", {});
    f.field("train_examples", train_examples, "training examples", positive);
    f.field("test_examples", test_examples, "test examples", positive);
    f.field("construction_examples", construction_examples, "memorized by the 2n + d construction", positive);
    f.field("max_epochs", max_epochs, "at most, until every training label is right", positive);
    f.field("learning_rate", learning_rate, "of SGD, with momentum 0.9 and batches of 128", positive);
    f.field("crop", crop, "side of the images' central square; 0: whole examples", non_negative);
  }
};

/// A version of the data: its name, the randomization's name and options, the corruption.
struct DataVersion {
  std::string setting, type;
  double corruption = 0;
};

std::vector<DataVersion> data_versions(bool all) {
  std::vector<DataVersion> versions{{"true labels", "true_labels", 0}, {"random labels", "random_labels", 1}};
  if (!all) return versions;
  for (const double p : {0.25, 0.5, 0.75})
    versions.push_back({fmt::format("corrupted labels {}", p), "corrupted_labels", p});
  for (const char* kind : {"shuffled", "random", "gaussian"})
    versions.push_back({fmt::format("{} pixels", kind), fmt::format("{}_pixels", kind), 0});
  return versions;
}

class RethinkingGeneralization final : public System {
 public:
  explicit RethinkingGeneralization(const RethinkingOptions& options) : options_(options) {}

  Statement statement() const override {
    return {
        "S12", "Understanding deep learning requires rethinking generalization (Zhang et al. 2017)",
        "Networks that generalize on true labels fit random labels, moved pixels and noise to training error "
        "0 with the same recipe, somewhat slower; 2n + d weights suffice for any labels.",
        "Table 1: on 50,000 CIFAR-10 images with random labels Inception 100.0 % training and 9.78 % test "
        "accuracy, MLP 1x512 99.34 and 10.61. Theorem 1: a ReLU network with two layers and 2n + d weights "
        "represents any function on n points in R^d. The criterion of figure 1 (b) is not defined in the "
        "paper; here T is the first evaluation at which every training label is right.",
        "With p the probability of drawing a label anew only 0.9 p of them change. Fitting random labels "
        "shows capacity, not that true labels are memorized. The paper leaves batch size, epochs and "
        "initialization open. Whether random labels are drawn once or in each epoch is decisive: once."};
  }

  std::vector<std::string> paper_size() const override {
    return {"train_examples=50000", "test_examples=10000", "construction_examples=50000",
            "models=[mlp_1x512, mlp_3x512, small_alexnet, small_inception]"};
  }

  Evidence run(const Surroundings& surroundings) const override {
    RethinkingMeasured measured;
    std::vector<Curve> learning;
    for (size_t i = 0; i < options_.models.size(); ++i)
      for (const DataVersion& version : data_versions(i == 0)) {
        if (surroundings.progress)
          surroundings.progress(fmt::format("{}, {}", options_.models[i], version.setting));
        const Run run = description(options_.models[i], version, surroundings.seed);
        const TrainedRun trained = train_run(run, surroundings.data_folder);
        measured.fits.push_back({options_.models[i], version.setting, version.corruption,
                                 trained.last().train_accuracy, trained.last().test_accuracy,
                                 steps_to_fit(trained), parameter_count(*trained.network)});
        if (i == 0) learning.push_back(learning_curve(version, trained));
      }
    if (surroundings.progress) surroundings.progress("the 2n + d construction");
    construct(measured, surroundings);
    return evidence(measured, std::move(learning));
  }

 private:
  Run description(const std::string& model, const DataVersion& version, const Seed& seed) const {
    Run run;
    run.name = "rethinking_generalization";
    run.seed = static_cast<int64_t>(seed.value());
    run.data = options_.data;
    run.subset.train_examples = options_.train_examples;
    run.subset.test_examples = options_.test_examples;
    if (options_.crop > 0) run.preprocessing.crop = options_.crop;
    run.randomization.select(version.type);
    if (version.type == "corrupted_labels") {
      const Config probability = Config::parse(fmt::format("probability: {}", version.corruption));
      FieldReader reader(probability);
      run.randomization.fields(reader);
    }
    run.model.select(model);
    const Config model_options = Config::parse(options_.model_options);
    FieldReader reader(model_options);
    run.model.fields(reader);
    run.compute.device = "cpu";
    run.training = read_options<TrainingOptions>(Config::parse(
        fmt::format("{{optimizer: {{type: sgd, learning_rate: {}, momentum: 0.9}}, batch_size: 128, "
                    "evaluate_every: 1, stop: {{train_accuracy: 1, epochs: {}}}}}",
                    options_.learning_rate, options_.max_epochs)));
    return run;
  }

  /// The last few examples decide when every label is right, which is chance; 99 % of them is not.
  static int64_t steps_to_fit(const TrainedRun& trained) {
    for (const Evaluation& evaluation : trained.evaluations)
      if (evaluation.fit.train_accuracy >= 0.99) return evaluation.batches.step;
    return trained.step;
  }

  static Curve learning_curve(const DataVersion& version, const TrainedRun& trained) {
    Curve curve{version.setting, {}, {}, {}};
    for (const Evaluation& evaluation : trained.evaluations) {
      curve.x.push_back(evaluation.batches.epoch);
      curve.y.push_back(evaluation.fit.train_loss);
    }
    return curve;
  }

  void construct(RethinkingMeasured& measured, const Surroundings& surroundings) const {
    Run run = description(options_.models.front(), {"random labels", "random_labels", 1}, surroundings.seed);
    run.subset.train_examples = options_.construction_examples;
    run.preprocessing.crop.reset();
    const PreparedData prepared = prepare_data(run, surroundings.data_folder, at::kCPU);
    const Examples& train = prepared.data.train;
    at::Generator directions = surroundings.seed.stream("memorizing");
    const theory::ShallowMemorizer network =
        theory::memorize_shallow(train.inputs, train.targets, {}, directions);
    measured.examples = train.size();
    measured.dimension = prepared.signature.input_size();
    measured.weights = network.weight_count();
    measured.largest_error = (network.evaluate(train.inputs) - train.targets).abs().max().item<double>();
    measured.test_examples = prepared.data.test.size();
    measured.classes = prepared.signature.outputs;
  }

  Evidence evidence(const RethinkingMeasured& measured, std::vector<Curve> learning) const {
    Evidence evidence;
    evidence.setting =
        fmt::format("{} training examples  construction on {}", options_.train_examples, measured.examples);
    evidence.claims = rethinking_claims(measured);
    const std::string& first = options_.models.front();
    evidence.figures.push_back({"learning_curves",
                                "Training loss of " + first,
                                "Until every training label is right; after figure 1 (a).",
                                {"epoch"},
                                {"training loss", true},
                                std::move(learning)});
    Curve slowdown{"T(p) / T(0)", {}, {}, {}}, error{"test error", {}, {}, {}};
    const auto base = static_cast<double>(fit_of(measured, first, "true labels").steps);
    for (const char* setting : {"true labels", "corrupted labels 0.25", "corrupted labels 0.5",
                                "corrupted labels 0.75", "random labels"}) {
      const RandomizedFit& fit = fit_of(measured, first, setting);
      slowdown.x.push_back(fit.corruption);
      slowdown.y.push_back(static_cast<double>(fit.steps) / base);
      error.x.push_back(fit.corruption);
      error.y.push_back(1 - fit.test_accuracy);
    }
    evidence.figures.push_back({"slowdown",
                                "Steps to fit all labels, over corruption",
                                "Relative to true labels; after figure 1 (b).",
                                {"fraction of labels drawn anew"},
                                {"T(p) / T(0)"},
                                {slowdown}});
    evidence.figures.push_back({"test_error",
                                "Test error at the end, over corruption",
                                "After figure 1 (c); guessing has 0.9 for ten classes.",
                                {"fraction of labels drawn anew"},
                                {"test error"},
                                {error}});
    evidence.tables.push_back(fits_table(measured));
    return evidence;
  }

  static NamedTable fits_table(const RethinkingMeasured& measured) {
    NamedTable table{"Training and test accuracy, after Table 1", {}};
    table.table.text_columns = 2;
    table.table.header = {"model", "data",          "parameters",        "train",
                          "test",  "steps to 99 %", "T / T(true labels)"};
    for (const RandomizedFit& fit : measured.fits) {
      const auto base = static_cast<double>(fit_of(measured, fit.model, "true labels").steps);
      table.table.rows.push_back({fit.model, fit.setting, fmt::format("{}", fit.parameters),
                                  fmt::format("{:.4f}", fit.train_accuracy),
                                  fmt::format("{:.4f}", fit.test_accuracy), fmt::format("{}", fit.steps),
                                  fmt::format("{:.2f}", static_cast<double>(fit.steps) / base)});
    }
    return table;
  }

  RethinkingOptions options_;
};

std::unique_ptr<System> make_rethinking_generalization(const RethinkingOptions& options) {
  if (options.models.empty())
    throw ConfigError("rethinking_generalization: models: empty; one is needed at least");
  const std::vector<std::string> known = models().names();
  for (const std::string& model : options.models)
    if (std::find(known.begin(), known.end(), model) == known.end())
      throw ConfigError(fmt::format("rethinking_generalization: models: '{}' is not known{}", model,
                                    suggestion(model, known)));
  return std::make_unique<RethinkingGeneralization>(options);
}

}  // namespace

PLUMB_REGISTER(Systems, rethinking_generalization, RethinkingOptions, make_rethinking_generalization,
               "S12: networks fit true labels, random labels and noise alike; 2n + d weights for any labels")

}  // namespace plumb
