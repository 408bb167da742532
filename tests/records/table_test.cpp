// Oracle: values and messages written out by hand; round trips compare doubles bit by bit.
#include "plumb/records/table.hpp"

#include <cmath>
#include <limits>

#include "support/catch.hpp"
#include "support/files.hpp"

#include "plumb/core/error.hpp"
#include "plumb/core/files.hpp"

using plumb::DataError;
using plumb::Table;

namespace {
std::string table_refusal(const std::string& csv) {
  try {
    Table::parse(csv, "a.csv");
  } catch (const DataError& error) {
    return error.what();
  }
  return "accepted";
}
}  // namespace

TEST_CASE("a table keeps its columns, rows and undefined numbers", "[report][table]") {
  const Table table = Table::parse("step,loss\n0,2.5\r\n10,nan\n20,-1e-3", "a.csv");
  CHECK(table.columns == std::vector<std::string>{"step", "loss"});
  CHECK(table.column("step") == std::vector<double>{0, 10, 20});
  CHECK(table.column("loss")[0] == 2.5);
  CHECK(std::isnan(table.column("loss")[1]));
  CHECK(table.column("loss")[2] == -1e-3);
  CHECK(table.has("loss"));
  CHECK_FALSE(table.has("los"));
  CHECK_THROWS_WITH(table.column("los"), "no column 'los'; did you mean 'loss'?");
  CHECK(Table::parse("step\n").rows.empty());
}

TEST_CASE("a malformed table is refused with its line", "[report][table]") {
  CHECK(table_refusal("a,b\n1,2\n3\n") == "a.csv:3: holds 1 field; the header names 2");
  CHECK(table_refusal("a\n1,2\n") == "a.csv:2: holds 2 fields; the header names 1");
  CHECK(table_refusal("a,b\n1,x\n") == "a.csv:2: b: 'x'; a number is expected");
  CHECK(table_refusal("a,b\n1,2 \n") == "a.csv:2: b: '2 '; a number is expected");
  CHECK(table_refusal("a,a\n") == "a.csv:1: column 'a' is given twice");
  CHECK(table_refusal("") == "a.csv:1: a column has no name");
  CHECK(table_refusal("a\n1\n\n2\n") == "a.csv:3: a: ''; a number is expected");
}

TEST_CASE("written numbers read back to the same doubles", "[report][table]") {
  const plumb::test::TemporaryFolder folder;
  Table table{{"x"}, {}};
  for (const double value : {0.1, 1.0 / 3, 1e-310, 1.7976931348623157e308, -0.0, 123456789.123456789})
    table.rows.push_back({value});
  table.rows.push_back({std::numeric_limits<double>::infinity()});
  plumb::write_file_atomically(folder / "x.csv", table.to_csv());
  CHECK(Table::load(folder / "x.csv").rows == table.rows);
  CHECK_THROWS_AS(Table::load(folder / "absent.csv"), DataError);
}
