/// A page that needs nothing but itself: one file of HTML with its style, light or dark, on a phone or on
/// paper.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace plumb {

/// `text` with &, <, >, " and ' written as entities and everything but tabs and newlines as in plain_line.
std::string escape_html(std::string_view text);

/// A cell's text, already plain; numbers are set to the right.
struct HtmlTable {
  std::vector<std::string> header;
  std::vector<std::vector<std::string>> rows;  // plain text, each as long as header
  size_t text_columns = 1;  // how many columns at the left hold text; the others are numbers
};

/// A table in a box that scrolls by itself. Throws ContractError for ragged rows.
std::string html_table(const HtmlTable& table);
/// `<p>` with escaped text.
std::string html_paragraph(std::string_view text);
/// A block that opens on demand; `body` is HTML, `summary` plain text.
std::string html_details(std::string_view summary, std::string_view body);
/// An SVG document with its title and caption beneath; both plain text.
std::string html_figure(std::string_view svg, std::string_view title, std::string_view caption);

struct Section {
  std::string heading;  // plain text; empty: none
  std::string body;     // HTML
};

struct Page {
  std::string title;
  std::string subtitle;  // plain text; empty: none
  std::vector<Section> sections;
};

std::string html_page(const Page& page);

}  // namespace plumb
