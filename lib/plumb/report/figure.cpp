#include "plumb/report/figure.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <regex>

#include "plumb/core/error.hpp"
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
constexpr int figure_width = 440, plot_height = 300, legend_row = 20;

/// The ink of a curve: beyond eight curves, colours come again with other dashes and markers.
Ink ink(size_t curve) {
  const size_t round = curve / inks.size();
  Ink result = inks[curve % inks.size()];
  result.marker = inks[(curve + 3 * round) % inks.size()].marker;
  result.dashes = inks[(curve + round) % inks.size()].dashes;
  return result;
}

bool visible(double value, const Axis& axis) {
  return std::isfinite(value) && (!axis.logarithmic || value > 0);
}

/// Cuts a label that would run over the figure, at a character's beginning in UTF-8.
std::string legend_label(const std::string& label) {
  constexpr size_t longest = 46;
  if (label.size() <= longest) return label;
  size_t end = longest - 1;
  while (end > 0 && (static_cast<unsigned char>(label[end]) & 0xc0) == 0x80) --end;
  return label.substr(0, end) + "…";
}

int legend_rows(const Figure& figure) {
  size_t longest = 0;
  for (const Curve& curve : figure.curves) longest = std::max(longest, legend_label(curve.label).size());
  const size_t columns = std::max<size_t>(1, static_cast<size_t>(figure_width - 60) / (longest * 8 + 46));
  return static_cast<int>((figure.curves.size() + columns - 1) / columns);
}

std::string axis_script(const char* name, const Axis& axis) {
  const auto limit = [](double value) { return std::isnan(value) ? "*" : fmt::format("{:.17g}", value); };
  std::string script = fmt::format("set {}label {} noenhanced\nset {}range [{}:{}]\n", name,
                                   gnuplot_string(axis.label), name, limit(axis.low), limit(axis.high));
  if (axis.logarithmic) script += fmt::format("set logscale {}\nset format {} '10^{{%L}}'\n", name, name);
  return script;
}

std::string data_script(const Figure& figure) {
  std::string script;
  for (size_t i = 0; i < figure.curves.size(); ++i) {
    const Curve& curve = figure.curves[i];
    script += fmt::format("$curve{} << END\n", i);
    for (size_t k = 0; k < curve.x.size(); ++k) {
      const double error = curve.error.empty() ? std::nan("") : curve.error[k];
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
      plots.push_back(
          fmt::format("$curve{} using 1:2:3 with yerrorbars lc rgb '{}' lw 1.5 pt -2 notitle", i, colour));
  }
  for (size_t i = 0; i < figure.curves.size(); ++i) {
    const Curve& curve = figure.curves[i];
    const size_t every =
        std::max<size_t>(1, curve.x.size() / 9);  // about nine markers, not all at the same place
    plots.push_back(fmt::format(
        "$curve{} using 1:2 with linespoints lc rgb '{}' lw 2 dt {} pt {} ps 0.75 pi {} title {}", i,
        ink(i).light, ink(i).dashes, ink(i).marker, every, gnuplot_string(legend_label(curve.label))));
  }
  return fmt::format("plot {}\n", fmt::join(plots, ", "));
}

std::string figure_script(const Figure& figure) {
  return fmt::format(
             "set encoding utf8\n"
             "set terminal svg size {},{} dynamic enhanced font 'sans-serif,14' name '{}' background '{}'\n"
             "set border 3 linecolor rgb '{}'\n"
             "set grid linecolor rgb '{}' linewidth 1 dashtype solid\n"
             "set tics nomirror out scale 0.5\n"
             "set key {} noenhanced outside bottom center horizontal Left reverse samplen 2.6 spacing 1.1\n"
             "set lmargin 8\nset rmargin 2\nset tmargin 1\n",
             figure_width, plot_height + legend_row * legend_rows(figure), figure.name, light_paper,
             light_text, light_grid, figure.curves.size() > 1 ? "on" : "off") +
         axis_script("x", figure.x) + axis_script("y", figure.y) + data_script(figure) + plot_script(figure);
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
                  figure_width, plot_height + legend_row * legend_rows(figure), escape_html(figure.title),
                  style_sheet()));
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
    std::string label = curve.label;
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
