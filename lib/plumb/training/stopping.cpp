#include "plumb/training/stopping.hpp"

namespace plumb {

std::string_view to_string(Outcome outcome) {
  switch (outcome) {
    case Outcome::train_accuracy_reached:
      return "train_accuracy_reached";
    case Outcome::train_loss_reached:
      return "train_loss_reached";
    case Outcome::step_limit:
      return "step_limit";
    case Outcome::epoch_limit:
      return "epoch_limit";
    case Outcome::time_limit:
      return "time_limit";
    case Outcome::diverged:
      return "diverged";
    case Outcome::interrupted:
      return "interrupted";
  }
  return "unknown";
}

}  // namespace plumb
