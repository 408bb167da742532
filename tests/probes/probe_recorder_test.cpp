// Oracle: the same run without probes, and the same run in one sitting, compared bit for bit.
#include "plumb/probes/probe_recorder.hpp"

#include <algorithm>

#include "probes/watch.hpp"
#include "support/catch.hpp"

#include "plumb/core/error.hpp"
#include "plumb/core/files.hpp"
#include "plumb/training/snapshot.hpp"

using namespace plumb;

namespace {

/// Everything a probe could disturb: dropout (LibTorch's global generator), running statistics, a frozen
/// parameter, a layer registered twice.
struct SensitiveNetwork final : Network {
  SensitiveNetwork() {
    to(torch::kDouble);
    at::Generator generator = Seed(5).stream("weights");
    const torch::NoGradGuard no_grad;
    for (Tensor& parameter : parameters()) parameter.normal_(0, 0.5, generator);
    hidden->bias.set_requires_grad(false);
  }
  Tensor forward(Tensor x) override { return out(dropout(torch::relu(norm(hidden(x))))); }

  torch::nn::Linear hidden{register_module("hidden", torch::nn::Linear(5, 12))};
  torch::nn::BatchNorm1d norm{register_module("norm", torch::nn::BatchNorm1d(12))};
  torch::nn::Dropout dropout{register_module("dropout", torch::nn::Dropout(0.3))};
  torch::nn::Linear out{register_module("out", torch::nn::Linear(12, 3))};
  torch::nn::Linear again{register_module("again", out)};
};

/// Has a parameter whose use a tangent kernel does not recognise.
struct PreluNetwork final : Network {
  PreluNetwork() { to(torch::kDouble); }
  Tensor forward(Tensor x) override { return output(torch::prelu(hidden(x), slope)); }

  torch::nn::Linear hidden{register_module("hidden", torch::nn::Linear(4, 5))};
  Tensor slope{register_parameter("slope", torch::full({1}, 0.1))};
  torch::nn::Linear output{register_module("output", torch::nn::Linear(5, 2))};
};

const std::string recorded_training =
    "{optimizer: {type: sgd, learning_rate: 0.1}, batch_size: 6, stop: {epochs: 5}, record_every: 1}";

/// What must stay as it was around a look at the state.
class Strict final : public TrainingObserver {
 public:
  explicit Strict(TrainingObserver* inner) : inner_(inner) {}
  void before_step(const Moment& moment) override {
    note(moment);
    if (inner_ != nullptr) inner_->before_step(moment);
    note(moment);
  }
  void after_last_step(const Moment& moment) override {
    if (inner_ != nullptr) inner_->after_last_step(moment);
    note(moment);
  }
  void interval(const Interval& row) override { numbers.insert(numbers.end(), {row.loss, row.accuracy}); }

  std::vector<double> numbers;

 private:
  void note(const Moment& moment) {
    for (const auto& module : moment.network.modules()) numbers.push_back(module->is_training() ? 1 : 0);
    for (const Tensor& parameter : moment.network.parameters()) {
      numbers.push_back(parameter.requires_grad() ? 1 : 0);
      numbers.push_back(parameter.grad().defined() ? parameter.grad().sum().item<double>() : -1);
    }
    const Tensor state = save_global_generators(at::kCPU).tensor("cpu").to(at::kDouble);
    numbers.push_back((state * torch::arange(1, state.numel() + 1)).sum().item<double>());
  }

  TrainingObserver* inner_;
};

/// A list with `item` for every registered probe, "@" in it standing for its name.
std::string every_probe(const std::string& item) {
  std::string list;
  for (const std::string& type : probes().names()) {
    std::string one = item;
    one.replace(one.find('@'), 1, type);
    list += (list.empty() ? "" : ", ") + one;
  }
  return "[" + list + "]";
}

struct Trace {
  std::vector<double> numbers;
  Archive network;
};

Trace train_sensitive(TrainingObserver* observer) {
  seed_global_generators(11, at::kCPU);
  const auto network = std::make_shared<SensitiveNetwork>();
  Trainer trainer(network, test::random_data(23, 5, 3), test::training_options(recorded_training), Seed(1));
  Strict strict(observer);
  trainer.run(strict);
  Trace trace{strict.numbers, {}};
  const Archive weights = save_network(*network);
  for (const auto& [name, value] : weights.values()) trace.network.put(name, std::get<Tensor>(value).clone());
  return trace;
}

}  // namespace

