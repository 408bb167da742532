// Oracle: each member trained alone with LibTorch's autograd on weights that are ordinary leaves.
#include "plumb/training/ensemble.hpp"

#include "support/catch.hpp"
#include <torch/torch.h>

#include "plumb/core/error.hpp"
#include "plumb/core/random.hpp"
#include "plumb/training/sampler.hpp"

using namespace plumb;

namespace {

struct Shape {
  int64_t n = 12, d = 5, c = 1;
  std::vector<std::vector<int64_t>> widths{{3}, {8}, {1}, {5}, {8}};
  double rate = 0.05;
};

std::vector<EnsembleMember> random_members(const Shape& shape, EnsembleLoss loss) {
  at::Generator generator = Seed(7).stream("members");
  std::vector<EnsembleMember> members;
  for (size_t i = 0; i < shape.widths.size(); ++i) {
    EnsembleMember member;
    member.inputs = at::randn({shape.n, shape.d}, generator, at::kDouble);
    if (loss == EnsembleLoss::softmax)
      member.targets =
          at::one_hot(at::randint(shape.c, {shape.n}, generator, at::kLong), shape.c).to(at::kDouble);
    else
      member.targets = at::randn({shape.n, shape.c}, generator, at::kDouble).sign();
    int64_t size = shape.d;
    for (const int64_t width : shape.widths[i]) {
      member.weights.push_back(at::randn({width, size}, generator, at::kDouble));
      size = width;
    }
    member.weights.push_back(at::randn({shape.c, size}, generator, at::kDouble));
    member.scale = 1 / std::sqrt(static_cast<double>(size));
    member.learning_rate = shape.rate * (1 + 0.1 * static_cast<double>(i));
    member.seed = i;
    members.push_back(std::move(member));
  }
  return members;
}

Tensor predictions_of(const EnsembleMember& member, const std::vector<Tensor>& weights, const Tensor& inputs,
                      const EnsembleOptions& options) {
  Tensor values = inputs;
  for (size_t l = 0; l + 1 < weights.size(); ++l)
    values = activate(values.mm(weights[l].t()), options.activation, options.negative_slope);
  return values.mm(weights.back().t()) * member.scale;
}

Tensor loss_of(const EnsembleMember& member, const std::vector<Tensor>& weights, const Tensor& rows,
               const EnsembleOptions& options) {
  const Tensor f = predictions_of(member, weights, member.inputs.index_select(0, rows), options);
  const Tensor y = member.targets.index_select(0, rows);
  Tensor sum;
  if (options.loss == EnsembleLoss::square) sum = options.factor * (f - y).square().sum();
  if (options.loss == EnsembleLoss::logistic) sum = at::log1p(at::exp(-y * f)).sum();
  if (options.loss == EnsembleLoss::softmax)
    sum = at::cross_entropy_loss(f, y.argmax(1), {}, at::Reduction::Sum);
  return options.reduction == Reduction::mean ? sum / rows.size(0) : sum;
}

struct Alone {
  std::vector<Tensor> weights;
  std::vector<double> losses;  // over all examples, before each update and after the last
};

Alone train_alone(const EnsembleMember& member, const EnsembleOptions& options) {
  Alone alone;
  const auto is_trained = [&](size_t l) { return options.trained.empty() || options.trained[l]; };
  for (size_t l = 0; l < member.weights.size(); ++l)
    alone.weights.push_back(member.weights[l].clone().requires_grad_(is_trained(l)));
  const int64_t n = member.inputs.size(0);
  Sampler sampler(n, options.batch_size.value_or(n), Seed(member.seed).stream("batches"), at::kCPU);
  const Tensor all = at::arange(n, at::kLong);
  for (int64_t step = 0; step < options.max_steps; ++step) {
    alone.losses.push_back(loss_of(member, alone.weights, all, options).item<double>());
    const Tensor rows = options.batch_size ? sampler.next() : all;
    loss_of(member, alone.weights, rows, options).backward();
    const torch::NoGradGuard no_grad;
    for (Tensor& weight : alone.weights) {
      if (!weight.requires_grad()) continue;
      weight.sub_((weight.grad() + options.weight_decay * weight) * member.learning_rate);
      weight.mutable_grad() = Tensor();
    }
  }
  alone.losses.push_back(loss_of(member, alone.weights, all, options).item<double>());
  return alone;
}

void check_against_alone(const std::vector<EnsembleMember>& members, const EnsembleOptions& options) {
  const auto outcomes = train_ensemble(members, options);
  REQUIRE(outcomes.size() == members.size());
  for (size_t i = 0; i < members.size(); ++i) {
    const Alone alone = train_alone(members[i], options);
    INFO("member " << i);
    CHECK(outcomes[i].end == MemberEnd::step_limit);
    CHECK(outcomes[i].steps == options.max_steps);
    CHECK(outcomes[i].initial_loss == Approx(alone.losses.front()).epsilon(1e-12));
    CHECK(outcomes[i].final_loss == Approx(alone.losses.back()).epsilon(1e-12));
    REQUIRE(outcomes[i].weights.size() == members[i].weights.size());
    for (size_t l = 0; l < alone.weights.size(); ++l) {
      CHECK(at::allclose(outcomes[i].weights[l], alone.weights[l].detach(), 1e-12, 1e-12));
      const bool moved = !outcomes[i].weights[l].equal(members[i].weights[l]);
      CHECK(moved == (options.trained.empty() || options.trained[l]));
    }
  }
}

}  // namespace

