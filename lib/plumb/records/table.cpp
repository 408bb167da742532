#include "plumb/records/table.hpp"

#include <algorithm>
#include <charconv>

#include "plumb/core/config.hpp"
#include "plumb/core/error.hpp"
#include "plumb/core/files.hpp"

namespace plumb {
namespace {

std::vector<std::string_view> split_fields(std::string_view line) {
  std::vector<std::string_view> fields;
  while (true) {
    const size_t comma = line.find(',');
    fields.push_back(line.substr(0, comma));
    if (comma == std::string_view::npos) return fields;
    line.remove_prefix(comma + 1);
  }
}

double read_number(std::string_view field, const std::string& place, const std::string& column) {
  double value = 0;
  const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), value);
  if (error != std::errc{} || end != field.data() + field.size())
    throw DataError(fmt::format("{}: {}: '{}'; a number is expected", place, column, field));
  return value;
}

std::vector<std::string> read_header(std::string_view line, const std::string& place) {
  std::vector<std::string> columns;
  for (const std::string_view name : split_fields(line)) {
    if (name.empty()) throw DataError(fmt::format("{}: a column has no name", place));
    if (std::find(columns.begin(), columns.end(), name) != columns.end())
      throw DataError(fmt::format("{}: column '{}' is given twice", place, name));
    columns.emplace_back(name);
  }
  return columns;
}

}  // namespace

Table Table::parse(std::string_view csv, const std::string& source) {
  Table table;
  for (int line_number = 1; !csv.empty() || line_number == 1; ++line_number) {
    const size_t end = csv.find('\n');
    std::string_view line = csv.substr(0, end);
    csv.remove_prefix(end == std::string_view::npos ? csv.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    const std::string place = fmt::format("{}:{}", source, line_number);
    if (line_number == 1) {
      table.columns = read_header(line, place);
      continue;
    }
    const std::vector<std::string_view> fields = split_fields(line);
    if (fields.size() != table.columns.size())
      throw DataError(fmt::format("{}: holds {} field{}; the header names {}", place, fields.size(),
                                  fields.size() == 1 ? "" : "s", table.columns.size()));
    std::vector<double>& row = table.rows.emplace_back();
    for (size_t i = 0; i < fields.size(); ++i) row.push_back(read_number(fields[i], place, table.columns[i]));
  }
  return table;
}

Table Table::load(const std::filesystem::path& file) { return parse(read_file(file), file.string()); }

bool Table::has(std::string_view column) const {
  return std::find(columns.begin(), columns.end(), column) != columns.end();
}

std::vector<double> Table::column(std::string_view name) const {
  const auto found = std::find(columns.begin(), columns.end(), name);
  expects(found != columns.end(), "no column '{}'{}", name, suggestion(name, columns));
  std::vector<double> values;
  for (const auto& row : rows) values.push_back(row.at(static_cast<size_t>(found - columns.begin())));
  return values;
}

std::string Table::to_csv() const {
  std::string csv = fmt::format("{}\n", fmt::join(columns, ","));
  for (const auto& row : rows) {
    std::vector<std::string> fields;
    for (const double value : row) fields.push_back(fmt::format("{:.17g}", value));
    csv += fmt::format("{}\n", fmt::join(fields, ","));
  }
  return csv;
}

}  // namespace plumb
