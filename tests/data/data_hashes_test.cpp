// Oracle: sha256sum of the same bytes; data sets made by hand.
#include "plumb/data/data_hashes.hpp"

#include "data/bytes.hpp"
#include "support/catch.hpp"
#include <torch/torch.h>

#include "plumb/core/sha256.hpp"

using namespace plumb;

namespace {

Dataset small_dataset() {
  Dataset dataset;
  dataset.train = {torch::arange(12, torch::kByte).view({3, 1, 2, 2}),
                   torch::tensor({0, 1, 1}, torch::kLong)};
  dataset.test = {torch::arange(50, 58, torch::kByte).view({2, 1, 2, 2}),
                  torch::tensor({1, 0}, torch::kLong)};
  dataset.num_classes = 2;
  dataset.source = "by hand";
  return dataset;
}

std::string dataset_refusal(const Dataset& dataset) {
  return test::data_error([&] { check_dataset(dataset); });
}

}  // namespace

TEST_CASE("SHA-256 is the published function", "[core][sha256]") {
  CHECK(sha256_hex("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(sha256_hex("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(Sha256().add("a").add("bc").hex() == sha256_hex("abc"));
}

TEST_CASE("the hashes of data change with any value, order, shape or type, and with nothing else",
          "[data][hashes]") {
  const Dataset dataset = small_dataset();
  const DataHashes hashes = hash_data(dataset);
  std::string bytes("Byte 3x1x2x2\n");
  for (char i = 0; i < 12; ++i) bytes += i;
  CHECK(hashes.train_inputs == sha256_hex(bytes));
  CHECK(hash_data(small_dataset()).all() == hashes.all());

  Dataset strided = small_dataset();
  strided.train.inputs = torch::stack({strided.train.inputs, strided.train.inputs}, 1).select(1, 0);
  CHECK(hash_data(strided).train_inputs == hashes.train_inputs);

  const auto differs = [&](const auto& change) {
    Dataset other = small_dataset();
    other.train.inputs = other.train.inputs.clone();
    change(other);
    return hash_data(other).all() != hashes.all();
  };
  CHECK(differs([](Dataset& d) { d.train.inputs[2][0][1][1] = 99; }));
  CHECK(differs([](Dataset& d) { d.train.inputs = d.train.inputs.flip(0); }));
  CHECK(differs([](Dataset& d) { d.train.inputs = d.train.inputs.view({3, 4}); }));
  CHECK(differs([](Dataset& d) { d.train.inputs = d.train.inputs.to(torch::kFloat); }));
  CHECK(differs([](Dataset& d) { d.train.targets = torch::tensor({1, 1, 1}, torch::kLong); }));
  CHECK(differs([](Dataset& d) { d.test = {}; }));
}

TEST_CASE("a data set that contradicts itself is refused", "[data][hashes]") {
  CHECK(dataset_refusal(small_dataset()) == "no error");
  Dataset dataset = small_dataset();
  SECTION("numbers of inputs and labels") {
    dataset.test.targets = torch::tensor({1}, torch::kLong);
    CHECK(dataset_refusal(dataset) == "by hand: test examples: 2 inputs and 1 labels");
  }
  SECTION("a label that names no class") {
    dataset.train.targets = torch::tensor({0, 2, 1}, torch::kLong);
    CHECK(dataset_refusal(dataset) ==
          "by hand: training examples: example 1 has label 2; labels 0 to 1 are expected");
    dataset.train.targets = torch::tensor({0, 0, -1}, torch::kLong);
    CHECK_THAT(dataset_refusal(dataset), ContainsSubstring("example 2 has label -1"));
  }
  SECTION("inputs that are no numbers") {
    dataset.train.inputs = dataset.train.inputs.to(torch::kFloat);
    dataset.test.inputs = dataset.test.inputs.to(torch::kFloat);
    dataset.test.inputs[1][0][0][1] = std::nan("");
    CHECK(dataset_refusal(dataset) == "by hand: test examples: the input of example 1 is not finite");
  }
  SECTION("examples of two shapes") {
    dataset.test.inputs = dataset.test.inputs.view({2, 4});
    CHECK_THAT(dataset_refusal(dataset),
               ContainsSubstring("a training example has shape 1 x 2 x 2, a test example 4"));
  }
}

TEST_CASE("inputs that occur more than once are counted", "[data][hashes]") {
  Dataset dataset = small_dataset();
  CHECK(count_duplicates(dataset).within_train == 0);
  CHECK(count_duplicates(dataset).test_in_train == 0);
  dataset.train.inputs = dataset.train.inputs.clone();
  dataset.train.inputs[2] = dataset.train.inputs[0];
  dataset.test.inputs = torch::stack({dataset.train.inputs[1], dataset.train.inputs[0]});
  CHECK(count_duplicates(dataset).within_train == 1);
  CHECK(count_duplicates(dataset).test_in_train == 2);
  CHECK(count_duplicates({}).within_train == 0);
}
