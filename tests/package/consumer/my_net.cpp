// An architecture of one's own, added to plumb from outside its tree.
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
  auto net = std::make_shared<MyNet>(signature.input_size(), options.width, signature.outputs);
  const torch::NoGradGuard no_gradient;
  for (auto& parameter : net->parameters()) parameter.normal_(0, 0.1, generator);
  return net;
}

}  // namespace

int main(int argc, char** argv) {
  plumb::models().add<MyNetOptions>("my_net", "one hidden layer", make_my_net);
  return plumb::command_line(argc, argv);
}
