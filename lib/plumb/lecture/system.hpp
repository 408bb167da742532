/// A system of the lecture: what is claimed, an experiment that measures it, and the verdicts.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>

#include "plumb/core/random.hpp"
#include "plumb/core/registry.hpp"
#include "plumb/report/figure.hpp"
#include "plumb/report/html.hpp"
#include "plumb/theorems/claim.hpp"

namespace plumb {

/// What is known of a system before it is run.
struct Statement {
  std::string id;     // "S9"
  std::string title;  // "Gradient descent optimizes wide networks (Du et al. 2019)"
  std::string slide;  // what the lecture states
  std::string paper;  // the exact statement with its constants, where the two differ; may be empty
  std::string traps;  // what is easily got wrong: conventions, folklore, float32; may be empty
};

/// A table that a page shows beneath its figures.
struct NamedTable {
  std::string title;
  HtmlTable table;
};

/// What one run of a system gives.
struct Evidence {
  std::string setting;  // "n 200  d 200  width 4096  3 seeds"
  std::vector<Claim> claims;
  std::vector<Figure> figures;  // the first one shows the claim
  std::vector<NamedTable> tables;
  std::vector<std::string> remarks;  // whole sentences about what was seen
};

/// What a system may use beside its options.
struct Surroundings {
  Seed seed{0};
  std::filesystem::path data_folder;                 // for real images; see default_data_folder
  std::function<void(const std::string&)> progress;  // one line about what is being done; may be empty
};

/// One system with its options.
class System {
 public:
  System() = default;
  System(const System&) = delete;
  System& operator=(const System&) = delete;
  virtual ~System() = default;

  virtual Statement statement() const = 0;
  /// The options that make it the size of the paper, as "key=value" of the system's own options.
  virtual std::vector<std::string> paper_size() const = 0;
  /// Measures and judges. The same options and seed give the same evidence. Throws DataError for missing
  /// images.
  virtual Evidence run(const Surroundings& surroundings) const = 0;
};

/// Systems by name; the options' defaults are a size that two cores finish within two minutes.
using Systems = Registry<std::unique_ptr<System>()>;
Systems& systems();

}  // namespace plumb
