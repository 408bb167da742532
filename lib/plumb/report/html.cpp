#include "plumb/report/html.hpp"

#include <algorithm>

#include "plumb/core/error.hpp"
#include "plumb/core/text.hpp"

namespace plumb {
namespace {

constexpr std::string_view page_style = R"css(
:root{color-scheme:light dark;--paper:#fff;--text:#1b1f24;--faint:#59636e;--line:#d8dde3;--tint:#f4f6f8}
@media screen and (prefers-color-scheme:dark){:root{--paper:#12161b;--text:#e6e9ed;--faint:#9aa4af;--line:#333b45;--tint:#1a2027}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0 auto;max-width:70rem;padding:1.5rem 1rem 4rem;background:var(--paper);color:var(--text);
font:1rem/1.55 system-ui,"Helvetica Neue",Arial,sans-serif;overflow-wrap:break-word}
h1{font-size:1.75rem;line-height:1.2;margin:0 0 .4rem}
h2{font-size:1.2rem;margin:2.4rem 0 .6rem}
p,li{max-width:44rem}
p{margin:.5rem 0}
.subtitle{color:var(--faint);font-size:1.1rem;margin:0 0 1.2rem;white-space:pre-line}
.findings{border-left:4px solid #0067a5;background:var(--tint);padding:.6rem 1rem;margin:1rem 0}
.findings p{max-width:none}
.figures{display:grid;gap:1.6rem 2rem;grid-template-columns:repeat(auto-fit,minmax(min(100%,26rem),1fr))}
figure{margin:0;break-inside:avoid;min-width:0}
figure svg{display:block;width:100%;height:auto;max-width:36rem}
figcaption{font-size:.9rem;color:var(--faint);max-width:36rem}
figcaption b{color:var(--text);display:block}
.scroll{overflow-x:auto;margin:.6rem 0}
table{border-collapse:collapse;font-size:.9rem;font-variant-numeric:tabular-nums}
th,td{padding:.3rem .6rem .3rem 0;border-bottom:1px solid var(--line);vertical-align:top;text-align:left}
th{font-weight:600;vertical-align:bottom}
.number{text-align:right}
td.number{white-space:nowrap}
.number:last-child{padding-right:0}
td:first-child{min-width:9rem}
details{border:1px solid var(--line);border-radius:6px;padding:.5rem .9rem;margin:.6rem 0}
summary{cursor:pointer;font-weight:600}
pre{background:var(--tint);padding:.7rem .9rem;overflow-x:auto;font-size:.85rem;line-height:1.45;border-radius:6px}
.note{color:var(--faint);font-size:.9rem}
@media print{html{font-size:10pt}body{max-width:none;padding:0}.scroll{overflow:visible}
table{font-size:8pt}th,td{padding-right:.35rem}pre{white-space:pre-wrap}h2{break-after:avoid}
.figures{grid-template-columns:1fr 1fr}tr{break-inside:avoid}
details::details-content{content-visibility:visible}}
)css";

}  // namespace

std::string escape_html(std::string_view text) {
  std::string escaped;
  while (!text.empty()) {
    const char c = text.front();
    const size_t length = std::max<size_t>(utf8_length(text), 1);
    if (c == '&')
      escaped += "&amp;";
    else if (c == '<')
      escaped += "&lt;";
    else if (c == '>')
      escaped += "&gt;";
    else if (c == '"')
      escaped += "&quot;";
    else if (c == '\'')
      escaped += "&#39;";
    else if (c == '\n' || c == '\t')
      escaped += c;
    else
      escaped += plain_line(text.substr(0, length));
    text.remove_prefix(length);
  }
  return escaped;
}

std::string html_table(const HtmlTable& table) {
  const auto write_row = [&table](const std::vector<std::string>& cells, const char* tag) {
    expects(cells.size() == table.header.size(), "a table row has {} cells; the header has {}", cells.size(),
            table.header.size());
    std::string html = "<tr>";
    for (size_t i = 0; i < cells.size(); ++i)
      html += fmt::format("<{0}{1}>{2}</{0}>", tag, i < table.text_columns ? "" : " class=\"number\"",
                          escape_html(cells[i]));
    return html + "</tr>\n";
  };
  std::string html = "<div class=\"scroll\" tabindex=\"0\"><table><thead>\n" + write_row(table.header, "th");
  html += "</thead><tbody>\n";
  for (const auto& row : table.rows) html += write_row(row, "td");
  return html + "</tbody></table></div>\n";
}

std::string html_paragraph(std::string_view text) { return fmt::format("<p>{}</p>\n", escape_html(text)); }

std::string html_details(std::string_view summary, std::string_view body) {
  return fmt::format("<details><summary>{}</summary>\n{}</details>\n", escape_html(summary), body);
}

std::string html_figure(std::string_view svg, std::string_view title, std::string_view caption) {
  return fmt::format("<figure>\n{}\n<figcaption><b>{}</b> {}</figcaption></figure>\n", svg,
                     escape_html(title), escape_html(caption));
}

std::string html_page(const Page& page) {
  std::string html = fmt::format(
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
      "<title>{0}</title>\n<style>{1}</style></head><body>\n<h1>{0}</h1>\n",
      escape_html(page.title), page_style);
  if (!page.subtitle.empty())
    html += fmt::format("<p class=\"subtitle\">{}</p>\n", escape_html(page.subtitle));
  for (const Section& section : page.sections) {
    if (!section.heading.empty()) html += fmt::format("<h2>{}</h2>\n", escape_html(section.heading));
    html += section.body;
  }
  return html + "</body></html>\n";
}

}  // namespace plumb
