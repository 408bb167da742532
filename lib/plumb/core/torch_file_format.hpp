/// The entries of a .pt file below its one folder, for its reader and its writer.
#pragma once

#include <string_view>

namespace plumb {

inline constexpr std::string_view kPickleEntry = "/data.pkl", kByteOrderEntry = "/byteorder",
                                  kDataFolder = "/data/", kVersionEntry = "/version";
/// Ours alone: says that every byte of the file is as write_torch_file writes it.
inline constexpr std::string_view kWriterEntry = "/.data/plumb";
inline constexpr std::string_view kLittle = "little";

}  // namespace plumb
