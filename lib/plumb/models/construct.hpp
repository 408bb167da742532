/// Making LibTorch modules without moving its global generator, from which their constructors draw weights.
#pragma once

#include <memory>
#include <utility>

#include <ATen/core/Generator.h>

#include "plumb/core/tensor.hpp"
#include "plumb/models/initialization.hpp"

namespace plumb {

/// Puts the state of LibTorch's global CPU generator back at the end of the scope.
class GlobalGeneratorGuard {
 public:
  GlobalGeneratorGuard();
  GlobalGeneratorGuard(const GlobalGeneratorGuard&) = delete;
  GlobalGeneratorGuard& operator=(const GlobalGeneratorGuard&) = delete;
  ~GlobalGeneratorGuard();

 private:
  Tensor state_;
};

/// A module of type `Module`, holding the weights LibTorch gave it; the global generator is as it was before.
template <class Module, class... Args>
std::shared_ptr<Module> construct(Args&&... args) {
  const GlobalGeneratorGuard guard;
  return std::make_shared<Module>(std::forward<Args>(args)...);
}

/// A module of type `Module` whose weights are then drawn from `generator`, see initialize().
template <class Module, class... Args>
std::shared_ptr<Module> construct_initialized(Initialization kind, at::Generator& generator, Args&&... args) {
  auto module = construct<Module>(std::forward<Args>(args)...);
  initialize(*module, kind, generator);
  return module;
}

}  // namespace plumb
