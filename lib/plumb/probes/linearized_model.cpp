// The network linearized at its start, h_lin(u, x) = h(w0, x) + J(w0, x) (u - w0), trained beside the
// network: with a loss, batches, learning rates and an optimizer like the network's own, from u = w0. In lazy
// training the two stay together (Chizat, Oyallon and Bach 2019; Lee et al. 2019); their gap says how far the
// network is from that.
//
// No second network is made: for a moment the parameters refer to the weights of the start, where a
// derivative along u - w0 and a backward pass give values and gradients of h_lin. Both models are taken in
// evaluation mode, with the buffers of the start for h_lin: for networks without batch normalization that is
// all there is.
#include <cmath>

#include <torch/torch.h>

#include "plumb/autograd/forward_derivative.hpp"
#include "plumb/core/error.hpp"
#include "plumb/probes/probe.hpp"

namespace plumb {
namespace {

struct LinearizedModelOptions : ProbeSetOptions {};

std::vector<Tensor> weights_of(const Network& network) {
  std::vector<Tensor> weights;
  for (const auto& [name, parameter] : trained_parameters(network)) weights.push_back(parameter);
  return weights;
}

std::vector<Tensor> differences(const std::vector<Tensor>& left, const std::vector<Tensor>& right) {
  const at::NoGradGuard no_grad;
  std::vector<Tensor> all;
  for (size_t i = 0; i < left.size(); ++i) all.push_back(left[i].detach() - right[i]);
  return all;
}

/// Within its scope tensors refer to other numbers; not a bit of their own is written.
class Exchanged {
 public:
  Exchanged(std::vector<Tensor> tensors, const std::vector<Tensor>& others) : tensors_(std::move(tensors)) {
    for (size_t i = 0; i < tensors_.size(); ++i) {
      own_.push_back(tensors_[i].data());
      tensors_[i].set_data(others[i]);
    }
  }
  Exchanged(const Exchanged&) = delete;
  Exchanged& operator=(const Exchanged&) = delete;
  ~Exchanged() {
    for (size_t i = 0; i < tensors_.size(); ++i) tensors_[i].set_data(own_[i]);
  }

 private:
  std::vector<Tensor> tensors_, own_;
};

class LinearizedModel final : public ProbeOnSet<LinearizedModelOptions> {
 public:
  using ProbeOnSet::ProbeOnSet;

  std::vector<Column> columns() const override {
    return {{"gap", "||h - h_lin||_F / sqrt(n) on the probe set, h_lin at its own weights u"},
            {"relative_gap", "||h - h_lin||_F / ||h||_F",
             ColumnFigure{"Gap to the linearized model", "‖h − h_lin‖ / ‖h‖", false,
                          "h_lin: the network linearized at w(0), trained on the same batches with the same "
                          "steps."}},
            {"taylor_gap",
             "||h - h_lin||_F / ||h||_F with h_lin at the network's weights w: the error of the "
             "linearization itself"},
            {"weight_gap", "||w - u|| / ||w - w(0)||"},
            {"network_loss", "L of the network over the probe set"},
            {"linearized_loss", "L of h_lin over the probe set"},
            {"network_accuracy", "of the network on the probe set, against the labels trained on"},
            {"linearized_accuracy", "of h_lin"}};
  }

  void follow(const Moment& moment) override {
    if (!start_.empty() || moment.step > 0) return;
    if (moment.data.augment)
      throw ConfigError(
          "probes: linearized_model: batches with random crops or flips cannot be shown to it again");
    const at::NoGradGuard no_grad;
    start_ = copy_weights(moment);
    own_ = copy_weights(moment);
    for (const Tensor& buffer : moment.network.buffers()) buffers_.push_back(buffer.clone());
  }

  bool accompanies_updates() const override { return true; }

  /// One update of u, in slices as the network's own.
  void before_update(const Moment& moment) override {
    const Update& update = *moment.update;
    const TrainingData& data = moment.data;
    if (!optimizer_) {
      optimizer_ = update.options.optimizer.make(own_);
      if (!optimizer_state_.values().empty()) optimizer_->load(optimizer_state_);
    }
    const int64_t examples = update.indices.size(0);
    const int64_t slice = std::min(update.options.micro_batch.value_or(examples), examples);
    for (Tensor& weight : own_) weight.mutable_grad() = Tensor();
    for (int64_t begin = 0; begin < examples; begin += slice) {
      const Tensor indices = update.indices.slice(0, begin, std::min(begin + slice, examples));
      add_gradient(moment, data.evaluation_inputs(data.train.inputs.index_select(0, indices)),
                   data.train.targets.index_select(0, indices), moment.loss.scale(examples));
    }
    optimizer_->step(update.learning_rate);
  }

