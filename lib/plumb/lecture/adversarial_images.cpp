#include <algorithm>

#include <torch/torch.h>

#include "plumb/experiment/prepare.hpp"
#include "plumb/lecture/adversarial_start.hpp"
#include "plumb/training/snapshot.hpp"

namespace plumb {
namespace {

using ImageModel = Choice<std::shared_ptr<Network>(const Signature&, at::Generator&)>;

ImageModel small_perceptron() {
  ImageModel model(models(), "mlp");
  const Config config = Config::parse("width: 128");
  FieldReader reader(config);
  model.fields(reader);
  return model;
}

struct AdversarialImagesOptions {
  int64_t train_examples = 1000;
  int64_t test_examples = 5000;
  int64_t seeds = 8;
  int64_t copies = 3;
  double zeroed = 0.1;
  int64_t random_label_epochs = 200;
  int64_t epochs = 50;
  double learning_rate = 0.05;
  double momentum = 0.9;
  double weight_decay = 5e-4;
  int64_t padding = 4;
  Choice<Dataset(const DataContext&)> data{datasets(), "cifar10"};
  ImageModel model = small_perceptron();
  bool regularized_fits = false;

  void fields(Fields& f) {
    f.component("data", data, "the images");
    f.component("model", model, "the network");
    f.field("train_examples", train_examples, "training images", positive);
    f.field("test_examples", test_examples, "test images", positive);
    f.field("seeds", seeds, "draws of images, labels and weights, at least two",
            Range{.low = 2, .says = "must be at least 2"});
    f.field("copies", copies, "of each training image, each with a random label of its own", positive);
    f.field("zeroed", zeroed, "fraction of a copy's values that are set to 0", fraction);
    f.field("random_label_epochs", random_label_epochs, "at most, on the copies before", positive);
    f.field("epochs", epochs, "on the true labels", positive);
    f.field("learning_rate", learning_rate, "of all trainings, in batches of 128", positive);
    f.field("momentum", momentum, "of the regularized trainings; plain ones have none", fraction);
    f.field("weight_decay", weight_decay, "of the regularized trainings", non_negative);
    f.field("padding", padding, "pixels around an image before the random crops of regularized trainings",
            non_negative);
    f.field("regularized_fits", regularized_fits,
            "whether the regularized trainings are expected to have 99 % of the training labels right");
  }
};

/// The images of one seed in the three forms that are trained on.
struct ImageVersions {
  Signature signature;
  TrainingData plain, augmented, copies;
};

/// Each training image `count` times with a random fraction of its values 0 and a label drawn from all
/// classes.
Examples mislabelled_copies(const Examples& images, int64_t count, double zeroed, int64_t classes,
                            at::Generator generator) {
  const Tensor many = at::cat(std::vector<Tensor>(static_cast<size_t>(count), images.inputs));
  const Tensor kept = at::rand(many.sizes(), generator, many.options()).ge(zeroed);
  return {many * kept, at::randint(classes, {many.size(0)}, generator, at::kLong)};
}

ImageVersions make_versions(PreparedData prepared, const AdversarialImagesOptions& options,
                            const Seed& seed) {
  const TrainingData& raw = prepared.data;
  const Normalizer normalize(Normalization::standardize, raw.train.inputs);
  ImageVersions versions;
  versions.signature = prepared.signature;
  versions.plain = raw;
  versions.plain.train.inputs = normalize(raw.train.inputs);
  versions.plain.test.inputs = normalize(raw.test.inputs);
  versions.copies.train = mislabelled_copies(raw.train, options.copies, options.zeroed,
                                             prepared.signature.outputs, seed.stream("copies"));
  versions.copies.train.inputs = normalize(versions.copies.train.inputs);
  versions.copies.clean_targets = versions.copies.train.targets;
  versions.augmented = raw;
  const AugmentationOptions augmentation{.random_crop = true, .padding = options.padding, .flip = true};
  const int64_t side = raw.train.inputs.size(2);
  versions.augmented.augment = [=](const Tensor& images, at::Generator& generator) {
    return normalize(augment(images, augmentation, side, generator));
  };
  versions.augmented.prepare = [=](const Tensor& images) { return normalize(images); };
  return versions;
}

struct ImageCurve final : TrainingObserver {
  std::vector<double> epochs, test;
  Fit last;
  void evaluated(const Evaluation& evaluation) override {
    epochs.push_back(evaluation.batches.epoch);
    test.push_back(evaluation.fit.test_accuracy);
    last = evaluation.fit;
  }
};

/// One of the four trainings on true labels, over seeds.
struct StartOnImages {
  std::string name;
  std::vector<double> epochs, mean_test;

