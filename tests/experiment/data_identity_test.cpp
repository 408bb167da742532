// Oracle: files written by hand, whose bytes are changed between two sessions.
#include "data/bytes.hpp"
#include "experiment/small_run.hpp"
#include <nlohmann/json.hpp>
#include <torch/torch.h>

#include "plumb/core/sha256.hpp"
#include "plumb/experiment/prepare.hpp"

using namespace plumb;

namespace {

/// `count` images of 2 x 2, no two alike, the first value of each offset by `first`.
void write_images(const std::filesystem::path& folder, const std::string& part, int count, int first,
                  const std::string& labels = "") {
  std::string pixels, classes;
  for (int i = 0; i < count; ++i) {
    for (int k = 0; k < 4; ++k) pixels += static_cast<char>((first + 5 * i + k) % 256);
    classes += static_cast<char>(i % 10);
  }
  const auto n = static_cast<uint32_t>(count);
  test::write_bytes(folder / (part + "-images-idx3-ubyte"), test::idx_bytes({n, 2, 2}, pixels));
  test::write_bytes(folder / (part + "-labels-idx1-ubyte"),
                    test::idx_bytes({n}, labels.empty() ? classes : labels));
}

Run run_on_images(const std::string& more = "") {
  return Run::read(Config::parse(
      "name: d\ndata: mnist\nmodel: {type: mlp, width: 4, depth: 1}\nrandomization: random_labels\n"
      "training: {optimizer: {type: sgd, learning_rate: 0.1, momentum: 0}, batch_size: 10, stop: {epochs: "
      "6}}\n"
      "compute: {device: cpu, threads: 1}\n" +
      more));
}

}  // namespace

TEST_CASE("a run is not taken up again on other data, and both are named", "[experiment][data][resume]") {
  const test::TemporaryFolder data, folder;
  write_images(data.path(), "train", 40, 0);
  write_images(data.path(), "t10k", 10, 3);
  const RunDirectory directory(folder.path());
  test::StopAtReport stopper(2);
  stopper.options.data_folder = data.path();
  REQUIRE(execute(run_on_images(), directory, stopper.options) == Outcome::interrupted);
  RunnerOptions options;
  options.data_folder = data.path();
  const DataHashes then = prepare_data(run_on_images(), data.path(), at::kCPU).hashes;
  const auto provenance = nlohmann::json::parse(read_file(directory.provenance()));
  CHECK(provenance["data"]["sha256"] == then.all());
  CHECK(provenance["data"]["train_labels"] == then.train_labels);

  const auto refused = [&](const std::string& part) {
    const auto now = prepare_data(run_on_images(), data.path(), at::kCPU).hashes.parts();
    for (const auto& [name, hash] : then.parts()) {
      if (name != part) continue;
      const auto other =
          std::find_if(now.begin(), now.end(), [&](const auto& item) { return item.first == part; });
      CHECK_THROWS_WITH(execute(run_on_images(), directory, options),
                        ContainsSubstring(fmt::format("({}: SHA-256 {} then, {} now); put those back", part,
                                                      hash, other->second)));
    }
  };
  const std::string checkpoint = read_file(directory.checkpoint());
  SECTION("a training image") {
    write_images(data.path(), "train", 40, 1);
    refused("train_inputs");
  }
  SECTION("a training label, though labels are randomized") {
    write_images(data.path(), "train", 40, 0, std::string(40, '\3'));
    refused("train_labels");
  }
  SECTION("a test image") {
    write_images(data.path(), "t10k", 10, 4);
    refused("test_inputs");
  }
  CHECK(read_file(directory.checkpoint()) == checkpoint);
  write_images(data.path(), "train", 40, 0);
  write_images(data.path(), "t10k", 10, 3);
  CHECK(execute(run_on_images(), directory, options) == Outcome::epoch_limit);
}

TEST_CASE("the hash is that of the examples used", "[experiment][data]") {
  const test::TemporaryFolder data;
  write_images(data.path(), "train", 40, 0);
  write_images(data.path(), "t10k", 10, 3);
  const auto hashes = [&](const std::string& more) {
    return prepare_data(run_on_images(more), data.path(), at::kCPU).hashes;
  };
  const DataHashes all = hashes("");
  CHECK(hashes("preprocessing: {normalize: none}\n").all() == all.all());
  const DataHashes some = hashes("subset: {train_examples: 12}\n");
  CHECK(some.train_inputs != all.train_inputs);
  CHECK(some.test_inputs == all.test_inputs);
  // An image that is not among the twelve changes nothing of them.
  std::string used("Byte 12x1x2x2\n");
  const Seed seed(0);
  const Dataset chosen =
      subset(datasets().at("mnist")->make({data.path(), seed}), {.train_examples = 12}, seed);
  const Tensor bytes = chosen.train.inputs.contiguous();
  used.append(static_cast<const char*>(bytes.data_ptr()), static_cast<size_t>(bytes.numel()));
  CHECK(some.train_inputs == sha256_hex(used));
}

TEST_CASE("test examples that are training examples are said", "[experiment][data]") {
  const test::TemporaryFolder data;
  write_images(data.path(), "train", 40, 0);
  write_images(data.path(), "t10k", 10, 0);
  const PreparedData prepared = prepare_data(run_on_images(), data.path(), at::kCPU);
  CHECK(prepared.duplicates.test_in_train == 10);
  CHECK_THAT(prepared.notes.back(), ContainsSubstring("10 of 10 test inputs are training inputs, too"));
}
