// How far single units went: ||w_r - w_r(0)|| for every row r of every weight matrix, a row being the
// incoming weights of one unit (of one channel, in a convolution). That the largest of them stays small is
// the heart of the proofs for wide networks (Du et al. 2019, Lemma 3.3).
#include <algorithm>
#include <cmath>

#include <torch/torch.h>

#include "plumb/probes/probe_check.hpp"

namespace plumb {
namespace {

struct NeuronMovementOptions : ProbeOptions {};

class NeuronMovement final : public ProbeWith<NeuronMovementOptions>, public Demanding {
 public:
  using ProbeWith::ProbeWith;

  std::vector<Column> columns() const override {
    return {{"largest", "max over the rows of all weight matrices of ||w_r - w_r(0)||; nan without a matrix",
             ColumnFigure{"Largest movement of a unit", "max ‖w_r − w_r(0)‖", false,
                          "w_r: the incoming weights of one unit or channel."}},
            {"mean", "mean over these rows"},
            {"largest_relative",
             "max over these rows of ||w_r - w_r(0)|| / ||w_r(0)||; rows that started at 0 left out"}};
  }
  std::string obstacle(const Moment& moment, const ProbeSet&) override {
    return matrices(moment).empty() ? "has no trainable weight matrix, whose rows it follows" : "";
  }
  std::vector<std::string> layer_columns(const Moment& moment, const ProbeSet&) override {
    std::vector<std::string> names;
    for (const auto& [name, matrix] : matrices(moment)) names.push_back("largest:" + name);
    return names;
  }

  void follow(const Moment& moment) override {
    if (!start_.empty() || moment.step > 0) return;
    const at::NoGradGuard no_grad;
    for (const auto& [name, matrix] : matrices(moment)) start_.push_back(matrix.clone());
  }

  Measurement measure(const Moment& moment, const ProbeSet&) override {
    const at::NoGradGuard no_grad;
    std::vector<double> layers;
    double largest = not_defined, relative = not_defined, sum = 0;
    int64_t rows = 0, i = 0;
    for (const auto& [name, matrix] : matrices(moment)) {
      const Tensor start = start_[static_cast<size_t>(i++)];
      const Tensor moved = row_norms(matrix - start);
      const Tensor ratio = moved / row_norms(start);
      layers.push_back(moved.max().item<double>());
      largest = std::fmax(largest, layers.back());  // fmax passes over NaN
      const Tensor defined = ratio.masked_select(ratio.isfinite());
      if (defined.numel() > 0) relative = std::fmax(relative, defined.max().item<double>());
      sum += moved.sum().item<double>();
      rows += moved.numel();
    }
    Measurement measured{{largest, rows > 0 ? sum / static_cast<double>(rows) : not_defined, relative}, {}};
    measured.values.insert(measured.values.end(), layers.begin(), layers.end());
    return measured;
  }

  Archive state() const override { return save_list(start_); }
  void load(const Archive& archive, const at::Device& device) override {
    start_ = load_list(archive, device);
  }

 private:
  static std::vector<std::pair<std::string, Tensor>> matrices(const Moment& moment) {
    auto parameters = trained_parameters(moment.network);
    std::erase_if(parameters,
                  [](const auto& named) { return named.second.dim() < 2 || named.second.numel() == 0; });
    return parameters;
  }
  static Tensor row_norms(const Tensor& matrix) {
    return at::linalg_vector_norm(matrix.flatten(1), 2, at::IntArrayRef({1}), false, at::kDouble);
  }

  std::vector<Tensor> start_;
};

std::unique_ptr<Probe> make_neuron_movement(const NeuronMovementOptions& options) {
  return std::make_unique<NeuronMovement>(options);
}

}  // namespace

PLUMB_REGISTER(
    Probes, neuron_movement, NeuronMovementOptions, make_neuron_movement,
    "largest and mean distance that a unit's incoming weights went, max_r ||w_r - w_r(0)||, also by layer")

}  // namespace plumb
