#include "tangent_kernel/random_layers.hpp"
#include "tangent_kernel/random_weights.hpp"

namespace plumb::test {
namespace {

namespace nn = torch::nn;
namespace F = torch::nn::functional;

/// Of sequences (n, t, d), one vector (n, d) each.
Layer read_out(Draw& draw, int64_t t, int64_t d) {
  const int64_t token = draw.between(0, t - 1);
  switch (draw.between(0, 5)) {
    case 0:
      draw.say("read token " + std::to_string(token));
      return [=](const Tensor& s) { return s.select(1, token); };
    case 1:
      draw.say("read last token of sequence-first");
      return [=](const Tensor& s) { return s.transpose(0, 1)[t - 1]; };
    case 2: {
      Weight w = random_vector(draw, t);
      draw.say("weighted mean of tokens");
      return [=](const Tensor& s) { return torch::einsum("ntd,t->nd", {s, w()}) * 0.5; };
    }
    case 3: {
      Weight q = random_vector(draw, d);
      draw.say("pooled by attention of a learned query");
      return [=](const Tensor& s) { return torch::softmax(s.matmul(q()), 1).unsqueeze(1).bmm(s).squeeze(1); };
    }
    case 4:
      draw.say("largest over tokens");
      return [=](const Tensor& s) { return s.amax(1); };
    default:
      draw.say("mean of tokens");
      return [=](const Tensor& s) { return s.mean(1); };
  }
}

/// (n, t, d) to (n, t, e), each token for itself.
Layer token_wise(Draw& draw, int64_t t, int64_t d, int64_t e) {
  switch (draw.between(0, 10)) {
    case 0: {
      nn::Linear linear = draw.part(nn::Linear(d, e));
      draw.say("Linear of tokens");
      return [=](const Tensor& s) mutable { return linear(s); };
    }
    case 1: {
      Layer product = random_product(draw, d, e);
      draw.say("on all tokens in a row");
      return [=](const Tensor& s) { return product(s.reshape({-1, d})).view({s.size(0), t, e}); };
    }
    case 2: {
      nn::Linear linear = draw.part(nn::Linear(d, e));
      draw.say("Linear, sequence-first");
      return [=](const Tensor& s) mutable { return linear(s.transpose(0, 1)).transpose(0, 1); };
    }
    case 3: {
      Weight w = random_matrix(draw, d, e);
      draw.say("mm of t n rows, sequence-first");
      return [=](const Tensor& s) {
        return s.transpose(0, 1).reshape({-1, d}).mm(w()).view({t, s.size(0), e}).transpose(0, 1);
      };
    }
    case 4: {
      Tensor w = draw.parameter_of(draw.normal({t, d, e}) * 0.4);
      draw.say("bmm with a matrix for each token");
      return [=](const Tensor& s) { return s.transpose(0, 1).bmm(w).transpose(0, 1); };
    }
    case 5: {
      Tensor w = draw.parameter_of(draw.normal({t, d, e}) * 0.4);
      draw.say("einsum with a matrix for each token");
      return [=](const Tensor& s) { return torch::einsum("ntd,tde->nte", {s, w}); };
    }
    case 6: {
      Weight w = random_matrix(draw, d, e);
      draw.say("features in rows");
      return [=](const Tensor& s) {
        return w().t().mm(s.permute({2, 0, 1}).reshape({d, -1})).view({e, s.size(0), t}).permute({1, 2, 0});
      };
    }
    case 7: {
      Weight w = random_matrix(draw, d, e);
      draw.say("matmul of (t, n, d)");
      return [=](const Tensor& s) { return s.permute({1, 0, 2}).matmul(w()).permute({1, 0, 2}); };
    }
    case 8: {
      nn::Conv1d conv = draw.part(nn::Conv1d(nn::Conv1dOptions(d, e, 3).padding(1)));
      draw.say("convolution over tokens");
      return [=](const Tensor& s) mutable { return conv(s.transpose(1, 2)).transpose(1, 2); };
    }
    case 9: {
      Weight w = random_matrix(draw, d, e);
      draw.say("only tokens above a threshold, packed");
      return [=](const Tensor& s) {
        const Tensor mask = s.detach().select(2, 0) > -0.5;
        Tensor out = torch::zeros({s.size(0), t, e}, s.options());
        if (!mask.any().item<bool>()) return out + 0.1 * s.sum(2, true);
        return out.index_put({mask}, s.index({mask}).mm(w())) + 0.1 * s.sum(2, true);
      };
    }
    default: {
      Weight w = random_matrix(draw, d, e);
      draw.say("matmul of (1, n, t, d)");
      return [=](const Tensor& s) { return F::linear(s.unsqueeze(0), w().t()).squeeze(0); };
    }
  }
}

Layer positions(Draw& draw, int64_t t, int64_t d) {
  switch (draw.between(0, 6)) {
    case 0: {
      Tensor p = draw.parameter({t, d});
      draw.say("positions added");
      return [=](const Tensor& s) { return s + p; };
    }
    case 1: {
      Tensor p = draw.parameter({1, t, d});
      draw.say("positions expanded");
      return [=](const Tensor& s) { return s + p.expand({s.size(0), -1, -1}); };
    }
    case 2: {
      Tensor p = draw.parameter({t, 1, d});
      draw.say("positions added, sequence-first");
      return [=](const Tensor& s) { return (s.transpose(0, 1) + p).transpose(0, 1); };
    }
    case 3: {
      Tensor p = draw.parameter({t + 3, d});
      draw.say("positions looked up");
      return [=](const Tensor& s) {
        const Tensor ids = torch::arange(t).unsqueeze(0).expand({s.size(0), t});
        return s + torch::embedding(p, ids);
      };
    }
    case 4: {
      const int64_t inner = draw.width(2, 4);
      Tensor grid = draw.normal({t, inner});
      Weight w = random_matrix(draw, inner, d);
      draw.say("positions made of a fixed grid");
      return [=](const Tensor& s) { return s + grid.mm(w()).sin(); };
    }
    case 5: {
      Tensor p = draw.parameter({t});
      draw.say("scale for each position");
      return [=](const Tensor& s) { return s * p.unsqueeze(1); };
    }
    default: {
      Tensor token = draw.parameter({1, 1, d});
      draw.say("learned token put first");
      return [=](const Tensor& s) {
        return torch::cat({token.expand({s.size(0), -1, -1}), s}, 1).slice(1, 0, t) + 0.3 * s;
      };
    }
  }
}

Layer attention(Draw& draw, int64_t t, int64_t d) {
  switch (draw.between(0, 4)) {
    case 0: {
      Weight q = random_matrix(draw, d, d), k = random_matrix(draw, d, d), v = random_matrix(draw, d, d);
      draw.say("attention");
      return [=](const Tensor& s) {
        return torch::softmax(s.matmul(q()).bmm(s.matmul(k()).transpose(1, 2)), 2).bmm(s.matmul(v()));
      };
    }
    case 1: {
      Weight q = random_matrix(draw, d, d), k = random_matrix(draw, d, d);
      draw.say("attention, sequence-first einsum, causal");
      return [=](const Tensor& s) {
        const Tensor f = s.transpose(0, 1);
        const Tensor late = torch::ones({t, t}, torch::kBool).triu(1).unsqueeze(0);
        const Tensor scores =
            torch::einsum("tnd,snd->nts", {f.matmul(q()), f.matmul(k())}).masked_fill(late, -1e9);
        return torch::einsum("nts,snd->tnd", {torch::softmax(scores, 2), f}).transpose(0, 1);
      };
    }
    case 2: {
      nn::MultiheadAttention heads =
          draw.part(nn::MultiheadAttention(nn::MultiheadAttentionOptions(d, d % 2 == 0 ? 2 : 1)));
      draw.say("MultiheadAttention, sequence-first");
      return [=](const Tensor& s) mutable {
        const Tensor f = s.transpose(0, 1);
        return std::get<0>(heads(f, f, f)).transpose(0, 1);
      };
    }
    case 3: {
      nn::TransformerEncoderLayer encoder = draw.part(nn::TransformerEncoderLayer(
          nn::TransformerEncoderLayerOptions(d, d % 2 == 0 ? 2 : 1).dim_feedforward(5).dropout(0)));
      draw.say("TransformerEncoderLayer");
      return [=](const Tensor& s) mutable { return encoder(s.transpose(0, 1)).transpose(0, 1); };
    }
    default: {
      Tensor queries = draw.parameter({t, d});
      Weight q = random_matrix(draw, d, d), k = random_matrix(draw, d, d);
      draw.say("attention of learned queries");
      return [=](const Tensor& s) {
        const Tensor scores = torch::einsum("td,nsd->nts", {queries.mm(q()), s.matmul(k())});
        return torch::softmax(scores, 2).bmm(s) + 0.2 * s;
      };
    }
  }
}

Layer recurrent(Draw& draw, int64_t d) {
  const bool first = draw.chance(0.5), both = draw.chance(0.3);
  const int64_t layers = draw.chance(0.3) ? 2 : 1;
  const auto order = [first](const Tensor& s) { return first ? s : s.transpose(0, 1); };
  if (draw.chance(0.5)) {
    nn::LSTM lstm =
        draw.part(nn::LSTM(nn::LSTMOptions(d, d).batch_first(first).bidirectional(both).num_layers(layers)));
    draw.say(first ? "LSTM" : "LSTM, sequence-first");
    return [=](const Tensor& s) mutable {
      return order(std::get<0>(lstm(order(s)))).slice(2, both ? d : 0, both ? 2 * d : d);
    };
  }
  nn::GRU gru =
      draw.part(nn::GRU(nn::GRUOptions(d, d).batch_first(first).bidirectional(both).num_layers(layers)));
  draw.say(first ? "GRU" : "GRU, sequence-first");
  return [=](const Tensor& s) mutable {
    return order(std::get<0>(gru(order(s)))).slice(2, both ? d : 0, both ? 2 * d : d);
  };
}

Layer mixing(Draw& draw, int64_t t, int64_t d) {
  Weight w = random_matrix(draw, t, t);
  switch (draw.between(0, 4)) {
    case 0:
      draw.say("tokens mixed by matmul");
      return [=](const Tensor& s) { return w().matmul(s).tanh(); };
    case 1:
      draw.say("tokens mixed by einsum");
      return [=](const Tensor& s) { return torch::einsum("ts,nsd->ntd", {w(), s}).tanh(); };
    case 2: {
      nn::Linear linear = draw.part(nn::Linear(t, t));
      draw.say("tokens mixed by Linear");
      return [=](const Tensor& s) mutable { return linear(s.transpose(1, 2)).transpose(1, 2).tanh(); };
    }
    case 3:
      draw.say("running sum over tokens");
      return [=](const Tensor& s) { return s.cumsum(1) * 0.5; };
    default: {
      Tensor g = draw.parameter({d});
      draw.say("LayerNorm of tokens");
      return [=](const Tensor& s) { return torch::layer_norm(s, {d}, g); };
    }
  }
}

}  // namespace

Layer random_sequence_layer(Draw& draw, int64_t t, int64_t d, int64_t e) {
  std::vector<Layer> layers;
  int64_t width = d;
  const int64_t count = draw.between(1, 3);
  for (int64_t i = 0; i < count; ++i) {
    switch (draw.between(0, 6)) {
      case 0:
        layers.push_back(positions(draw, t, width));
        break;
      case 1:
        layers.push_back(attention(draw, t, width));
        break;
      case 2:
        layers.push_back(recurrent(draw, width));
        break;
      case 3:
        layers.push_back(mixing(draw, t, width));
        break;
      default: {
        const int64_t next = draw.width(2, 4);
        Layer inner = token_wise(draw, t, width, next), activation = random_activation(draw);
        layers.push_back([=](const Tensor& s) { return activation(inner(s)); });
        width = next;
      }
    }
  }
  const bool flat = draw.chance(0.2);
  Layer read = flat ? Layer([](const Tensor& s) { return s.flatten(1); }) : read_out(draw, t, width);
  Layer last = random_product(draw, flat ? t * width : width, e);
  return [=](const Tensor& x) {
    Tensor s = x;
    for (const Layer& layer : layers) s = layer(s);
    return last(read(s));
  };
}

Layer random_token_layer(Draw& draw, int64_t t, int64_t count, int64_t e) {
  const int64_t d = draw.width(2, 4);
  Layer after = random_sequence_layer(draw, t, d, e);
  switch (draw.between(0, 7)) {
    case 0: {
      const int64_t padding = draw.between(0, count - 1);
      nn::Embedding table = draw.part(nn::Embedding(nn::EmbeddingOptions(count, d).padding_idx(padding)));
      draw.smooth = false;
      draw.say("Embedding with padding_idx");
      return [=](const Tensor& x) mutable { return after(table(x)); };
    }
    case 1: {
      nn::EmbeddingBag bag = draw.part(nn::EmbeddingBag(nn::EmbeddingBagOptions(count, e).mode(
          draw.chance(0.5) ? nn::EmbeddingBagMode(torch::kSum) : nn::EmbeddingBagMode(torch::kMean))));
      nn::Embedding table = draw.part(nn::Embedding(count, d));
      draw.say("EmbeddingBag beside an Embedding");
      return [=](const Tensor& x) mutable { return bag(x) + after(table(x)); };
    }
    case 2: {
      Weight table = random_matrix(draw, count, d);
      draw.say("rows of a matrix by index");
      return [=](const Tensor& x) { return after(table().index({x}) * 2); };
    }
    case 3: {
      Weight table = random_matrix(draw, count, d);
      draw.say("one-hot tokens times a matrix");
      const at::ScalarType dtype = draw.dtype;
      return [=](const Tensor& x) { return after(F::one_hot(x, count).to(dtype).matmul(table()) * 2); };
    }
    case 4: {
      nn::Embedding table = draw.part(nn::Embedding(nn::EmbeddingOptions(count, d).scale_grad_by_freq(true)));
      draw.refusable = true;
      draw.smooth = false;
      draw.say("Embedding with scale_grad_by_freq");
      return [=](const Tensor& x) mutable { return after(table(x)); };
    }
    case 5: {
      nn::Embedding table = draw.part(nn::Embedding(nn::EmbeddingOptions(count, d).sparse(true)));
      draw.say("sparse Embedding");
      return [=](const Tensor& x) mutable { return after(table(x)); };
    }
    case 6: {
      nn::Embedding table = draw.part(nn::Embedding(count, d));
      Weight out = random_matrix(draw, count, e);
      draw.say("Embedding tied to the output");
      return [=](const Tensor& x) mutable {
        const Tensor h = table(x);
        return after(h) + h.transpose(0, 1)[t - 1].mm(table->weight.t()).tanh().mm(out());
      };
    }
    default: {
      nn::Embedding table = draw.part(nn::Embedding(count, d));
      draw.say("Embedding, sequence-first");
      return [=](const Tensor& x) mutable { return after(table(x.t().contiguous()).transpose(0, 1)); };
    }
  }
}

}  // namespace plumb::test
