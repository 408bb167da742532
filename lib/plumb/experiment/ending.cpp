#include "plumb/experiment/ending.hpp"

#include <cmath>

#include <nlohmann/json.hpp>

#include "plumb/core/error.hpp"

namespace plumb {
namespace {

using Json = nlohmann::ordered_json;

/// JSON has no NaN; null stands for it, as does an absent number.
double number_in(const Json& json, const char* key) {
  const auto found = json.find(key);
  return found != json.end() && found->is_number() ? found->get<double>() : not_defined;
}

Outcome outcome_called(const std::string& name, const std::filesystem::path& file) {
  for (int i = 0; i <= static_cast<int>(Outcome::interrupted); ++i)
    if (name == to_string(static_cast<Outcome>(i))) return static_cast<Outcome>(i);
  throw DataError(fmt::format("{}: not an outcome that plumb writes; remove it to run again", file.string()));
}

}  // namespace

std::optional<Ending> Ending::read(const RunDirectory& directory) {
  if (!directory.finished()) return std::nullopt;
  const Json json = Json::parse(read_file(directory.outcome()), nullptr, false);
  const bool names = json.is_object() && json.contains("outcome") && json["outcome"].is_string();
  Ending ending;
  ending.outcome = outcome_called(names ? json["outcome"].get<std::string>() : "", directory.outcome());
  if (json.contains("step") && json["step"].is_number_integer()) ending.step = json["step"].get<int64_t>();
  ending.epoch = number_in(json, "epoch");
  ending.seconds = number_in(json, "training_seconds") + number_in(json, "evaluation_seconds");
  ending.train_loss = number_in(json, "train_loss");
  ending.train_accuracy = number_in(json, "train_accuracy");
  if (const auto due = json.find("evaluation_was_due"); due != json.end() && due->is_boolean())
    ending.evaluation_was_due = due->get<bool>();
  return ending;
}

void Ending::write(const RunDirectory& directory, double training_seconds, double evaluation_seconds,
                   double probe_seconds) const {
  const Json json{{"outcome", to_string(outcome)},
                  {"message", ""},
                  {"step", step},
                  {"epoch", epoch},
                  {"train_loss", train_loss},
                  {"train_accuracy", train_accuracy},
                  {"evaluation_was_due", evaluation_was_due},
                  {"training_seconds", training_seconds},
                  {"evaluation_seconds", evaluation_seconds},
                  {"probe_seconds", probe_seconds}};
  write_file_atomically(directory.outcome(), json.dump(2) + "\n");
}

bool Ending::goes_on(const StopOptions& stop) const {
  if (outcome == Outcome::diverged) return false;
  const bool limit = (stop.steps && step >= *stop.steps) || (stop.epochs && epoch >= *stop.epochs) ||
                     (stop.seconds && seconds >= *stop.seconds);
  if (limit) return false;
  if (!evaluation_was_due) return true;
  const bool known = !std::isnan(train_accuracy);
  const bool accurate = known ? train_accuracy >= stop.train_accuracy.value_or(2)
                              : stop.train_accuracy && outcome == Outcome::train_accuracy_reached;
  const bool low = known ? stop.train_loss && train_loss <= *stop.train_loss
                         : stop.train_loss && outcome == Outcome::train_loss_reached;
  return !accurate && !low;
}

bool Ending::beyond(const StopOptions& stop) const {
  if (outcome == Outcome::diverged || step == 0) return false;
  // Epochs may end in the middle of a step: the limit was passed if the state before had reached it.
  const double before = epoch - epoch / static_cast<double>(step) * (1 - 1e-9);
  return (stop.steps && step > *stop.steps) || (stop.epochs && before >= *stop.epochs);
}

}  // namespace plumb