  void add(const ImageCurve& curve, double weight) {
    epochs = curve.epochs;
    mean_test.resize(curve.test.size(), 0);
    for (size_t i = 0; i < curve.test.size(); ++i) mean_test[i] += weight * curve.test[i];
  }
};

class AdversarialImages final : public System {
 public:
  explicit AdversarialImages(const AdversarialImagesOptions& options) : options_(options) {}

  Statement statement() const override {
    return {
        "S13b", "Bad global minima on images (Liu, Papailiopoulos, Achlioptas 2020)",
        "Started from weights that fit random labels, SGD on the true labels ends in a global minimum that "
        "generalizes badly; with regularization it does not matter where it starts.",
        "Adversarial weights: trained on R copies of each image, 10 % of the values of each zeroed, with "
        "uniformly random labels. Then on the true labels: vanilla SGD (no momentum, no weight decay, no "
        "augmentation) loses up to 40 points of test accuracy on CIFAR-10 with deep convolutional networks; "
        "with random crops and flips, momentum 0.9 and weight decay 5e-4 nothing.",
        "The size of the effect depends on network and data; here they are those that two cores can train. "
        "A perceptron with random crops does not fit the images within these epochs, and what is said of "
        "regularization is about minima: its hypothesis is not met at this size, and the numbers stand in "
        "the table."};
  }

  std::vector<std::string> paper_size() const override {
    return {"train_examples=50000", "test_examples=10000", "random_label_epochs=350",
            "epochs=350",           "learning_rate=0.1",   "model={type: resnet18}"};
  }

  Evidence run(const Surroundings& surroundings) const override {
    AdversarialImagesMeasured measured;
    measured.random_label_accuracy = 1;
    std::vector<StartOnImages> curves{{"random start, plain", {}, {}},
                                      {"adversarial start, plain", {}, {}},
                                      {"random start, regularized", {}, {}},
                                      {"adversarial start, regularized", {}, {}}};
    for (int64_t i = 0; i < options_.seeds; ++i) measure_seed(surroundings, i, measured, curves);
    return evidence(measured, curves);
  }

 private:
  Run description(const Seed& seed) const {
    Run run;
    run.name = "adversarial_images";
    run.seed = static_cast<int64_t>(seed.value());
    run.data = options_.data;
    run.subset.train_examples = options_.train_examples;
    run.subset.test_examples = options_.test_examples;
    run.preprocessing.normalize = Normalization::none;
    run.compute.device = "cpu";
    return run;
  }

  TrainingOptions training(bool regularized, bool until_fitted) const {
    const int64_t epochs = until_fitted ? options_.random_label_epochs : options_.epochs;
    return read_options<TrainingOptions>(Config::parse(fmt::format(
        "{{optimizer: {{type: sgd, learning_rate: {}, momentum: {}, weight_decay: {}}}, batch_size: 128, "
        "evaluate_every: {}, stop: {{epochs: {}{}}}}}",
        options_.learning_rate, regularized ? options_.momentum : 0.0,
        regularized ? options_.weight_decay : 0.0, until_fitted ? 5 : std::max<int64_t>(1, epochs / 10),
        epochs, until_fitted ? ", train_accuracy: 1" : "")));
  }

  std::shared_ptr<Network> drawn(const Signature& signature, const Seed& seed) const {
    at::Generator weights = seed.stream("weights");
    return options_.model.make(signature, weights);
  }

  static ImageCurve train(const std::shared_ptr<Network>& network, const TrainingData& data,
                          const TrainingOptions& options, const Seed& seed) {
    ImageCurve curve;
    Trainer(network, data, options, seed).run(curve);
    return curve;
  }

