#include "tangent_kernel/random_network.hpp"

#include "tangent_kernel/random_faults.hpp"
#include "tangent_kernel/random_layers.hpp"
#include "tangent_kernel/random_weights.hpp"
#include <fmt/format.h>

namespace plumb::test {
namespace {

/// Makes the batches and the layers that take them, to features (n, d).
Layer stem(Draw& draw, int64_t d, int64_t others, RandomNetwork& network) {
  const auto batches = [&](const auto& make) {
    network.inputs = make(draw.n);
    network.others = make(others);
  };
  const int64_t kind = draw.between(0, 9);
  if (kind < 4) {
    const int64_t width = draw.width(2, 6);
    batches([&](int64_t n) { return draw.normal({n, width}); });
    draw.say(fmt::format("vectors of {}", width));
    return random_dense_layer(draw, width, d);
  }
  if (kind < 7) {
    const int64_t t = draw.width(1, 4), width = draw.width(2, 4);
    batches([&](int64_t n) { return draw.normal({n, t, width}); });
    draw.say(fmt::format("sequences of {} x {}", t, width));
    return random_sequence_layer(draw, t, width, d);
  }
  if (kind < 8) {
    const int64_t t = draw.width(1, 4), count = draw.width(3, 7);
    batches([&](int64_t n) { return draw.integers(count, {n, t}); });
    draw.say(fmt::format("{} tokens below {}", t, count));
    return random_token_layer(draw, t, count, d);
  }
  const int64_t channels = draw.between(1, 3), size = draw.between(3, 5);
  batches([&](int64_t n) { return draw.normal({n, channels, size, size}); });
  draw.say(fmt::format("images of {} x {} x {}", channels, size, size));
  return random_image_layer(draw, channels, size, d);
}

/// Some layers on features (n, d), added to them or not.
Layer trunk(Draw& draw, int64_t d) {
  std::vector<Layer> layers;
  const int64_t count = draw.between(0, 2);
  for (int64_t i = 0; i < count; ++i) {
    const double scale = draw.one_of<double>({0, 0, 1, 0.1, 1e-3, 1e-6});
    Layer layer;
    if (d % 2 == 0 && draw.chance(0.25)) {
      draw.say("features as a sequence of two");
      Layer inner = random_sequence_layer(draw, 2, d / 2, d);
      layer = [=](const Tensor& h) { return inner(h.reshape({h.size(0), 2, d / 2})); };
    } else {
      layer = random_dense_layer(draw, d, d);
    }
    if (scale == 0) {
      layers.push_back(layer);
    } else {
      draw.say(fmt::format("added times {}", scale));
      layers.push_back([=](const Tensor& h) { return h + scale * layer(h); });
    }
    if (draw.chance(0.1)) {
      draw.say("once more, the same");
      layers.push_back(layers.back());
    }
  }
  return [=](const Tensor& x) {
    Tensor h = x;
    for (const Layer& layer : layers) h = layer(h);
    return h;
  };
}

Layer head(Draw& draw, int64_t d) {
  const int64_t c = draw.c;
  Layer last = random_product(draw, d, c);
  switch (draw.between(0, 19)) {
    case 0: {
      if (c != 1) break;
      draw.say("outputs (n)");
      return [=](const Tensor& h) { return last(h).squeeze(1); };
    }
    case 1: {
      if (c % 2 != 0) break;
      draw.say("outputs (n, 2, c / 2)");
      return [=](const Tensor& h) { return last(h).reshape({h.size(0), 2, c / 2}); };
    }
    case 2: {
      draw.say("outputs (n, 1, c, 1)");
      return [=](const Tensor& h) { return last(h).reshape({h.size(0), 1, c, 1}); };
    }
    case 3:
      draw.say("log-softmax");
      return [=](const Tensor& h) { return torch::log_softmax(last(h), 1) + h.sum(1, true); };
    case 4: {
      Layer small = random_dense_layer(draw, d, c);
      const double share = draw.one_of<double>({1e-2, 1e-3, 1e-4});
      draw.say(fmt::format("three times, plus {} of that", share));
      return [=](const Tensor& h) { return 3 * last(h) + share * small(h); };
    }
    case 5: {
      Tensor bias = draw.parameter({c});
      draw.say("output bias");
      return [=](const Tensor& h) { return last(h) + bias; };
    }
    case 6: {
      std::vector<Layer> heads;
      for (int64_t k = 0; k < c; ++k) heads.push_back(random_product(draw, d, 1));
      draw.say("a head for each output");
      return [=](const Tensor& h) {
        std::vector<Tensor> outputs;
        for (const Layer& one : heads) outputs.push_back(one(h).squeeze(1));
        return torch::stack(outputs, 1);
      };
    }
    case 7: {
      draw.say("first output constant");
      return [=](const Tensor& h) {
        const Tensor y = last(h);
        return torch::cat({torch::ones_like(y.slice(1, 0, 1)), y.slice(1, 1)}, 1);
      };
    }
    default:
      break;
  }
  return last;
}

/// A second use of the inputs, with a share that may be small.
Layer shortcut(Draw& draw, const RandomNetwork& network, Layer main) {
  const Tensor& inputs = network.inputs;
  if (!inputs.is_floating_point() || !draw.chance(0.15)) return main;
  const int64_t width = inputs[0].numel();
  if (width > 30) return main;
  Layer direct = random_product(draw, width, draw.c);
  const double share = draw.one_of<double>({3, 1, 1e-3});
  draw.say(fmt::format("{} of that on the inputs added", share));
  return [=](const Tensor& x) {
    const Tensor y = main(x);
    return y + share * direct(x.flatten(1)).reshape(y.sizes());
  };
}

}  // namespace

at::ScalarType random_dtype(uint64_t seed) {
  return Seed(seed).derive("dtype") % 3 == 0 ? at::kFloat : at::kDouble;
}

RandomNetwork random_network(uint64_t seed, at::ScalarType dtype) {
  // Stock modules draw first weights of their own from LibTorch's generator, which is left as it was.
  at::Generator generator = at::globalContext().defaultGenerator(at::kCPU);
  const Tensor before = generator.get_state();
  Draw draw(seed, dtype);
  RandomNetwork network;
  network.seed = seed;
  network.changes = std::make_shared<int64_t>(0);
  draw.n = draw.between(1, 9);
  const uint64_t many = Seed(seed).derive("many examples");
  if (many % 25 == 0) draw.n = 10 + static_cast<int64_t>(many / 25 % 15);
  draw.c = draw.between(1, 4);
  draw.flat = draw.chance(0.06);
  if (draw.flat) draw.say("parameters in one buffer");
  const int64_t others = draw.chance(0.3) ? draw.n : draw.between(1, 9);
  const int64_t d = draw.width(2, 6);
  draw.module->eval();

  Layer first = stem(draw, d, others, network), middle = trunk(draw, d);
  Fault fault{"", [](const Tensor& h) { return h; }};
  if (draw.chance(0.12)) {
    network.chance = draw.chance(0.4);
    fault = network.chance ? random_noise(draw, d, network.changes) : random_coupling(draw, d);
    draw.say("FAULT: " + fault.name);
  }
  Layer last = head(draw, d);
  if (draw.chance(0.06)) {
    draw.idle_parameter({draw.between(1, 3), 2});
    draw.say("an unused parameter");
  }
  network.forward = shortcut(
      draw, network, [=, broken = fault.layer](const Tensor& x) { return last(broken(middle(first(x)))); });
  network.module = draw.module;
  network.fault = fault.name;
  network.smooth = draw.smooth && fault.name.empty();
  network.refusable = draw.refusable;
  network.unused = draw.unused;
  generator.set_state(before);
  network.description = fmt::format("n {}, n' {}, c {}: {}", draw.n, others, draw.c, draw.description);
  return network;
}

}  // namespace plumb::test
