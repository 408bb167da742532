#include "plumb/autograd/recorded_graph.hpp"

#include <algorithm>
#include <typeinfo>
#include <unordered_map>
#include <unordered_set>

#include <c10/util/accumulate.h>
#include <torch/csrc/autograd/engine.h>
#include <torch/csrc/autograd/functions/accumulate_grad.h>
#include <torch/csrc/autograd/generated/Functions.h>
#include <torch/torch.h>

namespace plumb::autograd {
namespace {

using torch::autograd::AccumulateGrad;
using torch::autograd::Edge;
using torch::autograd::Node;
namespace generated = torch::autograd::generated;

/// Sizes are numbers in LibTorch 1.13 and symbolic in later versions.
template <class Size>
int64_t plain(const Size& value) {
  if constexpr (std::is_integral_v<Size>)
    return value;
  else
    return value.guard_int(__FILE__, __LINE__);
}

template <class Values>
std::vector<int64_t> plain_sizes(const Values& values) {
  std::vector<int64_t> sizes;
  for (const auto& value : values) sizes.push_back(plain(value));
  return sizes;
}

/// LibTorch 1.13 gives a recorded shape away only as a tensor of zeros.
std::vector<int64_t> output_shape(const Node& node, size_t output = 0) {
  return node.input_metadata(output).zeros_like().sizes().vec();
}

/// A parameter behind an edge: itself, or through operations that only move or multiply its entries.
struct Entrance {
  int64_t parameter;
  bool transposed = false;
  double factor = 1;
  std::vector<int64_t> shape;
  bool expanded = false;  // along the missing axes of `shape`, or those of length 1
};

class Walk {
 public:
  Walk(const Tensor& output, const std::vector<Tensor>& parameters) {
    for (size_t i = 0; i < parameters.size(); ++i)
      index_[parameters[i].unsafeGetTensorImpl()] = static_cast<int64_t>(i);
    result_.unrecognised.resize(parameters.size());
    const auto root = output.grad_fn();
    if (!root) return;
    if (entrance(Edge(root, 0))) {
      result_.unrecognised[static_cast<size_t>(entrance(Edge(root, 0))->parameter)] = "the output itself";
      return;
    }
    visit(root);
    while (!open_.empty()) {
      const NodePointer node = open_.back();
      open_.pop_back();
      read(node);
    }
  }

  RecordedUses take() { return std::move(result_); }

  /// Numbers in what backward hands to the operations that were visited.
  int64_t values() const {
    int64_t values = 0;
    for (const Node* node : seen_)
      for (size_t i = 0; i < node->num_inputs() && dynamic_cast<const AccumulateGrad*>(node) == nullptr; ++i)
        values += node->input_metadata(i).zeros_like().numel();
    return values;
  }

 private:
  void visit(const NodePointer& node) {
    if (seen_.insert(node.get()).second) open_.push_back(node);
  }

  void read(const NodePointer& node) {
    result_.fingerprint = (result_.fingerprint ^ typeid(*node).hash_code()) * 0x100000001b3;  // FNV-1a
    for (size_t i = 0; i < node->num_outputs(); ++i) {
      const Edge& edge = node->next_edge(i);
      if (!edge.is_valid()) continue;
      const auto found = entrance(edge);
      result_.fingerprint =
          result_.fingerprint * 31 + (found ? static_cast<uint64_t>(found->parameter) + 1 : 0);
      if (!found) {
        visit(edge.function);
        continue;
      }
      ParameterUse use;
      use.parameter = found->parameter;
      use.node = node;
      use.shape = found->shape;
      use.transposed = found->transposed;
      use.factor = found->factor;
      use.expanded = found->expanded;
      if (node->num_inputs() >= 1) use.output = output_shape(*node);
      if (recognise(use, i))
        result_.uses.push_back(std::move(use));
      else
        result_.unrecognised[static_cast<size_t>(found->parameter)] = node->name();
    }
  }

