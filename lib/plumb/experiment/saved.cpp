#include "plumb/experiment/initial_weights.hpp"
#include "plumb/training/snapshot.hpp"

namespace plumb {
namespace {

struct SavedOptions {
  std::string file;

  void fields(Fields& f) {
    f.field("file", file,
            "an archive {name: tensor} of all parameters and buffers, as every finished run leaves in "
            "model.pt; relative to the working folder",
            {});
  }
};

void load_saved(const SavedOptions& options, Network& network, const TrainingData&, const Seed&) {
  if (options.file.empty())
    throw ConfigError("initial_weights.file: empty; the model.pt of a finished run is needed");
  const Archive archive = Archive::load(options.file);
  try {
    load_network(network, archive);
  } catch (const DataError& error) {
    throw DataError(fmt::format("{}: {}", options.file, error.what()));
  }
}

}  // namespace

PLUMB_REGISTER(InitialWeights, saved, SavedOptions, load_saved,
               "those that another run ended with, or any archive of the same names and shapes")

}  // namespace plumb
