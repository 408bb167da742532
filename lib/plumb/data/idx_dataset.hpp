/// Data sets kept as MNIST is: four IDX files, plain or .gz.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "plumb/data/dataset.hpp"

namespace plumb {

/// Where to look for such a set and what its classes are called.
struct IdxPlaces {
  std::string title;                           // "MNIST", for messages
  std::string fetch_name;                      // what `plumb fetch` calls it
  std::vector<std::filesystem::path> folders;  // looked through in order
  std::vector<std::string> class_names;
};

/// Reads {train,t10k}-{images-idx3,labels-idx1}-ubyte, each plain or with .gz, from the first folder that has
/// the training images: inputs (n, 1, height, width) uint8; a file that is not the published one is noted.
/// Throws DataError when no folder has them, when a file is missing or malformed, when images and labels
/// differ in number or the two parts in image size, when both parts are the same images, or for a label that
/// names no class.
Dataset read_idx_dataset(const IdxPlaces& places);

}  // namespace plumb