TEST_CASE("no probe changes anything of the run it watches", "[probes][recorder]") {
  const Trace alone = train_sensitive(nullptr);
  for (const std::string& type : probes().names()) {
    INFO(type);
    const test::TemporaryFolder folder;
    test::Watcher watcher(fmt::format("[{{type: {}, every: 3}}]", type), folder.path());
    const Trace watched = train_sensitive(&watcher);
    CHECK(watched.numbers == alone.numbers);
    for (const auto& [name, value] : alone.network.values())
      CHECK(std::get<Tensor>(value).equal(watched.network.tensor(name)));
    const Table table = test::probe_table(folder.path(), type);
    CHECK(table.column("step") == std::vector<double>{0, 3, 6, 9, 12, 15, 18, 20});
  }
}

TEST_CASE("probes of a run taken up again write the same bytes", "[probes][recorder][resume]") {
  const int64_t stop_after = GENERATE(1, 6, 7, 19);
  const std::string yaml = every_probe("{type: @, every: 3}");
  const TrainingData data = test::random_data(23, 5, 3);
  const test::TemporaryFolder whole, parts;
  seed_global_generators(11, at::kCPU);
  {
    test::Watcher watcher(yaml, whole.path());
    Trainer(std::make_shared<SensitiveNetwork>(), data, test::training_options(recorded_training), Seed(1))
        .run(watcher);
  }
  seed_global_generators(11, at::kCPU);
  {
    test::Watcher watcher(yaml, parts.path(), stop_after);
    Trainer trainer(std::make_shared<SensitiveNetwork>(), data, test::training_options(recorded_training),
                    Seed(1));
    CHECK(trainer.run(watcher) == Outcome::interrupted);
    Archive checkpoint;
    checkpoint.put("trainer", trainer.state());
    checkpoint.put("probes", watcher.recorder.save());
    checkpoint.save(parts / "checkpoint.pt");
  }
  // A sitting that was killed later leaves rows behind that the checkpoint does not know of.
  for (const std::string& type : probes().names()) {
    const auto file = parts / "probes" / (type + ".csv");
    write_file_atomically(file, read_file(file) + "99,1,1,1,1,1\n");
  }
  const Archive checkpoint = Archive::load(parts / "checkpoint.pt");
  test::Watcher watcher(yaml, parts.path(), -1, checkpoint.archive("probes"));
  Trainer trainer(std::make_shared<SensitiveNetwork>(), data, test::training_options(recorded_training),
                  Seed(1));
  trainer.load(checkpoint.archive("trainer"));
  trainer.run(watcher);
  for (const std::string& type : probes().names()) {
    INFO(type);
    CHECK(read_file(whole / "probes" / (type + ".csv")) == read_file(parts / "probes" / (type + ".csv")));
  }
}

TEST_CASE("a checkpoint of other probes is refused", "[probes][recorder]") {
  const test::TemporaryFolder folder;
  test::Watcher watcher("[gradient]", folder.path());
  const Archive saved = watcher.recorder.save();
  const auto resume = [&](const std::string& yaml, const Archive& from) {
    const test::Watcher again(yaml, folder.path(), -1, from);
  };
  CHECK_NOTHROW(resume("[{type: gradient}]", saved));
  CHECK_THROWS_WITH(resume("[]", saved),
                    ContainsSubstring("saved with other probes than the description has"));
  CHECK_THROWS_WITH(resume("[{type: gradient, every: 2}]", saved),
                    ContainsSubstring("saved with other probes"));
  // A checkpoint of a version that knew fewer options, and wrote others differently.
  Archive older = saved;
  older.put("description", "probes:\n  - type: gradient\n");
  CHECK_NOTHROW(resume("[gradient]", older));
  older.put("description", "probes: [{type: gradient, no_option: 1}]\n");
  CHECK_THROWS_WITH(resume("[gradient]", older), ContainsSubstring("saved with other probes"));
  CHECK_NOTHROW(resume("[]", Archive{}));
  CHECK_THROWS_WITH(resume("[gradient]", Archive{}), ContainsSubstring("saved with other probes"));
}