  Measurement measure(const Moment& moment, const ProbeSet& set) override {
    const at::NoGradGuard no_grad;
    const Tensor h = moment.network.forward(set.inputs);
    const std::vector<Tensor> weights = weights_of(moment.network);
    const Tensor linear = outputs_at(own_, moment, set.inputs);
    std::vector<Tensor> present;
    for (const Tensor& weight : weights) present.push_back(weight.detach().clone());
    const Tensor taylor = outputs_at(present, moment, set.inputs);
    const auto loss = [&](const Tensor& outputs) {
      return moment.loss.sum(outputs, set.targets).item<double>() * moment.loss.scale(set.size());
    };
    const Decision decision = decision_for(moment.data.train.targets);
    const auto accuracy = [&](const Tensor& outputs) {
      return correct_count(decision, outputs, set.targets).item<double>() / static_cast<double>(set.size());
    };
    const double norm = norm_of(h), gap = norm_of(h - linear), moved = norm_of(differences(weights, start_));
    return {{gap / std::sqrt(static_cast<double>(set.size())), gap / norm, norm_of(h - taylor) / norm,
             moved > 0 ? norm_of(differences(weights, own_)) / moved : not_defined, loss(h), loss(linear),
             accuracy(h), accuracy(linear)},
            {}};
  }

  Archive state() const override {
    Archive archive;
    archive.put("start", save_list(start_));
    archive.put("own", save_list(own_));
    archive.put("buffers", save_list(buffers_));
    archive.put("optimizer", optimizer_ ? optimizer_->state() : optimizer_state_);
    return archive;
  }
  void load(const Archive& archive, const at::Device& device) override {
    start_ = load_list(archive.archive("start"), device);
    own_ = load_list(archive.archive("own"), device);
    buffers_ = load_list(archive.archive("buffers"), device);
    optimizer_state_ = archive.archive("optimizer");
  }

 private:
  /// The tensors that hold the state of the network, and what they were at the start.
  Exchanged at_start(const Moment& moment) const {
    std::vector<Tensor> tensors = weights_of(moment.network), start = start_;
    for (const Tensor& buffer : moment.network.buffers()) tensors.push_back(buffer);
    start.insert(start.end(), buffers_.begin(), buffers_.end());
    return Exchanged(std::move(tensors), start);
  }

  /// J(w0) (u - w0) with the network's tensors at the start.
  Tensor change(const std::vector<Tensor>& u, const Moment& moment, const Tensor& inputs) const {
    const at::AutoGradMode grad_mode(true);
    return autograd::jvp_of_parameters([&] { return moment.network.forward(inputs); },
                                       weights_of(moment.network), differences(u, start_));
  }

  /// h_lin(u) without a graph.
  Tensor outputs_at(const std::vector<Tensor>& u, const Moment& moment, const Tensor& inputs) const {
    const Exchanged weights = at_start(moment);
    const Tensor moved = change(u, moment, inputs);
    const at::NoGradGuard no_grad;
    return moment.network.forward(inputs) + moved;
  }

  /// Adds scale * d/du sum_i l(h_lin(u, x_i), y_i) = scale * J(w0)' dl/dh to u's gradients.
  void add_gradient(const Moment& moment, const Tensor& inputs, const Tensor& labels, double scale) {
    const Exchanged exchanged = at_start(moment);
    const Tensor moved = change(own_, moment, inputs);
    const at::AutoGradMode grad_mode(true);
    const Tensor at_w0 = moment.network.forward(inputs);
    const Tensor linear = (at_w0.detach() + moved).requires_grad_(true);
    const Tensor slope = torch::autograd::grad({moment.loss.sum(linear, labels) * scale}, {linear}).front();
    const auto gradients =
        torch::autograd::grad({at_w0}, weights_of(moment.network), {slope}, /*retain_graph=*/false,
                              /*create_graph=*/false, /*allow_unused=*/true);
    for (size_t i = 0; i < own_.size(); ++i) {
      if (!gradients[i].defined()) continue;
      Tensor& gradient = own_[i].mutable_grad();
      gradient = gradient.defined() ? gradient + gradients[i] : gradients[i];
    }
  }

  std::vector<Tensor> start_, own_, buffers_;  // w0, u, and the buffers at the start
  std::unique_ptr<Optimizer> optimizer_;       // from the first update on
  Archive optimizer_state_;                    // to be loaded then
};

std::unique_ptr<Probe> make_linearized_model(const LinearizedModelOptions& options) {
  return std::make_unique<LinearizedModel>(options);
}

}  // namespace

PLUMB_REGISTER(
    Probes, linearized_model, LinearizedModelOptions, make_linearized_model,
    "the network linearized at its start, trained beside it on the same batches, and their gap; costs three "
    "to four times a training step at every step")

}  // namespace plumb
