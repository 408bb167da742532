/// Who may touch the parameters of networks at a time, in all threads of the process.
#pragma once

namespace plumb::autograd {

/// Held while derivatives are recorded and pulled back: any number of threads at once. A thread may hold
/// several.
class SharedUse {
 public:
  SharedUse();
  SharedUse(const SharedUse&) = delete;
  SharedUse& operator=(const SharedUse&) = delete;
  ~SharedUse();
};

/// Held while parameters carry tangents or other values: by one thread, with no SharedUse in any other. Waits
/// until it may. Within one, its thread may hold more of both kinds. Tangents need it because LibTorch keeps
/// them with the parameter itself, where another thread's forward pass would meet them.
class ExclusiveUse {
 public:
  ExclusiveUse();
  ExclusiveUse(const ExclusiveUse&) = delete;
  ExclusiveUse& operator=(const ExclusiveUse&) = delete;
  ~ExclusiveUse();

 private:
  int suspended_ = 0;  // SharedUses of this thread, given up for as long
};

}  // namespace plumb::autograd
