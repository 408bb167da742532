// Oracle: Python's torch.autograd.functional, whose results and refusals for every option were written to
// tests/fixtures/functional.pt by tests/autograd/reference/functional.py, which has the same functions.
#include <algorithm>
#include <map>

#include "support/catch.hpp"
#include <torch/torch.h>

#include "plumb/autograd/functional_lists.hpp"
#include "plumb/core/archive.hpp"
#include "plumb/core/error.hpp"

using plumb::Archive;
using plumb::Tensor;
namespace functional = plumb::autograd::functional;
namespace lists = plumb::autograd::functional::lists;
using functional::Strategy;
using functional::Tensors;

namespace {

using Blocks = std::map<std::string, Tensor>;

/// The entries of the fixture whose names begin with a prefix.
class Fixture {
 public:
  Fixture(const Archive& archive, std::string prefix) : archive_(archive), prefix_(std::move(prefix)) {}

  Fixture in(const std::string& name) const { return {archive_, prefix_ + name + "/"}; }
  bool contains(const std::string& name) const { return archive_.contains(prefix_ + name); }
  Tensor tensor(const std::string& name) const { return archive_.tensor(prefix_ + name); }
  size_t size() const {
    return static_cast<size_t>(std::ranges::count_if(
        archive_.values(), [&](const auto& entry) { return entry.first.starts_with(prefix_); }));
  }

