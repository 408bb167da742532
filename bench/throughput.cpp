// Times training steps of a network: the Trainer's; the same forward, backward and update without metrics;
// and these on one fixed batch; in alternating blocks. Prints a JSON object for each.
#include <chrono>
#include <ctime>
#include <iostream>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <torch/torch.h>

#include "plumb/core/memory.hpp"
#include "plumb/data/preprocessing.hpp"
#include "plumb/data/problem.hpp"
#include "plumb/experiment/provenance.hpp"
#include "plumb/training/trainer.hpp"

using namespace plumb;

namespace {

constexpr int64_t classes = 10;

struct BenchOptions {
  std::string model, memory_format = "channels_last", device = "cpu", data;
  bool trainer_only = false;
  int threads = 1;
  int64_t examples = 12800, batch = 128, blocks = 1, steps = 10, warmup = 2;
};

/// Seconds per step of each block: on the wall's clock and of the process.
struct Series {
  at::Device device;
  std::vector<double> wall = {}, cpu = {};

  void time_block(int64_t steps, const std::function<void(int64_t)>& work) {
    finish_queue();
    const auto began = std::chrono::steady_clock::now();
    const double cpu_began = cpu_seconds();
    work(steps);
    finish_queue();
    const double cpu_ended = cpu_seconds();
    const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - began;
    wall.push_back(passed.count() / static_cast<double>(steps));
    cpu.push_back((cpu_ended - cpu_began) / static_cast<double>(steps));
  }

  /// Waits for what a GPU was told to do.
  void finish_queue() const {
    if (device.is_cuda()) torch::cuda::synchronize(device.index());
  }

  static double cpu_seconds() {
    timespec time{};
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
  }
};

struct StopAfter final : TrainingObserver {
  int64_t left = 0;
  bool after_step(const Trainer&) override { return --left > 0; }
};

TrainingOptions training_options(const BenchOptions& options) {
  // No evaluation falls into the timed steps.
  return read_options<TrainingOptions>(Config::parse(fmt::format(
      "optimizer: {{type: sgd, learning_rate: 0.01, momentum: 0.9}}\nloss: cross_entropy\nbatch_size: {}\n"
      "evaluate_every: 1e9\nstop: {{epochs: 1e9}}\n",
      options.batch)));
}

/// Random labels for the first images of CIFAR-10, or for as much white noise; whitened, resident, as a run
/// holds them.
TrainingData random_labels(const BenchOptions& options, const Signature& signature, const Seed& seed) {
  at::Generator generator = seed.stream("images");
  Tensor images;
  if (options.data.empty()) {
    std::vector<int64_t> shape = signature.input;
    shape.insert(shape.begin(), options.examples);
    images = at::rand(shape, generator);
  } else {
    const Dataset cifar = datasets().at("cifar10")->make({options.data, seed});
    images = make_problem(cifar, {.crop = signature.input[1]}, at::kFloat)
                 .train.inputs.slice(0, 0, options.examples);
  }
  const at::Device device(options.device);
  TrainingData data;
  data.train.inputs = Normalizer(Normalization::whiten, images)(images).to(device);
  data.train.targets = at::randint(classes, {images.size(0)}, generator, at::kLong).to(device);
  data.clean_targets = data.train.targets;
  return data;
}

/// The mean loss of the first 1,000 examples as the network stands, which shows that it did train.
double loss_now(Network& network, const TrainingData& data) {
  const torch::NoGradGuard no_gradient;
  network.eval();
  const Tensor outputs = network.forward(data.evaluation_inputs(data.train.inputs.slice(0, 0, 1000)));
  return at::cross_entropy_loss(outputs, data.train.targets.slice(0, 0, 1000)).item<double>();
}

/// Forward, backward and update without metrics: on the first batch over and over, or on new ones.
class BareLoop {
 public:
  BareLoop(std::shared_ptr<Network> network, const TrainingData& data, const TrainingOptions& options,
           const Seed& seed)
      : network_(std::move(network)),
        data_(data),
        loss_(options.loss.make()),
        optimizer_(options.optimizer.make(network_->parameters())),
        sampler_(data.train.size(), options.batch_size, seed.stream("batches"), data.train.inputs.device()),
        inputs_(data.evaluation_inputs(data.train.inputs.slice(0, 0, options.batch_size)).clone()),
        labels_(data.train.targets.slice(0, 0, options.batch_size)) {}

