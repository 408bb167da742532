#include "plumb/analysis/kernel_attempts.hpp"

#include <algorithm>

#include <fmt/ranges.h>

namespace plumb {
namespace {

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

std::string sentence(const std::vector<std::string>& wrong, const std::vector<std::string>& names) {
  std::vector<std::string> parts;
  for (size_t p = 0; p < wrong.size(); ++p)
    if (!wrong[p].empty()) parts.push_back(fmt::format("{} ({})", names[p], wrong[p]));
  return fmt::format("held against vector-Jacobian products, these parameters' parts are wrong: {}",
                     fmt::join(parts, "; "));
}

Tensor few(const Tensor& inputs) { return inputs.slice(0, 0, std::min<int64_t>(8, inputs.size(0))).detach(); }

bool any(const std::vector<std::string>& reasons) {
  return std::any_of(reasons.begin(), reasons.end(), [](const std::string& r) { return !r.empty(); });
}

}  // namespace

CaptureMismatch::CaptureMismatch(const std::vector<std::string>& wrong, const std::vector<std::string>& names)
    : Error(sentence(wrong, names)), wrong_(wrong) {}

NextAttempt next_attempt(KernelRoute asked, const KernelAttempt& last, const std::exception& error) {
  NextAttempt next{true, last, first_line(error.what())};
  if (last.route == KernelRoute::rows) return {};
  const auto* mismatch = dynamic_cast<const CaptureMismatch*>(&error);
  if (last.batching) {
    // LibTorch's batching of an operator can be wrong, and so can be where shapes say that examples lie.
    next.attempt.batching = false;
    next.attempt.examine = true;
    next.note += "; outputs went through backward one by one";
    return next;
  }
  if (mismatch != nullptr && any(mismatch->wrong()) && !any(last.reasons)) {
    next.attempt.reasons = mismatch->wrong();
    next.note += "; these parameters went by rows";
    return next;
  }
  if (asked != KernelRoute::automatic) return {};
  next.attempt = {KernelRoute::rows, false, true, {}};
  next.note += "; everything went by rows";
  return next;
}

std::vector<std::string> notes_of_unreached(const NetworkFunction& function, const std::vector<bool>& reached,
                                            const Tensor& inputs) {
  std::vector<std::string> notes;
  for (size_t p = 0; p < reached.size(); ++p)
    if (!reached[p])
      notes.push_back(fmt::format(
          "no gradient reaches {}: its part is 0, {}", function.names()[p],
          function.depends_on(p, few(inputs))
              ? "although predictions depend on it (it is detached, or used where no graph is recorded)"
              : "and predictions do not depend on it"));
  return notes;
}

void refuse_without_graph(const NetworkFunction& function, const Tensor& inputs) {
  for (size_t p = 0; p < function.parameters().size(); ++p)
    expects(!function.depends_on(p, few(inputs)),
            "predictions are recorded without a graph (no_grad or inference mode in forward?), although they "
            "depend on {}",
            function.names()[p]);
}

}  // namespace plumb
