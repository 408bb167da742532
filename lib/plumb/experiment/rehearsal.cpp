#include "plumb/experiment/rehearsal.hpp"

#include <new>

#include <c10/util/Exception.h>
#include <fmt/format.h>

#include "plumb/core/address_space.hpp"
#include "plumb/core/error.hpp"
#include "plumb/core/memory.hpp"
#include "plumb/data/missing.hpp"
#include "plumb/experiment/prepare.hpp"
#include "plumb/probes/probe_check.hpp"

namespace plumb {
namespace {

bool for_want_of_memory(std::string_view message) {
  return message.find("can't allocate memory") != std::string_view::npos ||
         message.find("not enough memory") != std::string_view::npos ||
         message.find("overflow") != std::string_view::npos;
}

/// What goes wrong in `work` with `part` of the description named.
template <class Work>
auto naming(std::string_view part, Work work) {
  const auto refuse = [&](std::string_view why) { throw ConfigError(fmt::format("{}: {}", part, why)); };
  const std::string beyond = fmt::format("needs more memory than there is ({:.1f} GiB are available)",
                                         static_cast<double>(available_memory()) / (int64_t{1} << 30));
  try {
    return work();
  } catch (const std::bad_alloc&) {
    refuse(beyond);
  } catch (const c10::Error& error) {
    const std::string message = error.what_without_backtrace();
    refuse(for_want_of_memory(message) ? beyond : message.substr(0, message.find('\n')));
  }
  throw ContractError("unreachable");
}

}  // namespace

std::string rehearse(const Run& run, const std::filesystem::path& data_folder) {
  find_device(run.compute.device);
  const AddressSpaceLimit limit;
  const Seed seed(static_cast<uint64_t>(run.seed));
  PreparedData prepared;
  try {
    prepared = naming("data", [&] { return prepare_data(run, data_folder, at::kCPU); });
  } catch (const MissingData& missing) {
    return fmt::format("subset, model, initial weights and probes, as data are missing: {}", missing.what());
  }
  const auto network = naming("model", [&] {
    at::Generator weights = seed.stream("weights");
    auto made = run.model.make(prepared.signature, weights);
    made->to(at::kCPU, run.compute.precision == Precision::float64 ? at::kDouble : at::kFloat);
    return made;
  });
  naming("initial_weights", [&] {
    run.initial_weights.make(*network, prepared.data, seed);
    return 0;
  });
  naming("training", [&] {
    const bool trained_on_cpu = find_device(run.compute.device).is_cpu();
    if (trained_on_cpu || run.training.autocast == Autocast::none)
      Trainer(network, prepared.data, run.training, seed);
    return 0;
  });
  naming("probes", [&] {
    check_probes(run.all_probes(), *network, prepared.data, run.training, seed);
    return 0;
  });
  return {};
}

}  // namespace plumb
