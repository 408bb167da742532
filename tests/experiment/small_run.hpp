/// A run of a second, and what its folder holds.
#pragma once

#include <atomic>
#include <filesystem>
#include <map>
#include <string>

#include "support/catch.hpp"
#include "support/files.hpp"

#include "plumb/core/files.hpp"
#include "plumb/experiment/runner.hpp"

namespace plumb::test {

/// 60 points of 3 classes, half of the labels redrawn, 4 updates an epoch; 6 epochs unless `stop` says
/// otherwise.
inline Run small_run(const std::string& more = "", const std::string& stop = "{epochs: 6}") {
  return Run::read(Config::parse(
      "name: small\ndata: {type: sphere, train_examples: 60, test_examples: 30, dimension: 6, classes: 3}\n"
      "preprocessing: {normalize: none}\nmodel: {type: mlp, width: 8, depth: 1}\n"
      "training: {optimizer: {type: sgd, learning_rate: 0.1, momentum: 0.9}, batch_size: 16, record_every: "
      "3, "
      "stop: " +
      stop +
      "}\nrandomization: {type: corrupted_labels, probability: 0.5}\ncompute: {device: cpu, threads: 1}\n" +
      more));
}

/// Stops a run at its n-th report of progress.
struct StopAtReport {
  explicit StopAtReport(int64_t reports) : left(reports) {
    options.stop = &stop;
    options.progress = [this](const Progress&) {
      if (--left == 0) stop = true;
    };
  }
  StopAtReport(const StopAtReport&) = delete;

  std::atomic<bool> stop{false};
  RunnerOptions options;
  int64_t left;
};

/// The bytes of every file below a folder that is the same for the same run on any day: tables, weights,
/// labels, probes, but no times.
inline std::map<std::string, std::string> lasting_files(const std::filesystem::path& folder) {
  std::map<std::string, std::string> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    const std::string name = std::filesystem::relative(entry.path(), folder).string();
    if (!entry.is_regular_file() || name == "timing.csv" || name == "provenance.json" ||
        name == "outcome.json" || name == "lock" || name.starts_with("checkpoint"))
      continue;
    files[name] = read_file(entry.path());
  }
  return files;
}

/// Checks that two folders hold the same files with the same bytes.
inline void check_same_files(const std::filesystem::path& left, const std::filesystem::path& right) {
  const auto expected = lasting_files(left), found = lasting_files(right);
  for (const auto& [name, bytes] : expected) {
    INFO(name);
    REQUIRE(found.contains(name));
    CHECK(found.at(name) == bytes);
  }
  CHECK(found.size() == expected.size());
}

}  // namespace plumb::test
