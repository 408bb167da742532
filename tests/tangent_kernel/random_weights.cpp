#include "tangent_kernel/random_weights.hpp"

namespace plumb::test {
namespace {

using Make = Weight (*)(Draw&, int64_t, int64_t);

/// x, by a function of our own: LibTorch sees no operation that it knows.
struct OwnDouble : torch::autograd::Function<OwnDouble> {
  static Tensor forward(torch::autograd::AutogradContext*, const Tensor& x) { return 2 * x; }
  static torch::autograd::tensor_list backward(torch::autograd::AutogradContext*,
                                               const torch::autograd::tensor_list& gradients) {
    return {2 * gradients[0]};
  }
};

double gain(int64_t rows) { return 1 / std::sqrt(static_cast<double>(rows)); }

Weight plain(Draw& draw, int64_t a, int64_t b) {
  Tensor w = draw.parameter({b, a});
  draw.say("W^T");
  return [=] { return w.t(); };
}

Weight untransposed(Draw& draw, int64_t a, int64_t b) {
  Tensor w = draw.parameter({a, b});
  return [=] { return w; };
}

Weight viewed(Draw& draw, int64_t a, int64_t b) {
  const int64_t how = draw.between(0, 11);
  const auto made = [&](const Sizes& sizes) { return draw.parameter(sizes); };
  switch (how) {
    case 0: {
      Tensor w = made({a, b});
      draw.say("transpose(0, -2)");
      return [=] { return w.transpose(0, -2); };
    }
    case 1: {
      Tensor w = made({b, a});
      draw.say("permute({1, 0})");
      return [=] { return w.permute({1, 0}); };
    }
    case 2: {
      Tensor w = made({b});
      draw.say("expanded row");
      return [=] { return w.expand({a, b}) * gain(a); };
    }
    case 3: {
      Tensor w = made({a, 1});
      draw.say("expanded column");
      return [=] { return w.expand({-1, b}); };
    }
    case 4: {
      Tensor w = made({a * b});
      draw.say("viewed vector");
      return [=] { return w.view({a, b}) * gain(a); };
    }
    case 5: {
      const int64_t before = draw.between(0, 7);
      Tensor w = draw.parameter_of(draw.normal({before + 2 * a * b}));
      draw.say("two slices of one vector");
      return [=] {
        return (w.narrow(0, before, a * b).reshape({b, a}).t() + w.slice(0, before + a * b).view({a, b})) *
               gain(a);
      };
    }
    case 6: {
      Tensor w = made({3, b, a});
      draw.say("selected");
      return [=] { return w.select(0, 1).t(); };
    }
    case 7: {
      Tensor w = made({2 * b, a});
      draw.say("sum of chunks");
      return [=] {
        const auto parts = w.chunk(2, 0);
        return (parts[0] - 0.5 * parts[1]).t();
      };
    }
    case 8: {
      Tensor w = made({a, b + 2});
      draw.say("strided columns of a matrix");
      return [=] { return w.slice(1, 1, b + 1); };
    }
    case 9: {
      Tensor w = made({1, a, b});
      draw.say("squeezed");
      return [=] { return w.squeeze(0); };
    }
    case 10: {
      Tensor w = made({a, b});
      draw.say("reversed and rolled");
      return [=] { return w.flip({0}).roll({1}, {1}); };
    }
    default: {
      Tensor w = made({b, 1, a});
      draw.say("swapped axes of three");
      return [=] { return w.permute({2, 0, 1}).reshape({a, b}); };
    }
  }
}

Weight product(Draw& draw, int64_t a, int64_t b) {
  const int64_t rank = draw.width(1, 4), other = draw.width(1, 4);
  switch (draw.between(0, 9)) {
    case 0: {
      Tensor u = draw.parameter({a, rank}), v = draw.parameter({rank, b});
      draw.say("A B");
      return [=] { return u.mm(v); };
    }
    case 1: {
      Tensor u = draw.parameter({a, rank}), v = draw.parameter({rank, other}), w = draw.parameter({other, b});
      draw.say("A B C");
      return [=] { return u.mm(v).mm(w); };
    }
    case 2: {
      Tensor u = draw.parameter({a}), v = draw.parameter({b});
      draw.say("outer product");
      return [=] { return u.outer(v) * gain(a); };
    }
    case 3: {
      if (a % 2 != 0 || b % 2 != 0) return untransposed(draw, a, b);
      Tensor u = draw.parameter({2, 2}), v = draw.parameter({a / 2, b / 2});
      draw.say("Kronecker product");
      return [=] { return torch::kron(u, v); };
    }
    case 4: {
      Tensor grid = draw.normal({a, rank});
      Tensor v = draw.parameter({rank, b});
      draw.say("fixed grid of as many rows times a parameter");
      return [=] { return grid.mm(v).tanh() * gain(a); };
    }
    case 5: {
      Tensor grid = draw.normal({rank, b});
      Tensor u = draw.parameter({a, rank});
      draw.say("parameter times fixed directions");
      return [=] { return u.mm(grid) * gain(rank); };
    }
    case 6: {
      torch::nn::Linear hyper = draw.part(torch::nn::Linear(rank, b));
      Tensor codes = draw.chance(0.5) ? draw.parameter({a, rank}) : draw.normal({a, rank});
      draw.say("hypernetwork of one code a row");
      return [=]() mutable { return hyper(codes).sin() * gain(a); };
    }
    case 7: {
      torch::nn::Linear hyper = draw.part(torch::nn::Linear(rank, a * b));
      Tensor code = draw.chance(0.5) ? draw.parameter({rank}) : draw.normal({rank});
      draw.say("hypernetwork");
      return [=]() mutable { return hyper(code).view({a, b}) * gain(a); };
    }
    case 8: {
      Tensor w = draw.parameter({a, b}), u = draw.parameter({a, rank}), v = draw.parameter({rank, b});
      draw.say("W + A B");
      return [=] { return w + 0.1 * u.mm(v); };
    }
    default: {
      Tensor u = draw.parameter({rank, a, other}), v = draw.parameter({rank, other, b});
      draw.say("sum of products by bmm");
      return [=] { return u.bmm(v).mean(0) * 2; };
    }
  }
}

Weight normalized(Draw& draw, int64_t a, int64_t b) {
  Tensor w = draw.parameter({a, b});
  switch (draw.between(0, 8)) {
    case 0: {
      Tensor g = draw.parameter({b});
      draw.say("weight norm");
      return [=] { return g * w / w.norm(2, 0, true); };
    }
    case 1:
      draw.say("standardized weight");
      return [=] { return (w - w.mean(0, true)) / (w.var(0, false, true) + 0.1).sqrt() * gain(a); };
    case 2: {
      Tensor u = draw.normal({a});
      draw.say("spectral scale of one power step");
      return [=] {
        const Tensor v = torch::mv(w.t(), u);
        return w / torch::mv(w, v / v.norm()).norm();
      };
    }
    case 3: {
      Tensor u = draw.normal({a});
      draw.say("spectral scale, vectors under no_grad");
      draw.smooth = false;
      return [=] {
        Tensor left, right;
        {
          const torch::NoGradGuard no_graph;
          right = torch::mv(w.t(), u);
          right = right / right.norm();
          left = torch::mv(w, right);
          left = left / left.norm();
        }
        return w / torch::dot(left, torch::mv(w, right));
      };
    }
    case 4:
      draw.say("columns of softmax");
      return [=] { return torch::softmax(w, 0) * 2; };
    case 5: {
      Tensor mask = (draw.uniform({a, b}) < 0.7).to(draw.dtype);
      draw.say("masked weight");
      return [=] { return w * mask; };
    }
    case 6: {
      Tensor rest = draw.idle_parameter({a, b});
      draw.say("W + detached");
      draw.smooth = false;
      return [=] { return w + 0.5 * rest.detach(); };
    }
    case 7:
      draw.say("quantized weight, straight through");
      draw.smooth = false;
      return [=] { return w + ((w * 4).round() / 4 - w).detach(); };
    default: {
      Tensor scale = draw.parameter({});
      draw.say("scalar times weight");
      return [=] { return w * scale; };
    }
  }
}

Weight assembled(Draw& draw, int64_t a, int64_t b) {
  switch (draw.between(0, 9)) {
    case 0: {
      Tensor rows = draw.parameter({std::max<int64_t>(1, a / 2), b});
      Tensor which = draw.integers(rows.size(0), {a});
      draw.say("rows chosen with repeats");
      return [=] { return rows.index_select(0, which) * 0.7; };
    }
    case 1: {
      Tensor top = draw.parameter({a, b}), below = draw.parameter({1, b});
      draw.say("concatenated rows");
      return [=] { return torch::cat({below, top.slice(0, 1)}, 0); };
    }
    case 2: {
      std::vector<Tensor> columns;
      for (int64_t j = 0; j < b; ++j) columns.push_back(draw.parameter({a}));
      draw.say("stacked vectors");
      return [=] { return torch::stack(columns, 1) * gain(a); };
    }
    case 3: {
      Tensor w = draw.parameter({a * b});
      Tensor where = draw.permutation(a * b).view({a, b});
      draw.say("gathered numbers");
      return [=] { return torch::take(w, where) * gain(a); };
    }
    case 4: {
      Tensor w = draw.parameter({b, a});
      draw.say("own autograd function");
      return [=] { return OwnDouble::apply(0.5 * w).t(); };
    }
    case 5: {
      Tensor w = draw.parameter({a + b});
      draw.say("Toeplitz");
      return [=] { return w.unfold(0, b, 1).slice(0, 0, a) * gain(a); };
    }
    case 6: {
      Tensor w = draw.parameter({a, b});
      draw.say("cumulative sum of weights");
      return [=] { return w.cumsum(0) * gain(a); };
    }
    case 7: {
      Tensor w = draw.parameter({a, b});
      Tensor where = draw.integers(a, {2});
      Tensor more = draw.parameter({2, b});
      draw.say("rows added by index");
      return [=] { return w.index_add(0, where, more); };
    }
    case 8: {
      Tensor w = draw.parameter({2, a, b});
      draw.say("complex weight made of two, its squared modulus");
      return [=] {
        const Tensor z = torch::complex(w[0], w[1]);
        return torch::real(z * z);
      };
    }
    default: {
      const int64_t size = std::max(a, b);
      Tensor w = draw.parameter({size, size});
      draw.say("symmetrized");
      return [=] { return (w + w.t()).slice(0, 0, a).slice(1, 0, b) * 0.6; };
    }
  }
}

Weight tied(Draw& draw, int64_t a, int64_t b) {
  if (const auto same = draw.known({a, b})) {
    draw.say("tied");
    Tensor w = *same;
    return [=] { return w; };
  }
  if (const auto turned = draw.known({b, a})) {
    draw.say("tied, transposed");
    Tensor w = *turned;
    return [=] { return w.t(); };
  }
  if (const auto row = draw.known({b})) {
    draw.say("rows scaled by a known vector");
    Tensor v = *row, w = draw.parameter({a, b});
    return [=] { return w * v; };
  }
  return plain(draw, a, b);
}

}  // namespace

Weight random_matrix(Draw& draw, int64_t rows, int64_t columns) {
  static const std::vector<Way<Make>> ways{{4, plain},      {2, untransposed}, {3, viewed}, {3, product},
                                           {2, normalized}, {2, assembled},    {2, tied}};
  return choose(draw, ways)(draw, rows, columns);
}

Weight random_vector(Draw& draw, int64_t size) {
  switch (draw.between(0, 9)) {
    case 0: {
      Tensor row = draw.parameter({1, size});
      return [=] { return row.squeeze(0); };
    }
    case 1: {
      Tensor scalar = draw.parameter({});
      draw.say("one number for all features");
      return [=] { return scalar.expand({size}); };
    }
    case 2: {
      Weight matrix = random_matrix(draw, size, draw.width(1, 3));
      return [=] { return matrix().sum(1); };
    }
    case 3:
      if (const auto same = draw.known({size})) {
        draw.say("tied vector");
        Tensor v = *same;
        return [=] { return v; };
      }
      [[fallthrough]];
    default: {
      Tensor v = draw.parameter({size});
      return [=] { return v; };
    }
  }
}

}  // namespace plumb::test
