// Oracle: a system whose claims are known by construction, and the files read back as text and JSON.
#include "plumb/lecture/lecture.hpp"

#include <set>

#include "support/catch.hpp"
#include "support/files.hpp"
#include "support/program.hpp"
#include <nlohmann/json.hpp>

#include "plumb/command_line/verbs.hpp"
#include "plumb/core/error.hpp"
#include "plumb/core/files.hpp"

using namespace plumb;

namespace {

struct KnownOptions {
  double measured = 2;

  void fields(Fields& f) { f.field("measured", measured, "what is found; 3 is the bound"); }
};

class KnownSystem final : public System {
 public:
  explicit KnownSystem(const KnownOptions& options) : options_(options) {}

  Statement statement() const override {
    return {"T1", "A system with a known end", "x is at most 3.", "x <= 3 exactly.", "<None>."};
  }
  std::vector<std::string> paper_size() const override { return {"measured=1"}; }
  Evidence run(const Surroundings&) const override {
    Evidence evidence;
    evidence.setting = "x " + std::to_string(static_cast<int>(options_.measured));
    evidence.claims = {judged("x stays below its bound",
                              theory::predicted("x", theory::Relation::at_most, 3, "Nobody 1900, Thm 1"),
                              {options_.measured, 0, "step 4"}),
                       judged("x is negative, which is too much",
                              theory::predicted("x", theory::Relation::at_most, -1, "folklore"),
                              {options_.measured, 0, ""}, theory::Ruling::fails)};
    Figure figure;
    figure.name = "x";
    figure.title = "x over steps";
    figure.x.label = "step";
    figure.y.label = "x";
    figure.curves.push_back({"x", {0, 1, 2}, {1, 2, options_.measured}, {}});
    evidence.figures = {figure};
    return evidence;
  }

 private:
  KnownOptions options_;
};

/// The known system among the built-in ones, once for the whole program.
void add_known_system() {
  static const bool added = [] {
    systems().add<KnownOptions>("known_system", "T1: known",
                                [](const KnownOptions& options) -> std::unique_ptr<System> {
                                  return std::make_unique<KnownSystem>(options);
                                });
    return true;
  }();
  CHECK(added);
}

}  // namespace

TEST_CASE("a system's folder holds its verdicts, its figure and what repeats it", "[lecture]") {
  add_known_system();
  const test::TemporaryFolder folder;
  const auto experiment = LectureExperiment::of_system("t1", false, {});
  CHECK(experiment.name == "T1_known_system");
  const SystemReport report = run_lecture(experiment, folder.path() / experiment.name, {});
  CHECK(report.as_expected());
  const auto claims = nlohmann::json::parse(read_file(folder.path() / "T1_known_system" / "claims.json"));
  REQUIRE(claims["claims"].size() == 2);
  CHECK(claims["claims"][0]["ruling"] == "holds");
  CHECK(claims["claims"][0]["predicted"] == 3);
  CHECK(claims["claims"][0]["measured"] == 2);
  CHECK(claims["claims"][0]["place"] == "step 4");
  CHECK(claims["claims"][1]["ruling"] == "fails");
  CHECK(claims["claims"][1]["as_expected"] == true);
  const std::string page = read_file(report.page);
  CHECK_THAT(page, ContainsSubstring("x stays below its bound") && ContainsSubstring("<svg") &&
                       ContainsSubstring("Nobody 1900") && ContainsSubstring("&lt;None&gt;") &&
                       ContainsSubstring("2 of 2 claims"));
  // What was run can be run again from its description.
  const auto again =
      LectureExperiment::read(Config::load(folder.path() / "T1_known_system" / "description.yaml"));
  CHECK(write_options(again).to_yaml() == write_options(experiment).to_yaml());
  CHECK_THAT(
      read_file(write_lecture_index(folder.path())),
      ContainsSubstring("2 of 2 claims of 1 systems") && ContainsSubstring("T1_known_system/report.html"));
}

TEST_CASE("a claim that comes out otherwise than it should is said and ends with status 3", "[lecture]") {
  add_known_system();
  const test::TemporaryFolder folder;
  auto experiment = LectureExperiment::of_system("known_system", false, {"measured=4"});
  const SystemReport report = run_lecture(experiment, folder.path() / "a", {});
  CHECK_FALSE(report.as_expected());
  CHECK_THAT(verdict_table(report), ContainsSubstring("NOT AS EXPECTED: fails at step 4") &&
                                        ContainsSubstring("expected: holds") &&
                                        ContainsSubstring("as it should"));
  CHECK(run_system(experiment, folder.path(), "") == status_not_as_expected);
  CHECK(status_not_as_expected == 3);
  experiment = LectureExperiment::of_system("T1", true, {});
  CHECK(run_system(experiment, folder.path(), "") == status_done);
}

TEST_CASE("wrong descriptions of systems are refused by name", "[lecture]") {
  add_known_system();
  CHECK_THROWS_WITH(LectureExperiment::of_system("S99", false),
                    ContainsSubstring("'S99' is no system of the lecture; known: S1, S2"));
  CHECK_THROWS_AS(LectureExperiment::of_system("T1", false, {"mesured=4"}), ConfigError);
  CHECK_THROWS_WITH(LectureExperiment::read(Config::parse("name: x")),
                    ContainsSubstring("no system is chosen"));
  CHECK(describes_system(Config::parse("system: gd_pl")));
  CHECK_FALSE(describes_system(Config::parse("model: mlp")));
}

TEST_CASE("every system of the lecture says what it claims and at which size the paper ran it", "[lecture]") {
  std::vector<std::string> ids;
  for (const SystemName& name : lecture_systems()) {
    INFO(name.type);
    const auto system = systems().at(name.type)->make();
    const Statement statement = system->statement();
    CHECK_FALSE(statement.title.empty());
    CHECK_FALSE(statement.slide.empty());
    CHECK_FALSE(system->paper_size().empty());
    CHECK_NOTHROW(LectureExperiment::of_system(name.id, true));
    ids.push_back(name.id);
  }
  CHECK(std::set<std::string>(ids.begin(), ids.end()).size() == ids.size());
}

TEST_CASE("every system has an experiment file with its defaults spelled out", "[lecture]") {
  for (const SystemName& name : lecture_systems()) {
    if (name.type == "known_system") continue;
    const auto file =
        std::filesystem::path(PLUMB_SOURCE_DIR) / "experiments" / (name.id + "_" + name.type + ".yaml");
    INFO(file.string());
    REQUIRE(std::filesystem::exists(file));
    auto described = LectureExperiment::read(Config::load(file));
    CHECK(described.name == name.id + "_" + name.type);
    CHECK_FALSE(described.question.empty());
    described.question.clear();
    CHECK(write_options(described).to_yaml() ==
          write_options(LectureExperiment::of_system(name.id, false)).to_yaml());
  }
}

TEST_CASE("`plumb verify` measures a system and says where its page is", "[lecture][program]") {
  const test::TemporaryFolder folder;
  const auto done =
      test::run_program({test::plumb_program(), "verify", "S5", "--out", (folder.path() / "out").string()});
  CAPTURE(done.output);
  CHECK(done.status == 0);
  CHECK_THAT(done.output,
             ContainsSubstring("S5") && ContainsSubstring("holds") && ContainsSubstring("index.html"));
  const auto wrong =
      test::run_program({test::plumb_program(), "verify", "S99", "--out", (folder.path() / "out").string()});
  CHECK(wrong.status == 2);
}
