// Oracle: the bytes that Python's numpy.save writes (numpy 1.24), and numpy itself where it is installed.
#include "plumb/core/npy.hpp"

#include "support/catch.hpp"
#include "support/files.hpp"
#include "support/program.hpp"
#include <ATen/ATen.h>

#include "plumb/core/error.hpp"

using namespace plumb;

namespace {

/// The header of numpy.save, 128 bytes: padded with spaces, ending a line.
std::string header_of(const std::string& words) {
  std::string header("\x93NUMPY\1\0\x76\0", 10);
  header += words;
  header.resize(127, ' ');
  return header + "\n";
}

}  // namespace

TEST_CASE("an .npy file has the bytes that NumPy writes", "[core][npy]") {
  const Tensor matrix = at::arange(6, at::kInt).reshape({2, 3});
  CHECK(npy_bytes(matrix) == header_of("{'descr': '<i4', 'fortran_order': False, 'shape': (2, 3), }") +
                                 std::string("\0\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4\0\0\0\5\0\0\0", 24));
  CHECK(npy_bytes(matrix.t()) == header_of("{'descr': '<i4', 'fortran_order': False, 'shape': (3, 2), }") +
                                     std::string("\0\0\0\0\3\0\0\0\1\0\0\0\4\0\0\0\2\0\0\0\5\0\0\0", 24));
  CHECK(npy_bytes(at::ones({1}, at::kHalf)) ==
        header_of("{'descr': '<f2', 'fortran_order': False, 'shape': (1,), }") + std::string("\0\x3c", 2));
  CHECK(npy_bytes(at::ones({}, at::kBool)) ==
        header_of("{'descr': '|b1', 'fortran_order': False, 'shape': (), }") + "\1");
  CHECK(npy_bytes(at::empty({0, 3}, at::kDouble)) ==
        header_of("{'descr': '<f8', 'fortran_order': False, 'shape': (0, 3), }"));
  CHECK(npy_bytes(at::ones({1}, at::kBFloat16)) == npy_bytes(at::ones({1}, at::kFloat)));
  CHECK_THROWS_AS(npy_bytes(at::ones({2}).to_sparse()), ContractError);
}

TEST_CASE("NumPy reads an .npy file", "[core][npy][python]") {
  const test::TemporaryFolder folder;
  write_npy(folder / "a.npy", at::arange(24, at::kDouble).reshape({2, 3, 4}).transpose(0, 2) / 7);
  const auto result =
      test::run_program({"/usr/bin/python3", "-c",
                         "import numpy; a = numpy.load('" + (folder / "a.npy").string() +
                             "'); print(a.dtype, a.flags.c_contiguous, (a == (numpy.arange(24.).reshape(2, "
                             "3, 4) / 7).transpose(2, 1, 0)).all())"});
  if (result.output.find("No module named 'numpy'") != std::string::npos || result.status == 127) {
    WARN("python3-numpy is not installed; not compared with it");
    return;
  }
  CHECK(result.output == "float64 True True\n");
}
