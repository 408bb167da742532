/// Images and vectors as rows of pixels.
#pragma once

#include "plumb/data/problem.hpp"

namespace plumb {

/// (n, channels, pixels) of images or vectors, a view; a vector (n, d) has one channel of d pixels.
inline Tensor as_pixels(const Tensor& inputs) {
  return inputs.dim() > 2 ? inputs.flatten(2) : inputs.unsqueeze(1);
}

/// Applies `change` to the inputs of both parts that have examples, training first.
template <class Change>
void replace_pixels(Problem& problem, Change&& change) {
  for (Examples* part : {&problem.train, &problem.test})
    if (part->size() > 0) part->inputs = change(part->inputs.contiguous());
}

}  // namespace plumb
