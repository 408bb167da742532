#include "plumb/core/npy.hpp"

#include <ATen/ATen.h>
#include <fmt/ranges.h>

#include "plumb/core/bytes.hpp"
#include "plumb/core/error.hpp"

namespace plumb {
namespace {

std::string_view numpy_type(at::ScalarType type) {
  switch (type) {
    case at::kHalf:
      return "<f2";
    case at::kFloat:
      return "<f4";
    case at::kDouble:
      return "<f8";
    case at::kComplexFloat:
      return "<c8";
    case at::kComplexDouble:
      return "<c16";
    case at::kByte:
      return "|u1";
    case at::kChar:
      return "|i1";
    case at::kShort:
      return "<i2";
    case at::kInt:
      return "<i4";
    case at::kLong:
      return "<i8";
    case at::kBool:
      return "|b1";
    default:
      throw ContractError(fmt::format("a tensor of {} is no NumPy array", at::toString(type)));
  }
}

}  // namespace

std::string npy_bytes(const Tensor& tensor) {
  expects(tensor.layout() == at::kStrided, "a sparse tensor is no NumPy array");
  Tensor values = tensor.detach().cpu();
  if (values.scalar_type() == at::kBFloat16) values = values.to(at::kFloat);
  values = values.contiguous().resolve_conj().resolve_neg();
  // As Python writes a tuple: of one element with a comma.
  std::string header = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}{}), }}",
                                   numpy_type(values.scalar_type()), fmt::join(values.sizes(), ", "),
                                   values.dim() == 1 ? "," : "");
  // Ten bytes stand before the header; with its last one, the end of a line, the data begin at a multiple
  // of 64.
  header.append((64 - (10 + header.size() + 1) % 64) % 64, ' ');
  header += '\n';
  std::string bytes = "\x93NUMPY\x01";
  bytes += '\0';
  append_little_endian(bytes, static_cast<uint16_t>(header.size()));
  bytes.reserve(bytes.size() + header.size() + values.nbytes());
  bytes += header;
  return bytes.append(static_cast<const char*>(values.data_ptr()), values.nbytes());
}

void write_npy(const std::filesystem::path& file, const Tensor& tensor, Flush flush) {
  write_file_atomically(file, npy_bytes(tensor), flush);
}

}  // namespace plumb
