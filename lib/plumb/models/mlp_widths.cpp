#include "plumb/models/mlp.hpp"

namespace plumb {
namespace {

struct MlpWidthsOptions {
  std::vector<int64_t> widths{448, 448, 40};
  Activation activation = Activation::relu;
  Initialization initialization = Initialization::he_normal;

  void fields(Fields& f) {
    f.field("widths", widths, "units in each hidden layer, from the inputs to the outputs", positive);
    f.field("activation", activation, "nonlinearity of the hidden layers", activation_names);
    f.field("initialization", initialization, "distribution of the initial weights", initialization_names);
  }
};

std::shared_ptr<Network> make_mlp_widths(const MlpWidthsOptions& options, const Signature& signature,
                                         at::Generator& generator) {
  return make_mlp_of_widths({.activation = options.activation, .initialization = options.initialization},
                            options.widths, signature, generator);
}

}  // namespace

PLUMB_REGISTER(Models, mlp_widths, MlpWidthsOptions, make_mlp_widths,
               "fully connected network whose hidden layers differ in width; the default is the network that "
               "memorizes 50,000 examples of 10 classes (Yun, Sra, Jadbabaie 2019)")

}  // namespace plumb
