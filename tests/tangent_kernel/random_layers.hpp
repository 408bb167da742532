/// Layers that a random network is stacked from. Each maps a batch (n, sizes...) to a batch (n, new
/// sizes...), treats examples for themselves, and names itself to the Draw.
#pragma once

#include "tangent_kernel/random_draw.hpp"

namespace plumb::test {

/// A function of features, element by element or along their axis; keeps the sizes.
Layer random_activation(Draw& draw);

/// Features (n, d) times a matrix (d, e), by one of LibTorch's many ways and with examples on any axis.
Layer random_product(Draw& draw, int64_t d, int64_t e);

/// Features (n, d) to features (n, e): products, normalizations, experts, gates, embeddings of bins.
Layer random_dense_layer(Draw& draw, int64_t d, int64_t e);

/// Sequences (n, t, d) to features (n, e).
Layer random_sequence_layer(Draw& draw, int64_t t, int64_t d, int64_t e);

/// Images (n, channels, size, size) to features (n, e).
Layer random_image_layer(Draw& draw, int64_t channels, int64_t size, int64_t e);

/// Tokens (n, t) below `count`, to features (n, e).
Layer random_token_layer(Draw& draw, int64_t t, int64_t count, int64_t e);

}  // namespace plumb::test
