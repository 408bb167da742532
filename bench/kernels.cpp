// Times plumb's tangent kernel of one network and prints a JSON object: seconds of every repetition, the peak
// of resident memory, and how fast this machine multiplies matrices in the same process.
#include <array>
#include <chrono>
#include <fstream>
#include <iostream>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <torch/torch.h>

#include "plumb/analysis/conjugate_gradient.hpp"
#include "plumb/analysis/jacobian.hpp"
#include "plumb/analysis/lanczos.hpp"
#include "plumb/analysis/tangent_kernel.hpp"
#include "plumb/core/memory.hpp"
#include "plumb/core/random.hpp"
#include "plumb/experiment/provenance.hpp"

using namespace plumb;

namespace {

struct BenchOptions {
  std::string model = "{type: mlp}", route = "automatic", device = "cpu";
  std::vector<int64_t> shape{3, 28, 28};
  int threads = 2;
  int64_t examples = 8, outputs = 10, repeat = 3, memory_mib = 0;
  bool summed = false, matrix_free = false, unchecked = false, routes = false;
};

struct ModelChoice {
  Choice<std::shared_ptr<Network>(const Signature&, at::Generator&)> model{models()};

  void fields(Fields& f) { f.component("model", model, "the network"); }
};

double seconds_of(const std::function<void()>& work) {
  const auto began = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
}

/// The process' VmHWM: the most memory it ever held, in MiB.
double peak_mebibytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmHWM:")) return std::stod(line.substr(6)) / 1024;
  return 0;
}

/// Waits for what a GPU was told to do.
void finish_queue(const at::Device& device) {
  if (device.is_cuda()) torch::cuda::synchronize(device.index());
}

