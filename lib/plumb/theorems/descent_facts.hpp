/// What theorems about gradient descent on least squares ask of a run, read from its record.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "plumb/models/two_layer.hpp"
#include "plumb/records/recorded_run.hpp"
#include "plumb/theory/prediction.hpp"

namespace plumb {

/// The loss and the descent of a run. With L = c sum_i ||h_i - y_i||^2, c = factor times 1 or 1/n as the loss
/// is a sum or a mean, grad L = 2 c J^T (h - y).
struct DescentFacts {
  int64_t examples = 0;                                      // n of the training set; 0: not recorded
  double factor = std::numeric_limits<double>::quiet_NaN();  // c; NaN: the loss is no square loss
  double step = std::numeric_limits<double>::quiet_NaN();    // eta; NaN: it changes along the run
  double rounding = 0;                                       // unit roundoff of the run's arithmetic

  /// The loss below which its rises and falls are rounding, given the loss of the start: residuals of 1024 unit
  /// roundoffs of those of the start.
  double loss_floor(double initial_loss) const;

  /// The loss is ||h - y||^2, summed or averaged.
  theory::Assumption square_loss;
  /// Every update is w -= eta grad L(w) over all examples, with one eta and without momentum, weight decay,
  /// warm-up or augmentation, of a network that computes the same in training and in evaluation.
  std::vector<theory::Assumption> gradient_descent;
};

/// Throws ConfigError where the description cannot be read.
DescentFacts descent_facts(const RecordedRun& run);

/// A statement that is true or not: measured 1 or 0, and 1 is required. Where it is not, `instead` says what
/// is.
theory::Assumption requires_true(std::string_view statement, bool holds, std::string_view instead = "");

/// All `all` training examples were looked at by a probe that asked for `asked`.
theory::Assumption covers_training_set(int64_t asked, int64_t all);

/// The options of the run's network where it is plumb's `two_layer`, else none.
std::optional<TwoLayerOptions> two_layer_of(const RecordedRun& run);

/// Tables of several probes, row by row at the steps that all of them have.
class JoinedTables {
 public:
  explicit JoinedTables(const std::vector<const RecordedProbe*>& probes);

  const std::vector<double>& steps() const { return steps_; }
  /// Of the probe `table` in the order given; NaN where the table has no such column.
  std::vector<double> column(size_t table, std::string_view name) const;
  /// "step 12", one for each row.
  std::vector<std::string> places() const;

 private:
  std::vector<const RecordedProbe*> probes_;
  std::vector<double> steps_;
};

}  // namespace plumb
