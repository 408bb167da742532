#include "plumb/probes/probe.hpp"

#include <algorithm>
#include <cmath>

#include <torch/torch.h>

#include "plumb/models/parameters.hpp"
#include "plumb/probes/shared_kernel.hpp"

namespace plumb {

void Cadence::fields(Fields& f) {
  f.field("every", every, "measure each time so many updates are done", positive);
  f.field("at", at,
          "steps to measure at, beside the first state, the last one and those of every; doubling: 1, 2, 4, "
          "8, ...; "
          "auto: doubling unless every is given; ends: no others",
          {"auto", "doubling", "ends"}, non_negative);
}

bool Cadence::due(int64_t step) const {
  if (step == 0) return true;
  if (every && step % *every == 0) return true;
  if (const auto* steps = std::get_if<std::vector<int64_t>>(&at))
    return std::find(steps->begin(), steps->end(), step) != steps->end();
  const std::string& word = std::get<std::string>(at);
  const bool doubling = word == "doubling" || (word == "auto" && !every);
  return doubling && (step & (step - 1)) == 0;
}

void ProbeOptions::fields(Fields& f) {
  f.field("name", name, "names its files; empty: its type");
  cadence.fields(f);
}

void ProbeSetOptions::fields(Fields& f) {
  ProbeOptions::fields(f);
  f.field("examples", examples,
          "examples of the training set that are looked at, the same ones at every step", positive);
  f.field("choose", choose, "which ones: drawn with the run's seed, or the first of the training set",
          {"random", "first"});
}

void KernelProbeOptions::fields(Fields& f) {
  ProbeSetOptions::fields(f);
  f.field("memory", memory,
          "what forming the kernel may hold at a time, for example 4GiB; none: half of what is available");
}

Tensor choose_examples(const TrainingData& data, int64_t examples, Selection choose, const Seed& seed) {
  const int64_t all = data.train.size();
  Tensor order = at::arange(all, at::kLong);
  if (choose == Selection::random) {
    at::Generator generator = seed.stream("probe set");
    order = at::randperm(all, generator, at::kLong);
  }
  return order.slice(0, 0, std::min(examples, all)).to(data.train.targets.device());
}

ProbeSet choose_probe_set(const TrainingData& data, int64_t examples, Selection choose, const Seed& seed) {
  ProbeSet set;
  set.indices = choose_examples(data, examples, choose, seed);
  set.inputs = data.evaluation_inputs(data.train.inputs.index_select(0, set.indices));
  set.targets = data.train.targets.index_select(0, set.indices);
  set.kernel = std::make_shared<SharedKernel>();
  return set;
}

namespace {

struct ListedProbes {
  ProbeChoices probes{plumb::probes()};

  void fields(Fields& f) { f.components("probes", probes, ""); }
};

}  // namespace

std::vector<Config> written_out(const ProbeChoices& choices) {
  const Config all = write_options(ListedProbes{choices});
  const Config* list = all.find("probes");
  return list == nullptr ? std::vector<Config>{} : list->items;
}

ProbeChoices read_probes(std::vector<Config> descriptions) {
  Config list = Config::parse("probes: []");
  list.find("probes")->items = std::move(descriptions);
  return read_options<ListedProbes>(list).probes;
}

std::vector<std::string> probe_names(const ProbeChoices& choices) {
  std::vector<std::string> names;
  for (const auto& choice : choices) {
    const std::unique_ptr<Probe> probe = choice.make();
    names.push_back(probe->options().name.empty() ? choice.type() : probe->options().name);
  }
  return names;
}

std::vector<std::pair<std::string, Tensor>> trained_parameters(const Network& network) {
  std::vector<std::pair<std::string, Tensor>> parameters;
  for (auto& [name, value] : named_trainable_parameters(network)) parameters.emplace_back(name, value);
  return parameters;
}

std::vector<std::string> parameter_columns(const Network& network, const std::string& prefix) {
  std::vector<std::string> names;
  for (const auto& [name, parameter] : trained_parameters(network)) names.push_back(prefix + ":" + name);
  return names;
}

LossGradient loss_gradient(const Moment& moment, const Tensor& indices, int64_t chunk) {
  const int64_t examples = indices.defined() ? indices.size(0) : moment.data.train.size();
  std::vector<Tensor> weights;
  for (const auto& [name, parameter] : trained_parameters(moment.network)) weights.push_back(parameter);
  LossGradient total;
  for (const Tensor& weight : weights) total.gradient.push_back(at::zeros_like(weight));
  const at::AutoGradMode grad_mode(true);
  for (int64_t begin = 0; begin < examples; begin += chunk) {
    const int64_t end = std::min(begin + chunk, examples);
    const auto part = [&](const Tensor& all) {
      return indices.defined() ? all.index_select(0, indices.slice(0, begin, end)) : all.slice(0, begin, end);
    };
    const Tensor inputs = moment.data.evaluation_inputs(part(moment.data.train.inputs));
    const Tensor loss = moment.loss.sum(moment.network.forward(inputs), part(moment.data.train.targets)) *
                        moment.loss.scale(examples);
    total.loss += loss.item<double>();
    const auto gradients = torch::autograd::grad({loss}, weights, {}, /*retain_graph=*/false,
                                                 /*create_graph=*/false, /*allow_unused=*/true);
    for (size_t i = 0; i < weights.size(); ++i)
      if (gradients[i].defined()) total.gradient[i].add_(gradients[i]);
  }
  return total;
}

double norm_of(const Tensor& tensor) {
  const at::NoGradGuard no_grad;
  return at::linalg_vector_norm(tensor, 2, at::OptionalIntArrayRef(), false, at::kDouble).item<double>();
}

double norm_of(const std::vector<Tensor>& tensors) {
  double squares = 0;
  for (const Tensor& tensor : tensors) squares += std::pow(norm_of(tensor), 2);
  return std::sqrt(squares);
}

Archive save_list(const std::vector<Tensor>& tensors) {
  Archive archive;
  for (size_t i = 0; i < tensors.size(); ++i) archive.put(fmt::format("{}", i), tensors[i]);
  return archive;
}

std::vector<Tensor> load_list(const Archive& archive, const at::Device& device) {
  std::vector<Tensor> tensors;
  for (size_t i = 0; i < archive.values().size(); ++i)
    tensors.push_back(archive.tensor(fmt::format("{}", i)).to(device));
  return tensors;
}

std::vector<Tensor> copy_weights(const Moment& moment) {
  const at::NoGradGuard no_grad;
  std::vector<Tensor> copies;
  for (const auto& [name, parameter] : trained_parameters(moment.network))
    copies.push_back(parameter.clone());
  return copies;
}

}  // namespace plumb
