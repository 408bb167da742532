#include "plumb/analysis/kernel_term.hpp"

#include <algorithm>

#include <torch/torch.h>

#include "plumb/analysis/random_weights.hpp"
#include "plumb/core/error.hpp"

namespace plumb {
namespace {

using autograd::UseKind;

/// Edges of a tile in rows: products of tiles as large as the first run at nearly full speed; on the
/// diagonal, where a tile lies half above it, they are halved down to the second.
constexpr int64_t tile_rows = 1024, diagonal_rows = 256;

int64_t rows_per_example(const KernelTerm& term, KernelOutputs outputs) {
  return outputs == KernelOutputs::pairs ? term.outputs : 1;
}

/// (examples, outputs, ...) as one row for each row of the kernel: outputs that are summed stand side by
/// side.
Tensor by_kernel_row(const Tensor& values, int64_t rows_per_example) {
  return values.reshape({values.size(0) * rows_per_example, -1});
}

struct TileEdges {
  int64_t left, right;
  int64_t diagonal;  // of those that meet the diagonal, at most
};

/// Calls visit(i, i_end, j, j_end) for tiles that cover the square [begin, end) from its diagonal downwards.
template <class Visit>
void for_diagonal_tiles(int64_t begin, int64_t end, int64_t edge, const Visit& visit) {
  if (end - begin <= edge) return visit(begin, end, begin, end);
  const int64_t middle = (begin + end) / 2;
  for_diagonal_tiles(begin, middle, edge, visit);
  visit(middle, end, begin, middle);
  for_diagonal_tiles(middle, end, edge, visit);
}

/// The same for tiles that cover the block, or its lower half.
template <class Visit>
void for_tiles(int64_t left, int64_t right, const TileEdges& edges, bool lower_half, const Visit& visit) {
  for (int64_t i = 0; i < left; i += edges.left) {
    const int64_t i_end = std::min(left, i + edges.left), right_end = lower_half ? i : right;
    for (int64_t j = 0; j < right_end; j += edges.right)
      visit(i, i_end, j, std::min(right_end, j + edges.right));
    if (lower_half) for_diagonal_tiles(i, i_end, edges.diagonal, visit);
  }
}

/// block += left right' for (n r, m) and (n~ r, m), by tiles.
void add_gram(const Tensor& block, const Tensor& left, const Tensor& right, bool lower_half) {
  // Of a small square, too, little is computed above the diagonal.
  const int64_t diagonal = std::clamp<int64_t>(left.size(0) / 6, 96, diagonal_rows);
  const TileEdges edges{tile_rows, lower_half ? tile_rows : right.size(0), diagonal};
  for_tiles(left.size(0), right.size(0), edges, lower_half,
            [&](int64_t i, int64_t i_end, int64_t j, int64_t j_end) {
              block.slice(0, i, i_end)
                  .slice(1, j, j_end)
                  .addmm_(left.slice(0, i, i_end), right.slice(0, j, j_end).t());
            });
}

void add_products(const Tensor& block, const KernelTerm& left, const KernelTerm& right, KernelOutputs outputs,
                  bool lower_half) {
  const int64_t r = rows_per_example(left, outputs), q = rows_per_example(right, outputs);
  const Tensor d_left = by_kernel_row(left.cotangents, r), d_right = by_kernel_row(right.cotangents, q);
  const int64_t edge = std::max<int64_t>(1, tile_rows / std::max(r, q));
  const Tensor buffer = at::empty({edge * r * edge * q}, block.options());
  const TileEdges edges{edge, edge, std::max<int64_t>(1, diagonal_rows / r)};
  for_tiles(left.inputs.examples(), right.inputs.examples(), edges, lower_half,
            [&](int64_t i, int64_t i_end, int64_t j, int64_t j_end) {
              const int64_t rows = (i_end - i) * r, columns = (j_end - j) * q;
              Tensor product = buffer.slice(0, 0, rows * columns).view({rows, columns});
              at::mm_out(product, d_left.slice(0, i * r, i_end * r), d_right.slice(0, j * q, j_end * q).t());
              // One number per pair of examples, beside all its pairs of outputs.
              const Tensor inputs =
                  left.inputs.gram(i, i_end, right.inputs, j, j_end).repeat_interleave(q, 1).unsqueeze(1);
              block.slice(0, i * r, i_end * r)
                  .slice(1, j * q, j_end * q)
                  .unflatten(0, {i_end - i, r})
                  .addcmul_(product.view({i_end - i, r, columns}), inputs);
            });
}

void add_identity(const Tensor& block, const KernelTerm& left, const KernelTerm& right, KernelOutputs outputs,
                  bool lower_half) {
  const double factor = left.scale * right.scale;
  const int64_t c = left.outputs;
  if (left.first_output != right.first_output) return;  // different outputs: orthogonal
  for_tiles(left.inputs.examples(), right.inputs.examples(), {tile_rows, tile_rows, tile_rows}, lower_half,
            [&](int64_t i, int64_t i_end, int64_t j, int64_t j_end) {
              const Tensor gram = left.inputs.gram(i, i_end, right.inputs, j, j_end);
              if (outputs == KernelOutputs::summed) {
                block.slice(0, i, i_end).slice(1, j, j_end).add_(gram, factor * static_cast<double>(c));
                return;
              }
              Tensor part = block.slice(0, i * c, i_end * c).slice(1, j * c, j_end * c);
              part = part.unflatten(0, {i_end - i, c}).unflatten(2, {j_end - j, c});
              part.diagonal(0, 1, 3).add_(gram.unsqueeze(-1), factor);
            });
}

/// The gradient with respect to rows [b, b_end) of the weight: (examples, outputs, (b_end - b) a).
Tensor outer_rows(const KernelTerm& term, int64_t b, int64_t b_end, int64_t scratch) {
  const Tensor& d = term.cotangents;
  const int64_t examples = d.size(0);
  const Tensor first = term.inputs.slice(0, 1);
  const int64_t a = first.size(2);
  Tensor rows = at::empty({examples, d.size(1), b_end - b, a}, d.options());
  const int64_t step = std::max<int64_t>(1, scratch / 4 / (first.numel() * first.element_size()));
  for (int64_t i = 0; i < examples; i += step) {
    const int64_t i_end = std::min(examples, i + step);
    const Tensor u = term.inputs.slice(i, i_end);
    // All outputs of an example against the same patches: one product of (outputs rows) x T and T x a.
    const Tensor part = d.slice(0, i, i_end).slice(2, b, b_end).flatten(1, 2);
    Tensor target = rows.slice(0, i, i_end).flatten(1, 2);
    at::bmm_out(target, part, u);
  }
  return rows.flatten(2);
}

void add_outer(const Tensor& block, const KernelTerm& left, const KernelTerm& right, KernelOutputs outputs,
               bool lower_half, int64_t scratch) {
  const int64_t b = left.cotangents.size(2), a = left.inputs.slice(0, 1).size(2);
  const int64_t examples = left.cotangents.size(0) + (lower_half ? 0 : right.cotangents.size(0));
  const int64_t row_bytes =
      examples * std::max(left.outputs, right.outputs) * a * left.cotangents.element_size();
  const int64_t chunk = std::clamp<int64_t>(scratch / 2 / row_bytes, 1, b);
  const auto part = [&](const KernelTerm& term, int64_t begin, int64_t end) {
    return by_kernel_row(outer_rows(term, begin, end, scratch), rows_per_example(term, outputs));
  };
  for (int64_t begin = 0; begin < b; begin += chunk) {
    const int64_t end = std::min(b, begin + chunk);
    const Tensor rows = part(left, begin, end);
    add_gram(block, rows, lower_half ? rows : part(right, begin, end), lower_half);
  }
}

/// (examples, T, b c) with the output innermost, or (examples, T, c b) when outputs are summed.
Tensor by_position(const Tensor& cotangents, KernelOutputs outputs) {
  return (outputs == KernelOutputs::pairs ? cotangents.permute({0, 3, 2, 1})
                                          : cotangents.permute({0, 3, 1, 2}))
      .flatten(2)
      .contiguous();
}

void add_positions(const Tensor& block, const KernelTerm& left, const KernelTerm& right,
                   KernelOutputs outputs, bool lower_half, int64_t scratch) {
  const int64_t r = rows_per_example(left, outputs), q = rows_per_example(right, outputs);
  const int64_t positions = left.cotangents.size(3), others = right.cotangents.size(3),
                b = left.cotangents.size(2);
  // A pair of examples costs T T~ numbers for <u u~> and T b c for what they make of the cotangents.
  const int64_t pair_bytes = (positions * others + positions * b * right.outputs) * block.element_size();
  const int64_t pairs = std::max<int64_t>(1, std::min<int64_t>(scratch, 64 << 20) / pair_bytes);
  const int64_t edge = std::max<int64_t>(1, static_cast<int64_t>(std::sqrt(static_cast<double>(pairs))));
  for_tiles(
      left.inputs.examples(), right.inputs.examples(), {edge, edge, edge}, lower_half,
      [&](int64_t i, int64_t i_end, int64_t j, int64_t j_end) {
        const int64_t ni = i_end - i, nj = j_end - j;
        // (j, i T, T~): <u_it u_jt'>
        const Tensor gram = left.inputs.gram(i, i_end, right.inputs, j, j_end)
                                .view({ni * positions, nj, others})
                                .transpose(0, 1);
        // sum over t' of <u_it u_jt'> d_jt'
        const Tensor weighted = at::bmm(gram, by_position(right.cotangents.slice(0, j, j_end), outputs));
        const Tensor d =
            outputs == KernelOutputs::pairs
                ? left.cotangents.slice(0, i, i_end).transpose(2, 3).reshape({ni, r, positions * b})
                : left.cotangents.slice(0, i, i_end).permute({0, 3, 1, 2}).reshape({ni, 1, -1});
        const Tensor entries = at::matmul(d.unsqueeze(0), weighted.view({nj, ni, -1, q}));  // (nj, ni, r, q)
        block.slice(0, i * r, i_end * r)
            .slice(1, j * q, j_end * q)
            .unflatten(0, {ni, r})
            .unflatten(2, {nj, q})
            .add_(entries.permute({1, 2, 0, 3}));
      });
}

}  // namespace

TermInputs::TermInputs(const autograd::ParameterUse& use, int64_t examples, int64_t group, double bias,
                       at::ScalarType dtype)
    : kind_(use.kind),
      saved_(use.saved.detach()),
      convolution_(use.convolution),
      examples_(examples),
      skipped_(use.skipped_index),
      factor_(use.factor),
      bias_(bias),
      dtype_(dtype) {
  if (kind_ == UseKind::lookup) classes_ = use.shape.front();
  if (kind_ == UseKind::convolution) {
    const int64_t channels = saved_.size(1) / convolution_.groups;
    saved_ = saved_.slice(1, group * channels, (group + 1) * channels);
  } else if (kind_ == UseKind::product) {
    saved_ = use.examples_second ? saved_.reshape({-1, examples, saved_.size(-1)}).transpose(0, 1)
                                 : saved_.reshape({examples, -1, saved_.size(-1)});
  } else {
    saved_ = (use.examples_second ? saved_.transpose(0, 1) : saved_).reshape({examples, -1});
  }
}

Tensor TermInputs::slice(int64_t begin, int64_t end) const {
  Tensor part = saved_.slice(0, begin, end);
  if (kind_ == UseKind::lookup) {
    part = at::one_hot(part.to(at::kLong), classes_) * part.ne(skipped_).unsqueeze(-1);
  } else if (kind_ == UseKind::convolution) {
    const auto& shape = convolution_;
    const bool points =
        shape.kernel == std::vector<int64_t>{1, 1} && shape.padding == std::vector<int64_t>{0, 0};
    part = points ? part.slice(2, 0, part.size(2), shape.stride[0])
                        .slice(3, 0, part.size(3), shape.stride[1])
                        .flatten(2)
                  : at::im2col(part, shape.kernel, shape.dilation, shape.padding, shape.stride);
    part = part.transpose(1, 2);
  }
  part = part.to(dtype_);
  if (factor_ != 1) part = part * factor_;
  if (bias_ != 0) part = at::constant_pad_nd(part, {0, 1}, bias_);
  return part;
}

Tensor TermInputs::weighted_by(const Tensor& d) const {
  if (kind_ == UseKind::lookup) {
    const Tensor indices = saved_.flatten().to(at::kLong);
    return at::zeros({classes_}, d.options())
        .index_add_(0, indices, d.flatten() * indices.ne(skipped_) * factor_);
  }
  Tensor sum;
  in_pieces([&](int64_t begin, int64_t end, const Tensor& u) {
    const Tensor weights = d.slice(0, begin, end).reshape({-1});
    if (sum.defined())
      sum.addmv_(u.t(), weights);
    else
      sum = at::mv(u.t(), weights);
  });
  return sum;
}

double TermInputs::size_of_weighted(const Tensor& d) const {
  if (kind_ == UseKind::lookup)
    return fast_norm(d.flatten() * saved_.flatten().to(at::kLong).ne(skipped_) * factor_);
  double size = 0;
  in_pieces([&](int64_t begin, int64_t end, const Tensor& u) {
    const Tensor norms = at::linalg_vector_norm(u, 2, at::IntArrayRef{1});
    size = std::hypot(size, fast_norm(norms * d.slice(0, begin, end).reshape({-1})));
  });
  return size;
}

template <class Work>
void TermInputs::in_pieces(const Work& work) const {
  constexpr int64_t numbers = 1 << 20;
  // Patches of convolutions are made for the piece: as many examples as their numbers allow.
  const int64_t each = slice(0, 1).numel();
  const int64_t step = std::max<int64_t>(1, numbers / std::max<int64_t>(1, each));
  for (int64_t i = 0; i < examples_; i += step) {
    const int64_t end = std::min(examples_, i + step);
    work(i, end, slice(i, end).flatten(0, 1));
  }
}

Tensor TermInputs::gram(int64_t begin, int64_t end, const TermInputs& other, int64_t other_begin,
                        int64_t other_end) const {
  if (kind_ == UseKind::lookup) {
    const Tensor mine = saved_.slice(0, begin, end).flatten().unsqueeze(1);
    const Tensor theirs = other.saved_.slice(0, other_begin, other_end).flatten().unsqueeze(0);
    const Tensor same = mine.eq(theirs).logical_and_(mine.ne(skipped_)).to(dtype_);
    return factor_ == 1 && other.factor_ == 1 ? same : same * (factor_ * other.factor_);
  }
  const Tensor mine = slice(begin, end).flatten(0, 1);
  return mine.mm(other.slice(other_begin, other_end).flatten(0, 1).t());
}

Tensor pull_back_rows(const KernelTerm& term, const Tensor& weights) {
  const Tensor u = weights.slice(1, term.first_output, term.first_output + term.outputs);
  return at::tensordot(u.to(term.rows.scalar_type()), term.rows, {0, 1}, {0, 1});
}

double gradient_error(const KernelTerm& term, const Tensor& weights, const Tensor& gradient,
                      const Tensor& bias_gradient, double allowed, CheckDraws& draws) {
  const Tensor& d = term.cotangents;  // (examples, outputs, b) or (examples, outputs, b, T)
  if (d.numel() == 0) return fast_norm(gradient) > 0 ? 1 : 0;
  const int64_t n = d.size(0), outputs = d.size(1), b = d.size(2);
  const Tensor u = weights.slice(1, term.first_output, term.first_output + outputs).to(d.scalar_type());
  const Tensor flat = d.flatten(2);
  const Tensor sums = (outputs == 1 ? flat.squeeze(1) * u : at::bmm(u.unsqueeze(1), flat)).view({n, b, -1});
  const Tensor z = draws.weights(b).to(d.options());
  const Tensor along = sums.size(2) == 1 ? at::mv(sums.view({n, b}), z).view({n, 1})
                                         : at::matmul(z.view({1, b}), sums).squeeze(1);  // (n, T)
  const Tensor found = term.inputs.weighted_by(along);
  Tensor expected = at::mv(gradient.to(d.scalar_type()).t(), z);
  if (bias_gradient.defined())
    expected = at::cat({expected, at::dot(bias_gradient.to(d.scalar_type()), z).view({1})});
  else if (found.size(0) > expected.size(0))
    expected = at::cat({expected, found.slice(0, expected.size(0))});
  const double difference = fast_norm(found - expected);
  double size = fast_norm(expected);
  // The sum of the summands may cancel; their size, which does not, is asked for where that could matter.
  if (!(difference <= 0.03 * allowed * size))
    size = std::max({size, fast_norm(found), term.inputs.size_of_weighted(along)});
  return difference == 0 ? 0 : difference / std::max(size, 1e-300);
}

void add_contribution(const Tensor& block, const KernelTerm& left, const KernelTerm& right,
                      KernelOutputs outputs, bool lower_half, int64_t scratch) {
  const auto is_product = [](TermForm form) {
    return form == TermForm::product || form == TermForm::identity;
  };
  expects(left.parameter == right.parameter &&
              (left.form == right.form || (is_product(left.form) && is_product(right.form))),
          "the terms belong to different parts of J");
  // A parameter that meets nothing of these examples.
  const auto is_empty = [](const KernelTerm& term) {
    return (term.form == TermForm::rows ? term.rows : term.cotangents).numel() == 0;
  };
  if (is_empty(left) || is_empty(right)) return;
  // One block's cotangents can happen to be unit vectors where another's are not.
  switch (left.form == right.form ? left.form : TermForm::product) {
    case TermForm::rows:
      return add_gram(block, by_kernel_row(left.rows, rows_per_example(left, outputs)),
                      by_kernel_row(right.rows, rows_per_example(right, outputs)), lower_half);
    case TermForm::product:
      return add_products(block, left, right, outputs, lower_half);
    case TermForm::identity:
      return add_identity(block, left, right, outputs, lower_half);
    case TermForm::positions:
      return add_positions(block, left, right, outputs, lower_half, scratch);
    case TermForm::outer:
      return add_outer(block, left, right, outputs, lower_half, scratch);
  }
}

void mirror_lower_half(const Tensor& matrix) {
  const int64_t size = matrix.size(0);
  for (int64_t i = 0; i < size; i += tile_rows) {
    const int64_t end = std::min(size, i + tile_rows);
    const Tensor rows = matrix.slice(0, i, end);
    if (i > 0) matrix.slice(0, 0, i).slice(1, i, end).copy_(rows.slice(1, 0, i).t());
    const Tensor diagonal = rows.slice(1, i, end);
    diagonal.copy_(diagonal.tril() + diagonal.tril(-1).t());
  }
}

}  // namespace plumb
