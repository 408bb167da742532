#include "tangent_kernel/random_draw.hpp"

namespace plumb::test {

Tensor Draw::values(const Sizes& sizes) {
  Tensor drawn = torch::randn(sizes, numbers_, torch::kFloat);
  if (sizes.size() < 2) return (0.3 * drawn + 0.8).to(dtype);
  const auto fan_in = static_cast<float>(drawn.numel() / sizes.front());
  return (drawn / std::sqrt(fan_in)).to(dtype);
}

/// `values` in some layout in memory.
Tensor Draw::laid_out(const Tensor& values) {
  if (flat) {
    if (!buffer_.defined()) buffer_ = torch::zeros({1 << 14}, dtype);
    const int64_t end = taken_ + values.numel();
    if (end <= buffer_.numel()) {
      Tensor view = buffer_.slice(0, std::exchange(taken_, end), end).view(values.sizes());
      view.copy_(values);
      return view.detach();
    }
  }
  if (values.dim() == 0 || !chance(0.08)) return values.clone();
  switch (between(0, 3)) {
    case 0: {
      say("transposed in memory");
      return values.transpose(0, -1).contiguous().transpose(0, -1);
    }
    case 1: {
      say("every second number of its memory");
      Sizes wide = values.sizes().vec();
      wide.back() *= 2;
      Tensor memory = torch::zeros(wide, dtype);
      Tensor view = memory.slice(-1, 0, wide.back(), 2);
      view.copy_(values);
      return view;
    }
    case 2: {
      say("inside other memory");
      Tensor memory = torch::zeros({values.numel() + 8}, dtype);
      Tensor view = memory.slice(0, 5, 5 + values.numel()).view(values.sizes());
      view.copy_(values);
      return view;
    }
    default: {
      if (values.size(0) < 2 || values.dim() < 2) return values.clone();
      say("expanded in memory");
      smooth = false;
      return values.slice(0, 0, 1).clone().expand(values.sizes());
    }
  }
}

Tensor Draw::parameter_of(const Tensor& values) {
  const bool frozen = chance(0.04);
  if (frozen) say("frozen");
  const std::string name = "p" + std::to_string(count_++);
  Tensor made = module->register_parameter(name, laid_out(values), !frozen);
  if (!frozen) parameters_.push_back(made);
  return made;
}

Tensor Draw::parameter(const Sizes& sizes) { return parameter_of(values(sizes)); }

Tensor Draw::idle_parameter(const Sizes& sizes) {
  const size_t before = parameters_.size();
  Tensor made = parameter(sizes);
  if (parameters_.size() > before) {
    unused.push_back("p" + std::to_string(count_ - 1));
    parameters_.pop_back();
  }
  return made;
}

std::optional<Tensor> Draw::known(const Sizes& sizes) {
  std::vector<Tensor> same;
  for (const Tensor& parameter : parameters_)
    if (parameter.sizes() == at::IntArrayRef(sizes)) same.push_back(parameter);
  if (same.empty()) return std::nullopt;
  return one_of(same);
}

void Draw::fill(torch::nn::Module& part) {
  const torch::NoGradGuard no_graph;
  for (Tensor& parameter : part.parameters()) {
    parameter.set_data(laid_out(values(parameter.sizes().vec())));
    parameters_.push_back(parameter);
  }
  for (Tensor& buffer : part.buffers())
    if (buffer.is_floating_point()) buffer.set_data(0.5 + uniform(buffer.sizes().vec()));
  part.eval();
}

}  // namespace plumb::test
