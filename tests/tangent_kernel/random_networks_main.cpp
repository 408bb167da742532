// Holds tangent kernels of random networks against their per-example Jacobians, for as long as one likes.
#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <random>
#include <string>

#include "tangent_kernel/random_comparison.hpp"
#include <ATen/Parallel.h>
#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <unistd.h>

using namespace plumb::test;

namespace {

std::array<char, 64> crash_message{};

void say_seed(int signal) {
  [[maybe_unused]] const auto written =
      write(STDERR_FILENO, crash_message.data(), std::char_traits<char>::length(crash_message.data()));
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

int main(int argc, char** argv) {
  double seconds = 0;
  uint64_t seed = std::random_device()(), networks = 0;
  bool all = false;
  CLI::App program("Draws networks and holds their tangent kernels against per-example Jacobians.");
  program.add_option("--seconds", seconds, "how long to go on");
  program.add_option("--networks", networks, "how many networks (without either option: 1000)");
  program.add_option("--seed", seed, "of the first network; the next ones have the numbers after it");
  program.add_flag("--all", all, "print refusals and unnoticed faults, too");
  CLI11_PARSE(program, argc, argv);
  if (networks == 0 && seconds == 0) networks = 1000;

  at::set_num_threads(1);
  for (const int signal : {SIGSEGV, SIGABRT, SIGFPE, SIGBUS}) std::signal(signal, say_seed);
  const auto start = std::chrono::steady_clock::now();
  std::array<int64_t, verdicts> counts{}, of_networks{};
  uint64_t drawn = 0, skipped = 0, faults = 0;
  std::string crashes;
  for (; (networks == 0 || drawn < networks) && (seconds == 0 || seconds_since(start) < seconds); ++drawn) {
    std::snprintf(crash_message.data(), crash_message.size(), "crashed with seed %llu\n",
                  static_cast<unsigned long long>(seed + drawn));
    const Comparison comparison = compare_random_network(seed + drawn);
    skipped += comparison.skipped;
    faults += comparison.fault;
    for (size_t v = 0; v < verdicts; ++v) {
      counts[v] += comparison.counts[v];
      of_networks[v] += comparison.counts[v] > 0;
    }
    const auto shown = [&](const Finding& finding) {
      return all || networks == 1 || finding.verdict == Verdict::silent || finding.verdict == Verdict::unsaid;
    };
    bool titled = networks == 1 || (all && comparison.skipped);
    if (titled) fmt::print("seed {}: {}\n", comparison.seed, comparison.description);
    for (const Finding& finding : comparison.findings) {
      if (!shown(finding)) continue;
      if (!std::exchange(titled, true)) fmt::print("seed {}: {}\n", comparison.seed, comparison.description);
      fmt::print("  {}: {}\n", name_of(finding.verdict), finding.text);
    }
    std::fflush(stdout);
  }
  // The engine draws its random vectors in the order of its calls: what one network alone does not show, the
  // run does.
  fmt::print("again: scripts/random-networks --seed {} --networks {}\n", seed, drawn);
  fmt::print("{} networks from seed {} in {:.0f} s ({} with a fault, {} skipped)\n", drawn, seed,
             seconds_since(start), faults, skipped);
  for (size_t v = 0; v < verdicts; ++v)
    fmt::print("  {:<14}{:>9} comparisons of {} networks\n", name_of(static_cast<Verdict>(v)), counts[v],
               of_networks[v]);
  return counts[static_cast<size_t>(Verdict::silent)] > 0 ? 1 : 0;
}