  std::optional<Entrance> entrance(const Edge& edge) const {
    Node* node = edge.function.get();
    if (const auto* leaf = dynamic_cast<AccumulateGrad*>(node)) {
      const auto found = index_.find(leaf->variable.unsafeGetTensorImpl());
      if (found == index_.end()) return std::nullopt;
      return Entrance{found->second, false, 1, leaf->variable.sizes().vec(), false};
    }
    if (node->num_outputs() < 1) return std::nullopt;
    const std::string name = node->name();
    if (name == "TBackward0") return moved(*node, true);
    if (const auto* transpose = dynamic_cast<generated::TransposeBackward0*>(node)) {
      const auto rank = static_cast<int64_t>(output_shape(*node).size());
      // Axes may be counted from the end.
      const bool swaps = rank > 0 && (transpose->dim0 - transpose->dim1) % rank != 0;
      if (!swaps) return moved(*node, false);
      return rank == 2 ? moved(*node, true) : std::nullopt;
    }
    if (const auto* permute = dynamic_cast<generated::PermuteBackward0*>(node))
      return permuted(*node, permute->dims);
    if (name == "ExpandBackward0") return expanded(*node);
    if (name == "ViewBackward0" || name == "UnsafeViewBackward0" || name == "ReshapeAliasBackward0" ||
        name == "UnsqueezeBackward0" || name == "SqueezeBackward0" || name == "SqueezeBackward1")
      return moved(*node, false);
    if (name == "NegBackward0") return multiplied(*node, 0, -1);
    if (auto* product = dynamic_cast<generated::MulBackward0*>(node)) return multiplied_by_saved(*product);
    if (auto* product = dynamic_cast<generated::MulBackward1*>(node))
      return multiplied(*node, 0, product->other.toDouble());
    if (auto* quotient = dynamic_cast<generated::DivBackward1*>(node))
      return multiplied(*node, 0, 1 / quotient->other.toDouble());
    if (auto* quotient = dynamic_cast<generated::DivBackward0*>(node)) {
      if (node->next_edge(1).is_valid()) return std::nullopt;
      const Tensor other = quotient->other_.unpack();
      if (!other.defined() || other.dim() > 0) return std::nullopt;
      return multiplied(*node, 0, 1 / other.item<double>());
    }
    return std::nullopt;
  }

  std::optional<Entrance> permuted(const Node& node, const std::vector<int64_t>& axes) const {
    const auto rank = static_cast<int64_t>(axes.size());
    bool stays = true;
    for (int64_t axis = 0; axis < rank; ++axis) stays &= (axes[static_cast<size_t>(axis)] - axis) % rank == 0;
    if (stays) return moved(node, false);
    return rank == 2 ? moved(node, true) : std::nullopt;
  }

  /// Repeating entries is what broadcasting does anyway, in the operations that broadcast.
  std::optional<Entrance> expanded(const Node& node) const {
    if (!node.next_edge(0).is_valid()) return std::nullopt;
    auto found = entrance(node.next_edge(0));
    if (!found) return std::nullopt;
    const std::vector<int64_t> shape = output_shape(node);
    if (!std::equal(found->shape.rbegin(), found->shape.rend(), shape.rbegin()) ||
        found->shape.size() != shape.size())
      found->expanded = true;
    return found;
  }

  std::optional<Entrance> moved(const Node& node, bool transposes) const {
    if (!node.next_edge(0).is_valid()) return std::nullopt;
    auto found = entrance(node.next_edge(0));
    if (!found || found->expanded) return std::nullopt;
    // Transposed and reshaped in turn: which entry is which can no longer be said in one flag.
    if (transposes ? found->shape.size() != 2 : found->transposed) return std::nullopt;
    if (transposes) {
      std::swap(found->shape[0], found->shape[1]);
      found->transposed = !found->transposed;
    } else {
      found->shape = output_shape(node);
    }
    return found;
  }

  std::optional<Entrance> multiplied(const Node& node, size_t edge, double factor) const {
    if (!node.next_edge(edge).is_valid()) return std::nullopt;
    auto found = entrance(node.next_edge(edge));
    if (found) found->factor *= factor;
    return found;
  }

  std::optional<Entrance> multiplied_by_saved(generated::MulBackward0& node) const {
    const bool first = node.next_edge(0).is_valid(),
               second = node.num_outputs() > 1 && node.next_edge(1).is_valid();
    if (first == second) return std::nullopt;
    const Tensor other = first ? node.other_.unpack() : node.self_.unpack();
    if (!other.defined() || other.dim() > 0) return std::nullopt;
    return multiplied(node, first ? 0 : 1, other.item<double>());
  }