  void train_on_fixed(int64_t steps) {
    for (int64_t step = 0; step < steps; ++step) update(inputs_, labels_);
  }

  void train_on_new(int64_t steps) {
    for (int64_t step = 0; step < steps; ++step) {
      const Tensor indices = sampler_.next();
      update(data_.evaluation_inputs(data_.train.inputs.index_select(0, indices)),
             data_.train.targets.index_select(0, indices));
    }
  }

 private:
  void update(const Tensor& inputs, const Tensor& labels) {
    for (Tensor& parameter : network_->parameters()) parameter.mutable_grad() = Tensor();
    (loss_.sum(network_->forward(inputs), labels) * loss_.scale(labels.size(0))).backward();
    optimizer_->step(optimizer_->base_learning_rate());
  }

  std::shared_ptr<Network> network_;
  const TrainingData& data_;
  Loss loss_;
  std::unique_ptr<Optimizer> optimizer_;
  Sampler sampler_;
  Tensor inputs_, labels_;
};

void measure(const BenchOptions& options) {
  // As a run sets up its process.
  keep_freed_memory();
  at::set_num_threads(options.threads);
  at::globalContext().setDeterministicAlgorithms(true, /*warn_only=*/true);
  const Seed seed(0);
  const Signature signature{.input = {3, 28, 28}, .outputs = classes};
  at::Generator weights = seed.stream("weights");
  const auto network = models().at(options.model)->make(signature, weights);
  const at::Device device(options.device);
  network->to(device);
  TrainingData data = random_labels(options, signature, seed);
  data.channels_last = options.memory_format == "channels_last" && lay_out_channels_last(*network);

  const TrainingOptions training = training_options(options);
  Trainer trainer(network, data, training, seed);
  StopAfter observer;
  const auto train = [&](int64_t steps) {
    observer.left = steps;
    trainer.run(observer);
  };
  BareLoop bare(network, data, training, seed);

  train(options.warmup);
  if (!options.trainer_only) bare.train_on_fixed(options.warmup);
  Series trained{device}, fresh{device}, fixed{device};
  for (int64_t block = 0; block < options.blocks; ++block) {
    trained.time_block(options.steps, train);
    if (options.trainer_only) continue;
    fresh.time_block(options.steps, [&](int64_t steps) { bare.train_on_new(steps); });
    fixed.time_block(options.steps, [&](int64_t steps) { bare.train_on_fixed(steps); });
  }
  const Versions version = versions();
  const auto print = [&](const char* side, const Series& series) {
    const nlohmann::ordered_json line{{"side", side},
                                      {"model", options.model},
                                      {"parameters", parameter_count(*network)},
                                      {"threads", at::get_num_threads()},
                                      {"device", options.device},
                                      {"images", options.data.empty() ? "random" : "CIFAR-10"},
                                      {"examples", data.train.size()},
                                      {"loss", loss_now(*network, data)},
                                      {"plumb", version.plumb},
                                      {"commit", version.commit},
                                      {"libtorch", version.libtorch},
                                      {"blas", version.blas},
                                      {"cpu_model", processor_name()},
                                      {"cores", available_cores()},
                                      {"wall", series.wall},
                                      {"cpu", series.cpu}};
    std::cout << line.dump() << "\n";
  };
  print("plumb", trained);
  if (options.trainer_only) return;
  print("plumb without metrics", fresh);
  print("plumb on one batch", fixed);
}

}  // namespace

int main(int argc, char** argv) {
  BenchOptions options;
  CLI::App app("Times training steps; prints JSON lines.");
  app.add_option("model", options.model, "name of an architecture")->required();
  app.add_option("--memory-format", options.memory_format)
      ->check(CLI::IsMember({"channels_last", "contiguous"}));
  app.add_option("--device", options.device, "cpu, cuda or cuda:1");
  app.add_option("--data", options.data, "folder of CIFAR-10; without it the images are random");
  app.add_flag("--trainer-only", options.trainer_only, "not the same steps without metrics and on one batch");
  app.add_option("--threads", options.threads);
  app.add_option("--examples", options.examples);
  app.add_option("--batch", options.batch);
  app.add_option("--blocks", options.blocks);
  app.add_option("--steps", options.steps, "per block");
  app.add_option("--warmup", options.warmup);
  CLI11_PARSE(app, argc, argv);
  try {
    measure(options);
  } catch (const std::exception& error) {
    std::cerr << "plumb-throughput: " << error.what() << "\n";
    return 1;
  }
}
