#include "plumb/probes/probe_recorder.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <sstream>
#include <utility>

#include <fmt/ranges.h>
#include <torch/torch.h>

#include "plumb/core/files.hpp"
#include "plumb/core/npy.hpp"
#include "plumb/models/parameters.hpp"
#include "plumb/probes/probe_check.hpp"
#include "plumb/probes/shared_kernel.hpp"
#include "plumb/training/snapshot.hpp"

namespace plumb {
namespace {

/// What a measurement could leave behind, put back at the end of its scope.
class Undisturbed {
 public:
  explicit Undisturbed(Network& network)
      : network_(network), parameters_(distinct_parameters(network)), device_(at::kCPU) {
    for (const auto& module : network.modules()) modes_.push_back(module->is_training());
    for (auto& [name, parameter] : parameters_) {
      device_ = parameter.device();
      flags_.push_back(parameter.requires_grad());
      gradients_.push_back(parameter.grad());
      parameter.mutable_grad() = Tensor();
    }
    generators_ = save_global_generators(device_);
    network.eval();
  }
  Undisturbed(const Undisturbed&) = delete;
  Undisturbed& operator=(const Undisturbed&) = delete;
  ~Undisturbed() {
    const auto modules = network_.modules();
    // A module passes its mode on to its children, which come after it in this list.
    for (size_t i = 0; i < modules.size(); ++i) modules[i]->train(modes_[i]);
    for (size_t i = 0; i < parameters_.size(); ++i) {
      parameters_[i].value.set_requires_grad(flags_[i]);
      parameters_[i].value.mutable_grad() = gradients_[i];
    }
    load_global_generators(generators_, device_);
  }

 private:
  Network& network_;
  std::vector<NamedParameter> parameters_;
  at::Device device_;
  std::vector<bool> modes_, flags_;
  std::vector<Tensor> gradients_;
  Archive generators_;
};

bool weights_finite(const Network& network) {
  const at::NoGradGuard no_grad;
  // A sum is finite only if every weight is; where the sum alone overflows, every weight is looked at.
  return std::ranges::all_of(network.parameters(), [](const Tensor& parameter) {
    return std::isfinite(parameter.sum().item<double>()) || at::isfinite(parameter).all().item<bool>();
  });
}

struct ProbeList {
  ProbeChoices probes{plumb::probes()};

