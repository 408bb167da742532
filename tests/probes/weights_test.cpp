// Oracle: the weights themselves, copied at every state and compared by the definitions.
#include "probes/watch.hpp"
#include "support/catch.hpp"

using namespace plumb;

namespace {

const std::string weights_training =
    "{optimizer: {type: sgd, learning_rate: 0.3}, batch_size: 5, stop: {steps: 11, epochs: none}}";

Tensor flat(const std::vector<Tensor>& weights) {
  std::vector<Tensor> parts;
  for (const Tensor& weight : weights) parts.push_back(weight.flatten());
  return torch::cat(parts);
}

double distance(const Tensor& a, const Tensor& b) { return (a - b).norm().item<double>(); }

}  // namespace

TEST_CASE("distance, path length and straightness are those of the weights", "[probes][parameter_distance]") {
  const test::TemporaryFolder folder;
  const auto watcher =
      test::watch(std::make_shared<test::ReluNetwork>(4, 6, 3), test::random_data(20, 4, 3), weights_training,
                  "[{type: parameter_distance, every: 4}, {type: parameter_distance, name: coarse, "
                  "at: [6], path_every: 3}]",
                  folder.path());
  const Table table = test::probe_table(folder.path(), "parameter_distance");
  CHECK(table.column("step") == std::vector<double>{0, 4, 8, 11});
  const Tensor start = flat(watcher->weights[0]);
  std::vector<double> path{0};
  for (size_t k = 1; k < watcher->weights.size(); ++k)
    path.push_back(path.back() + distance(flat(watcher->weights[k]), flat(watcher->weights[k - 1])));
  for (size_t row = 0; row < table.rows.size(); ++row) {
    const auto k = static_cast<size_t>(table.column("step")[row]);
    const double far = distance(flat(watcher->weights[k]), start);
    CHECK(table.column("distance")[row] == Approx(far).epsilon(1e-12));
    CHECK(table.column("relative_distance")[row] == Approx(far / start.norm().item<double>()).epsilon(1e-12));
    CHECK(table.column("path_length")[row] == Approx(path[k]).epsilon(1e-12));
    CHECK(table.column("norm")[row] ==
          Approx(flat(watcher->weights[k]).norm().item<double>()).epsilon(1e-12));
    CHECK(table.column("distance:hidden.bias")[row] ==
          Approx(distance(watcher->weights[k][1], watcher->weights[0][1])).epsilon(1e-12));
    if (k > 0) CHECK(table.column("straightness")[row] == Approx(far / path[k]).epsilon(1e-12));
  }
  CHECK(std::isnan(table.column("straightness")[0]));
  // The polygon through the states 0, 3, 6, 9 and the last one.
  double coarse = 0;
  for (const auto& [from, to] : {std::pair{0, 3}, {3, 6}, {6, 9}, {9, 11}})
    coarse += distance(flat(watcher->weights[static_cast<size_t>(to)]),
                       flat(watcher->weights[static_cast<size_t>(from)]));
  CHECK(test::probe_table(folder.path(), "coarse").column("path_length").back() ==
        Approx(coarse).epsilon(1e-12));
}

TEST_CASE("the movement of neurons is that of the rows of weight matrices", "[probes][neuron_movement]") {
  const test::TemporaryFolder folder;
  const auto watcher = test::watch(std::make_shared<test::ReluNetwork>(4, 6, 3), test::random_data(20, 4, 3),
                                   weights_training, "[{type: neuron_movement, every: 5}]", folder.path());
  const Table table = test::probe_table(folder.path(), "neuron_movement");
  CHECK(table.column("step") == std::vector<double>{0, 5, 10, 11});
  for (size_t row = 0; row < table.rows.size(); ++row) {
    const auto k = static_cast<size_t>(table.column("step")[row]);
    double largest = 0, relative = 0, sum = 0, hidden = 0;
    for (const size_t matrix : {0, 2}) {  // the others are biases
      const Tensor now = watcher->weights[k][matrix], start = watcher->weights[0][matrix];
      for (int64_t r = 0; r < now.size(0); ++r) {
        const double moved = distance(now[r], start[r]);
        largest = std::max(largest, moved);
        if (matrix == 0) hidden = std::max(hidden, moved);
        relative = std::max(relative, moved / start[r].norm().item<double>());
        sum += moved;
      }
    }
    CHECK(table.column("largest")[row] == Approx(largest).epsilon(1e-12));
    CHECK(table.column("largest:hidden.weight")[row] == Approx(hidden).epsilon(1e-12));
    CHECK(table.column("largest_relative")[row] == Approx(relative).epsilon(1e-12));
    CHECK(table.column("mean")[row] == Approx(sum / 9).epsilon(1e-12));
  }
  CHECK(table.column("largest").back() > 0);
}