TEST_CASE("a table that another version began keeps its columns, and says what it lacks",
          "[probes][recorder][resume]") {
  const test::TemporaryFolder folder;
  const TrainingData data = test::random_data(12, 5, 3);
  const auto options = test::training_options("{optimizer: gd, stop: {steps: 6, epochs: none}}");
  test::Watcher first("[{type: gradient, every: 1}]", folder.path(), /*stop_after=*/3);
  Trainer begun(std::make_shared<test::ReluNetwork>(5, 4, 3), data, options, Seed(1));
  REQUIRE(begun.run(first) == Outcome::interrupted);
  const Archive state = begun.state();
  const Archive saved = first.recorder.save();
  // As if that version had had no gradient_norm, and a column of its own.
  const auto file = folder / "probes/gradient.csv";
  Table table = Table::load(file);
  table.columns[3] = "forgotten";
  write_file_atomically(file, table.to_csv());
  Archive gradient = saved.archive("probes").archive("gradient"), all, older;
  Archive without_checksum;
  for (const auto& [name, value] : gradient.values())
    if (name != "crc32" && name != "length")
      std::visit([&, &key = name](const auto& held) { without_checksum.put(key, held); }, value);
  without_checksum.put("length", static_cast<int64_t>(read_file(file).size()));
  all.put("gradient", without_checksum);
  older.put("description", saved.text("description"));
  older.put("probes", all);
  test::Watcher second("[{type: gradient, every: 1}]", folder.path(), -1, older);
  Trainer resumed(std::make_shared<test::ReluNetwork>(5, 4, 3), data, options, Seed(1));
  resumed.load(state);
  CHECK(resumed.run(second) == Outcome::step_limit);
  const Table whole = Table::load(file);
  CHECK(whole.columns == table.columns);
  CHECK(whole.rows.size() == 7);
  CHECK(std::isnan(whole.rows.back()[3]));
  CHECK_FALSE(std::isnan(whole.rows.front()[3]));
  CHECK(std::isfinite(whole.column("loss").back()));
  CHECK(std::isfinite(whole.column("pl_ratio").back()));
  CHECK_THAT(read_file(folder / "probes/gradient.txt"),
             ContainsSubstring("another version of plumb and keeps its columns; it has no gradient_norm"));
}

TEST_CASE("a state with weights that are not finite gives a row of NaN", "[probes][recorder]") {
  const test::TemporaryFolder folder;
  const auto network = std::make_shared<test::LinearNetwork>(4, 2);
  {
    const torch::NoGradGuard no_grad;
    network->weight[1][2] = std::nan("");
  }
  test::watch(network, test::random_data(12, 4, 2), "{stop: {epochs: 2}}", every_probe("{type: @}"),
              folder.path());
  for (const std::string& type : probes().names()) {
    INFO(type);
    const Table table = test::probe_table(folder.path(), type);
    REQUIRE(table.rows.size() == 1);
    for (size_t i = 2; i < table.columns.size(); ++i) CHECK(std::isnan(table.rows[0][i]));
  }
}

TEST_CASE("a run that diverges is measured to its end", "[probes][recorder]") {
  const test::TemporaryFolder folder;
  test::watch(
      std::make_shared<test::ReluNetwork>(4, 5, 2), test::random_data(12, 4, 2),
      "{loss: square, optimizer: {type: sgd, learning_rate: 1e6}, stop: {epochs: 2000}, evaluate_every: "
      "5000}",
      every_probe("{type: @, every: 1}"), folder.path());
  const Table table = test::probe_table(folder.path(), "parameter_distance");
  for (const std::string& type : probes().names())
    CHECK(test::probe_table(folder.path(), type).rows.size() == table.rows.size());
}

TEST_CASE("what an earlier start left behind is removed", "[probes][recorder]") {
  const test::TemporaryFolder folder;
  make_directory(folder / "probes");
  write_file_atomically(folder / "probes" / "old.csv", "step\n");
  test::watch(std::make_shared<test::LinearNetwork>(4, 2), test::random_data(12, 4, 2), "{stop: {epochs: 1}}",
              "[{type: gradient, name: mine}]", folder.path());
  CHECK_FALSE(std::filesystem::exists(folder / "probes" / "old.csv"));
  CHECK(std::filesystem::exists(folder / "probes" / "mine.csv"));
}

TEST_CASE("a probe's remarks stand beside its table, once", "[probes][recorder]") {
  const test::TemporaryFolder folder;
  test::watch(std::make_shared<PreluNetwork>(), test::random_data(12, 4, 2), "{stop: {epochs: 5}}",
              "[{type: tangent_kernel, examples: 12}, {type: jacobian_rank, examples: 12}, "
              "{type: jacobian_rank, method: svd, name: svd, examples: 12}, "
              "{type: tangent_kernel, outputs: summed, name: summed, examples: 12}]",
              folder.path());
  for (const std::string name : {"tangent_kernel", "jacobian_rank", "summed"}) {
    INFO(name);
    const std::string notes = read_file(folder / "probes" / (name + ".txt"));
    CHECK_THAT(notes, ContainsSubstring("from step 0 on: slope (") && ContainsSubstring("went by rows"));
    CHECK(std::count(notes.begin(), notes.end(), '\n') == 1);
  }
  // It forms J, in which a parameter by rows is none of the reader's affair. (A condition may be undefined.)
  const auto other = folder / "probes" / "svd.txt";
  if (std::filesystem::exists(other)) CHECK_THAT(read_file(other), !ContainsSubstring("went by rows"));
}
