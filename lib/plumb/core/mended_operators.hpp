/// Operators that the LibTorch at hand differentiates wrongly.
#pragma once

namespace plumb {

/// Puts right ones in the place of wrong ones, for the whole process, once; to be called before derivatives
/// are taken. On the CPU they are:
/// - in every version (seen in 1.13 and 2.15), the backward of batch normalization reads its weight and
///   statistics as if they lay in one piece; those that are slices of something get other numbers;
/// - before version 2.2, the backward of GELU in float32 returns memory that it never wrote when the gradient
///   it gets does not lie in memory as its input does (PyTorch issue 112006), which a transposition behind
///   the activation is enough for.
void mend_operators();

}  // namespace plumb
