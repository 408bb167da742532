#include <fmt/format.h>

#include "plumb/command_line/verbs.hpp"
#include "plumb/report/findings.hpp"
#include "plumb/report/report.hpp"
#include "plumb/report/results.hpp"
#include "plumb/report/theorem_section.hpp"

namespace plumb {
namespace {

int report_on(const std::vector<std::string>& folders) {
  for (const std::string& folder : folders) {
    const Results results = load_results(folder);
    for (const std::string& line : complaints(results)) fmt::print(stderr, "plumb: {}\n", line);
    fmt::print("{}\n", summary_table(results));
    if (const std::string lines = theorem_lines(judge_runs(results)); !lines.empty())
      fmt::print("{}\n", lines);
    fmt::print("report  {}\n", write_report(results).string());
  }
  return status_done;
}

}  // namespace

void add_report_verb(CLI::App& program, Action& action) {
  const auto folders = std::make_shared<std::vector<std::string>>();
  CLI::App* verb =
      program.add_subcommand("report", "Draw an experiment's figures and write its report.html again");
  verb->add_option("folders", *folders, "as written by `run`: runs/<name>")->required();
  verb->callback([&action, folders] { action = [folders] { return report_on(*folders); }; });
}

}  // namespace plumb
