#include "plumb/theorems/claim.hpp"

namespace plumb {

Claim judged(std::string statement, const theory::Prediction& prediction, const theory::Measured& measured,
             theory::Ruling expected) {
  return {std::move(statement), prediction.quantity, theory::judge(prediction, measured), expected,
          prediction.source};
}

Claim judged(std::string statement, const theory::PredictedSeries& prediction,
             const std::vector<double>& measured, const std::vector<std::string>& places,
             theory::Ruling expected) {
  return {std::move(statement), prediction.quantity, theory::judge(prediction, measured, places), expected,
          prediction.source};
}

Claim judged(std::string statement, const theory::PredictedSeries& prediction,
             const std::vector<theory::Measured>& measured, theory::Ruling expected) {
  return {std::move(statement), prediction.quantity, theory::judge(prediction, measured), expected,
          prediction.source};
}

}  // namespace plumb
