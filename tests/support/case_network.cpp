#include "support/case_network.hpp"

#include <algorithm>
#include <limits>
#include <optional>

#include "support/catch.hpp"
#include "tangent_kernel/per_example_jacobian.hpp"
#include <fmt/ranges.h>
#include <torch/torch.h>

#include "plumb/core/error.hpp"

namespace plumb::test {
namespace {

const std::vector<KernelRoute> all_routes{KernelRoute::automatic, KernelRoute::structured,
                                          KernelRoute::contraction, KernelRoute::rows};

/// Held against its own size: 0 where both are.
double own_error(const Tensor& found, const Tensor& expected) {
  if (found.sizes() != expected.sizes()) return std::numeric_limits<double>::infinity();
  const double size = expected.norm().item<double>();
  const double difference = (found.detach().to(torch::kDouble) - expected).norm().item<double>();
  return difference == 0 ? 0 : difference / std::max(size, 1e-12);
}

/// What `made` gives; nothing where it throws an Error and may.
template <class Made>
auto answer(bool may_refuse, const Made& made) -> std::optional<decltype(made())> {
  try {
    return made();
  } catch (const Error& error) {
    INFO(error.what());
    CHECK(may_refuse);
    return std::nullopt;
  } catch (const std::exception& error) {
    FAIL_CHECK("another error passed through: " << error.what());
    return std::nullopt;
  }
}

}  // namespace

Tensor CaseNetwork::jacobian(const Tensor& inputs) const {
  return per_example_jacobian(forward, function().parameters(), inputs);
}

void check_kernels(const CaseNetwork& network, const Tensor& inputs, const Tensor& others, double tolerance) {
  const Tensor left = network.jacobian(inputs), right = others.defined() ? network.jacobian(others) : left;
  const Tensor expected = left.mm(right.t());
  const int64_t c = left.size(0) / inputs.size(0);
  const NetworkFunction function = network.function();
  const auto whole = [&](const TangentKernelOptions& options) {
    return others.defined() ? tangent_kernel(function, inputs, others, options)
                            : tangent_kernel(function, inputs, options);
  };
  for (const KernelRoute route : all_routes) {
    const bool may_refuse = route != KernelRoute::automatic;
    INFO("route " << static_cast<int>(route));
    if (const auto kernel = answer(may_refuse, [&] { return whole({.route = route}); })) {
      INFO(kernel->route << "; notes: " << notes_of(*kernel));
      CHECK(own_error(kernel->matrix, expected) < tolerance);
    }
    if (const auto kernel =
            answer(may_refuse, [&] { return whole({.route = route, .outputs = KernelOutputs::summed}); })) {
      INFO(kernel->route << ", summed; notes: " << notes_of(*kernel));
      CHECK(own_error(kernel->matrix, summed_over_outputs(expected, c)) < tolerance);
    }
    const auto split = answer(may_refuse, [&] {
      return others.defined() ? tangent_kernel_by_parameter(function, inputs, others, {.route = route})
                              : tangent_kernel_by_parameter(function, inputs, {.route = route});
    });
    if (!split) continue;
    int64_t begin = 0;
    for (size_t p = 0; p < split->names.size(); ++p) {
      const int64_t end = begin + function.parameters()[p].numel();
      INFO(split->names[p] << ", " << split->whole.route << "; notes: " << notes_of(split->whole));
      CHECK(own_error(split->matrices[p], left.slice(1, begin, end).mm(right.slice(1, begin, end).t())) <
            tolerance);
      begin = end;
    }
  }
}

void check_products(const CaseNetwork& network, const Tensor& inputs, double tolerance, bool may_refuse) {
  const Tensor expected = network.jacobian(inputs);
  const Jacobian jacobian(network.function(), inputs);
  const auto options = jacobian.options();
  const Tensor v = torch::randn({expected.size(1)}, options), u = torch::randn({expected.size(0)}, options);
  const Tensor exact_v = v.to(torch::kDouble), exact_u = u.to(torch::kDouble);
  if (const auto dense = answer(may_refuse, [&] { return jacobian.dense(); }))
    CHECK(own_error(*dense, expected) < tolerance);
  const auto forward = answer(may_refuse, [&] { return jacobian.apply(v); });
  if (forward) CHECK(own_error(*forward, expected.mv(exact_v)) < tolerance);
  const auto backward = answer(may_refuse, [&] { return jacobian.apply_transposed(u); });
  if (backward) CHECK(own_error(*backward, expected.t().mv(exact_u)) < tolerance);
  if (forward && backward) {
    const double left = torch::dot(exact_u, forward->to(torch::kDouble)).item<double>();
    const double right = torch::dot(backward->to(torch::kDouble), exact_v).item<double>();
    CHECK(std::abs(left - right) <= tolerance * (std::abs(left) + expected.norm().item<double>()));
  }
  const GramOperator gram(jacobian, GramSide::rows);
  if (const auto found = answer(may_refuse, [&] { return gram.apply(u.unsqueeze(1)); }))
    CHECK(own_error(found->squeeze(1), expected.mv(expected.t().mv(exact_u))) < tolerance);
}

void check_refused(const CaseNetwork& network, const Tensor& inputs, const std::vector<std::string>& words) {
  const NetworkFunction function = network.function();
  const auto refused = [&](const std::string& call, const std::function<void()>& made) {
    INFO(call);
    try {
      made();
      FAIL_CHECK("was not refused");
    } catch (const Error& error) {
      const std::string message = error.what();
      INFO(message);
      CHECK(std::any_of(words.begin(), words.end(),
                        [&](const std::string& word) { return message.find(word) != std::string::npos; }));
    } catch (const std::exception& error) {
      FAIL_CHECK("another error passed through: " << error.what());
    }
  };
  for (const KernelRoute route : all_routes) {
    const std::string name = "route " + std::to_string(static_cast<int>(route));
    refused("kernel, " + name, [&] { tangent_kernel(function, inputs, {.route = route}); });
    refused("by parameter, " + name,
            [&] { tangent_kernel_by_parameter(function, inputs, {.route = route}); });
    refused("summed, " + name,
            [&] { tangent_kernel(function, inputs, {.route = route, .outputs = KernelOutputs::summed}); });
  }
  const int64_t p = function.parameter_count();
  refused("J v", [&] {
    Jacobian(function, inputs)
        .apply(torch::ones({p}, function.parameters()[0].options().requires_grad(false)));
  });
  refused("J^T u", [&] {
    const Jacobian jacobian(function, inputs);
    jacobian.apply_transposed(torch::ones({jacobian.rows()}, jacobian.options()));
  });
  refused("J", [&] { Jacobian(function, inputs).dense(); });
}

std::string notes_of(const TangentKernel& kernel) { return fmt::format("{}", fmt::join(kernel.notes, "; ")); }

}  // namespace plumb::test
