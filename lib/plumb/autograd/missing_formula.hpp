/// Tells LibTorch's errors about operators that it cannot differentiate from all others.
#pragma once

#include <exception>
#include <optional>
#include <string>

namespace plumb::autograd {

/// "operator 'x' has no forward-mode formula" when that is what `error` is about.
std::optional<std::string> missing_forward_formula(const std::exception& error);

/// "operator 'x' cannot be differentiated" when that is what `error` is about, met in a backward pass.
std::optional<std::string> missing_backward_formula(const std::exception& error);

}  // namespace plumb::autograd