  void measure_seed(const Surroundings& surroundings, int64_t number, AdversarialImagesMeasured& measured,
                    std::vector<StartOnImages>& curves) const {
    const auto say = [&](const char* what) {
      if (surroundings.progress) surroundings.progress(fmt::format("seed {}: {}", number, what));
    };
    const Seed seed(surroundings.seed.value() * static_cast<uint64_t>(options_.seeds) +
                    static_cast<uint64_t>(number));
    const ImageVersions images =
        make_versions(prepare_data(description(seed), surroundings.data_folder, at::kCPU), options_, seed);
    say("fitting random labels");
    const auto adversarial = drawn(images.signature, seed);
    const ImageCurve fitted = train(adversarial, images.copies, training(false, true), seed);
    measured.random_label_accuracy = std::min(measured.random_label_accuracy, fitted.last.train_accuracy);
    const Archive weights = save_network(*adversarial);
    size_t curve = 0;
    for (const bool regularized : {false, true})
      for (const bool from_adversarial : {false, true}) {
        say(curves[curve].name.c_str());
        const auto network = drawn(images.signature, seed);
        if (from_adversarial) load_network(*network, weights);
        const ImageCurve trained =
            train(network, regularized ? images.augmented : images.plain, training(regularized, false), seed);
        const auto put = [&](FromTwoStarts& starts, double accuracy) {
          (from_adversarial ? starts.adversarial : starts.random).push_back(accuracy);
        };
        put(regularized ? measured.regularized : measured.plain, trained.last.test_accuracy);
        put(regularized ? measured.regularized_training : measured.plain_training,
            trained.last.train_accuracy);
        curves[curve++].add(trained, 1 / static_cast<double>(options_.seeds));
      }
  }

  Evidence evidence(const AdversarialImagesMeasured& measured,
                    const std::vector<StartOnImages>& curves) const {
    Evidence evidence;
    evidence.setting = fmt::format("{}  {} training images  {} seeds  {} epochs", options_.model.type(),
                                   options_.train_examples, options_.seeds, options_.epochs);
    evidence.claims = adversarial_image_claims(measured, options_.regularized_fits);
    Figure figure{"test_accuracy",
                  "Test accuracy from two starts, plain and regularized",
                  fmt::format("Means over {} seeds.", options_.seeds),
                  {"epoch"},
                  {"test accuracy"},
                  {}};
    for (const StartOnImages& start : curves)
      figure.curves.push_back({start.name, start.epochs, start.mean_test, {}});
    evidence.figures.push_back(std::move(figure));
    evidence.tables.push_back(start_table(measured));
    evidence.remarks.push_back(
        fmt::format("The adversarial weights have at least {:.1f} % of the random labels right.",
                    100 * measured.random_label_accuracy));
    return evidence;
  }

  /// Means over seeds; the loss of test accuracy with its 95 % interval.
  static NamedTable start_table(const AdversarialImagesMeasured& measured) {
    NamedTable table{"Accuracies at the end", {}};
    table.table.header = {"",
                          "training, random start",
                          "training, adversarial start",
                          "test, random start",
                          "test, adversarial start",
                          "lost",
                          "+-"};
    const auto mean = [](const std::vector<double>& values) {
      double sum = 0;
      for (const double value : values) sum += value;
      return fmt::format("{:.4f}", sum / static_cast<double>(values.size()));
    };
    const auto add = [&](const char* name, const FromTwoStarts& training, const FromTwoStarts& test) {
      const theory::Measured gap = start_gap(test);
      table.table.rows.push_back({name, mean(training.random), mean(training.adversarial), mean(test.random),
                                  mean(test.adversarial), fmt::format("{:.4f}", gap.value),
                                  fmt::format("{:.4f}", gap.uncertainty)});
    };
    add("plain", measured.plain_training, measured.plain);
    add("regularized", measured.regularized_training, measured.regularized);
    return table;
  }

  AdversarialImagesOptions options_;
};

std::unique_ptr<System> make_adversarial_images(const AdversarialImagesOptions& options) {
  return std::make_unique<AdversarialImages>(options);
}

}  // namespace

PLUMB_REGISTER(Systems, adversarial_images, AdversarialImagesOptions, make_adversarial_images,
               "S13b: SGD on images from weights that fit random labels, plain and regularized")

}  // namespace plumb
