#include "plumb/training/sampler.hpp"

#include <ATen/ATen.h>

#include "plumb/core/error.hpp"

namespace plumb {

Sampler::Sampler(int64_t examples, int64_t batch_size, at::Generator generator, at::Device device)
    : examples_(examples), batch_size_(batch_size), generator_(std::move(generator)), device_(device) {
  expects(examples > 0, "a sampler needs at least one example, got {}", examples);
  expects(batch_size > 0, "a batch needs at least one example, got {}", batch_size);
}

Tensor Sampler::next() {
  if (position_ == 0) permutation_ = at::randperm(examples_, generator_, at::kLong).to(device_);
  const int64_t end = std::min(position_ + batch_size_, examples_);
  const Tensor batch = permutation_.slice(0, position_, end);
  position_ = end == examples_ ? 0 : end;
  if (position_ == 0) ++epoch_;
  return batch;
}

Archive Sampler::state() const {
  Archive archive;
  archive.put("generator", generator_.get_state());
  if (position_ > 0) archive.put("permutation", permutation_);
  archive.put("position", position_);
  archive.put("epoch", epoch_);
  return archive;
}

void Sampler::load(const Archive& archive) {
  generator_.set_state(archive.tensor("generator"));
  position_ = archive.integer("position");
  epoch_ = archive.integer("epoch");
  if (position_ > 0) permutation_ = archive.tensor("permutation").to(device_);
}

}  // namespace plumb