 private:
  const Archive& archive_;
  std::string prefix_;
};

/// The generator's `numbers`.
Tensor numbers(std::vector<int64_t> sizes, double start = 0) {
  const int64_t count = c10::multiply_integers(sizes);
  return ((0.7 * torch::arange(count, torch::kDouble) + start).sin() + 0.1 * start).view(sizes);
}

Tensor network(const Tensor& x, const Tensors& w) {
  const Tensor mean = numbers({3}, 0.5);
  const Tensor variance = numbers({3}, 0.2).pow(2) + 0.5;
  Tensor hidden = torch::conv2d(x, w[0], w[1], 2, 1);
  hidden = torch::batch_norm(hidden, w[2], w[3], mean, variance, false, 0.1, 1e-5, false);
  return torch::linear(hidden.tanh().flatten(1), w[4], w[5]);
}

Tensors network_weights() {
  return {numbers({3, 2, 3, 3}, 1), numbers({3}, 2),           numbers({3}, 3),
          numbers({3}, 4),          0.3 * numbers({3, 27}, 5), numbers({3}, 6)};
}

Tensor cross_entropy(const Tensors& w) {
  const Tensor outputs = torch::linear(torch::linear(numbers({4, 2}), w[0]).tanh(), w[1]);
  return torch::cross_entropy_loss(outputs, torch::tensor({0, 1, 1, 0}, torch::kLong));
}

const std::map<std::string, functional::Function> kCases = {
    {"exp_reducer", [](const Tensors& x) { return Tensors{x[0].exp().sum(1)}; }},
    {"exp_adder", [](const Tensors& x) { return Tensors{2 * x[0].exp() + 3 * x[1] * x[0]}; }},
    {"linear", [](const Tensors& x) { return Tensors{2 * x[0] + 3 * x[1]}; }},
    {"two_outputs",
     [](const Tensors& x) {
       return Tensors{x[0].prod() * x[1], x[0].sin()};
     }},
    {"unused_input", [](const Tensors& x) { return Tensors{2 * x[0].pow(2)}; }},
    {"constant", [](const Tensors&) { return Tensors{torch::ones({2}, torch::kDouble)}; }},
    {"identity", [](const Tensors& x) { return Tensors{x[0]}; }},
    {"single_element", [](const Tensors& x) { return Tensors{x[0].pow(3)}; }},
    {"pow_reducer", [](const Tensors& x) { return Tensors{x[0].pow(3).sum()}; }},
    {"scalar_of_two",
     [](const Tensors& x) {
       return Tensors{(2 * x[0].pow(2) + 3 * x[1].pow(2) * x[0] + (x[0] * x[1]).sin()).sum()};
     }},
    {"linear_scalar", [](const Tensors& x) { return Tensors{2 * x[0].sum()}; }},
    {"scalar_of_one_of_two", [](const Tensors& x) { return Tensors{x[0].pow(3).sum()}; }},
    {"scalar_linear_in_one", [](const Tensors& x) { return Tensors{x[0].pow(3).sum() + x[1].sum()}; }},
    {"network", [](const Tensors& x) { return Tensors{network(x[0], network_weights())}; }},
    {"network_weights",
     [](const Tensors& w) {
       return Tensors{network(numbers({2, 2, 5, 5}), w)};
     }},
    {"cross_entropy", [](const Tensors& w) { return Tensors{cross_entropy(w)}; }},
};

const std::vector<std::string> kTables = {"jacobian", "hessian"};
const std::vector<std::string> kProducts = {"vjp", "jvp", "hvp", "vhp"};

struct Options {
  bool create_graph = false;
  bool strict = false;
  bool vectorize = false;
  bool forward = false;
  bool with_v = true;
};

/// The generator's `label`.
std::string label(const std::string& name, const Options& options) {
  return name + (options.create_graph ? ".create_graph" : "") + (options.strict ? ".strict" : "") +
         (options.vectorize ? ".vectorize" : "") + (options.forward ? ".forward" : "") +
         (options.with_v ? "" : ".no_v");
}

std::vector<Options> option_sets(const std::string& name) {
  const bool table = name == "jacobian" || name == "hessian";
  std::vector<Options> sets;
  for (int bits = 0; bits < (table ? 16 : 8); ++bits)
    sets.push_back({.create_graph = (bits & 1) != 0,
                    .strict = (bits & 2) != 0,
                    .vectorize = table && (bits & 4) != 0,
                    .forward = table && (bits & 8) != 0,
                    .with_v = table || (bits & 4) == 0});
  return sets;
}

Blocks call_table(const std::string& name, const functional::Function& function, const Tensors& inputs,
                  const Options& options) {
  const auto strategy = options.forward ? Strategy::forward_mode : Strategy::reverse_mode;
  const auto rows = name == "jacobian"
                        ? lists::jacobian(function, inputs,
                                          {options.create_graph, options.strict, options.vectorize, strategy})
                        : lists::hessian(function, inputs,
                                         {options.create_graph, options.strict, options.vectorize, strategy});
  Blocks blocks;
  for (size_t i = 0; i < rows.size(); ++i)
    for (size_t j = 0; j < rows[i].size(); ++j)
      blocks[std::to_string(i) + "." + std::to_string(j)] = rows[i][j];
  return blocks;
}

Blocks call(const std::string& name, const functional::Function& function, const Tensors& inputs,
            const Tensors& v, const Options& options) {
  if (name == "jacobian" || name == "hessian") return call_table(name, function, inputs, options);
  const functional::Vector vector = options.with_v ? functional::Vector(v) : functional::Vector();
  const functional::ProductOptions product{options.create_graph, options.strict};
  const lists::Product found = name == "vjp"   ? lists::vjp(function, inputs, vector, product)
                               : name == "jvp" ? lists::jvp(function, inputs, vector, product)
                               : name == "hvp" ? lists::hvp(function, inputs, vector, product)
                                               : lists::vhp(function, inputs, vector, product);
  Blocks blocks;
  for (size_t i = 0; i < found.outputs.size(); ++i) blocks["output." + std::to_string(i)] = found.outputs[i];
  for (size_t i = 0; i < found.product.size(); ++i) blocks[std::to_string(i)] = found.product[i];
  return blocks;
}

Tensors vector_for(const std::string& name, const functional::Function& function, const Tensors& inputs) {
  Tensors v;
  for (const Tensor& like : name == "vjp" ? function(inputs) : inputs)
    v.push_back(numbers(like.sizes().vec(), 7.0 + static_cast<double>(v.size())).requires_grad_());
  return v;
}

Tensors leaves(const Fixture& fixture) {
  Tensors inputs;
  while (fixture.contains(std::to_string(inputs.size())))
    inputs.push_back(fixture.tensor(std::to_string(inputs.size())).detach().requires_grad_());
  return inputs;
}

void check_same(const Tensor& found, const Tensor& expected) {
  REQUIRE(found.sizes() == expected.sizes());
  CHECK(torch::allclose(found, expected, 1e-10, 1e-12));
}

void check_blocks(const Blocks& found, const Fixture& expected) {
  CHECK(found.size() == expected.size());
  for (const auto& [place, block] : found) {
    CAPTURE(place);
    check_same(block, expected.tensor(place));
  }
}

/// d/d tensors of the sum of squares of all blocks, as the generator has it.
void check_gradients(const Blocks& blocks, const Tensors& tensors, const Fixture& expected) {
  Tensor sum = torch::zeros({}, torch::kDouble);
  for (const auto& [place, block] : blocks)
    if (block.requires_grad() && place.rfind("output", 0) != 0) sum = sum + block.pow(2).sum();
  Tensors found(tensors.size());
  if (sum.requires_grad()) found = torch::autograd::grad({sum}, tensors, {}, {}, false, true);
  CHECK(tensors.size() == expected.size());
  for (size_t i = 0; i < tensors.size(); ++i)
    check_same(found[i].defined() ? found[i] : torch::zeros_like(tensors[i]),
               expected.tensor(std::to_string(i)));
}

/// One function with one set of options against Python.
void check_call(const std::string& name, const functional::Function& function, const Options& options,
                const Fixture& fixture) {
  const std::string place = label(name, options);
  CAPTURE(place);
  const Tensors inputs = leaves(fixture.in("inputs"));
  const Tensors v = vector_for(name, function, inputs);
  Blocks blocks;
  bool refused = false;
  try {
    blocks = call(name, function, inputs, v, options);
  } catch (const plumb::ContractError& error) {
    UNSCOPED_INFO(error.what());
    refused = true;
  }
  CHECK(refused == fixture.in("refused").contains(place));
  for (const Tensor& input : inputs) CHECK((input.requires_grad() && !input.grad().defined()));
  if (refused) return;
  check_blocks(blocks, fixture.in("results").in(options.with_v ? name : place));
  if (options.create_graph && options.with_v) {
    Tensors of = inputs;
    if (name != "jacobian" && name != "hessian") of.insert(of.end(), v.begin(), v.end());
    check_gradients(blocks, of, fixture.in("gradients").in(name));
  }
  if (!options.create_graph)
    for (const auto& block : blocks) CHECK_FALSE(block.second.requires_grad());
}

}  // namespace

TEST_CASE("derivatives of functions are Python's, and so is what is refused, for every option",
          "[autograd][functional]") {
  const Archive fixture = Archive::load(PLUMB_FIXTURES "/functional.pt");
  for (const auto& [case_name, function] : kCases) {
    CAPTURE(case_name);
    for (const auto* names : {&kTables, &kProducts})
      for (const std::string& name : *names)
        for (const Options& options : option_sets(name))
          check_call(name, function, options, Fixture(fixture, case_name + "/"));
  }
}
