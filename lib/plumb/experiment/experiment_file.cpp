#include "plumb/experiment/experiment_file.hpp"

#include <fmt/format.h>

#include "plumb/core/files.hpp"

namespace plumb {

void keep_experiment_file(const std::filesystem::path& folder, const std::string& yaml) {
  const std::filesystem::path file = folder / "experiment.yaml";
  if (std::filesystem::exists(file)) {
    const std::string before = read_file(file);
    if (before == yaml) return;
    bool kept = false;
    std::filesystem::path next;
    for (int number = 1; !kept; ++number) {
      next = folder / fmt::format("experiment.{}.yaml", number);
      if (!std::filesystem::exists(next)) break;
      kept = read_file(next) == before;
    }
    if (!kept) write_file_atomically(next, before);
  }
  write_file_atomically(file, yaml);
}

}  // namespace plumb
