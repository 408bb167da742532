/// Networks for tests, made the way a description makes them.
#pragma once

#include <string>

#include "plumb/core/random.hpp"
#include "plumb/models/network.hpp"

namespace plumb::test {

inline const Signature colour_images{{3, 28, 28}, 10};

/// The model of the YAML mapping `options`, drawn from stream "weights" of `seed`.
inline std::shared_ptr<Network> make_network(const std::string& name, const std::string& options,
                                             const Signature& signature = colour_images, uint64_t seed = 1) {
  const auto model = models().at(name);
  const Config config = options.empty() ? Config::empty_mapping() : Config::parse(options);
  FieldReader reader(config);
  model->fields(reader);
  reader.finish();
  at::Generator generator = Seed(seed).stream("weights");
  return model->make(signature, generator);
}

}  // namespace plumb::test
