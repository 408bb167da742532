#include "plumb/autograd/exclusive_use.hpp"

#include <shared_mutex>
#include <utility>

namespace plumb::autograd {
namespace {

std::shared_mutex& networks() {
  static std::shared_mutex mutex;
  return mutex;
}

thread_local int shared = 0, exclusive = 0;

}  // namespace

SharedUse::SharedUse() {
  if (shared++ == 0 && exclusive == 0) networks().lock_shared();
}

SharedUse::~SharedUse() {
  if (--shared == 0 && exclusive == 0) networks().unlock_shared();
}

ExclusiveUse::ExclusiveUse() {
  if (exclusive > 0) {
    ++exclusive;
    return;
  }
  suspended_ = std::exchange(shared, 0);
  if (suspended_ > 0) networks().unlock_shared();
  networks().lock();
  exclusive = 1;
}

ExclusiveUse::~ExclusiveUse() {
  if (--exclusive > 0) return;
  networks().unlock();
  shared = suspended_;
  if (shared > 0) networks().lock_shared();
}

}  // namespace plumb::autograd
