/// Data that are not where they were looked for.
#pragma once

#include "plumb/core/error.hpp"

namespace plumb {

/// A data set is not there at all, which downloading it mends; the message says how.
class MissingData : public DataError {
 public:
  using DataError::DataError;
};

}  // namespace plumb
