#include "plumb/models/mlp.hpp"

namespace plumb {
namespace {

std::shared_ptr<Network> make_mlp_3x512(const FixedMlpOptions& options, const Signature& signature,
                                        at::Generator& generator) {
  return make_mlp({.width = 512, .depth = 3, .initialization = options.initialization}, signature, generator);
}

}  // namespace

PLUMB_REGISTER(Models, mlp_3x512, FixedMlpOptions, make_mlp_3x512,
               "MLP 3x512 of Zhang et al. (2017): three hidden layers of 512 ReLU units; 1,735,178 "
               "parameters for 28 x 28 colour images")

}  // namespace plumb
