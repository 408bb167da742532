/// How the Jacobian of a network's predictions is taken apart into terms, decided once and then followed
/// block by block.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "plumb/analysis/kernel_term.hpp"
#include "plumb/analysis/network_function.hpp"
#include "plumb/autograd/recorded_graph.hpp"

namespace plumb {

enum class KernelRoute {
  automatic,    // structured, and rows for parameters whose use is not recognised
  rows,         // one backward pass per example and output: the reference
  contraction,  // per-sample gradients of every parameter, then their Gram matrix
  structured,   // factors read from the recorded graph; J is not formed where that costs less
};

/// What the plan is for.
struct KernelTask {
  KernelRoute route = KernelRoute::automatic;
  KernelOutputs outputs = KernelOutputs::pairs;
  bool by_parameter = false;          // every term stands for one parameter
  int64_t left = 1, right = 1;        // examples on each side, for the cost model
  at::ScalarType dtype = at::kFloat;  // of the terms
  /// Whether the axis of the examples is looked for in cotangents always, not only where shapes leave a
  /// doubt.
  bool examine = true;
  /// By parameter: why it must go by rows; empty where it need not. Or no entries.
  std::vector<std::string> reasons = {};
};

/// A forward pass over a block of examples with the graph that it recorded. To be made and used while a
/// NetworkFunction::Differentiation lives.
struct KernelRecording {
  /// Unless `reads_graph`, only the inputs are kept.
  KernelRecording(const NetworkFunction& function, const Tensor& examples, bool reads_graph = true);

  Tensor inputs;
  Tensor predictions;
  std::vector<autograd::ParameterUse> uses;
  std::vector<std::string> unrecognised;  // as in autograd::RecordedUses
  uint64_t fingerprint = 0;               // as there
};

/// What the terms of a block are held against while they are captured, and what came of it.
struct CaptureCheck {
  Tensor weights;             // u, (examples, c): of every row of J
  std::vector<bool> watched;  // by parameter: whose terms are to give J_p' u
  /// By parameter: J_p' u, flat, of the watched ones: as LibTorch's backward pass gives it where the graph
  /// was read, otherwise from the rows.
  std::vector<Tensor> gradients = {};
  std::vector<std::string> wrong = {};  // by parameter: what does not agree; empty where all does
  double error = 0;                     // the largest, relative to what rounding is relative to

  bool passed() const;
};

/// The examples that a plan is made from, some of `inputs`: all when they are few or small, so that the
/// recording serves for the kernel, too.
Tensor trial_examples(const Tensor& inputs);

class KernelPlan {
 public:
  /// Chooses a form for every parameter. `trial`: a recording of trial_examples(inputs).
  KernelPlan(const NetworkFunction& function, const KernelRecording& trial, const KernelTask& task);

  /// The terms of J for outputs [first, last) of the recorded examples, in an order that does not depend on
  /// the block. `at_once` outputs share a backward pass where LibTorch can batch it, which saves reading the
  /// weights once for each. Throws Error when the block's graph is not the one that the plan was made for.
  ///
  /// With `check`, which keeps what it finds: a cotangent u_ik on every prediction must arrive at each
  /// operation, example by example, as the sum over k of u_ik times what arrived from output k alone, which
  /// it does only if each example's cotangents are booked on it and come from no other example. And J_p' u,
  /// from the terms, must be what LibTorch's backward pass makes of it, relative to the parameter's own size.
  std::vector<KernelTerm> capture(const KernelRecording& recording, int64_t first, int64_t last,
                                  int64_t at_once, CaptureCheck* check = nullptr) const;

  int64_t outputs() const { return outputs_; }  // c
  /// How many outputs to take at once when memory does not matter: more where examples are few.
  int64_t outputs_at_once(int64_t examples) const;
  /// About what capture() holds at most.
  double bytes(int64_t examples, int64_t outputs, int64_t at_once) const;
  /// The parameters in groups whose parts of the kernel can be told apart: one each, or a weight with its
  /// bias. The first of a group is what its terms are named by; one that has no part in the predictions is in
  /// none.
  std::vector<std::vector<int64_t>> groups() const;
  /// What the plan does with each parameter and where it found it, in words that differ where plans do.
  std::string signature() const;
  /// Parameters that go by rows although the route is another one: "name (operation)".
  const std::vector<std::string>& by_rows() const { return by_rows_; }
  /// Marks the parameters that a recording reaches, or that went by rows and got a gradient. By parameter.
  const std::vector<bool>& reached() const { return reached_; }

