/// A quantity recorded while a network trains: when it is measured, on which examples, and what it reports.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "plumb/core/archive.hpp"
#include "plumb/core/random.hpp"
#include "plumb/core/registry.hpp"
#include "plumb/training/trainer.hpp"

namespace plumb {

/// The steps at which a probe is measured: the start, the end of the run, and those asked for here.
struct Cadence {
  std::optional<int64_t> every;
  WordOrNumbers at = "auto";

  void fields(Fields& f);
  /// Whether a state after `step` updates is to be measured; always at step 0.
  bool due(int64_t step) const;
};

/// What every probe can be told. A probe's own options derive from it and list its fields first.
struct ProbeOptions {
  std::string name;
  Cadence cadence;

  void fields(Fields& f);
};

enum class Selection { random, first };

/// What a probe that looks at single examples can be told beside.
struct ProbeSetOptions : ProbeOptions {
  int64_t examples = 64;
  Selection choose = Selection::random;

  void fields(Fields& f);
};

/// What a probe that forms the tangent kernel can be told beside.
struct KernelProbeOptions : ProbeSetOptions {
  std::optional<ByteSize> memory = {};  // as TangentKernelOptions::memory

  void fields(Fields& f);
};

class SharedKernel;

/// The examples of the training set that a probe looks at, the same ones at every step and after a resume.
struct ProbeSet {
  Tensor indices;                        // (n) int64: which examples of the training set
  Tensor inputs;                         // (n, ...): what the network is given for them in evaluation
  Tensor targets;                        // what is trained on, (n) or (n, c)
  std::shared_ptr<SharedKernel> kernel;  // of all probes that look at these examples

  int64_t size() const { return targets.defined() ? targets.size(0) : 0; }
};

/// `examples` of the training set, all when it has fewer. Random ones come from seed.stream("probe set") and
/// are nested: a smaller set is the beginning of a larger one.
ProbeSet choose_probe_set(const TrainingData& data, int64_t examples, Selection choose, const Seed& seed);
/// The indices of such a set alone.
Tensor choose_examples(const TrainingData& data, int64_t examples, Selection choose, const Seed& seed);

/// How a column is drawn over the steps of a run.
struct ColumnFigure {
  std::string title;
  std::string axis;  // quantity with its unit
  bool logarithmic = false;
  std::string caption;      // convention, whole sentences
  std::string unless = {};  // a column: where the table has that one, this one is not drawn
};

/// A column of a probe's table: its name, what the numbers mean, in which convention, and the figure that a
/// report makes of it; none for columns that are only of use in the table.
struct Column {
  std::string name;
  std::string meaning;
  std::optional<ColumnFigure> figure = {};
};

/// Whether a probe's tensors are written, and as what: step_K.pt, or step_K.TENSOR.npy for each.
enum class SaveTensors { no, pt, npy };
inline const std::vector<std::string> save_words{"false", "true", "npy"};  // in a description

/// What one measurement gives: a value per column, tensors worth a file of their own, and remarks.
struct Measurement {
  std::vector<double> values;
  Archive tensors = {};
  std::vector<std::string> notes = {};  // how it was measured, where that is worth a word
  SaveTensors save = SaveTensors::pt;   // what becomes of the tensors
};

/// One quantity along training. Calls come in the order of the steps, with the network in evaluation mode; a
/// probe leaves weights and buffers as it finds them (see ProbeRecorder for what it need not care about).
class Probe {
 public:
  Probe() = default;
  Probe(const Probe&) = delete;
  Probe& operator=(const Probe&) = delete;
  virtual ~Probe() = default;

  virtual const ProbeOptions& options() const = 0;
  /// The columns that do not depend on the network.
  virtual std::vector<Column> columns() const = 0;
  /// The examples it wants to look at, none by default. Called once, before everything below.
  virtual ProbeSet examples(const TrainingData&, const Seed&) { return {}; }
  /// Columns after those, one or more for each layer: "distance:hidden1.weight".
  virtual std::vector<std::string> layer_columns(const Moment&, const ProbeSet&) { return {}; }
  /// Called at every state, before the measurement when one is due.
  virtual void follow(const Moment&) {}
  /// Whether it is to be called before every update, too.
  virtual bool accompanies_updates() const { return false; }
  /// Called after the measurement at every state that an update follows (`moment.update`).
  virtual void before_update(const Moment&) {}
  /// As many values as there are columns of both kinds; NaN for what is not defined at this state.
  virtual Measurement measure(const Moment& moment, const ProbeSet& set) = 0;
  /// What later measurements depend on beside the network: goes into the checkpoint.
  virtual Archive state() const { return {}; }
  /// Takes it back; tensors come from a file and belong on `device`.
  virtual void load(const Archive&, const at::Device& /*device*/) {}
};

/// A probe with options of type T.
template <class T>
class ProbeWith : public Probe {
 public:
  explicit ProbeWith(T options) : options_(std::move(options)) {}
  const ProbeOptions& options() const final { return options_; }

 protected:
  T options_;
};

/// A probe that looks at the examples its options ask for.
template <class T>
class ProbeOnSet : public ProbeWith<T> {
 public:
  using ProbeWith<T>::ProbeWith;
  ProbeSet examples(const TrainingData& data, const Seed& seed) override {
    return choose_probe_set(data, this->options_.examples, this->options_.choose, seed);
  }
};

/// Probes by name. Making one needs neither data nor network; throws ConfigError when options contradict each
/// other.
using Probes = Registry<std::unique_ptr<Probe>()>;
Probes& probes();

/// A list of probes as a description holds it.
using ProbeChoices = Choices<std::unique_ptr<Probe>()>;

/// Each probe of a list with all its options, `type` among them, as a description writes it; and the list of such.
std::vector<Config> written_out(const ProbeChoices& choices);
ProbeChoices read_probes(std::vector<Config> descriptions);

/// What each probe of `choices` is called in the run's folder: its `name`, or its type when it has none.
std::vector<std::string> probe_names(const ProbeChoices& choices);

/// Trainable parameters with their names, in the network's order; a shared one once.
std::vector<std::pair<std::string, Tensor>> trained_parameters(const Network& network);

/// "prefix:name" for every trainable parameter.
std::vector<std::string> parameter_columns(const Network& network, const std::string& prefix);

/// L and its gradient for each trainable parameter, over part of the training set, with the network as it
/// stands.
struct LossGradient {
  double loss = 0;
  std::vector<Tensor> gradient;
};

/// `indices`: (n) the examples; undefined: all. Taken in chunks of `chunk` examples; `.grad` is left alone.
LossGradient loss_gradient(const Moment& moment, const Tensor& indices, int64_t chunk);

/// Euclidean norm, added up in double whatever the dtype; 0 for no elements.
double norm_of(const Tensor& tensor);
/// Norm of all of them as one vector.
double norm_of(const std::vector<Tensor>& tensors);

/// Tensors as an archive and back, for Probe::state and Probe::load.
Archive save_list(const std::vector<Tensor>& tensors);
std::vector<Tensor> load_list(const Archive& archive, const at::Device& device);

/// A copy of the trainable parameters.
std::vector<Tensor> copy_weights(const Moment& moment);

}  // namespace plumb
