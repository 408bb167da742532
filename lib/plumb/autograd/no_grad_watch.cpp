#include "plumb/autograd/no_grad_watch.hpp"

#include <memory>

#include <ATen/core/grad_mode.h>

namespace plumb::autograd {
namespace {

thread_local bool seen = false;

std::unique_ptr<at::ObserverContext> look(const at::RecordFunction&) {
  if (!at::GradMode::is_enabled()) seen = true;
  return nullptr;
}

}  // namespace

NoGradWatch::NoGradWatch() {
  seen = false;
  handle_ = at::addThreadLocalCallback(at::RecordFunctionCallback(&look).scopes({at::RecordScope::FUNCTION}));
}

NoGradWatch::~NoGradWatch() { at::removeCallback(handle_); }

bool NoGradWatch::saw_operators() const { return seen; }

}  // namespace plumb::autograd
