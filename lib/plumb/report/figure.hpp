/// Line figures: what is drawn, as a value; drawn as SVG that reads in light and dark, on paper and on a
/// phone.
#pragma once

#include <limits>
#include <string>
#include <vector>

namespace plumb {

/// One axis of a figure. A limit that is NaN follows the data.
struct Axis {
  std::string label;  // with the unit
  bool logarithmic = false;
  double low = std::numeric_limits<double>::quiet_NaN();
  double high = std::numeric_limits<double>::quiet_NaN();
};

/// A line through points. Points beyond 1e300, not finite, or not positive on a logarithmic axis are not
/// drawn and break the line.
struct Curve {
  std::string label;
  std::vector<double> x;
  std::vector<double> y;      // as long as x
  std::vector<double> error;  // as long as x, or empty: half the length of the error bars; NaN: no bar
};

struct Figure {
  std::string name;  // of its files; lower-case letters, digits and underscores
  std::string title;
  std::string caption;  // how to read it: what is averaged, what bars mean
  Axis x;
  Axis y;
  std::vector<Curve> curves;
  bool band = false;  // errors as a band along the curve instead of bars at its points
};

/// A complete SVG document without fixed size: text follows the reader's light or dark setting, and curves
/// differ in colour, dashes and markers. Throws ContractError for a malformed figure, DataError when gnuplot
/// fails.
std::string render_svg(const Figure& figure);

/// The numbers of a figure: `curve,x,y,error` lines with 17 significant digits; labels are quoted.
std::string figure_csv(const Figure& figure);

/// True when at least one curve has a point that can be drawn.
bool drawable(const Figure& figure);

}  // namespace plumb
