#include "plumb/experiment/checkpoint.hpp"

#include <c10/util/Exception.h>

#include "plumb/core/error.hpp"
#include "plumb/core/files.hpp"
#include "plumb/core/system_call.hpp"

namespace plumb {
namespace {

namespace fs = std::filesystem;

constexpr int64_t checkpoint_format = 1;

/// What is read back, or why it cannot be.
struct ReadAttempt {
  std::optional<Archive> archive;
  std::string problem;
};

/// Reads a file and sees whether it holds what a checkpoint must.
ReadAttempt try_to_read(const fs::path& file) {
  try {
    Archive archive = Archive::load(file);
    for (const char* group : {"trainer", "series"}) static_cast<void>(archive.archive(group));
    static_cast<void>(archive.integer("format"));
    static_cast<void>(archive.integer("threads"));
    static_cast<void>(archive.text("run"));
    return {std::move(archive), ""};
  } catch (const DataError& error) {
    return {std::nullopt, error.what()};
  } catch (const c10::Error& error) {
    return {std::nullopt, fmt::format("{}: {}", file.string(), error.what_without_backtrace())};
  }
}

/// Version 0.1 had another fingerprint, with which it also ended the names of its folders.
bool belongs_to(const Archive& archive, const Run& run, const RunDirectory& directory) {
  const std::string& fingerprint = archive.text("run");
  if (fingerprint == run.fingerprint()) return true;
  if (directory.path.filename().string().ends_with("-" + fingerprint)) return true;
  std::error_code ignored;
  return fs::exists(directory.description(), ignored) &&
         fingerprint == fingerprint_0_1(Config::load(directory.description()));
}

void check_checkpoint(const Archive& archive, const fs::path& file, const Run& run,
                      const RunDirectory& directory) {
  if (archive.integer("format") != checkpoint_format)
    throw DataError(fmt::format("{}: format {} is not one this plumb knows; it knows {}", file.string(),
                                archive.integer("format"), checkpoint_format));
  if (!belongs_to(archive, run, directory))
    throw DataError(fmt::format("{}: belongs to another description than {}; remove it to start afresh",
                                file.string(), directory.description().string()));
}

/// The problem without the file's name in front, which the sentence around it says.
std::string without_name(const std::string& problem, const fs::path& file) {
  const std::string name = file.string() + ": ";
  return problem.starts_with(name) ? problem.substr(name.size()) : problem;
}

}  // namespace

LoadedCheckpoint load_checkpoint(const Run& run, const RunDirectory& directory) {
  const fs::path newest = directory.checkpoint(), before = directory.previous_checkpoint();
  std::vector<std::string> problems, files;
  for (const fs::path& file : {newest, before}) {
    if (!fs::exists(file)) continue;
    ReadAttempt attempt = try_to_read(file);
    if (!attempt.archive) {
      problems.push_back(attempt.problem);
      files.push_back(file.string());
      continue;
    }
    check_checkpoint(*attempt.archive, file, run, directory);
    LoadedCheckpoint loaded{std::move(attempt.archive), {}};
    if (file == before) {
      const int64_t step = loaded.archive->archive("trainer").integer("step");
      loaded.notes.push_back(
          problems.empty()
              ? fmt::format("{} is missing; going on from the checkpoint before it, at step {}",
                            newest.string(), step)
              : fmt::format("{} cannot be used ({}); going on from the checkpoint before it, at step {}",
                            newest.string(), without_name(problems.front(), newest), step));
      fs::rename(before, newest);
    }
    return loaded;
  }
  if (problems.empty()) return {};
  throw DataError(fmt::format("{}; no checkpoint of this run can be used; remove {} to begin again at step 0",
                              fmt::join(problems, "; "), fmt::join(files, " and ")));
}

void save_checkpoint(const Archive& archive, const RunDirectory& directory) {
  // Where there is none yet, or it cannot be renamed, the one before stays what it was.
  uninterrupted_error(
      [&](auto& failed) { fs::rename(directory.checkpoint(), directory.previous_checkpoint(), failed); });
  archive.save(directory.checkpoint());
}

void remove_checkpoints(const RunDirectory& directory) {
  remove_path(directory.checkpoint());
  remove_previous_checkpoint(directory);
}

void remove_previous_checkpoint(const RunDirectory& directory) {
  remove_path(directory.previous_checkpoint());
}

}  // namespace plumb