  void fields(Fields& f) { f.components("probes", probes, ""); }
};

std::string describe_probes(const ProbeChoices& choices) {
  return write_options(ProbeList{choices}).to_yaml();
}

/// Whether a checkpoint's probes, as some version wrote them, are these: it may have known fewer options.
bool describes(const std::string& saved, const std::string& description) {
  try {
    return describe_probes(read_options<ProbeList>(Config::parse(saved)).probes) == description;
  } catch (const ConfigError&) {
    return false;
  }
}

/// The columns of a table after step and epoch.
std::vector<std::string> columns_of(const std::filesystem::path& file) {
  const std::string text = read_file(file);
  std::vector<std::string> names;
  std::istringstream header(text.substr(0, text.find('\n')));
  for (std::string name; std::getline(header, name, ',');) names.push_back(name);
  if (names.size() < 2 || names[0] != "step" || names[1] != "epoch")
    throw DataError(
        fmt::format("{}: is no table of a probe; remove the folder to begin again", file.string()));
  names.erase(names.begin(), names.begin() + 2);
  return names;
}

/// Those of `columns` that a table with the columns `written` does not have.
std::vector<std::string> missing_from(const std::vector<std::string>& written,
                                      const std::vector<std::string>& columns) {
  std::vector<std::string> missing;
  for (const std::string& column : columns)
    if (std::ranges::find(written, column) == written.end()) missing.push_back(column);
  return missing;
}

}  // namespace

struct ProbeRecorder::Entry {
  std::string name;
  std::unique_ptr<Probe> probe;
  ProbeSet set;
  int64_t asked = 0;                 // how many examples it would look at, were there as many
  std::vector<std::string> columns;  // after step and epoch, as the probe has them
  /// The table's own, where another version of plumb began it with others; empty: as above.
  std::vector<std::string> written;
  std::unique_ptr<AppendFile> file;  // from the first moment on: the columns depend on the network
  std::string remarks;               // the last measurement's
  std::string notes;                 // all that NAME.txt holds
};

ProbeRecorder::ProbeRecorder(const ProbeChoices& choices, std::filesystem::path folder, const Seed& seed,
                             std::optional<Archive> resume_from)
    : folder_(std::move(folder)),
      seed_(seed),
      description_(describe_probes(choices)),
      resume_from_(std::move(resume_from)) {
  if (resume_from_) {
    const bool none = !resume_from_->contains("description");
    if (none ? !choices.empty() : !describes(resume_from_->text("description"), description_))
      throw DataError(
          fmt::format("{}: the checkpoint was saved with other probes than the description has; remove "
                      "it to start afresh",
                      (folder_.parent_path() / "checkpoint.pt").string()));
  } else {
    remove_path(folder_);
  }
  const std::vector<std::string> names = probe_names(choices);
  const std::vector<int64_t> asked = examples_asked(choices);
  for (const auto& choice : choices) {
    auto entry = std::make_unique<Entry>();
    entry->name = names[entries_.size()];
    entry->asked = asked[entries_.size()];
    entry->probe = choice.make();
    entries_.push_back(std::move(entry));
  }
}

ProbeRecorder::~ProbeRecorder() = default;

std::vector<double> ProbeRecorder::in_table(const Entry& entry, const std::vector<double>& values) {
  if (entry.written.empty()) return values;
  std::vector<double> row;
  for (const std::string& column : entry.written) {
    const auto found = std::ranges::find(entry.columns, column);
    row.push_back(found == entry.columns.end()
                      ? not_defined
                      : values[static_cast<size_t>(std::distance(entry.columns.begin(), found))]);
  }
  return row;
}

void ProbeRecorder::begin(const Moment& moment) {
  begun_ = true;
  make_directory(folder_);
  for (const auto& entry : entries_) {
    entry->set = entry->probe->examples(moment.data, seed_);
    share_kernel(*entry);
    std::string header = "step,epoch";
    std::vector<std::string> names;
    for (const Column& column : entry->probe->columns()) names.push_back(column.name);
    for (std::string& name : entry->probe->layer_columns(moment, entry->set))
      names.push_back(std::move(name));
    for (const std::string& name : names) header += "," + name;
    entry->columns = std::move(names);
    int64_t length = 0;
    // A run that ended before its first update has saved nothing of them.
    const bool begun = resume_from_ && resume_from_->archive("probes").contains(entry->name);
    if (begun) {
      const Archive& saved = resume_from_->archive("probes").archive(entry->name);
      length = saved.integer("length");
      entry->probe->load(saved.archive("state"), moment.data.train.targets.device());
      entry->remarks = saved.text("remarks");
      entry->notes = saved.text("notes");
      remove_later_measurements(*entry, moment.step);
    }
    const std::filesystem::path file = folder_ / (entry->name + ".csv");
    if (begun && length > 0)
      if (std::vector<std::string> written = columns_of(file); written != entry->columns)
        entry->written = std::move(written);
    entry->file = std::make_unique<AppendFile>(file, length);
    if (!begun) {
      entry->file->append(header + "\n");
      continue;
    }
    // Checkpoints of 0.1.0 have no checksums.
    const Archive& saved = resume_from_->archive("probes").archive(entry->name);
    if (saved.contains("crc32")) entry->file->expect_checksum(saved.integer("crc32"));
  }
  resume_from_.reset();
}

/// Takes back what was measured at `step` or later, which is measured again where it is due: a run that ended
/// there and goes on has no measurement of its end.
void ProbeRecorder::remove_later_measurements(const Entry& entry, int64_t step) const {
  const std::filesystem::path notes = folder_ / (entry.name + ".txt"), tensors = folder_ / entry.name;
  std::error_code absent;
  if (entry.notes.empty())
    remove_path(notes);
  else
    write_file_atomically(notes, entry.notes);
  std::vector<std::filesystem::path> later;
  for (const auto& file : std::filesystem::directory_iterator(tensors, absent)) {
    const std::string name = file.path().stem().string();
    if (name.starts_with("step_") && std::strtoll(name.c_str() + 5, nullptr, 10) >= step)
      later.push_back(file.path());
  }
  for (const std::filesystem::path& file : later) remove_path(file);
  if (std::filesystem::is_empty(tensors, absent)) remove_path(tensors);
}

void ProbeRecorder::share_kernel(Entry& entry) const {
  if (entry.set.size() == 0) return;
  for (const auto& other : entries_)
    if (other->set.kernel && other->set.indices.equal(entry.set.indices)) {
      entry.set.kernel = other->set.kernel;
      return;
    }
}

void ProbeRecorder::before_step(const Moment& moment) { observe(moment, false); }
void ProbeRecorder::after_last_step(const Moment& moment) { observe(moment, true); }

void ProbeRecorder::observe(const Moment& moment, bool last) {
  if (entries_.empty()) return;
  if (!begun_) {
    const Undisturbed guard(moment.network);
    begin(moment);
  }
  std::optional<bool> finite;  // looked at only where a probe is due
  for (const auto& entry : entries_) {
    entry->probe->follow(moment);
    if (last || entry->probe->options().cadence.due(moment.step)) {
      if (!finite) finite = weights_finite(moment.network);
      record(*entry, moment, *finite);
    }
    if (moment.update != nullptr && entry->probe->accompanies_updates()) {
      const Undisturbed guard(moment.network);
      entry->probe->before_update(moment);
    }
  }
}

void ProbeRecorder::record(Entry& entry, const Moment& moment, bool finite) {
  Measurement measured;
  measured.values.assign(entry.columns.size(), not_defined);
  const Undisturbed guard(moment.network);
  // A run about to diverge has predictions beyond the numbers before its weights are.
  if (finite && (entry.set.size() == 0 || entry.set.kernel->predictions_finite(moment, entry.set))) {
    measured = entry.probe->measure(moment, entry.set);
    expects(measured.values.size() == entry.columns.size(), "the probe {} reports {} values for {} columns",
            entry.name, measured.values.size(), entry.columns.size());
    add_remarks(entry, measured);
  } else {
    measured.notes.emplace_back("weights or predictions are not finite, nothing can be measured");
  }
  write_notes(entry, moment, measured.notes);
  std::string row = fmt::format("{},{:.17g}", moment.step, moment.epoch);
  // A NaN's sign says nothing and would be written.
  for (const double value : in_table(entry, measured.values))
    row += std::isnan(value) ? ",nan" : fmt::format(",{:.17g}", value);
  entry.file->append(row + "\n");
  write_tensors(entry, moment, measured);
}

void ProbeRecorder::write_tensors(const Entry& entry, const Moment& moment, const Measurement& measured) {
  if (measured.tensors.values().empty()) return;
  const std::filesystem::path folder = folder_ / entry.name;
  make_directory(folder);
  // A power cut before the next checkpoint takes the run back to a state where they are written anew.
  if (measured.save == SaveTensors::npy) {
    for (const auto& [name, value] : measured.tensors.values()) {
      unflushed_.push_back(folder / fmt::format("step_{}.{}.npy", moment.step, name));
      write_npy(unflushed_.back(), std::get<Tensor>(value), Flush::later);
    }
    return;
  }
  unflushed_.push_back(folder / fmt::format("step_{}.pt", moment.step));
  measured.tensors.save(unflushed_.back(), Flush::later);
}

void ProbeRecorder::add_remarks(const Entry& entry, Measurement& measured) {
  if (!entry.written.empty()) {
    const std::vector<std::string> missing = missing_from(entry.written, entry.columns);
    measured.notes.push_back(
        fmt::format("the table was begun by another version of plumb and keeps its columns{}{}",
                    missing.empty() ? "" : "; it has no ", fmt::join(missing, ", ")));
  }
  if (entry.set.size() > 0 && entry.set.size() < entry.asked)
    measured.notes.push_back(fmt::format("on all {} examples of the training set, as it has not {}",
                                         entry.set.size(), entry.asked));
  std::vector<std::string> undefined;
  for (size_t i = 0; i < entry.columns.size(); ++i)
    if (std::isnan(measured.values[i])) undefined.push_back(entry.columns[i]);
  if (!undefined.empty())
    measured.notes.push_back(fmt::format("not defined here (nan): {}", fmt::join(undefined, ", ")));
}

void ProbeRecorder::write_notes(Entry& entry, const Moment& moment,
                                const std::vector<std::string>& notes) const {
  const std::string remarks = fmt::format("{}", fmt::join(notes, "; "));
  if (remarks == entry.remarks) return;
  entry.remarks = remarks;
  entry.notes += fmt::format("from step {} on: {}\n", moment.step, remarks.empty() ? "no remarks" : remarks);
  write_file_atomically(folder_ / (entry.name + ".txt"), entry.notes);
}

Archive ProbeRecorder::save() {
  if (resume_from_) return *resume_from_;
  flush_files(std::exchange(unflushed_, {}));
  Archive all, archive;
  for (const auto& entry : entries_) {
    if (!entry->file) continue;
    entry->file->sync();
    Archive one;
    one.put("length", entry->file->length());
    one.put("crc32", entry->file->checksum());
    one.put("state", entry->probe->state());
    one.put("remarks", entry->remarks);
    one.put("notes", entry->notes);
    all.put(entry->name, std::move(one));
  }
  archive.put("description", description_);
  archive.put("probes", std::move(all));
  return archive;
}

}  // namespace plumb
