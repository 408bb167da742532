#include "tangent_kernel/random_faults.hpp"

#include <fmt/format.h>

namespace plumb::test {
namespace {

/// Adds a part of one example's features to another's, where the batch has both.
Fault leak(Draw& draw) {
  const int64_t from = draw.between(0, std::max<int64_t>(0, draw.n - 1)),
                to = draw.between(0, std::max<int64_t>(0, draw.n - 1));
  const double share = std::pow(10.0, -static_cast<double>(draw.between(0, 40)) / 10);
  const bool detached = draw.chance(0.4);
  return {
      fmt::format("example {} takes {:.1e} of example {}{}", to, share, from, detached ? ", detached" : ""),
      [=](const Tensor& h) {
        if (from == to || std::max(from, to) >= h.size(0)) return h;
        Tensor out = h.clone();
        const Tensor part = share * h[from];
        out[to] += detached ? part.detach() : part;
        return out;
      }};
}

Fault by_statistics(Draw& draw) {
  const bool detached = draw.chance(0.5);
  const auto of = [detached](const Tensor& h) { return detached ? h.detach() : h; };
  const std::string how = detached ? ", detached" : "";
  switch (draw.between(0, 7)) {
    case 0:
      return {"minus the batch's mean" + how, [=](const Tensor& h) { return h - of(h).mean(0, true); }};
    case 1:
      return {"over the batch's largest" + how,
              [=](const Tensor& h) { return h / (of(h).abs().max() + 0.01); }};
    case 2:
      return {"batch normalization in training",
              [](const Tensor& h) { return torch::batch_norm(h, {}, {}, {}, {}, true, 0.1, 1e-5, false); }};
    case 3:
      return {"over the batch's deviation" + how,
              [=](const Tensor& h) { return h / (of(h).var(0, false, true) + 0.1).sqrt(); }};
    case 4:
      return {"quantized by the batch's largest", [](const Tensor& h) {
                const Tensor step = h.detach().abs().max() / 7 + 1e-3;
                return h + ((h / step).round() * step - h).detach();
              }};
    case 5:
      return {"plus a little of the batch's mean" + how,
              [=](const Tensor& h) { return h + 1e-3 * of(h).mean(0, true); }};
    case 6:
      return {"over the batch's norm" + how, [=](const Tensor& h) { return h / (of(h).norm() + 0.01); }};
    default:
      return {"over the number of examples",
              [](const Tensor& h) { return h / static_cast<double>(h.size(0)); }};
  }
}

Fault by_order(Draw& draw) {
  switch (draw.between(0, 6)) {
    case 0:
      return {"running sum over the batch", [](const Tensor& h) { return h.cumsum(0); }};
    case 1:
      return {"softmax over the batch", [](const Tensor& h) { return h * torch::softmax(h, 0); }};
    case 2:
      return {"a little of the next example", [](const Tensor& h) { return h + 1e-2 * h.roll(1, 0); }};
    case 3:
      return {"sorted over the batch", [](const Tensor& h) { return std::get<0>(h.sort(0)); }};
    case 4:
      return {"attention over the batch",
              [](const Tensor& h) { return h + 0.1 * torch::softmax(h.mm(h.t()), 1).mm(h); }};
    case 5:
      return {"branch on the batch",
              [](const Tensor& h) { return h.detach().sum().item<double>() > 0 ? h : 2 * h; }};
    default:
      return {"only examples above the batch's mean", [](const Tensor& h) {
                const Tensor score = h.detach().sum(1, true);
                return h * (score >= score.mean()).to(h.scalar_type());
              }};
  }
}

/// Values are the examples' own, derivatives are not.
Fault by_derivative(Draw& draw) {
  if (draw.chance(0.5))
    return {"derivative of the batch's mean, without its value", [](const Tensor& h) {
              const Tensor mean = 0.3 * h.mean(0, true);
              return h + (mean - mean.detach());
            }};
  return {"derivative of the example before, without its value", [](const Tensor& h) {
            const Tensor other = 0.3 * h.roll(1, 0);
            return h + (other - other.detach());
          }};
}

}  // namespace

Fault random_coupling(Draw& draw, int64_t) {
  switch (draw.between(0, 9)) {
    case 0:
    case 1:
    case 2:
      return leak(draw);
    case 3:
    case 4:
    case 5:
      return by_statistics(draw);
    case 6:
    case 7:
    case 8:
      return by_order(draw);
    default:
      return by_derivative(draw);
  }
}

Fault random_noise(Draw& draw, int64_t, std::shared_ptr<int64_t> changes) {
  const double size = std::pow(10.0, -static_cast<double>(draw.between(2, 30)) / 10);
  const auto raise = [changes] { ++*changes; };
  switch (draw.between(0, 7)) {
    case 0:
      return {fmt::format("noise of {:.1e}", size), [=](const Tensor& h) {
                raise();
                return h + size * torch::randn_like(h);
              }};
    case 1:
      return {"noise in some calls", [=](const Tensor& h) {
                if (torch::rand({1}).item<double>() > 0.3) return h;
                raise();
                return h * (1 + size);
              }};
    case 2:
      return {
          "a path dropped in some calls", [=](const Tensor& h) {
            const Tensor keep = (torch::rand({h.size(0), 1}, h.options()) > 0.1).to(h.scalar_type()) / 0.9;
            raise();
            return h * keep;
          }};
    case 3:
      return {"functional dropout", [=](const Tensor& h) {
                raise();
                return torch::dropout(h, 0.2, true);
              }};
    case 4: {
      auto generator = std::make_shared<at::Generator>(Seed(draw.bits()).stream("noise"));
      return {fmt::format("noise of {:.1e} from another generator", size), [=](const Tensor& h) {
                raise();
                return h + size * torch::randn(h.sizes(), *generator, h.options());
              }};
    }
    case 5: {
      auto calls = std::make_shared<int64_t>(0);
      return {fmt::format("grows by {:.1e} in each call", size), [=](const Tensor& h) {
                raise();
                return h * (1 + size * static_cast<double>((*calls)++));
              }};
    }
    case 6:
      return {"features in random order", [=](const Tensor& h) {
                raise();
                return h + 0.1 * h.index_select(1, torch::randperm(h.size(1)));
              }};
    default:
      return {"noise where a graph is recorded", [=](const Tensor& h) {
                if (!at::GradMode::is_enabled()) return h;
                raise();
                return h + size * torch::rand_like(h);
              }};
  }
}

}  // namespace plumb::test
