/// What a network must not do if its tangent kernel is to exist: examples that meet, and chance.
#pragma once

#include "tangent_kernel/random_draw.hpp"

namespace plumb::test {

struct Fault {
  std::string name;
  Layer layer;  // features (n, d) to features (n, d)
};

/// Examples depend on each other, by value or, seldom, by derivative alone.
Fault random_coupling(Draw& draw, int64_t d);

/// Numbers change from call to call. Whenever they do, `changes` is raised.
Fault random_noise(Draw& draw, int64_t d, std::shared_ptr<int64_t> changes);

}  // namespace plumb::test
