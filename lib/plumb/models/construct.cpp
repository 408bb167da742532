#include "plumb/models/construct.hpp"

#include <mutex>

#include <ATen/CPUGeneratorImpl.h>

namespace plumb {

GlobalGeneratorGuard::GlobalGeneratorGuard() {
  at::Generator global = at::detail::getDefaultCPUGenerator();
  const std::scoped_lock lock(global.mutex());
  state_ = global.get_state();
}

GlobalGeneratorGuard::~GlobalGeneratorGuard() {
  at::Generator global = at::detail::getDefaultCPUGenerator();
  const std::scoped_lock lock(global.mutex());
  global.set_state(state_);
}

}  // namespace plumb