 private:
  struct Part {
    TermForm form = TermForm::rows;
    int64_t parameter = 0;
    std::vector<size_t> uses;  // of the recorded ones; more than one only in the form of rows
    int64_t group = 0, groups = 1;
    double bias = 0;                             // factor of the bias that is taken along; 0: none
    int64_t bias_parameter = -1;                 // which one that is
    double numbers_per_output = 0, numbers = 0;  // that the term keeps for each example
  };

  /// Where a use has its examples, and all else that must be the same in every block.
  struct Layout {
    int64_t parameter;
    autograd::UseKind kind;
    std::vector<int64_t> shape;
    bool transposed, rows_of_product, examples_second;
    std::vector<int64_t> convolution;  // all its numbers
    std::vector<int64_t> rest;         // D's axes but the examples'; of a matrix, its positions

    bool operator==(const Layout&) const = default;
  };
  static Layout layout_of(const autograd::ParameterUse& use, int64_t batch);
  void find_layouts(const KernelRecording& trial, std::vector<autograd::ParameterUse>& uses,
                    std::vector<std::string>& reasons) const;

  /// What arrives at every use: (outputs, ...) of outputs [first, last), and of the weights of a check.
  struct Cotangents {
    std::vector<Tensor> of_outputs, of_weights;
  };
  /// `weighted`: a cotangent (n, c) to go along, or undefined.
  Cotangents cotangents_of(const KernelRecording& recording, int64_t first, int64_t last,
                           const Tensor& weighted) const;
  void check_terms(const KernelRecording& recording, const std::vector<KernelTerm>& terms,
                   const std::vector<Tensor>& gradients, const std::vector<Tensor>& arrived,
                   CaptureCheck& check) const;
  void make_parts(const std::vector<autograd::ParameterUse>& uses, int64_t batch);
  void add_matrix(const std::vector<autograd::ParameterUse>& uses, size_t use, int64_t batch);
  TermForm choose(double a, double b, double positions) const;
  KernelTerm empty_term(const Part& part, const autograd::ParameterUse& use, int64_t examples, int64_t first,
                        int64_t last, const at::TensorOptions& options) const;
  /// Turns a product into an identity when every example's cotangents are s times the unit vectors, as those
  /// of the layer that the network ends with.
  void find_identity(KernelTerm& term) const;
  void keep_rows(const Part& part, const Tensor& cotangents, const autograd::ParameterUse& use,
                 int64_t output, const std::vector<Tensor>& factors, KernelTerm& term) const;
  void keep_cotangents(const Part& part, const Tensor& cotangents, const autograd::ParameterUse& use,
                       int64_t output, int64_t outputs, KernelTerm& term) const;
  void add_rows_of_unrecognised(const Tensor& inputs, int64_t first, int64_t last,
                                std::vector<KernelTerm>& terms) const;
  void mark_reached(const KernelRecording& recording) const;
  /// autograd::functional::unchecked_batch of `pass` over the first axis of `cotangents`.
  std::optional<std::vector<Tensor>> batched(
      const Tensor& cotangents,
      const std::function<std::vector<Tensor>(const std::vector<Tensor>&)>& pass) const;

  NetworkFunction function_;
  KernelTask task_;
  std::vector<Part> parts_;
  std::vector<int64_t> unrecognised_;  // parameters
  std::vector<std::string> by_rows_;
  std::vector<Layout> layouts_;  // of the recorded uses
  mutable std::vector<bool> reached_;
  uint64_t fingerprint_ = 0;
  int64_t outputs_ = 0;
  double graph_numbers_ = 0;  // of the recorded graph, for each example
};

/// How many terms have each form: "3 product, 1 identity".
std::string summary(const std::vector<KernelTerm>& terms);

}  // namespace plumb