TEST_CASE("members of different width go the way each goes alone, for every activation",
          "[training][ensemble]") {
  for (const Activation activation :
       {Activation::linear, Activation::relu, Activation::leaky_relu, Activation::tanh, Activation::gelu,
        Activation::softplus, Activation::erf}) {
    INFO(activation_names[static_cast<size_t>(activation)]);
    const EnsembleOptions options{.activation = activation, .negative_slope = 0.2, .max_steps = 50};
    check_against_alone(random_members({.rate = 0.01}, options.loss), options);
  }
}

TEST_CASE("they do with every loss, reduction and choice of trained layers", "[training][ensemble]") {
  const Shape deep{.c = 3, .widths = {{4, 6}, {9, 2}, {1, 8}}, .rate = 0.01};
  for (const EnsembleLoss loss : {EnsembleLoss::square, EnsembleLoss::logistic, EnsembleLoss::softmax})
    for (const Reduction reduction : {Reduction::sum, Reduction::mean})
      for (const std::vector<bool>& trained : {std::vector<bool>{},
                                               {true, false, false},
                                               {false, true, false},
                                               {false, false, true},
                                               {true, false, true}}) {
        const EnsembleOptions options{
            .loss = loss, .reduction = reduction, .trained = trained, .max_steps = 50};
        check_against_alone(random_members(deep, loss), options);
      }
  EnsembleOptions softplus{
      .activation = Activation::softplus, .trained = {false, true, true}, .max_steps = 50};
  check_against_alone(random_members(deep, softplus.loss), softplus);
}

TEST_CASE("they do with weight decay and batches, each in its own order, smaller last ones included",
          "[training][ensemble]") {
  const EnsembleOptions options{.weight_decay = 0.1, .batch_size = 5, .max_steps = 50, .evaluate_every = 7};
  check_against_alone(random_members({.rate = 0.01}, options.loss), options);
}

TEST_CASE("members that are done leave, and the others go on as they would", "[training][ensemble]") {
  EnsembleOptions options{.max_steps = 400, .relative_loss = 0.3};
  Shape shape{.rate = 0.01};
  for (int64_t i = 0; i < 40; ++i) shape.widths.push_back({1 + i % 12});
  auto members = random_members(shape, options.loss);
  members[2].learning_rate = 50;  // diverges
  int64_t converged = 0, limited = 0;
  for (const std::optional<int64_t> at_once : {std::optional<int64_t>(), std::optional<int64_t>(7)}) {
    options.members_at_once = at_once;
    const auto outcomes = train_ensemble(members, options);
    CHECK(outcomes[2].end == MemberEnd::diverged);
    CHECK(outcomes[2].steps < 20);
    for (size_t i = 0; i < members.size(); ++i) {
      if (i == 2) continue;
      INFO("member " << i);
      const Alone alone = train_alone(members[i], options);
      const auto first = std::find_if(alone.losses.begin(), alone.losses.end(),
                                      [&](double loss) { return loss <= 0.3 * alone.losses[0]; });
      const bool reached = first != alone.losses.end();
      ++(reached ? converged : limited);
      CHECK(outcomes[i].converged() == reached);
      const int64_t steps = reached ? first - alone.losses.begin() : options.max_steps;
      CHECK(outcomes[i].steps == steps);
      CHECK(outcomes[i].final_loss == Approx(alone.losses[static_cast<size_t>(steps)]).epsilon(1e-9));
    }
  }
  // The case says something only when both kinds occur.
  CHECK(converged > 10);
  CHECK(limited > 2);
}

TEST_CASE("an accuracy ends a training as well", "[training][ensemble]") {
  const EnsembleOptions options{.loss = EnsembleLoss::logistic, .max_steps = 3000, .accuracy = 1.0};
  const auto members = random_members({.widths = {{40}, {60}}, .rate = 0.05}, options.loss);
  const auto outcomes = train_ensemble(members, options);
  for (size_t i = 0; i < members.size(); ++i) {
    REQUIRE(outcomes[i].converged());
    const Tensor f = predictions_of(members[i], outcomes[i].weights, members[i].inputs, options);
    CHECK((f * members[i].targets).gt(0).all().item<bool>());
  }
}

TEST_CASE("float32 members follow float64 ones as far as float32 reaches", "[training][ensemble]") {
  const EnsembleOptions options{.max_steps = 50};
  auto members = random_members({.rate = 0.01}, options.loss);
  const auto exact = train_ensemble(members, options);
  for (EnsembleMember& member : members) {
    member.inputs = member.inputs.to(at::kFloat);
    member.targets = member.targets.to(at::kFloat);
    for (Tensor& weight : member.weights) weight = weight.to(at::kFloat);
  }
  const auto rounded = train_ensemble(members, options);
  for (size_t i = 0; i < members.size(); ++i) {
    CHECK(rounded[i].weights[0].scalar_type() == at::kFloat);
    CHECK(rounded[i].final_loss == Approx(exact[i].final_loss).epsilon(1e-3));
  }
}

TEST_CASE("an ensemble refuses members that do not fit together", "[training][ensemble]") {
  CHECK(train_ensemble({}, {}).empty());
  auto members = random_members({}, EnsembleLoss::square);
  CHECK_THROWS_AS(train_ensemble(members, {.trained = {false, false}}), ContractError);
  auto other = members;
  other[1].inputs = other[1].inputs.slice(0, 0, 3);
  CHECK_THROWS_AS(train_ensemble(other, {}), ContractError);
  other = members;
  other[3].weights[1] = other[3].weights[1].slice(1, 0, 2);
  CHECK_THROWS_AS(train_ensemble(other, {}), ContractError);
  other = members;
  other[3].weights[1] = other[3].weights[1].to(at::kFloat);
  CHECK_THROWS_AS(train_ensemble(other, {}), ContractError);
}
