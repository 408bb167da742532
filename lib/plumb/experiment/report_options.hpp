/// What a report needs to know beside the runs.
#pragma once

#include <optional>
#include <string>

#include "plumb/core/fields.hpp"

namespace plumb {

/// The `report:` section of a description.
struct ReportOptions {
  std::string title;               // empty: the experiment's name
  double fit_accuracy = 0.99;      // a run has fit its training set when its accuracy reaches this
  std::optional<double> fit_loss;  // when given, the time to this training loss is reported too

  void fields(Fields& fields) {
    fields.field("title", title, "heading of the report; empty: the experiment's name");
    fields.field("fit_accuracy", fit_accuracy, "training accuracy at which a run has fit", fraction);
    fields.field("fit_loss", fit_loss, "training loss whose time is reported too", non_negative);
  }
};

}  // namespace plumb
