// An architecture of one's own, added to plumb from outside its tree.
#include <cstdio>

#include <plumb/plumb.hpp>
#include <torch/nn/modules/linear.h>

namespace {

struct MyNetOptions {
  int64_t width = 16;

  void fields(plumb::Fields& fields) {
    fields.field("width", width, "units in the hidden layer", plumb::positive);
  }
};

class MyNet final : public plumb::Network {
 public:
  MyNet(int64_t inputs, int64_t width, int64_t outputs)
      : hidden_(register_module("hidden", torch::nn::Linear(inputs, width))),
        output_(register_module("output", torch::nn::Linear(width, outputs))) {}

  plumb::Tensor forward(plumb::Tensor inputs) override { return output_(hidden_(inputs.flatten(1)).tanh()); }

 private:
  torch::nn::Linear hidden_;
  torch::nn::Linear output_;
};

std::shared_ptr<plumb::Network> make_my_net(const MyNetOptions& options, const plumb::Signature& signature,
                                            at::Generator& generator) {
  int64_t inputs = 1;
  for (const int64_t size : signature.input) inputs *= size;
  auto net = std::make_shared<MyNet>(inputs, options.width, signature.outputs);
  const torch::NoGradGuard no_gradient;
  for (auto& parameter : net->parameters()) parameter.normal_(0, 0.1, generator);
  return net;
}

struct Description {
  plumb::Choice<std::shared_ptr<plumb::Network>(const plumb::Signature&, at::Generator&)> model{
      plumb::models()};

  void fields(plumb::Fields& fields) { fields.component("model", model, "the network"); }
};

}  // namespace

int main() {
  plumb::models().add<MyNetOptions>("my_net", "one hidden layer", make_my_net);
  const auto description = plumb::read_options<Description>(
      plumb::Config::parse("model: {type: my_net, width: 5}"), Description{});
  at::Generator generator = plumb::Seed(1).stream("initialization");
  const auto net = description.model.make({.input = {3, 4, 4}, .outputs = 2}, generator);
  const auto outputs = net->forward(torch::ones({7, 3, 4, 4}));
  // 48 inputs, 5 hidden units, 2 outputs, with biases.
  int64_t parameters = 0;
  for (const auto& parameter : net->parameters()) parameters += parameter.numel();
  if (outputs.size(0) == 7 && outputs.size(1) == 2 && parameters == 49 * 5 + 6 * 2) return 0;
  std::puts("my_net does not do what its description says");
  return 1;
}
