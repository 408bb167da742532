/// The smallest network that gradient descent fits random labels with: the measured side of the bounds on
/// overparameterization.
#pragma once

#include <string>
#include <vector>

#include "plumb/lecture/system.hpp"
#include "plumb/models/activation.hpp"
#include "plumb/theory/scaling_fit.hpp"
#include "plumb/training/ensemble.hpp"

namespace plumb {

/// One row of the table in Song et al. 2021: what is trained on what, and how the sufficient size grows.
struct BoundRow {
  std::string name;  // short, for options
  std::string reference;
  std::string setting;
  std::string bound;            // as the source writes it: "Omega(n^2) parameters"
  double exponent = 0;          // of n in it
  bool logarithms = false;      // hidden in it
  std::vector<bool> trained{};  // layer by layer, from the inputs
  EnsembleLoss loss = EnsembleLoss::square;
  Activation activation = Activation::relu;
  bool gaussian_labels = false;  // N(0, 1); otherwise random signs
  bool separated = false;        // the points of the unit sphere keep WidthSearch::separation
  int64_t patience = 1;          // factor on the number of steps: a convex problem has no other hindrance
  int64_t dimension_factor = 1;  // of WidthSearch::dimension, see the rows that have one
  double sharpness = 1;          // deviation of the first layer's weights
  bool small_product = false;    // initial deviations 1 and 1/sqrt(d m), as Song et al. ask
};

/// The six rows, that of Kawaguchi & Huang twice: with softplus, which their theorem is about, and with ReLU,
/// which the table prints.
std::vector<BoundRow> bound_rows();

struct WidthSearch {
  std::vector<int64_t> examples{40, 80, 160};
  int64_t dimension = 10;
  double separation = 0.5;  // smallest distance of two points, in the rows that ask for it
  int64_t seeds = 8;
  int64_t max_steps = 10000;
  int64_t max_width = 512;
  double relative_loss = 1e-4;  // of square; the other losses end at accuracy 1
};

/// The smallest width found for one draw of data and weights.
struct WidthFound {
  int64_t examples = 0;
  int64_t width = 0;       // 0: none up to max_width
  int64_t parameters = 0;  // trained ones at that width
};

/// The fraction of the unit sphere in R^d that lies within `distance` of one of its points.
double cap_fraction(int64_t d, double distance);

/// Doubles the width until a training succeeds, then bisects to one unit or a sixteenth of the width: for
/// every number of examples and every seed. All seeds of one number of examples are advanced together. A
/// training is gradient descent with step 1/lambda (4/lambda for the logistic loss), lambda the largest
/// eigenvalue of the tangent kernel at its start, on L = 1/2 ||f - y||^2 or the sum of logistic losses.
/// Success need not be monotone in the width; the search then ends at one of the changes. Throws
/// ContractError for an empty search, or points that find no room on the sphere.
std::vector<WidthFound> smallest_widths(const BoundRow& row, const WidthSearch& search, const Seed& seed);

/// The same for every row, on all threads.
std::vector<std::vector<WidthFound>> smallest_widths_of_all(const std::vector<BoundRow>& rows,
                                                            const WidthSearch& search, const Seed& seed);

/// The fit of width = c n^p to all draws that ended; at least two different n are needed.
theory::PowerLaw width_law(const std::vector<WidthFound>& found);

/// "The smallest width grows no faster than the theorem's": p at most the exponent, plus 1/log(n) for hidden
/// logarithms with n the geometric mean of the numbers of examples, which is what one factor log n adds
/// there. Assumes that every search ended.
Claim exponent_claim(const BoundRow& row, const std::vector<WidthFound>& found);

/// "Nothing fits with fewer trained parameters than examples": the least parameters / n of each row with the
/// square loss, whose labels a smooth map of fewer parameters misses almost surely (Sard). `found[i]` belongs
/// to rows[i]; assumes that every search ended.
Claim counting_claim(const std::vector<BoundRow>& rows, const std::vector<std::vector<WidthFound>>& found);

}  // namespace plumb
