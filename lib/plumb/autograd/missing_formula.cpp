#include "plumb/autograd/missing_formula.hpp"

#include <string_view>

namespace plumb::autograd {
namespace {

/// What stands in `text` between `before` and the next `after`.
std::optional<std::string> text_between(std::string_view text, std::string_view before,
                                        std::string_view after) {
  size_t begin = text.find(before);
  if (begin == std::string_view::npos) return std::nullopt;
  begin += before.size();
  const size_t end = text.find(after, begin);
  if (end == std::string_view::npos) return std::nullopt;
  return std::string(text.substr(begin, end - begin));
}

}  // namespace

// LibTorch has no error type of its own for these cases: the words looked for are those of its messages, 1.13
// to 2.x.
std::optional<std::string> missing_forward_formula(const std::exception& error) {
  const std::string_view text = error.what();
  if (const auto name = text_between(text, "Trying to use forward AD with ", " that does not support"))
    return "operator '" + *name + "' has no forward-mode formula";
  if (text.find("for the c++ API of custom Function") != std::string_view::npos)
    return "a torch::autograd::Function has no forward-mode formula";
  return std::nullopt;
}

std::optional<std::string> missing_backward_formula(const std::exception& error) {
  auto name = text_between(error.what(), "derivative for ", " is not ");
  if (!name) return std::nullopt;
  std::erase(*name, '\'');
  return "operator '" + *name + "' cannot be differentiated";
}

}  // namespace plumb::autograd
