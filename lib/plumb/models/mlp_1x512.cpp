#include "plumb/models/mlp.hpp"

namespace plumb {
namespace {

std::shared_ptr<Network> make_mlp_1x512(const FixedMlpOptions& options, const Signature& signature,
                                        at::Generator& generator) {
  return make_mlp({.width = 512, .depth = 1, .initialization = options.initialization}, signature, generator);
}

}  // namespace

PLUMB_REGISTER(Models, mlp_1x512, FixedMlpOptions, make_mlp_1x512,
               "MLP 1x512 of Zhang et al. (2017): one hidden layer of 512 ReLU units; 1,209,866 parameters "
               "for 28 x 28 colour images")

}  // namespace plumb
