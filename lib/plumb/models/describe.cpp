#include "plumb/models/describe.hpp"

#include <sstream>
#include <unordered_set>

namespace plumb {
namespace {

/// "torch::nn::Conv2dImpl" -> "Conv2d"; "plumb::(anonymous namespace)::Mlp" -> "Mlp".
std::string layer_kind(const torch::nn::Module& module) {
  std::string kind = module.name();
  if (const size_t colon = kind.rfind(':'); colon != std::string::npos) kind.erase(0, colon + 1);
  if (kind.size() > 4 && kind.ends_with("Impl")) kind.resize(kind.size() - 4);
  return kind;
}

/// What stands between the parentheses of "torch::nn::Conv2d(3, 96, ...)"; empty for modules that print their
/// name only.
std::string layer_settings(const torch::nn::Module& module, const std::string& kind) {
  std::ostringstream stream;
  module.pretty_print(stream);
  const std::string text = stream.str();
  const std::string opening = "torch::nn::" + kind + "(";
  if (!text.starts_with(opening) || !text.ends_with(")")) return "";
  return text.substr(opening.size(), text.size() - opening.size() - 1);
}

}  // namespace

NetworkTable describe(const torch::nn::Module& module) {
  NetworkTable table;
  std::unordered_set<const c10::TensorImpl*> counted;
  const torch::nn::Module::ConstNamedModuleApplyFunction visit = [&](const std::string& name,
                                                                     const torch::nn::Module& m) {
    const auto parameters = m.parameters(/*recurse=*/false);
    if (parameters.empty() && !m.children().empty()) return;
    LayerRow row{.name = name, .kind = layer_kind(m), .settings = "", .trainable = 0, .fixed = 0};
    row.settings = layer_settings(m, row.kind);
    for (const auto& parameter : parameters)
      if (counted.insert(parameter.unsafeGetTensorImpl()).second)
        (parameter.requires_grad() ? row.trainable : row.fixed) += parameter.numel();
    table.trainable += row.trainable;
    table.fixed += row.fixed;
    table.layers.push_back(std::move(row));
  };
  module.apply(visit);
  return table;
}

}  // namespace plumb