  /// Fills in what `use.node` holds about the parameter at its edge `i`; false when it is no operation known
  /// here.
  static bool recognise(ParameterUse& use, size_t i) {
    Node* node = use.node.get();
    if (auto* addmm = dynamic_cast<generated::AddmmBackward0*>(node)) {
      use.rows_of_product = i == 0 && use.shape.size() == 1;
      if (i == 0) return shift(use, addmm->beta.toDouble());
      return i == 2 && product(use, addmm->mat1_.unpack(), addmm->alpha.toDouble());
    }
    if (auto* mm = dynamic_cast<generated::MmBackward0*>(node))
      return i == 1 && product(use, mm->self_.unpack(), 1);
    if (auto* conv = dynamic_cast<generated::ConvolutionBackward0*>(node)) return convolution(use, *conv, i);
    if (auto* norm = dynamic_cast<generated::NativeBatchNormBackward0*>(node))
      return !norm->training && batch_norm(use, *norm, norm->eps, i);
    if (auto* norm = dynamic_cast<generated::CudnnBatchNormBackward0*>(node))
      return !norm->training && batch_norm(use, *norm, norm->epsilon, i);
    if (auto* norm = dynamic_cast<generated::NativeLayerNormBackward0*>(node)) {
      if (i == 2) return shift(use, 1);
      return i == 1 && scale(use, (norm->input_.unpack() - norm->result1_.unpack(use.node)) *
                                      norm->result2_.unpack(use.node));
    }
    if (auto* norm = dynamic_cast<generated::NativeGroupNormBackward0*>(node))
      return group_norm(use, *norm, i);
    if (auto* lookup = dynamic_cast<generated::EmbeddingBackward0*>(node)) {
      if (i != 0 || lookup->scale_grad_by_freq || use.expanded || use.transposed) return false;
      use.kind = UseKind::lookup;
      use.saved = lookup->indices_.unpack();
      use.skipped_index = plain(lookup->padding_idx);
      return true;
    }
    if (auto* mul = dynamic_cast<generated::MulBackward0*>(node))
      return scale(use, i == 0 ? mul->other_.unpack() : mul->self_.unpack());
    if (auto* add = dynamic_cast<generated::AddBackward0*>(node))
      return shift(use, i == 0 ? 1 : add->alpha.toDouble());
    if (auto* sub = dynamic_cast<generated::SubBackward0*>(node))
      return shift(use, i == 0 ? 1 : -sub->alpha.toDouble());
    return false;
  }

  static bool shift(ParameterUse& use, double factor) {
    use.kind = UseKind::shift;
    use.factor *= factor;
    return !use.transposed;
  }

  static bool scale(ParameterUse& use, Tensor other) {
    use.kind = UseKind::scale;
    use.saved = std::move(other);
    // The gradient of a complex product takes conjugates.
    return !use.transposed && use.saved.defined() && !use.saved.is_complex();
  }

  static bool product(ParameterUse& use, Tensor rows, double factor) {
    use.kind = UseKind::product;
    use.saved = std::move(rows);
    use.factor *= factor;
    return !use.expanded && use.saved.defined() && use.saved.dim() == 2 && use.shape.size() == 2;
  }

  static bool convolution(ParameterUse& use, generated::ConvolutionBackward0& node, size_t i) {
    const size_t axes = use.output.size() - 2;
    if (node.transposed || axes < 1 || axes > 2 || use.expanded) return false;
    if (i == 2) {
      use.shape.resize(1 + axes, 1);  // (channels, 1, 1): broadcast along the spatial axes
      return shift(use, 1);
    }
    if (i != 1 || use.transposed || use.expanded) return false;
    use.kind = UseKind::convolution;
    use.saved = node.input_.unpack();
    auto& shape = use.convolution;
    shape.kernel = {use.shape.begin() + 2, use.shape.end()};
    // One number stands for all axes where a caller gave one.
    const auto of_every_axis = [&](const auto& recorded) {
      std::vector<int64_t> sizes = plain_sizes(recorded);
      if (sizes.size() == 1) sizes.resize(axes, sizes[0]);
      return sizes;
    };
    shape.stride = of_every_axis(node.stride);
    shape.padding = of_every_axis(node.padding);
    shape.dilation = of_every_axis(node.dilation);
    shape.groups = plain(node.groups);
    if (axes == 1) {
      use.saved = use.saved.unsqueeze(-1);
      shape.kernel.push_back(1);
      shape.stride.resize(2, 1), shape.stride[1] = 1;
      shape.padding.resize(2, 0), shape.padding[1] = 0;
      shape.dilation.resize(2, 1), shape.dilation[1] = 1;
    }
    return true;
  }

