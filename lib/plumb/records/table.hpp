/// Rows of named numbers, read from and written to CSV, strictly.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace plumb {

/// A rectangle of numbers whose columns have names. NaN stands for "undefined" and is written `nan`.
struct Table {
  std::vector<std::string> columns;
  std::vector<std::vector<double>> rows;  // each as long as columns

  /// Reads a header line of names and lines of as many numbers. Throws DataError "source:line: problem" for
  /// ragged rows, fields that are no numbers, and names that are empty or given twice.
  static Table parse(std::string_view csv, const std::string& source = "<text>");
  /// Reads a file. Throws DataError, also when the file is missing.
  static Table load(const std::filesystem::path& file);

  bool has(std::string_view column) const;
  /// The values of one column from top to bottom. Throws ContractError when there is no such column.
  std::vector<double> column(std::string_view name) const;

  /// The CSV text; numbers have 17 significant digits, so that reading them back gives the same doubles.
  std::string to_csv() const;
};

}  // namespace plumb
