// How far the weights went: the distance ||w - w(0)||, the length of the path from w(0) to w, and their
// ratio, the straightness (1: a straight line). Nagarajan and Kolter 2019 and Oymak and Soltanolkotabi 2019
// bound the first two; lazy training (Chizat, Oyallon and Bach 2019) keeps the relative distance small.
#include <cmath>

#include <torch/torch.h>

#include "plumb/probes/probe.hpp"

namespace plumb {
namespace {

struct ParameterDistanceOptions : ProbeOptions {
  int64_t path_every = 1;

  void fields(Fields& f) {
    ProbeOptions::fields(f);
    f.field("path_every", path_every,
            "updates between the points of the path whose distances are added up; more than 1 costs less and "
            "gives "
            "a lower bound",
            positive);
  }
};

class ParameterDistance final : public ProbeWith<ParameterDistanceOptions> {
 public:
  using ProbeWith::ProbeWith;

  std::vector<Column> columns() const override {
    return {{"distance", "||w - w(0)|| over all trainable parameters"},
            {"relative_distance", "||w - w(0)|| / ||w(0)||",
             ColumnFigure{"Distance from the initial weights", "‖w − w(0)‖ / ‖w(0)‖", false,
                          "All trainable parameters as one vector."}},
            {"path_length", "sum of ||w(k) - w(k - path_every)||"},
            {"straightness", "distance / path_length; nan before the first update",
             ColumnFigure{"Straightness of the path", "‖w − w(0)‖ / length of the path", false,
                          "1: the weights went along a straight line."}},
            {"norm", "||w||"}};
  }
  std::vector<std::string> layer_columns(const Moment& moment, const ProbeSet&) override {
    return parameter_columns(moment.network, "distance");
  }

  void follow(const Moment& moment) override {
    if (start_.empty()) {
      start_ = copy_weights(moment);
      last_ = copy_weights(moment);
      start_norm_ = norm_of(start_);
    } else if (moment.step % options_.path_every == 0) {
      extend_path(moment);
    }
  }

  Measurement measure(const Moment& moment, const ProbeSet&) override {
    extend_path(moment);  // the path ends where the distance does
    Measurement measured;
    double squares = 0, norm_squares = 0;
    std::vector<double> layers;
    const auto weights = trained_parameters(moment.network);
    for (size_t i = 0; i < weights.size(); ++i) {
      const at::NoGradGuard no_grad;
      layers.push_back(norm_of(weights[i].second - start_[i]));
      squares += layers.back() * layers.back();
      norm_squares += std::pow(norm_of(weights[i].second), 2);
    }
    const double distance = std::sqrt(squares);
    measured.values = {distance, start_norm_ > 0 ? distance / start_norm_ : not_defined, path_,
                       path_ > 0 ? distance / path_ : not_defined, std::sqrt(norm_squares)};
    measured.values.insert(measured.values.end(), layers.begin(), layers.end());
    return measured;
  }

  Archive state() const override {
    Archive archive;
    archive.put("start", save_list(start_));
    archive.put("last", save_list(last_));
    archive.put("path", path_);
    return archive;
  }
  void load(const Archive& archive, const at::Device& device) override {
    start_ = load_list(archive.archive("start"), device);
    last_ = load_list(archive.archive("last"), device);
    path_ = archive.number("path");
    start_norm_ = norm_of(start_);
  }

 private:
  void extend_path(const Moment& moment) {
    const at::NoGradGuard no_grad;
    const auto weights = trained_parameters(moment.network);
    double squares = 0;
    for (size_t i = 0; i < weights.size(); ++i) {
      // The difference is written over the last point, so that a step costs no memory.
      last_[i].sub_(weights[i].second);
      squares += std::pow(norm_of(last_[i]), 2);
      last_[i].copy_(weights[i].second);
    }
    path_ += std::sqrt(squares);
  }

  std::vector<Tensor> start_, last_;  // w(0), and the last point of the path
  double start_norm_ = 0;
  double path_ = 0;
};

std::unique_ptr<Probe> make_parameter_distance(const ParameterDistanceOptions& options) {
  return std::make_unique<ParameterDistance>(options);
}

}  // namespace

PLUMB_REGISTER(
    Probes, parameter_distance, ParameterDistanceOptions, make_parameter_distance,
    "distance of the weights from where they started, whole and by parameter, length of their path, "
    "straightness")

}  // namespace plumb