  template <class Norm>
  static bool batch_norm(ParameterUse& use, Norm& node, double epsilon, size_t i) {
    if (use.expanded) return false;
    const auto input = node.input_.unpack();
    std::vector<int64_t> channels(static_cast<size_t>(input.dim() - 1), 1);
    channels[0] = input.size(1);
    use.shape = channels;
    if (i == 2) return shift(use, 1);
    if (i != 1) return false;
    const Tensor mean = node.running_mean_.unpack(), variance = node.running_var_.unpack();
    return scale(use, (input - mean.view(channels)) * (variance + epsilon).rsqrt().view(channels));
  }

  static bool group_norm(ParameterUse& use, generated::NativeGroupNormBackward0& node, size_t i) {
    if (use.expanded) return false;
    const Tensor input = node.input_.unpack();
    std::vector<int64_t> channels(static_cast<size_t>(input.dim() - 1), 1);
    channels[0] = input.size(1);
    use.shape = channels;
    if (i == 2) return shift(use, 1);
    if (i != 1) return false;
    const Tensor grouped = input.reshape({input.size(0), node.group, -1});
    const Tensor mean = node.result1_.unpack(use.node).view({input.size(0), node.group, 1});
    const Tensor inverse_deviation = node.result2_.unpack(use.node).view({input.size(0), node.group, 1});
    return scale(use, ((grouped - mean) * inverse_deviation).view(input.sizes()));
  }

  std::unordered_map<const c10::TensorImpl*, int64_t> index_;
  std::unordered_set<const Node*> seen_;
  std::vector<NodePointer> open_;
  RecordedUses result_;
};

}  // namespace

bool ParameterUse::is_matrix() const {
  return kind == UseKind::product || kind == UseKind::convolution || kind == UseKind::lookup;
}

int64_t ParameterUse::matrix_rows() const {
  return kind == UseKind::convolution ? shape[0] / convolution.groups : output.back();
}

int64_t ParameterUse::matrix_columns() const {
  return kind == UseKind::convolution ? c10::multiply_integers(shape) / shape[0] : shape[0];
}

int64_t ParameterUse::positions(int64_t examples) const {
  return c10::multiply_integers(output) / (examples * matrix_rows() * convolution.groups);
}

Tensor ParameterUse::examples_first(const Tensor& d, int64_t examples) const {
  if (kind != UseKind::product && !rows_of_product) return examples_second ? d.transpose(0, 1) : d;
  return examples_second ? d.reshape({-1, examples, d.size(-1)}).transpose(0, 1)
                         : d.reshape({examples, -1, d.size(-1)});
}

Tensor ParameterUse::by_channel(const Tensor& d, int64_t examples, int64_t group) const {
  const int64_t b = matrix_rows();
  const Tensor first = examples_first(d, examples);
  if (kind != UseKind::convolution) return first.reshape({examples, -1, b}).transpose(1, 2);
  return first.flatten(2).slice(1, group * b, (group + 1) * b);
}

int64_t recorded_values(const Tensor& output, const std::vector<Tensor>& parameters) {
  const at::NoGradGuard no_grad;
  return Walk(output, parameters).values();
}

RecordedUses read_recorded_uses(const Tensor& output, const std::vector<Tensor>& parameters) {
  const at::NoGradGuard no_grad;
  return Walk(output, parameters).take();
}

std::vector<Tensor> pull_back(const Tensor& output, const Tensor& cotangent,
                              const std::vector<ParameterUse>& uses, const std::vector<Tensor>& leaves) {
  if (uses.empty() && leaves.empty()) return {};
  // Several parameters can enter at one operation: its cotangent is asked for once.
  torch::autograd::edge_list edges;
  std::unordered_map<const Node*, size_t> place;
  for (const ParameterUse& use : uses)
    if (place.try_emplace(use.node.get(), edges.size()).second) edges.emplace_back(use.node, 0);
  const size_t first_leaf = edges.size();
  for (const Tensor& leaf : leaves) edges.push_back(torch::autograd::impl::gradient_edge(leaf));
  const auto gradients = torch::autograd::Engine::get_default_engine().execute(
      {Edge(output.grad_fn(), static_cast<uint32_t>(output.output_nr()))}, {cotangent}, /*keep_graph=*/true,
      /*create_graph=*/false, /*accumulate_grad=*/false, edges);
  std::vector<Tensor> arrived;
  for (const ParameterUse& use : uses) arrived.push_back(gradients[place.at(use.node.get())]);
  for (size_t i = 0; i < leaves.size(); ++i) arrived.push_back(gradients[first_leaf + i]);
  return arrived;
}

}  // namespace plumb::autograd
