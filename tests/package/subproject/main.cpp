// The program plumb, built by another project; it fails when what it links is not LibTorch as its headers
// say.
#include <ATen/ops/ones.h>
#include <fmt/format.h>
#include <plumb/command_line/command_line.hpp>
#include <plumb/core/tensor.hpp>

int main(int argc, char** argv) {
  const plumb::Tensor ones = at::ones({2, 3});
  if (fmt::format("{}", ones.sum().item<double>()) != "6") return 1;
  return plumb::command_line(argc, argv);
}
