#include <ATen/Functions.h>

#include "plumb/data/dataset.hpp"

namespace plumb {
namespace {

enum class TeacherTargets { classes, real };

struct TeacherOptions {
  int64_t train_examples = 256;
  int64_t test_examples = 1024;
  int64_t dimension = 16;
  int64_t classes = 2;
  int64_t width = 8;
  TeacherTargets targets = TeacherTargets::classes;

  void fields(Fields& f) {
    f.field("train_examples", train_examples, "training examples", positive);
    f.field("test_examples", test_examples, "test examples; 0: none", non_negative);
    f.field("dimension", dimension, "dimension of the inputs, uniform on the unit sphere", positive);
    f.field("classes", classes, "classes: outputs of the teacher", positive);
    f.field("width", width, "hidden units of the teacher", positive);
    f.field("targets", targets, "classes: which output is largest; real: the outputs themselves",
            {"classes", "real"});
  }
};

/// f_k(x) = sum_j V_kj relu(<W_j, x>); the class is argmax_k f_k(x).
class TeacherNetwork {
 public:
  TeacherNetwork(const TeacherOptions& options, at::Generator& generator)
      : targets_(options.targets),
        hidden_(at::randn({options.width, options.dimension}, generator, at::TensorOptions(at::kDouble))),
        output_(at::randn({options.classes, options.width}, generator, at::TensorOptions(at::kDouble))) {
    // Every relu(<W_j, x>) has the same positive mean: without centering, the output with the largest sum of
    // weights would win on most inputs.
    if (options.width > 1) output_ -= output_.mean({1}, true);
  }

  Examples examples(int64_t n, at::Generator& generator) const {
    Tensor inputs = at::randn({n, hidden_.size(1)}, generator, at::TensorOptions(at::kDouble));
    // Rounded first: the labels belong to the inputs as stored.
    inputs = inputs.div(inputs.norm(2, {1}, true)).to(at::kFloat);
    const Tensor outputs = at::relu(inputs.to(at::kDouble).matmul(hidden_.t())).matmul(output_.t());
    return {inputs, targets_ == TeacherTargets::real ? outputs : outputs.argmax(1)};
  }

 private:
  TeacherTargets targets_;
  Tensor hidden_;  // (width, dimension)
  Tensor output_;  // (classes, width)
};

Dataset make_teacher(const TeacherOptions& options, const DataContext& context) {
  at::Generator generator = context.seed.stream("data");
  const TeacherNetwork teacher(options, generator);
  Dataset dataset;
  dataset.train = teacher.examples(options.train_examples, generator);
  dataset.test = teacher.examples(options.test_examples, generator);
  const bool real = options.targets == TeacherTargets::real;
  if (!real) {
    dataset.num_classes = options.classes;
    for (int64_t k = 0; k < options.classes; ++k) dataset.class_names.push_back(std::to_string(k));
  }
  dataset.source =
      fmt::format("{} of a random two-layer ReLU network with {} hidden units on the unit sphere of R^{}",
                  real ? "outputs" : "labels", options.width, options.dimension);
  return dataset;
}

}  // namespace

PLUMB_REGISTER(Datasets, teacher, TeacherOptions, make_teacher,
               "labels by a random two-layer ReLU network, inputs uniform on the unit sphere")

}  // namespace plumb
