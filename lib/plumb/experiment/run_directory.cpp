#include "plumb/experiment/run_directory.hpp"

#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "plumb/core/error.hpp"
#include "plumb/core/system_call.hpp"

namespace plumb {
namespace {

std::string checksum_of(const std::string& name) { return name + " crc32"; }

AppendFile open_series(const std::filesystem::path& file, const Archive* resume_from,
                       std::string_view header) {
  const std::string name = file.filename().string();
  AppendFile series(file, resume_from == nullptr ? 0 : resume_from->integer(name));
  if (resume_from == nullptr) series.append(header);
  // Checkpoints of 0.1.0 have no checksums.
  else if (resume_from->contains(checksum_of(name)))
    series.expect_checksum(resume_from->integer(checksum_of(name)));
  return series;
}

void save_series(const std::string& name, AppendFile& series, Archive& archive) {
  series.sync();
  archive.put(name, series.length());
  archive.put(checksum_of(name), series.checksum());
}

/// A file that this process alone has locked, open; -1 when another one has. Throws DataError.
int locked_file(const std::filesystem::path& file) {
  const auto fail = [&](std::string_view action, int error) {
    throw DataError(fmt::format("{}: cannot {}: {}", file.string(), action, std::strerror(error)));
  };
  const int descriptor =
      uninterrupted([&] { return ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644); });
  if (descriptor < 0) fail("write", errno);
  if (uninterrupted([&] { return ::flock(descriptor, LOCK_EX | LOCK_NB); }) == 0) return descriptor;
  const int error = errno;
  ::close(descriptor);
  if (error != EWOULDBLOCK) fail("lock", error);
  return -1;
}

}  // namespace

std::optional<RunLock> RunLock::if_free(const RunDirectory& directory) {
  const int descriptor = locked_file(directory.path / "lock");
  return descriptor < 0 ? std::nullopt : std::optional(RunLock(descriptor));
}

RunLock::RunLock(const RunDirectory& directory) : descriptor_(-1) {
  // A second is enough for those that hold it only to write the description.
  constexpr int tries = 20;
  constexpr std::chrono::milliseconds pause(50);
  for (int i = 0; i < tries && descriptor_ < 0; ++i) {
    if (i > 0) std::this_thread::sleep_for(pause);
    descriptor_ = locked_file(directory.path / "lock");
  }
  if (descriptor_ < 0)
    throw DataError(fmt::format("{}: another process is training this run", directory.path.string()));
}

RunLock::RunLock(RunLock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

RunLock::~RunLock() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

RunSeries::RunSeries(const RunDirectory& directory, const Archive* resume_from)
    : steps_(open_series(directory.steps(), resume_from, "step,epoch,learning_rate,loss,accuracy\n")),
      evaluations_(open_series(directory.evaluations(), resume_from,
                               "step,epoch,learning_rate,batch_loss,batch_accuracy,train_loss,train_accuracy,"
                               "clean_accuracy,memorization,recovery,test_loss,test_accuracy\n")),
      timing_(open_series(directory.timing(), resume_from,
                          "step,training_seconds,evaluation_seconds,examples_per_second\n")) {}

void RunSeries::add(const Interval& row) {
  steps_.append(fmt::format("{},{:.17g},{:.17g},{:.17g},{:.17g}\n", row.step, row.epoch, row.learning_rate,
                            row.loss, row.accuracy));
}

void RunSeries::add(const Evaluation& evaluation) {
  const Interval& batches = evaluation.batches;
  const Fit& fit = evaluation.fit;
  evaluations_.append(fmt::format(
      "{},{:.17g},{:.17g},{:.17g},{:.17g},{:.17g},{:.17g},{:.17g},{:.17g},{:.17g},{:.17g},{:.17g}\n",
      batches.step, batches.epoch, batches.learning_rate, batches.loss, batches.accuracy, fit.train_loss,
      fit.train_accuracy, fit.clean_accuracy, fit.memorization, fit.recovery, fit.test_loss,
      fit.test_accuracy));
}

void RunSeries::add_timing(int64_t step, double training_seconds, double evaluation_seconds,
                           double examples_per_second) {
  timing_.append(fmt::format("{},{:.3f},{:.3f},{:.1f}\n", step, training_seconds, evaluation_seconds,
                             examples_per_second));
}

Archive RunSeries::save() {
  Archive lengths;
  save_series("steps.csv", steps_, lengths);
  save_series("evaluations.csv", evaluations_, lengths);
  save_series("timing.csv", timing_, lengths);
  return lengths;
}

}  // namespace plumb
