// Oracle: programs called gnuplot that misbehave as written here; gnuplot's own file, written without us.
#include "plumb/report/gnuplot.hpp"

#include <fstream>
#include <optional>

#include "support/catch.hpp"
#include "support/files.hpp"
#include "support/program.hpp"
#include <stdlib.h>
#include <sys/stat.h>

#include "plumb/core/error.hpp"
#include "plumb/core/files.hpp"

using plumb::run_gnuplot;
using plumb::test::TemporaryFolder;

namespace {

const std::string small_plot =
    "set terminal svg\n$points << END\n1 2\n2 3\nEND\nplot $points with lines title 'one'\n";

/// Gives an environment variable another value until the end of the scope.
class VariableGuard {
 public:
  VariableGuard(const char* name, const std::string& value) : name_(name) {
    if (const char* old = ::getenv(name)) old_ = old;
    ::setenv(name, value.c_str(), 1);
  }
  VariableGuard(const VariableGuard&) = delete;
  VariableGuard& operator=(const VariableGuard&) = delete;
  ~VariableGuard() {
    if (old_)
      ::setenv(name_, old_->c_str(), 1);
    else
      ::unsetenv(name_);
  }

 private:
  const char* name_;
  std::optional<std::string> old_;
};

/// A program called gnuplot, before all others on PATH.
class FakeGnuplot {
 public:
  explicit FakeGnuplot(const std::string& script)
      : path_("PATH", folder_.path().string() + ":" + ::getenv("PATH")) {
    const std::filesystem::path program = folder_ / "gnuplot";
    std::ofstream(program) << "#!/bin/sh\n" << script;
    ::chmod(program.c_str(), 0755);
  }

 private:
  TemporaryFolder folder_;
  VariableGuard path_;
};

std::string refusal(const std::string& fake, std::chrono::milliseconds patience = std::chrono::seconds(60)) {
  const FakeGnuplot gnuplot(fake);
  try {
    return run_gnuplot(small_plot, patience);
  } catch (const plumb::DataError& error) {
    return error.what();
  }
}

}  // namespace

TEST_CASE("gnuplot draws through pipes what it draws into a file", "[report][gnuplot]") {
  const TemporaryFolder folder;
  const std::filesystem::path script = folder / "figure.gp", figure = folder / "figure.svg";
  std::ofstream(script) << "set output '" << figure.string() << "'\n" << small_plot;
  REQUIRE(plumb::test::run_program({"gnuplot", "--default-settings", script.string()}).status == 0);
  CHECK(run_gnuplot(small_plot) == plumb::read_file(figure));
}

TEST_CASE("figures need no temporary files", "[report][gnuplot][faults]") {
  const TemporaryFolder folder;
  const std::string expected = run_gnuplot(small_plot);
  const VariableGuard none("TMPDIR", (folder / "none").string());
  CHECK(run_gnuplot(small_plot) == expected);
}

TEST_CASE("a large script and a large figure pass through the pipes side by side", "[report][gnuplot]") {
  std::string script = "set terminal svg\n$points << END\n";
  for (int i = 0; i < 50000; ++i)
    script += std::to_string(i) + " " + std::to_string(int64_t{i} * i % 77) + "\n";
  script += "END\nplot $points with lines, $points with points\n";
  const std::string svg = run_gnuplot(script);
  CHECK(svg.size() > 500000);
  CHECK(svg.find("</svg>") != std::string::npos);
}

TEST_CASE("a missing or failing gnuplot is an error that says what to do", "[report][gnuplot]") {
  CHECK_THROWS_WITH(run_gnuplot("plot nonsense(\n"),
                    ContainsSubstring("gnuplot: drew no figure: ") && ContainsSubstring("nonsense"));
  const TemporaryFolder empty;
  const VariableGuard path("PATH", empty.path().string());
  CHECK_THROWS_WITH(run_gnuplot(small_plot), ContainsSubstring("gnuplot-nox"));
}

TEST_CASE("a figure that is cut off is an error, not a figure", "[report][gnuplot][faults]") {
  CHECK_THAT(refusal("cat >/dev/null; echo '<svg><g>'"), ContainsSubstring("its SVG is incomplete"));
  CHECK_THAT(refusal("cat >/dev/null"), ContainsSubstring("its SVG is incomplete"));
  CHECK_THAT(refusal("exec true"), ContainsSubstring("its SVG is incomplete"));
  CHECK_THAT(refusal("echo '<svg></svg>'; kill -9 $$"), ContainsSubstring("killed by signal 9"));
  CHECK_THAT(refusal("echo '<svg></svg>'; echo why >&2; exit 3"), ContainsSubstring("drew no figure: why"));
}

TEST_CASE("a gnuplot that does not end is ended", "[report][gnuplot][faults]") {
  const std::chrono::milliseconds soon(300);
  const auto begin = std::chrono::steady_clock::now();
  CHECK_THAT(refusal("sleep 100", soon), ContainsSubstring("took too long"));
  CHECK_THAT(refusal("exec >&- 2>&-; sleep 100", soon), ContainsSubstring("took too long"));
  CHECK_THAT(refusal("sleep 100 & echo '<svg></svg>'", soon), ContainsSubstring("took too long"));
  CHECK_THAT(refusal("while echo x; do :; done", soon), ContainsSubstring("took too long"));
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(20));
}
