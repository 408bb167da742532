/// Operators that the LibTorch at hand differentiates wrongly.
#pragma once

namespace plumb {

/// Puts right ones in the place of wrong ones, for the whole process, once; to be called before derivatives
/// are taken. Today that is one: before version 2.2, the backward of GELU on the CPU in float32 returns
/// memory that it never wrote when the gradient it gets does not lie in memory as its input does (PyTorch
/// issue 112006), which a transposition behind the activation is enough for.
void mend_operators();

}  // namespace plumb
