/// A theorem as a component: what must be recorded of a run, under which hypotheses it speaks of that run,
/// and what it then claims of the recorded numbers.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "plumb/core/registry.hpp"
#include "plumb/probes/probe.hpp"
#include "plumb/records/recorded_run.hpp"
#include "plumb/theorems/claim.hpp"

namespace plumb {

/// What a page says of a theorem before any run.
struct TheoremText {
  std::string title;
  std::string statement;  // in formula signs, every symbol defined
  std::string source;     // author, year, number of the theorem
  std::string caveats;    // what the verdicts do not say; may be empty
};

/// A probe that a theorem needs: options as a description has them, `type` among them. What is not given is
/// the probe's default. A probe that looks at no fewer examples will do, and one of any cadence: what a
/// theorem says of every step is judged at the recorded ones.
struct ProbeRequest {
  Config description;

  std::string type() const;
  /// Whether a probe with these options, all written out, records what is asked for.
  bool met_by(const Config& options) const;
};

/// What every theorem can be told: how much of the run is recorded for it.
struct TheoremOptions {
  int64_t examples = 256;
  Cadence cadence;

  void fields(Fields& f);
  /// The request "{type: ..., MORE}" with this cadence, `more` in YAML without braces.
  ProbeRequest request(std::string_view type, std::string_view more = "") const;
  /// The same of a probe that looks at examples: as many as the option says.
  ProbeRequest request_on_examples(std::string_view type, std::string_view more = "") const;
};

class Theorem {
 public:
  Theorem() = default;
  Theorem(const Theorem&) = delete;
  Theorem& operator=(const Theorem&) = delete;
  virtual ~Theorem() = default;

  virtual TheoremText text() const = 0;
  virtual std::vector<ProbeRequest> needs() const = 0;
  /// The hypotheses with the numbers that decide them, and the claims, of a run in which all that is needed
  /// was recorded, at least at the start. Claims carry the hypotheses they depend on.
  virtual std::vector<theory::Assumption> hypotheses(const RecordedRun& run) const = 0;
  virtual std::vector<Claim> claims(const RecordedRun& run) const = 0;
};

/// Theorems by name, as under `theorems:` in a description.
using Theorems = Registry<std::unique_ptr<Theorem>()>;
Theorems& theorems();

using TheoremChoices = Choices<std::unique_ptr<Theorem>()>;

/// `probes`, and after them what `theorems` need beside, each at its own steps, under names "theorem_TYPE" that
/// no other probe has.
ProbeChoices with_needs(const ProbeChoices& probes, const TheoremChoices& theorems);

/// Of the run's probes that meet the request the one with the most measurements, or null pointer.
const RecordedProbe* find_probe(const RecordedRun& run, const ProbeRequest& request);

/// One theorem held against one run.
struct Judgement {
  std::string type;  // of the theorem
  TheoremText text;
  /// Why nothing could be judged, a sentence each: probes that the run did not record; empty otherwise.
  std::vector<std::string> missing;
  std::vector<theory::Assumption> hypotheses;
  std::vector<Claim> claims;
};

/// Holds the theorem that `description` names, with its options, against the run. Throws ConfigError for a
/// name or an option that is none.
Judgement judge(const RecordedRun& run, const Config& description);

}  // namespace plumb
