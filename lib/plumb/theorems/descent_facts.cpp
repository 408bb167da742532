#include "plumb/theorems/descent_facts.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <set>

#include <fmt/format.h>

#include "plumb/training/trainer.hpp"

namespace plumb {
namespace {

double number_of(const std::string& text) {
  double number = std::numeric_limits<double>::quiet_NaN();
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

/// 0 where the optimizer has no such option.
double option_of(const RecordedRun& run, std::string_view option) {
  const std::string text = run.setting(fmt::format("training.optimizer.{}", option));
  return text.empty() ? 0 : number_of(text);
}

bool is_off(const std::string& text) { return text.empty() || text == "false"; }

}  // namespace

theory::Assumption requires_true(std::string_view statement, bool holds, std::string_view instead) {
  std::string text(statement);
  if (!holds && !instead.empty()) text += fmt::format("; {}", instead);
  return {text, holds ? 1.0 : 0.0, theory::Relation::at_least, 1};
}

theory::Assumption covers_training_set(int64_t asked, int64_t all) {
  const int64_t seen = std::min(asked, all);
  const std::string less = seen < all ? fmt::format(", not {} of them (option `examples`)", seen) : "";
  return theory::requires_at_least(
      fmt::format("all {} training examples were looked at{}", all, less),
      all > 0 ? static_cast<double>(seen) : std::numeric_limits<double>::quiet_NaN(),
      static_cast<double>(all));
}

DescentFacts descent_facts(const RecordedRun& run) {
  DescentFacts facts;
  const Config* described = run.description.find("training");
  const auto training = described == nullptr ? TrainingOptions{} : read_options<TrainingOptions>(*described);
  const Loss loss = training.loss.make();
  const double examples = number_of(run.recorded("train_examples"));
  facts.examples = std::isfinite(examples) ? static_cast<int64_t>(examples) : 0;
  if (loss.square_factor && facts.examples > 0)
    facts.factor = *loss.square_factor * loss.scale(facts.examples);
  facts.rounding = std::ldexp(1.0, run.setting("compute.precision") == "float64" ? -53 : -24);
  facts.square_loss = requires_true("the loss is square", loss.square_factor.has_value(),
                                    fmt::format("it is {}", training.loss.type()));
  const std::string optimizer = training.optimizer.type();
  const auto made = training.optimizer.make({});
  const bool all_examples = made->full_batch() || training.batch_size >= facts.examples;
  const bool plain = (optimizer == "gd" || optimizer == "sgd") && option_of(run, "momentum") == 0 &&
                     option_of(run, "weight_decay") == 0;
  const bool constant = training.schedule.type() == "constant" && training.warmup_epochs == 0;
  if (constant) facts.step = made->base_learning_rate();
  const bool augmented =
      !is_off(run.setting("augmentation.random_crop")) || !is_off(run.setting("augmentation.flip"));
  facts.gradient_descent = {
      requires_true("updates are plain gradient steps, without momentum and weight decay", plain,
                    fmt::format("they are those of {}", optimizer)),
      requires_true(fmt::format("every update takes all {} training examples", facts.examples), all_examples,
                    fmt::format("it takes {}", training.batch_size)),
      requires_true("the step is constant", constant,
                    fmt::format("the schedule is {}{}", training.schedule.type(),
                                training.warmup_epochs > 0 ? " after a warm-up" : "")),
      requires_true("training examples are not augmented", !augmented)};
  // Runs of version 0.1 did not record it.
  const std::string same = run.recorded("same_in_training");
  theory::Assumption modes = requires_true(
      "the network computes the same in training and in evaluation (no batch normalization, no dropout)",
      same == "true");
  if (same.empty()) modes.measured = std::numeric_limits<double>::quiet_NaN();
  facts.gradient_descent.push_back(std::move(modes));
  return facts;
}

double DescentFacts::loss_floor(double initial_loss) const {
  return initial_loss * std::pow(1024 * rounding, 2);
}

std::optional<TwoLayerOptions> two_layer_of(const RecordedRun& run) {
  if (run.setting("model") != "two_layer") return std::nullopt;
  Config options = *run.description.find("model");
  if (!options.is_mapping()) return TwoLayerOptions{};
  options.erase("type");
  return read_options<TwoLayerOptions>(options);
}

JoinedTables::JoinedTables(const std::vector<const RecordedProbe*>& probes) : probes_(probes) {
  std::map<double, size_t> seen;  // step -> tables in which it is
  for (const RecordedProbe* probe : probes) {
    const std::vector<double> steps = probe->table.column("step");
    for (const double step : std::set<double>(steps.begin(), steps.end())) ++seen[step];
  }
  for (const auto& [step, times] : seen)
    if (times == probes.size()) steps_.push_back(step);
}

std::vector<double> JoinedTables::column(size_t table, std::string_view name) const {
  const Table& rows = probes_.at(table)->table;
  std::vector<double> values(steps_.size(), std::numeric_limits<double>::quiet_NaN());
  if (!rows.has(name)) return values;
  const std::vector<double> steps = rows.column("step"), numbers = rows.column(name);
  for (size_t i = 0; i < steps_.size(); ++i) {
    const auto found = std::ranges::lower_bound(steps, steps_[i]);
    values[i] = numbers[static_cast<size_t>(std::distance(steps.begin(), found))];
  }
  return values;
}

std::vector<std::string> JoinedTables::places() const {
  std::vector<std::string> places;
  for (const double step : steps_) places.push_back(fmt::format("step {}", step));
  return places;
}

}  // namespace plumb
