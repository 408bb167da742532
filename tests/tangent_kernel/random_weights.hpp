/// Matrices that a random network multiplies with, made of its parameters in many ways.
#pragma once

#include "tangent_kernel/random_draw.hpp"

namespace plumb::test {

/// A matrix (rows, columns) of about unit gain from the left: a parameter, or what is made of parameters.
Weight random_matrix(Draw& draw, int64_t rows, int64_t columns);
/// A vector (size).
Weight random_vector(Draw& draw, int64_t size);

}  // namespace plumb::test
