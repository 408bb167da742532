// Oracle: what was changed by hand, in words.
#include "plumb/experiment/begun.hpp"

#include "experiment/small_run.hpp"
#include <nlohmann/json.hpp>
#include <torch/torch.h>

#include "plumb/core/error.hpp"

using namespace plumb;
using test::small_run;

namespace {

void edit_text(const std::filesystem::path& file, const std::string& old, const std::string& now) {
  std::string text = read_file(file);
  const size_t place = text.find(old);
  REQUIRE(place != std::string::npos);
  write_file_atomically(file, text.replace(place, old.size(), now));
}

}  // namespace

TEST_CASE("a description that was edited after the run had begun is noticed", "[experiment][begun]") {
  const test::TemporaryFolder folder;
  const RunDirectory directory(folder.path());
  if (GENERATE(true, false)) {
    CHECK(execute(small_run(), directory, {}) == Outcome::epoch_limit);
  } else {
    test::StopAtReport stopper(2);
    CHECK(execute(small_run(), directory, stopper.options) == Outcome::interrupted);
  }
  CHECK(edited_description(directory).empty());
  edit_text(directory.description(), "learning_rate: 0.1", "learning_rate: 0.2");
  CHECK(edited_description(directory) == "training.optimizer.learning_rate: 0.1 then, 0.2 now");
  const Run edited = Run::read(Config::load(directory.description()));
  for (const Run& run : {edited, small_run()})
    CHECK_THROWS_WITH(
        execute(run, directory, {}),
        ContainsSubstring("run.yaml: was changed after the run had begun "
                          "(training.optimizer.learning_rate: 0.1 then, 0.2 now); put it back"));
}

TEST_CASE("name, threads, checkpoints and limits may be changed in a description", "[experiment][begun]") {
  const test::TemporaryFolder folder;
  const RunDirectory directory(folder.path());
  test::StopAtReport stopper(2);
  CHECK(execute(small_run(), directory, stopper.options) == Outcome::interrupted);
  edit_text(directory.description(), "name: small", "name: other");
  edit_text(directory.description(), "every_seconds: 60", "every_seconds: 5");
  edit_text(directory.description(), "epochs: 6", "epochs: 7");
  CHECK(edited_description(directory).empty());
  CHECK(execute(Run::read(Config::load(directory.description())), directory, {}) == Outcome::epoch_limit);
  const auto provenance = nlohmann::json::parse(read_file(directory.provenance()));
  const std::string remembered = provenance["description"];
  CHECK_THAT(remembered, ContainsSubstring("epochs: 7"));
}
