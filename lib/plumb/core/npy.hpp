/// NumPy's .npy files: one array each.
#pragma once

#include <filesystem>
#include <string>

#include "plumb/core/files.hpp"
#include "plumb/core/tensor.hpp"

namespace plumb {

/// The .npy file of a dense tensor: version 1.0 of the format, little-endian, C order. bfloat16, which NumPy
/// lacks, becomes float32, which holds every such number. Format:
/// numpy.org/doc/stable/reference/generated/numpy.lib.format.html
std::string npy_bytes(const Tensor& tensor);

/// Writes it atomically (see write_file_atomically).
void write_npy(const std::filesystem::path& file, const Tensor& tensor, Flush flush = Flush::now);

}  // namespace plumb
