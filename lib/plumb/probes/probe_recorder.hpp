/// The probes of one run at work: measured when they are due, written to files that survive a resume.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "plumb/core/files.hpp"
#include "plumb/probes/probe.hpp"

namespace plumb {

/// Follows a run with its probes. Each one has a table `<name>.csv` (step, epoch and its columns, numbers
/// with 17 significant digits); when it reports tensors, `<name>/step_<k>.pt` for torch.load or
/// `<name>/step_<k>.<tensor>.npy` for numpy.load; and
/// `<name>.txt` when there is a remark on how it was measured: parameters that a kernel took row by row,
/// fewer examples than asked for, columns that are not defined.
///
/// Probes see the network in evaluation mode and with no gradients in its parameters. Modes, gradients, which
/// parameters require one, and LibTorch's global generators are afterwards as they were. At a state whose
/// weights, or predictions on the probe set, are not all finite the row is NaN, and the probe is not asked.
class ProbeRecorder {
 public:
  /// Starts the files in `folder` afresh, removing what stood there, or goes on from what save() returned.
  /// Throws DataError when `resume_from` was saved with other probes; an empty archive stands for none.
  ProbeRecorder(const ProbeChoices& choices, std::filesystem::path folder, const Seed& seed,
                std::optional<Archive> resume_from);
  ~ProbeRecorder();

  /// To be called at every state that an update follows, in order.
  void before_step(const Moment& moment);
  /// To be called at the state after the last update: measured whatever the cadence.
  void after_last_step(const Moment& moment);

  /// Forces the rows to the disk and returns what a later sitting needs.
  Archive save();

  bool empty() const { return entries_.empty(); }

 private:
  struct Entry;

  void begin(const Moment& moment);
  void remove_later_measurements(const Entry& entry, int64_t step) const;
  void share_kernel(Entry& entry) const;
  void observe(const Moment& moment, bool last);
  void record(Entry& entry, const Moment& moment, bool finite);
  /// The values in the order of the table's columns; NaN for those that are not measured any more.
  static std::vector<double> in_table(const Entry& entry, const std::vector<double>& values);
  void write_tensors(const Entry& entry, const Moment& moment, const Measurement& measured);
  /// What a reader of the table must know of a measurement beside its own notes.
  static void add_remarks(const Entry& entry, Measurement& measured);
  void write_notes(Entry& entry, const Moment& moment, const std::vector<std::string>& notes) const;

  std::filesystem::path folder_;
  Seed seed_;
  std::string description_;  // of the probes, in YAML
  std::vector<std::unique_ptr<Entry>> entries_;
  std::optional<Archive> resume_from_;  // until the first moment
  bool begun_ = false;
  std::vector<std::filesystem::path> unflushed_;  // files of tensors since the last save()
};

}  // namespace plumb
