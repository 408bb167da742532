// Oracle: Python's XML and HTML parsers for well-formedness; hand-written expectations for content.
#include "plumb/report/report.hpp"

#include <cmath>

#include "report/runs.hpp"
#include "support/catch.hpp"
#include "support/files.hpp"
#include <stdlib.h>

#include "plumb/core/error.hpp"
#include "plumb/report/figure.hpp"
#include "plumb/report/html.hpp"

using plumb::DataError;
using plumb::Figure;
using plumb::test::TemporaryFolder;
using plumb::test::write_experiment;
using plumb::test::write_run;
using plumb::test::write_text;

namespace {

const std::string hostile = "<script>alert('1')</script> & \"q\" \\n @x_{y}^2 `touch /tmp/x` 'q' %g";

bool is_xml(const std::filesystem::path& file) {
  const std::string command = "python3 -c 'import sys,xml.dom.minidom as m; m.parse(sys.argv[1])' '" +
                              file.string() + "' 2>/dev/null";
  return ::system(command.c_str()) == 0;
}

Figure small_figure() {
  Figure figure;
  figure.name = "small";
  figure.title = hostile;
  figure.x.label = hostile;
  figure.y.label = hostile;
  figure.curves = {{hostile, {1, 10, 100}, {0.5, 2, 3}, {0.1, NAN, 0.2}},
                   {"second", {1, 10, 100}, {1, NAN, 2}, {}}};
  return figure;
}

}  // namespace

TEST_CASE("a figure is well-formed SVG without fixed size, whatever its texts", "[report][figure]") {
  const TemporaryFolder folder;
  for (const bool logarithmic : {false, true}) {
    Figure figure = small_figure();
    figure.band = logarithmic;
    figure.x.logarithmic = logarithmic;
    const std::string svg = plumb::render_svg(figure);
    write_text(folder / "a.svg", svg);
    CHECK(is_xml(folder / "a.svg"));
    CHECK(svg.starts_with("<svg class=\"plumb-figure\" viewBox=\"0 0 "));
    CHECK(svg.find("<script") == std::string::npos);
    CHECK(svg.substr(0, svg.find('>')).find(" width=") == std::string::npos);
    CHECK_THAT(svg, ContainsSubstring("prefers-color-scheme:dark"));
    CHECK_THAT(svg, ContainsSubstring("&lt;script>alert('1')&lt;/script> &amp;"));
    CHECK_THAT(svg, ContainsSubstring(
                        "\\n @x_{y}^2 `touch /tmp/x` 'q' %g</text>"));  // the label of an axis, as it is
    CHECK_THAT(svg, ContainsSubstring("second"));
    CHECK(svg.find("id='gp") == std::string::npos);
  }
}

TEST_CASE("many curves all appear in the legend and look different", "[report][figure]") {
  Figure figure = small_figure();
  figure.curves.clear();
  for (int i = 0; i < 20; ++i)
    figure.curves.push_back({fmt::format("curve number {:02}", i), {0, 1}, {1.0 * i, 2.0 * i}, {}});
  const std::string svg = plumb::render_svg(figure);
  for (int i = 0; i < 20; ++i) CHECK_THAT(svg, ContainsSubstring(fmt::format("curve number {:02}<", i)));
}

TEST_CASE("a figure's numbers are written as they are", "[report][figure]") {
  Figure figure = small_figure();
  figure.curves.front().label = "a \"b\", c";
  CHECK(plumb::figure_csv(figure) ==
        "curve,x,y,error\n\"a \"\"b\"\", c\",1,0.5,0.10000000000000001\n\"a \"\"b\"\", c\",10,2,nan\n"
        "\"a \"\"b\"\", "
        "c\",100,3,0.20000000000000001\n\"second\",1,1,nan\n\"second\",10,nan,nan\n\"second\",100,2,nan\n");
  figure.name = "../escape";
  CHECK_THROWS_AS(plumb::render_svg(figure), plumb::ContractError);
  figure.name = "a";
  figure.curves = {{"nothing", {1}, {NAN}, {}}};
  CHECK_FALSE(plumb::drawable(figure));
  CHECK_THROWS_AS(plumb::render_svg(figure), plumb::ContractError);
}

TEST_CASE("HTML text is escaped", "[report][html]") {
  CHECK(plumb::escape_html("<a href=\"x\">&'\x01") == "&lt;a href=&quot;x&quot;&gt;&amp;&#39; ");
  CHECK_THROWS_AS(plumb::html_table({{"a", "b"}, {{"1"}}}), plumb::ContractError);
}

TEST_CASE("a report holds figures, every point and what was left out", "[report][page]") {
  const TemporaryFolder folder;
  write_experiment(folder.path());
  write_run(folder.path(),
            {"e", "\"randomization\": \"<script>alert(1)</script>\"", "gaussian_pixels", 0, {0.1, 0.95}});
  write_text(folder / "foreign/x", "");
  const auto page_file = plumb::write_report(folder.path());
  CHECK(page_file == folder / "report.html");
  const std::string page = plumb::read_file(page_file);
  CHECK(page.find("<script") == std::string::npos);
  CHECK(page.find("http://") == page.find("http://www.w3.org/"));  // nothing is loaded from elsewhere
  CHECK_THAT(page, ContainsSubstring("What does it cost?"));
  CHECK_THAT(page, ContainsSubstring("diverged: said so"));
  CHECK_THAT(page, ContainsSubstring("left out: has no run.yaml"));
  CHECK_THAT(page, ContainsSubstring("2.5 ± 1.3"));
  for (const char* name : {"learning_curves", "time_to_fit", "test_error", "final_accuracy", "accuracy_1"}) {
    CAPTURE(name);
    CHECK(is_xml(folder / fmt::format("figures/{}.svg", name)));
    CHECK(std::filesystem::exists(folder / fmt::format("figures/{}.csv", name)));
  }
  const std::string slowdown = plumb::read_file(folder / "figures/time_to_fit.csv");
  CHECK_THAT(slowdown, ContainsSubstring("\n\"all\",0.5,2.5,"));
  CHECK(slowdown.find("\n\"all\",1,") == std::string::npos);  // nothing completed at p = 1
}

TEST_CASE("an experiment without a readable run gives no report", "[report][page]") {
  const TemporaryFolder folder;
  write_text(folder / "experiment.yaml", "name: e\n");
  CHECK_THROWS_WITH(plumb::write_report(folder.path()), ContainsSubstring("holds no readable run"));
}
