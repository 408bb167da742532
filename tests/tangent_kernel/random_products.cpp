#include "tangent_kernel/random_layers.hpp"
#include "tangent_kernel/random_weights.hpp"

namespace plumb::test {
namespace {

namespace nn = torch::nn;
namespace F = torch::nn::functional;
using Make = Layer (*)(Draw&, int64_t, int64_t);

Layer stock(Draw& draw, int64_t d, int64_t e) {
  nn::Linear linear = draw.part(nn::Linear(nn::LinearOptions(d, e).bias(draw.chance(0.7))));
  draw.say("Linear");
  return [=](const Tensor& h) mutable { return linear(h); };
}

Layer functional(Draw& draw, int64_t d, int64_t e) {
  Weight w = random_matrix(draw, d, e), b = random_vector(draw, e);
  draw.say("F::linear");
  return [=](const Tensor& h) { return F::linear(h, w().t(), b()); };
}

Layer matrix(Draw& draw, int64_t d, int64_t e) {
  Weight w = random_matrix(draw, d, e);
  switch (draw.between(0, 7)) {
    case 0:
      draw.say("mm");
      return [=](const Tensor& h) { return h.mm(w()); };
    case 1: {
      Weight b = random_vector(draw, e);
      draw.say("addmm");
      return [=](const Tensor& h) { return torch::addmm(b(), h, w(), 0.5, 2); };
    }
    case 2:
      draw.say("einsum");
      return [=](const Tensor& h) { return torch::einsum("ij,ni->nj", {w(), h}); };
    case 3:
      draw.say("product and sum over an axis");
      return [=](const Tensor& h) { return (h.unsqueeze(2) * w()).sum(1); };
    case 4:
      draw.say("tensordot");
      return [=](const Tensor& h) { return torch::tensordot(h, w(), {1}, {0}); };
    case 5: {
      Weight b = random_vector(draw, e);
      draw.say("ones appended for the bias");
      return [=](const Tensor& h) {
        const Tensor ones = torch::ones({h.size(0), 1}, h.options());
        return torch::cat({h, ones}, 1).mm(torch::cat({w(), b().unsqueeze(0)}, 0));
      };
    }
    case 6:
      draw.say("matmul of (n, 1, d)");
      return [=](const Tensor& h) { return h.unsqueeze(1).matmul(w()).squeeze(1); };
    default:
      draw.say("linear of (1, n, d)");
      return [=](const Tensor& h) { return F::linear(h.unsqueeze(0), w().t()).squeeze(0); };
  }
}

Layer batched(Draw& draw, int64_t d, int64_t e) {
  Weight w = random_matrix(draw, d, e);
  switch (draw.between(0, 3)) {
    case 0:
      draw.say("bmm with the matrix expanded");
      return [=](const Tensor& h) {
        return h.unsqueeze(1).bmm(w().unsqueeze(0).expand({h.size(0), -1, -1})).squeeze(1);
      };
    case 1: {
      Weight b = random_vector(draw, e);
      draw.say("baddbmm");
      return [=](const Tensor& h) {
        const int64_t n = h.size(0);
        return torch::baddbmm(b().view({1, 1, -1}).expand({n, 1, -1}), h.unsqueeze(1),
                              w().unsqueeze(0).expand({n, -1, -1}))
            .squeeze(1);
      };
    }
    case 2:
      draw.say("bmm of (1, n, d)");
      return [=](const Tensor& h) { return h.unsqueeze(0).bmm(w().unsqueeze(0)).squeeze(0); };
    default:
      draw.say("the matrix repeated for each example");
      return [=](const Tensor& h) { return torch::einsum("nd,nde->ne", {h, w().repeat({h.size(0), 1, 1})}); };
  }
}

/// Examples on another axis than the first.
Layer turned(Draw& draw, int64_t d, int64_t e) {
  Weight w = random_matrix(draw, d, e);
  switch (draw.between(0, 6)) {
    case 0:
      draw.say("examples in columns");
      return [=](const Tensor& h) { return w().t().mm(h.t()).t(); };
    case 1: {
      Weight b = random_vector(draw, e), v = random_matrix(draw, e, e);
      draw.say("two layers with examples in columns");
      return [=](const Tensor& h) {
        const Tensor inner = (w().t().mm(h.t().contiguous()) + b().unsqueeze(1)).tanh();
        return v().t().mm(inner).t();
      };
    }
    case 2:
      draw.say("convolution along the examples with a kernel of one");
      return [=](const Tensor& h) {
        return torch::conv1d(h.t().unsqueeze(0), w().t().unsqueeze(2)).squeeze(0).t();
      };
    case 3:
      draw.say("examples as rows of one image");
      return [=](const Tensor& h) {  // (1, 1, n, d), one kernel as wide as the image for each feature
        return torch::conv2d(h.unsqueeze(0).unsqueeze(0), w().t().unsqueeze(1).unsqueeze(1))
            .squeeze(3)
            .squeeze(0)
            .t();
      };
    case 4:
      draw.say("grouped convolution with a group for each example");
      return [=](const Tensor& h) {
        const int64_t n = h.size(0);
        const Tensor kernels = w().t().unsqueeze(2).repeat({n, 1, 1});
        return torch::conv1d(h.reshape({1, n * d, 1}), kernels, {}, 1, at::IntArrayRef{0}, 1, n).view({n, e});
      };
    case 5:
      draw.say("einsum with examples last");
      return [=](const Tensor& h) { return torch::einsum("ij,in->jn", {w(), h.t()}).t(); };
    default:
      draw.say("matmul with examples on the second axis");
      return [=](const Tensor& h) {
        return torch::stack({h, 0.5 * h}, 0).matmul(w()).transpose(0, 1).sum(1);
      };
  }
}

/// Rows of the product that are not the examples in their order.
Layer rearranged(Draw& draw, int64_t d, int64_t e) {
  Weight w = random_matrix(draw, d, e);
  const double half = 0.5;
  switch (draw.between(0, 10)) {
    case 0:
      draw.say("examples in reverse order");
      return [=](const Tensor& h) { return h.flip(0).mm(w()).flip(0); };
    case 1:
      draw.say("examples rolled");
      return [=](const Tensor& h) { return h.roll(1, 0).mm(w()).roll(-1, 0); };
    case 2:
      draw.say("examples sorted by a feature and put back");
      return [=](const Tensor& h) {
        const Tensor order = h.detach().select(1, 0).argsort();
        return h.index_select(0, order).mm(w()).index_select(0, order.argsort());
      };
    case 3:
      draw.say("batch twice, one after the other");
      return [=](const Tensor& h) {
        const auto parts = torch::cat({h, half * h}, 0).mm(w()).tanh().chunk(2, 0);
        return parts[0] - half * parts[1];
      };
    case 4:
      draw.say("every example twice");
      return [=](const Tensor& h) {
        const Tensor signs = torch::tensor({1.0, -0.5}, h.options()).repeat({h.size(0)});
        return (h.repeat_interleave(2, 0) * signs.unsqueeze(1)).mm(w()).sin().view({h.size(0), 2, e}).sum(1);
      };
    case 5: {
      const int64_t more = draw.between(1, 4);
      draw.say("batch padded with empty rows");
      return [=](const Tensor& h) {
        return torch::constant_pad_nd(h, {0, 0, 0, more}).mm(w()).narrow(0, 0, h.size(0));
      };
    }
    case 6: {
      Tensor anchor = draw.normal({draw.between(1, 3), d});
      draw.say("fixed rows before the batch");
      return [=](const Tensor& h) {
        const Tensor all = torch::cat({anchor, h}, 0).mm(w()).tanh();
        return all.slice(0, anchor.size(0)) + half * all.slice(0, 0, anchor.size(0)).mean(0);
      };
    }
    case 7:
      draw.say("batch in two halves");
      return [=](const Tensor& h) {
        const int64_t middle = (h.size(0) + 1) / 2;
        return torch::cat({h.slice(0, 0, middle).mm(w()), h.slice(0, middle).mm(w())}, 0);
      };
    case 8:
      draw.say("example by example");
      return [=](const Tensor& h) {
        std::vector<Tensor> rows;
        for (const Tensor& row : h.unbind(0)) rows.push_back(torch::mv(w().t(), row));
        return torch::stack(rows);
      };
    case 9:
      draw.say("even and odd examples apart");
      return [=](const Tensor& h) {
        Tensor out = torch::zeros({h.size(0), e}, h.options());
        out.slice(0, 0, h.size(0), 2).copy_(h.slice(0, 0, h.size(0), 2).mm(w()));
        if (h.size(0) > 1) out.slice(0, 1, h.size(0), 2).copy_(h.slice(0, 1, h.size(0), 2).mm(w()));
        return out;
      };
    default:
      draw.say("only examples above a threshold");
      return [=](const Tensor& h) {
        const Tensor which = (h.detach().select(1, 0) > 0).nonzero().squeeze(1);
        const Tensor rows = h.index_select(0, which).mm(w());
        return torch::zeros({h.size(0), e}, h.options()).index_add(0, which, rows) + 0.1 * h.sum(1, true);
      };
  }
}

/// Products of parameters that features are held against, with as many rows as there may be examples.
Layer against_rows(Draw& draw, int64_t d, int64_t e) {
  const int64_t inner = draw.width(2, 5);
  switch (draw.between(0, 3)) {
    case 0: {
      Tensor grid = draw.normal({e, inner});
      Weight w = random_matrix(draw, inner, d), b = random_vector(draw, d);
      draw.say("branch and trunk on a fixed grid");
      return [=](const Tensor& h) { return h.mm((grid.mm(w()) + b()).tanh().t()) * 0.7; };
    }
    case 1: {
      nn::Linear first = draw.part(nn::Linear(inner, inner)), second = draw.part(nn::Linear(inner, d));
      Tensor grid = draw.normal({e, inner});
      draw.say("trunk of two layers on a fixed grid");
      return [=](const Tensor& h) mutable { return h.mm(second(first(grid).tanh()).t()) * 0.7; };
    }
    case 2: {
      Tensor prototypes = draw.parameter({e, d});
      draw.say("distances to prototypes");
      return [=](const Tensor& h) { return (-0.2 * (h.unsqueeze(1) - prototypes).square().sum(2)).exp(); };
    }
    default: {
      Tensor queries = draw.parameter({e, inner});
      Weight w = random_matrix(draw, inner, d);
      nn::Linear keys = draw.part(nn::Linear(d, d));
      draw.say("learned queries through a layer");
      return [=](const Tensor& h) mutable { return keys(h).mm(queries.mm(w()).t()); };
    }
  }
}

}  // namespace

Layer random_product(Draw& draw, int64_t d, int64_t e) {
  static const std::vector<Way<Make>> ways{{3, stock},  {2, functional}, {4, matrix},      {1.5, batched},
                                           {2, turned}, {2, rearranged}, {1, against_rows}};
  return choose(draw, ways)(draw, d, e);
}

}  // namespace plumb::test