/// Rate of a 2048 x 2048 product in float32, GFLOP/s.
double product_rate(const at::Device& device) {
  const at::TensorOptions options(device);
  const Tensor a = at::randn({2048, 2048}, options), b = at::randn({2048, 2048}, options);
  a.mm(b);
  finish_queue(device);
  return 2e-9 * std::pow(2048.0, 3) / seconds_of([&] {
           a.mm(b);
           finish_queue(device);
         });
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

KernelRoute route_of(const std::string& name) {
  if (name == "rows") return KernelRoute::rows;
  if (name == "contraction") return KernelRoute::contraction;
  if (name == "structured") return KernelRoute::structured;
  return KernelRoute::automatic;
}

/// Extreme eigenvalues of G = J J' and a solution of G x = y by products alone.
nlohmann::json without_matrix(const NetworkFunction& function, const Tensor& inputs,
                              at::Generator& generator) {
  const Jacobian jacobian(function, inputs, 500);
  const GramOperator kernel(jacobian, GramSide::rows);
  const Tensor y = at::randn({kernel.size(), 1}, generator, kernel.options());
  EigenpairResult top, bottom;
  SolveResult solved;
  const double product = seconds_of([&] { kernel.apply(y); });
  const double top_seconds = seconds_of([&] {
    top =
        lanczos(kernel, {.tolerance = 1e-4, .products = 60, .multiple = false, .vectors = false}, generator);
  });
  const double bottom_seconds = seconds_of([&] {
    bottom = lanczos(kernel,
                     {.end = SpectrumEnd::smallest,
                      .tolerance = 1e-4,
                      .products = 150,
                      .multiple = false,
                      .vectors = false},
                     generator);
  });
  const double solve_seconds =
      seconds_of([&] { solved = conjugate_gradient(kernel, y, {.tolerance = 1e-2, .iterations = 150}); });
  const auto pair = [](const EigenpairResult& found, double seconds) {
    return nlohmann::json{{"value", found.value()},
                          {"residual", found.residual()},
                          {"products", found.products},
                          {"converged", found.converged},
                          {"seconds", seconds}};
  };
  return {{"size", kernel.size()},
          {"seconds_per_product", product},
          {"largest", pair(top, top_seconds)},
          {"smallest", pair(bottom, bottom_seconds)},
          {"solve",
           {{"residual", solved.residuals[0].item<double>()},
            {"products", solved.products},
            {"converged", solved.converged},
            {"seconds", solve_seconds}}},
          {"peak_mib", peak_mebibytes()}};
}

/// Every route in every round, each as often first as the others: what else the machine does meets all of
/// them, and so does what a slower one left in the caches.
nlohmann::json all_routes(const NetworkFunction& function, const Tensor& inputs, TangentKernelOptions wanted,
                          int64_t rounds) {
  constexpr std::array names{"automatic", "structured", "contraction", "rows"};
  nlohmann::json seconds = nlohmann::json::object();
  for (size_t i = 0; i < static_cast<size_t>(rounds); ++i)
    for (size_t j = 0; j < names.size(); ++j) {
      const char* name = names[(i + j) % names.size()];
      wanted.route = route_of(name);
      const double taken = seconds_of([&] { tangent_kernel(function, inputs, wanted); });
      if (i > 0) seconds[name].push_back(taken);  // the first round warms up
    }
  return seconds;
}

nlohmann::json measure(const BenchOptions& options) {
  at::Generator generator = Seed(0).stream("bench");
  Config description = Config::parse("model: " + options.model, "--model");
  const auto network =
      read_options<ModelChoice>(description).model.make({options.shape, options.outputs}, generator);
  const at::Device device(options.device);
  network->to(device);
  network->eval();
  const NetworkFunction function(*network);
  std::vector<int64_t> sizes = options.shape;
  sizes.insert(sizes.begin(), options.examples);
  const Tensor inputs = at::randn(sizes, generator).to(device);  // the same ones on every device
  if (options.matrix_free) return without_matrix(function, inputs, generator);
  TangentKernelOptions wanted{.route = route_of(options.route),
                              .outputs = options.summed ? KernelOutputs::summed : KernelOutputs::pairs};
  if (options.unchecked) wanted.check = KernelCheck::none;
  if (options.memory_mib > 0) wanted.memory = options.memory_mib << 20;
  if (options.routes) return all_routes(function, inputs, wanted, std::max<int64_t>(2, options.repeat));
  std::vector<double> wall, rates{product_rate(device)};
  const double before = peak_mebibytes();
  TangentKernel kernel;
  for (int64_t i = 0; i < options.repeat; ++i) {
    wall.push_back(seconds_of([&] {
      kernel.matrix = Tensor();  // one kernel at a time
      kernel = tangent_kernel(function, inputs, wanted);
      finish_queue(device);
    }));
    // The rate moves with what else the machine does, and asking for it empties the caches.
    if (wall.back() > 0.5 || i + 1 == options.repeat) rates.push_back(product_rate(device));
  }
  const Versions version = versions();
  return {
      {"side", "plumb " + options.route + (options.unchecked ? ", unchecked" : "")},
      {"device", options.device},
      {"wall", wall},
      {"peak_mib", peak_mebibytes()},
      {"before_mib", before},
      {"kernel_mib", static_cast<double>(kernel.matrix.numel() * kernel.matrix.element_size()) / (1 << 20)},
      {"parameters", function.parameter_count()},
      {"route", kernel.route},
      {"blocks", kernel.blocks},
      {"check", kernel.error},
      {"checked", kernel.checked},
      {"trace", kernel.matrix.diagonal().sum().item<double>()},
      {"gemm", median(rates)},
      {"plumb", version.plumb},
      {"commit", version.commit},
      {"libtorch", version.libtorch},
      {"blas", version.blas}};
}

}  // namespace

int main(int argc, char** argv) {
  BenchOptions options;
  CLI::App program("Times plumb's tangent kernel");
  program.add_option("--model", options.model, "as in a description: {type: mlp, width: 2048}");
  program.add_option("--shape", options.shape, "of one example")->expected(1, 3);
  program.add_option("--examples", options.examples);
  program.add_option("--outputs", options.outputs);
  program.add_option("--route", options.route)
      ->check(CLI::IsMember({"automatic", "rows", "contraction", "structured"}));
  program.add_flag("--summed", options.summed, "the trace over outputs");
  program.add_flag("--unchecked", options.unchecked, "without the checks of network and result");
  program.add_flag("--routes", options.routes, "seconds of every route, one after the other in every round");
  program.add_flag("--matrix-free", options.matrix_free,
                   "extreme eigenvalues and a solution without the matrix");
  program.add_option("--memory-mib", options.memory_mib, "budget; 0: half of what is available");
  program.add_option("--repeat", options.repeat)->check(CLI::PositiveNumber);
  program.add_option("--device", options.device, "cpu, cuda or cuda:1");
  program.add_option("--threads", options.threads);
  CLI11_PARSE(program, argc, argv);
  at::set_num_threads(options.threads);
  keep_freed_memory();
  std::cout << measure(options).dump() << "\n";
}
