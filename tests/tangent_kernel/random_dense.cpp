#include "tangent_kernel/random_layers.hpp"
#include "tangent_kernel/random_weights.hpp"

namespace plumb::test {
namespace {

namespace nn = torch::nn;
namespace F = torch::nn::functional;
using Make = Layer (*)(Draw&, int64_t, int64_t);

Layer layer(Draw& draw, int64_t d, int64_t e) {
  Layer product = random_product(draw, d, e), activation = random_activation(draw);
  return [=](const Tensor& h) { return activation(product(h)); };
}

Layer biased(Draw& draw, int64_t d, int64_t e) {
  Layer product = random_product(draw, d, e);
  Weight b = random_vector(draw, e);
  switch (draw.between(0, 8)) {
    case 0:
      draw.say("vector added");
      return [=](const Tensor& h) { return (product(h) + b()).tanh(); };
    case 1:
      draw.say("vector multiplied");
      return [=](const Tensor& h) { return product(h).tanh() * b(); };
    case 2:
      draw.say("vector expanded to all examples");
      return [=](const Tensor& h) { return (product(h) + b().expand({h.size(0), -1})).sin(); };
    case 3:
      draw.say("ones times a vector");
      return [=](const Tensor& h) {
        return (product(h) + torch::ones({h.size(0), 1}, h.options()).mm(b().unsqueeze(0))).tanh();
      };
    case 4:
      draw.say("vector repeated");
      return [=](const Tensor& h) { return (product(h) + b().repeat({h.size(0), 1})).tanh(); };
    case 5:
      draw.say("vector looked up for each example");
      return [=](const Tensor& h) {
        const Tensor zero = torch::zeros({h.size(0)}, torch::kLong);
        return (product(h) + b().unsqueeze(0).index_select(0, zero)).tanh();
      };
    case 6:
      draw.say("vector added in place");
      return [=](const Tensor& h) { return product(h).clone().add_(b()).tanh(); };
    case 7:
      draw.say("temperature");
      return [=](const Tensor& h) { return (product(h) / b().mean().exp()).tanh(); };
    default:
      draw.say("vector to a power");
      return [=](const Tensor& h) { return product(h).tanh() + b().square() * h.mean(1, true); };
  }
}

Layer normalized(Draw& draw, int64_t d, int64_t e) {
  Layer product = random_product(draw, d, e);
  switch (draw.between(0, 4)) {
    case 0: {
      nn::LayerNorm norm = draw.part(nn::LayerNorm(nn::LayerNormOptions({e})));
      draw.say("LayerNorm");
      return [=](const Tensor& h) mutable { return norm(product(h)); };
    }
    case 1: {
      nn::BatchNorm1d norm = draw.part(nn::BatchNorm1d(e));
      draw.say("BatchNorm1d in evaluation");
      return [=](const Tensor& h) mutable { return norm(product(h)).tanh(); };
    }
    case 2: {
      Weight g = random_vector(draw, e);
      draw.say("RMS norm");
      return [=](const Tensor& h) {
        const Tensor p = product(h);
        return p * (p.square().mean(-1, true) + 1e-5).rsqrt() * g();
      };
    }
    case 3: {
      if (e % 2 != 0) return product;
      nn::GroupNorm norm = draw.part(nn::GroupNorm(nn::GroupNormOptions(2, e)));
      draw.say("GroupNorm of features");
      return [=](const Tensor& h) mutable { return norm(product(h)).tanh(); };
    }
    default: {
      Tensor scale = draw.parameter({e});
      draw.say("layer scale");
      return [=](const Tensor& h) { return product(h).tanh() * (0.1 * scale); };
    }
  }
}

/// Each example goes to one of some experts, by a feature of its own; some get nothing.
Layer experts(Draw& draw, int64_t d, int64_t e) {
  const int64_t count = draw.between(2, 4), how = draw.between(0, 3);
  std::vector<Layer> parts;
  for (int64_t k = 0; k < count; ++k) parts.push_back(random_product(draw, d, e));
  const auto expert_of = [count](const Tensor& h) {
    return (h.detach().select(1, 0) * 1.5 + 0.5 * static_cast<double>(count))
        .floor()
        .clamp(0, count - 1)
        .to(torch::kLong);
  };
  switch (how) {
    case 0:
      draw.say("hard experts by index_add");
      return [=](const Tensor& h) {
        const Tensor expert = expert_of(h);
        Tensor out = torch::zeros({h.size(0), e}, h.options());
        for (int64_t k = 0; k < count; ++k) {
          const Tensor rows = (expert == k).nonzero().squeeze(1);
          if (rows.numel() > 0) out = out.index_add(0, rows, parts[k](h.index_select(0, rows)));
        }
        return out;
      };
    case 1:
      draw.say("hard experts by index_put");
      return [=](const Tensor& h) {
        const Tensor expert = expert_of(h);
        Tensor out = torch::zeros({h.size(0), e}, h.options());
        for (int64_t k = 0; k < count; ++k) {
          const Tensor mask = expert == k;
          if (mask.any().item<bool>()) out.index_put_({mask}, parts[k](h.index({mask})));
        }
        return out.tanh();
      };
    case 2: {
      Tensor bank = draw.parameter_of(draw.normal({count, d, e}) * 0.4);
      draw.say("a matrix for each example looked up");
      return [=](const Tensor& h) {
        return h.unsqueeze(1).bmm(bank.index_select(0, expert_of(h))).squeeze(1) + 0.2 * parts[0](h);
      };
    }
    default: {
      nn::Linear router = draw.part(nn::Linear(d, count));
      draw.say("soft experts");
      return [=](const Tensor& h) mutable {
        const Tensor shares = torch::softmax(router(h), 1);
        Tensor out = torch::zeros({h.size(0), e}, h.options());
        for (int64_t k = 0; k < count; ++k) out = out + shares.slice(1, k, k + 1) * parts[k](h);
        return out;
      };
    }
  }
}

/// The graph depends on the data, what is computed does not.
Layer branching(Draw& draw, int64_t d, int64_t e) {
  Weight w = random_matrix(draw, d, e);
  switch (draw.between(0, 2)) {
    case 0:
      draw.say("two ways of one product, by the batch");
      return [=](const Tensor& h) {
        if (h.detach().sum().item<double>() > 0) return h.mm(w()).tanh();
        return torch::einsum("ij,ni->nj", {w(), h}).tanh();
      };
    case 1: {
      Weight v = random_matrix(draw, d, e);
      draw.say("each example by one of two matrices, in a loop");
      return [=](const Tensor& h) {
        std::vector<Tensor> rows;
        for (const Tensor& row : h.unbind(0))
          rows.push_back(row[0].item<double>() > 0 ? torch::mv(w().t(), row) : torch::mv(v().t(), row).sin());
        return torch::stack(rows);
      };
    }
    default:
      draw.say("another layout for large batches");
      return [=](const Tensor& h) {
        if (h.size(0) > 3) return w().t().mm(h.t()).t().tanh();
        return h.mm(w()).tanh();
      };
  }
}

Layer interacting(Draw& draw, int64_t d, int64_t e) {
  switch (draw.between(0, 6)) {
    case 0: {
      nn::Bilinear bilinear = draw.part(nn::Bilinear(d, d, e));
      draw.say("Bilinear");
      return [=](const Tensor& h) mutable { return bilinear(h, h.tanh()) * 0.3; };
    }
    case 1: {
      Layer value = random_product(draw, d, e), gate = random_product(draw, d, e);
      draw.say("gated unit");
      return [=](const Tensor& h) { return value(h) * gate(h).sigmoid(); };
    }
    case 2: {
      Layer hyper = random_product(draw, d, d * e);
      draw.say("matrix made from the example");
      return [=](const Tensor& h) {
        return h.unsqueeze(1).bmm(hyper(h).tanh().reshape({h.size(0), d, e})).squeeze(1);
      };
    }
    case 3: {
      Layer product = random_product(draw, d, 2 * e);
      draw.say("maximum of two");
      return [=](const Tensor& h) { return product(h).view({h.size(0), e, 2}).amax(2); };
    }
    case 4: {
      Weight filter = random_vector(draw, d / 2 + 1);
      Layer product = random_product(draw, d, e);
      draw.say("filter in Fourier space");
      return [=](const Tensor& h) {
        return product(torch::fft::irfft(torch::fft::rfft(h) * filter(), d)).tanh();
      };
    }
    case 5: {
      Layer product = random_product(draw, d, 2 * e);
      Weight turn = random_vector(draw, e);
      draw.say("features as complex numbers, turned");
      return [=](const Tensor& h) {
        const Tensor z = torch::view_as_complex(product(h).reshape({h.size(0), e, 2}).contiguous());
        const Tensor angle = turn();
        return torch::real(z * torch::complex(angle.cos(), angle.sin())) + 0.1 * z.abs();
      };
    }
    default: {
      Layer product = random_product(draw, d, e + 1);
      draw.say("largest features");
      return [=](const Tensor& h) { return std::get<0>(product(h).topk(e, 1)); };
    }
  }
}

/// Rows of a table, chosen by where features fall.
Layer binned(Draw& draw, int64_t d, int64_t e) {
  const int64_t bins = draw.width(3, 6), how = draw.between(0, 3);
  Tensor table = draw.parameter({bins, e});
  const auto bin = [bins](const Tensor& h) {
    return ((h.detach().tanh() + 1) * 0.5 * static_cast<double>(bins))
        .floor()
        .clamp(0, bins - 1)
        .to(torch::kLong);
  };
  Layer product = random_product(draw, d, e);
  draw.smooth = draw.smooth && how != 2;
  draw.say("table looked up by features, " + std::to_string(how));
  return [=](const Tensor& h) {
    const Tensor which = bin(h);
    Tensor found;
    switch (how) {
      case 0:
        found = table.index_select(0, which.select(1, 0));
        break;
      case 1:
        found = F::one_hot(which.select(1, 0), bins).to(h.scalar_type()).mm(table);
        break;
      case 2:
        found = torch::embedding(table, which, 1).sum(1);
        break;
      default:
        found = table.gather(0, which.slice(1, 0, 1).expand({-1, e}));
        break;
    }
    return found.tanh() + 0.5 * product(h);
  };
}

}  // namespace

Layer random_dense_layer(Draw& draw, int64_t d, int64_t e) {
  static const std::vector<Way<Make>> ways{{4, layer},     {3, biased},      {2, normalized}, {2, experts},
                                           {1, branching}, {2, interacting}, {1, binned}};
  return choose(draw, ways)(draw, d, e);
}

}  // namespace plumb::test
