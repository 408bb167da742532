/// Python's pickles as a tree of what they describe; nothing in them is ever called.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace plumb {

/// One value of a pickle. Values refer to each other by index, so that neither sharing nor cycles cost
/// anything.
struct PickleNode {
  enum class Kind : uint8_t {
    none,
    boolean,  // integer: 0 or 1
    integer,  // integer
    number,   // number
    text,     // text
    global,   // text: "module name"
    list,     // items
    tuple,    // items
    dict,     // items: key, value, key, value, ...
    call,     // items: what is called, the tuple of its arguments, then key, value, ... that were set in the
              // result
    persistent,  // items: the identifier
  };
  Kind kind = Kind::none;
  int64_t integer = 0;
  double number = 0;
  std::string_view text = {};  // within the pickle
  std::vector<uint32_t> items = {};
};

struct Pickle {
  std::vector<PickleNode> nodes;
  uint32_t root = 0;

  const PickleNode& operator[](uint32_t index) const { return nodes[index]; }
};

/// Reads protocol 2, which torch.save writes, without the instructions it has no use for. `globals`: the
/// classes and functions that may be named, as "module name". The attributes that BUILD gives to the result
/// of a call are left out. Throws DataError, which says at which byte, for everything else: other names,
/// instructions that find something else than they need, more than a million values.
Pickle read_pickle(std::string_view bytes, const std::vector<std::string>& globals);

}  // namespace plumb
