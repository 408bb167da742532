#include "plumb/training/schedule.hpp"

namespace plumb {
namespace {

struct ConstantOptions {
  void fields(Fields&) {}
};

Schedule make_constant(const ConstantOptions&, double) {
  return {[](double) { return 1.0; }};
}

}  // namespace

PLUMB_REGISTER(Schedules, constant, ConstantOptions, make_constant, "the same learning rate throughout")

}  // namespace plumb
