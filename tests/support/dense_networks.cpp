#include <cmath>

#include "support/layer_case_list.hpp"

namespace plumb::test {
namespace {

namespace nn = torch::nn;

void add_perceptrons(LayerCaseList& list) {
  nn::Linear only = list.part(nn::Linear(5, 3));
  list.add("linear", {4, 5}, [=](const Tensor& x) mutable { return only(x); });

  nn::Linear bare = list.part(nn::Linear(nn::LinearOptions(5, 3).bias(false)));
  list.add("linear without bias", {4, 5}, [=](const Tensor& x) mutable { return bare(x); });

  nn::Sequential relu =
      list.part(nn::Sequential(nn::Linear(6, 8), nn::ReLU(), nn::Linear(8, 7), nn::ReLU(), nn::Linear(7, 3)));
  list.add("relu perceptron", {4, 6}, [=](const Tensor& x) mutable { return relu->forward(x); });

  nn::Sequential in_place = list.part(nn::Sequential(nn::Linear(6, 8), nn::ReLU(nn::ReLUOptions(true)),
                                                     nn::Dropout(0.5), nn::Linear(8, 3), nn::LogSoftmax(1)));
  list.add("in-place relu, dropout in evaluation mode, log softmax", {4, 6},
           [=](const Tensor& x) mutable { return in_place->forward(x); });

  nn::Linear first = list.part(nn::Linear(6, 8));
  nn::Linear second = list.part(nn::Linear(nn::LinearOptions(8, 3).bias(false)));
  list.add("tanh perceptron with ntk scaling", {4, 6}, [=](const Tensor& x) mutable {
    return second((first(x) / std::sqrt(6.0)).tanh()) * std::sqrt(2.0 / 8.0);
  });

  nn::Sequential one = list.part(nn::Sequential(nn::Linear(4, 5), nn::GELU(), nn::Linear(5, 1)));
  list.add("one example, one output", {1, 4}, [=](const Tensor& x) mutable { return one->forward(x); });

  nn::Sequential images =
      list.part(nn::Sequential(nn::Flatten(), nn::Linear(12, 6), nn::Softplus(), nn::Linear(6, 2)));
  list.add("perceptron on flattened images", {3, 3, 2, 2},
           [=](const Tensor& x) mutable { return images->forward(x); });

  nn::Linear from = list.part(nn::Linear(4, 6));
  nn::PReLU slope = list.part(nn::PReLU(nn::PReLUOptions().num_parameters(6)));
  nn::Bilinear to = list.part(nn::Bilinear(6, 4, 3));
  list.add("prelu and bilinear", {4, 4}, [=](const Tensor& x) mutable { return to(slope(from(x)), x); });
}

void add_branches_and_sharing(LayerCaseList& list) {
  nn::Linear in = list.part(nn::Linear(4, 6));
  nn::Linear inner = list.part(nn::Linear(6, 6));
  nn::Linear out = list.part(nn::Linear(6, 3));
  list.add("residual branch", {4, 4}, [=](const Tensor& x) mutable {
    const Tensor h = in(x).tanh();
    return out(h + inner(h).tanh());
  });

  nn::Linear twice = list.part(nn::Linear(5, 5));
  nn::Linear last = list.part(nn::Linear(5, 3));
  list.add("one linear layer twice", {4, 5},
           [=](const Tensor& x) mutable { return last(twice(twice(x).tanh()).tanh()); });

  nn::Linear parallel = list.part(nn::Linear(3, 2));
  list.add("one linear layer on two parts of the input", {4, 6},
           [=](const Tensor& x) mutable { return parallel(x.slice(1, 0, 3)) * parallel(x.slice(1, 3, 6)); });

  nn::Linear used = list.part(nn::Linear(4, 3));
  list.part(nn::Linear(2, 2));
  list.parameter({5});
  list.add("parameters that nothing uses", {4, 4}, [=](const Tensor& x) mutable { return used(x); });

  nn::Linear frozen = list.part(nn::Linear(4, 5));
  nn::Linear head = list.part(nn::Linear(5, 3));
  frozen->weight.set_requires_grad(false);
  list.add("frozen weight", {4, 4}, [=](const Tensor& x) mutable { return head(frozen(x).tanh()); });
}

void add_own_parameters(LayerCaseList& list) {
  nn::Linear linear = list.part(nn::Linear(4, 3));
  Tensor p = list.parameter({3});
  Tensor q = list.parameter({3});
  list.add("elementwise scale and bias", {4, 4},
           [=](const Tensor& x) mutable { return (linear(x) * p + q).tanh() * p; });

  Tensor number = list.parameter({});
  Tensor row = list.parameter({1, 4});
  Tensor channel = list.parameter({2, 1});
  list.add("scalar, row and column parameters", {3, 2, 4},
           [=](const Tensor& x) { return ((x + row) * channel).sin().mean(2) * number - number; });

  Tensor constant = list.parameter({3});
  list.add("outputs that only a bias moves", {4, 3}, [=](const Tensor& x) {
    return x.tanh() + constant.pow(2).expand({x.size(0), 3});
  });

  Tensor doubled = list.parameter({3, 4});
  list.add("weight times two", {4, 4}, [=](const Tensor& x) { return torch::linear(x, 2 * doubled); });

  Tensor turned = list.parameter({4, 3});
  Tensor offset = list.parameter({3});
  list.add("weight as inputs by outputs, addmm", {4, 4},
           [=](const Tensor& x) { return torch::addmm(offset, x, turned).tanh().mm(turned.t()).mm(turned); });

  Tensor direction = list.parameter({3, 4});
  Tensor length = list.parameter({3, 1});
  list.add("normalized weight", {4, 4}, [=](const Tensor& x) {
    return torch::linear(x, length * direction / direction.norm(2, 1, true));
  });

  Tensor store = list.parameter({30});
  list.add("weights as parts of one parameter", {4, 4}, [=](const Tensor& x) {
    const Tensor hidden = torch::linear(x, store.slice(0, 0, 20).view({5, 4})).tanh();
    return torch::linear(hidden, store.slice(0, 15, 30).view({3, 5}));
  });

  Tensor heads = list.parameter({2, 4, 3});
  list.add("batched product with a weight", {3, 4}, [=](const Tensor& x) {
    return torch::einsum("ni,hio->nho", {x, heads}).tanh().flatten(1);
  });
}

void add_normalization(LayerCaseList& list) {
  nn::Sequential layer = list.part(nn::Sequential(nn::Linear(4, 6), nn::LayerNorm(nn::LayerNormOptions({6})),
                                                  nn::Tanh(), nn::Linear(6, 3)));
  list.add("layer normalization", {4, 4}, [=](const Tensor& x) mutable { return layer->forward(x); });

  nn::LayerNorm wide = list.part(nn::LayerNorm(nn::LayerNormOptions({3, 4})));
  nn::Linear after = list.part(nn::Linear(4, 2));
  list.add("layer normalization over two dimensions", {3, 3, 4},
           [=](const Tensor& x) mutable { return after(wide(x)).mean(1); });

  nn::Sequential batch =
      list.part(nn::Sequential(nn::Linear(4, 6), nn::BatchNorm1d(6), nn::ReLU(), nn::Linear(6, 3),
                               nn::BatchNorm1d(nn::BatchNorm1dOptions(3).affine(false))));
  list.add("batch normalization of vectors", {4, 4},
           [=](const Tensor& x) mutable { return batch->forward(x); });
}

void add_sequences(LayerCaseList& list) {
  nn::Linear step = list.part(nn::Linear(4, 5));
  nn::Linear out = list.part(nn::Linear(5, 2));
  list.add("linear over sequences", {3, 6, 4},
           [=](const Tensor& x) mutable { return out(step(x).tanh()).mean(1); });

  nn::Linear merged = list.part(nn::Linear(4, 3));
  list.add("linear over examples and steps merged", {3, 5, 4}, [=](const Tensor& x) mutable {
    return merged(x.reshape({-1, 4})).tanh().view({x.size(0), 5, 3}).sum(1);
  });

  nn::Linear outer = list.part(nn::Linear(4, 3));
  list.add("linear with the examples second", {3, 5, 4},
           [=](const Tensor& x) mutable { return outer(x.transpose(0, 1)).tanh().sum(0); });

  nn::Embedding table = list.part(nn::Embedding(7, 4));
  nn::Linear pooled = list.part(nn::Linear(4, 3));
  list.add_tokens("embedding and pooling", 4, 6, 7,
                  [=](const Tensor& x) mutable { return pooled(table(x).mean(1)); });

  nn::Embedding tied = list.part(nn::Embedding(7, 4));
  nn::Linear mix = list.part(nn::Linear(4, 4));
  list.add_tokens("output tied to the embedding", 3, 5, 7, [=](const Tensor& x) mutable {
    return torch::linear(mix(tied(x).mean(1)).tanh(), tied->weight);
  });

  nn::Linear q = list.part(nn::Linear(4, 4));
  nn::Linear k = list.part(nn::Linear(4, 4));
  nn::Linear v = list.part(nn::Linear(4, 4));
  Tensor token = list.parameter({1, 1, 4});
  Tensor position = list.parameter({5, 4});
  list.add("attention with a learned token and positions", {3, 4, 4}, [=](const Tensor& x) mutable {
    const Tensor s = torch::cat({token.expand({x.size(0), 1, 4}), x}, 1) + position;
    const Tensor weights = (q(s).matmul(k(s).transpose(1, 2)) / 2).softmax(2);
    return weights.matmul(v(s)).select(1, 0);
  });

  nn::MultiheadAttention heads = list.part(nn::MultiheadAttention(nn::MultiheadAttentionOptions(4, 2)));
  list.add("multihead attention", {3, 4, 4}, [=](const Tensor& x) mutable {
    const Tensor s = x.transpose(0, 1);
    return std::get<0>(heads(s, s, s)).mean(0);
  });

  nn::GRU recurrent = list.part(nn::GRU(nn::GRUOptions(3, 4).batch_first(true)));
  list.add("recurrent layer", {3, 4, 3},
           [=](const Tensor& x) mutable { return std::get<0>(recurrent(x)).select(1, -1); });
}

}  // namespace

std::vector<Tensor> LayerCase::parameters() const {
  std::vector<Tensor> trained;
  for (const Tensor& parameter : module->parameters())
    if (parameter.requires_grad()) trained.push_back(parameter);
  return trained;
}

std::vector<LayerCase> dense_layer_cases() {
  LayerCaseList list;
  add_perceptrons(list);
  add_branches_and_sharing(list);
  add_own_parameters(list);
  add_normalization(list);
  add_sequences(list);
  return list.take();
}

std::vector<LayerCase> layer_cases() {
  std::vector<LayerCase> cases = dense_layer_cases();
  for (LayerCase& each : convolution_layer_cases()) cases.push_back(std::move(each));
  return cases;
}

}  // namespace plumb::test
