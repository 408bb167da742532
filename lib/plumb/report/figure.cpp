#include "plumb/report/figure.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <regex>

#include "plumb/core/error.hpp"
#include "plumb/core/text.hpp"
#include "plumb/report/gnuplot.hpp"
#include "plumb/report/html.hpp"

namespace plumb {
namespace {

/// Colours after Okabe and Ito, told apart by colour-blind readers; the second of each pair is for dark
/// paper.
struct Ink {
  std::string_view light, dark;
  int marker;  // gnuplot's point type
  std::string_view dashes;
};
constexpr std::array<Ink, 8> inks{{{"#0067a5", "#5bb8f5", 7, "solid"},
                                   {"#c8500a", "#ff9a4d", 5, "(9,3)"},
                                   {"#008060", "#3ddbaa", 9, "(3,3)"},
                                   {"#a0429a", "#eb95dc", 11, "(9,3,2,3)"},
                                   {"#7a6000", "#e6cf3c", 13, "(14,4)"},
                                   {"#4d5a66", "#b4c0cc", 6, "(5,2,1,2,1,2)"},
                                   {"#1f2fb4", "#9aa6ff", 4, "(2,2)"},
                                   {"#b01030", "#ff8294", 8, "(12,3,3,3)"}}};
constexpr std::string_view light_paper = "#ffffff", dark_paper = "#12161b";
constexpr std::string_view light_text = "#1b1f24", dark_text = "#e6e9ed";
constexpr std::string_view light_grid = "#dde1e6", dark_grid = "#2f363f";
constexpr int figure_width = 440, plot_height = 310, legend_row = 20;

/// The ink of a curve: beyond eight curves, colours come again with other dashes and markers.
Ink ink(size_t curve) {
  const size_t round = curve / inks.size();
  Ink result = inks[curve % inks.size()];
  result.marker = inks[(curve + 3 * round) % inks.size()].marker;
  result.dashes = inks[(curve + round) % inks.size()].dashes;
  return result;
}

/// Beyond this gnuplot's own arithmetic overflows.
constexpr double largest_drawn = 1e300;

bool visible(double value, const Axis& axis) {
  return std::abs(value) < largest_drawn && (!axis.logarithmic || value > 0);
}

/// A label that does not run over the figure.
std::string legend_label(const std::string& label) { return clipped(plain_line(label), 46); }

/// How the entries under the plot are arranged.
struct Legend {
  size_t columns = 1;
  int column_width = 0;
  int height = 0;
};

Legend legend_of(const Figure& figure) {
  if (figure.curves.size() < 2) return {};
  size_t longest = 0;
  for (const Curve& curve : figure.curves)
    longest = std::max(longest, character_count(legend_label(curve.label)));
  const int entry = 54 + static_cast<int>(longest) * 15 / 2;  // the piece of line, the letters, a gap
  const size_t columns =
      std::clamp<size_t>(static_cast<size_t>((figure_width - 14) / entry), 1, figure.curves.size());
  const size_t rows = (figure.curves.size() + columns - 1) / columns;
  return {columns, (figure_width - 14) / static_cast<int>(columns), static_cast<int>(rows) * legend_row + 4};
}

int figure_height(const Figure& figure) { return plot_height + legend_of(figure).height; }

std::string axis_script(const char* name, const Axis& axis) {
  const auto limit = [](double value) { return std::isnan(value) ? "*" : fmt::format("{:.17g}", value); };
  std::string script = fmt::format("set {}range [{}:{}]\n", name, limit(axis.low), limit(axis.high));
  if (axis.logarithmic) script += fmt::format("set logscale {}\nset format {} '10^{{%L}}'\n", name, name);
  return script;
}

std::string data_script(const Figure& figure) {
  std::string script;
  for (size_t i = 0; i < figure.curves.size(); ++i) {
    const Curve& curve = figure.curves[i];
    script += fmt::format("$curve{} << END\n", i);
    for (size_t k = 0; k < curve.x.size(); ++k) {
      double error = curve.error.empty() ? std::nan("") : curve.error[k];
      if (error >= largest_drawn) error = std::nan("");
      if (visible(curve.x[k], figure.x) && visible(curve.y[k], figure.y))
        script += fmt::format("{:.17g} {:.17g} {:.17g}\n", curve.x[k], curve.y[k], error);
      else
        script += "\n";  // an empty line breaks the line
    }
    script += "END\n";
  }
  return script;
}

bool has_errors(const Curve& curve) {
  return std::any_of(curve.error.begin(), curve.error.end(),
                     [](double e) { return std::isfinite(e) && e > 0; });
}

/// Bands and bars first, lines over them.
std::string plot_script(const Figure& figure) {
  std::vector<std::string> plots;
  for (size_t i = 0; i < figure.curves.size(); ++i) {
    if (!has_errors(figure.curves[i])) continue;
    const std::string_view colour = ink(i).light;
    if (figure.band)
      plots.push_back(
          fmt::format("$curve{} using 1:($2-$3):($2+$3) with filledcurves fc rgb '{}' "
                      "fs transparent solid 0.2 noborder notitle",
                      i, colour));
    else
      plots.push_back(fmt::format(
          "$curve{} using 1:2:3 with yerrorbars lc rgb '{}' lw 1.5 dt solid pt -2 notitle", i, colour));
  }
  for (size_t i = 0; i < figure.curves.size(); ++i) {
    const Curve& curve = figure.curves[i];
    const size_t every =
        std::max<size_t>(1, curve.x.size() / 9);  // about nine markers, not all at the same place
    plots.push_back(
        fmt::format("$curve{} using 1:2 with linespoints lc rgb '{}' lw 2 dt {} pt {} ps 0.75 pi {} notitle",
                    i, ink(i).light, ink(i).dashes, ink(i).marker, every));
  }
  return fmt::format("plot {}\n", fmt::join(plots, ", "));
}

/// One entry of the legend: a piece of the line with its marker, and the label. Drawn by hand because
/// gnuplot's own key leaves out entries for which it sees no room.
std::string legend_entry(const Figure& figure, size_t curve) {
  const Legend legend = legend_of(figure);
  const double height = figure_height(figure);
  const size_t row = curve / legend.columns;
  const double left = 14.0 + static_cast<double>(curve % legend.columns) * legend.column_width;
  const double y = (legend.height - (static_cast<double>(row) + 0.5) * legend_row) / height;
  const auto x = [left](double offset) { return (left + offset) / figure_width; };
  const Ink look = ink(curve);
  return fmt::format(
      "set arrow from screen {:.5f},{:.5f} to screen {:.5f},{:.5f} nohead lc rgb '{}' lw 2 dt {}\n"
      "set label '' at screen {:.5f},{:.5f} point lc rgb '{}' pt {} ps 0.75\n"
      "set label {} at screen {:.5f},{:.5f} left noenhanced font ',13' tc rgb '{}'\n",
      x(0), y, x(34), y, look.light, look.dashes, x(17), y, look.light, look.marker,
      gnuplot_string(legend_label(figure.curves[curve].label)), x(42), y, light_text);
}

std::string layout_script(const Figure& figure) {
  const double height = figure_height(figure);
  std::string script = fmt::format(
      "set key off\nset lmargin at screen {:.5f}\nset rmargin at screen {:.5f}\nset tmargin at screen "
      "{:.5f}\n"
      "set bmargin at screen {:.5f}\nset label {} at screen {:.5f},{:.5f} left noenhanced tc rgb '{}'\n",
      50.0 / figure_width, 1 - 24.0 / figure_width, 1 - 34 / height, (legend_of(figure).height + 62) / height,
      gnuplot_string(figure.y.label), 10.0 / figure_width, 1 - 12 / height, light_text);
  if (figure.curves.size() > 1)
    for (size_t i = 0; i < figure.curves.size(); ++i) script += legend_entry(figure, i);
  return script;
}

std::string figure_script(const Figure& figure) {
  return fmt::format(
             "set encoding utf8\n"
             "set terminal svg size {},{} dynamic enhanced font 'sans-serif,14' name '{}' background '{}'\n"
             "set border 3 linecolor rgb '{}'\n"
             "set grid linecolor rgb '{}' linewidth 1\n"
             "set tics nomirror out scale 0.5 font ',12'\n"
             "set xlabel {} noenhanced offset 0,0.6\n",
             figure_width, figure_height(figure), figure.name, light_paper, light_text, light_grid,
             gnuplot_string(figure.x.label)) +
         layout_script(figure) + axis_script("x", figure.x) + axis_script("y", figure.y) +
         data_script(figure) + plot_script(figure);
}

std::string style_sheet() {
  std::string dark = fmt::format(".plumb-figure{{color:{}}}", dark_text);
  const auto recolour = [&dark](std::string_view light, std::string_view replacement) {
    for (const char* attribute : {"fill", "stroke", "color"})
      dark += fmt::format(".plumb-figure [{0}=\"{1}\"]{{{0}:{2}}}", attribute, light, replacement);
  };
  recolour(light_paper, dark_paper);
  recolour(light_grid, dark_grid);
  for (const Ink& pair : inks) recolour(pair.light, pair.dark);
  return fmt::format(
      ".plumb-figure{{color:{}}}.plumb-figure text{{font-family:system-ui,\"Helvetica "
      "Neue\",Arial,sans-serif}}"
      "@media screen and (prefers-color-scheme:dark){{{}}}",
      light_text, dark);
}

/// gnuplot writes colours as `rgb(  0, 103, 165)`; attribute selectors need one spelling.
std::string with_hexadecimal_colours(const std::string& svg) {
  static const std::regex pattern(R"((['"])rgb\( *(\d+), *(\d+), *(\d+)\)['"])");
  std::string result;
  size_t end = 0;
  for (std::sregex_iterator match(svg.begin(), svg.end(), pattern), none; match != none; ++match) {
    result.append(svg, end, static_cast<size_t>(match->position()) - end);
    result += fmt::format("\"#{:02x}{:02x}{:02x}\"", std::stoi((*match)[2]), std::stoi((*match)[3]),
                          std::stoi((*match)[4]));
    end = static_cast<size_t>(match->position() + match->length());
  }
  return result.append(svg, end);
}

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
}

/// Makes gnuplot's document follow the reader's colours, its identifiers unique to the figure, and its size
/// free.
std::string adapt_svg(std::string svg, const Figure& figure) {
  svg = with_hexadecimal_colours(svg);
  replace_all(svg, "#FFFFFF", light_paper);
  replace_all(svg, fmt::format("\"{}\"", light_text), "\"currentColor\"");
  replace_all(svg, "\"black\"", "\"currentColor\"");
  replace_all(svg, "id='gp", fmt::format("id='{}-gp", figure.name));
  replace_all(svg, "href='#gp", fmt::format("href='#{}-gp", figure.name));
  svg = std::regex_replace(svg, std::regex(R"(<filter[^]*?</filter>)"),
                           "");  // boxes behind text, which we never use
  svg = std::regex_replace(svg, std::regex(R"(<title>\w+_plot_\d+</title>)"), "");
  svg = std::regex_replace(svg, std::regex(R"(<g fill="none"[^>]*>\s*</g>\s*)"), "");
  const size_t body = svg.find("<g id=\"gnuplot_canvas\">");
  expects(body != std::string::npos, "gnuplot's SVG has no canvas");
  svg.replace(
      0, body,
      fmt::format("<svg class=\"plumb-figure\" viewBox=\"0 0 {} {}\" role=\"img\" "
                  "xmlns=\"http://www.w3.org/2000/svg\" xmlns:xlink=\"http://www.w3.org/1999/xlink\">\n"
                  "<title>{}</title>\n<style>{}</style>\n",
                  figure_width, figure_height(figure), escape_html(figure.title), style_sheet()));
  replace_all(svg, "id=\"gnuplot_canvas\"", fmt::format("id=\"{}-canvas\"", figure.name));
  return svg;
}

void check_figure(const Figure& figure) {
  const bool plain =
      !figure.name.empty() &&
      figure.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == std::string::npos;
  expects(plain, "a figure's name needs lower-case letters, digits and underscores, got '{}'", figure.name);
  for (const Curve& curve : figure.curves) {
    expects(curve.x.size() == curve.y.size(), "curve '{}' has {} x and {} y", curve.label, curve.x.size(),
            curve.y.size());
    expects(curve.error.empty() || curve.error.size() == curve.x.size(), "curve '{}' has {} x and {} errors",
            curve.label, curve.x.size(), curve.error.size());
  }
}

}  // namespace

std::string render_svg(const Figure& figure) {
  check_figure(figure);
  expects(drawable(figure), "figure '{}' has no point that can be drawn", figure.name);
  return adapt_svg(run_gnuplot(figure_script(figure)), figure);
}

std::string figure_csv(const Figure& figure) {
  check_figure(figure);
  std::string csv = "curve,x,y,error\n";
  for (const Curve& curve : figure.curves) {
    std::string label = plain_line(curve.label);
    replace_all(label, "\"", "\"\"");
    for (size_t i = 0; i < curve.x.size(); ++i)
      csv += fmt::format("\"{}\",{:.17g},{:.17g},{:.17g}\n", label, curve.x[i], curve.y[i],
                         curve.error.empty() ? std::nan("") : curve.error[i]);
  }
  return csv;
}

bool drawable(const Figure& figure) {
  for (const Curve& curve : figure.curves)
    for (size_t i = 0; i < curve.x.size(); ++i)
      if (visible(curve.x[i], figure.x) && visible(curve.y[i], figure.y)) return true;
  return false;
}

}  // namespace plumb
