#include "plumb/theorems/theorem.hpp"

#include <algorithm>
#include <charconv>
#include <set>

namespace plumb {
namespace {

struct ListedTheorem {
  TheoremChoices theorems{plumb::theorems()};

  void fields(Fields& f) { f.components("theorems", theorems, ""); }
};

int64_t whole_number(const Config& value) {
  int64_t number = 0;
  std::from_chars(value.text.data(), value.text.data() + value.text.size(), number);
  return number;
}

bool decides_when(std::string_view key) { return key == "name" || key == "every" || key == "at"; }

/// Whether both are measured at the same steps.
bool same_cadence(const Config& one, const Config& other) {
  return one.find("every")->to_line() == other.find("every")->to_line() &&
         one.find("at")->to_line() == other.find("at")->to_line();
}

}  // namespace

std::string ProbeRequest::type() const { return description.find("type")->text; }

bool ProbeRequest::met_by(const Config& options) const {
  return std::ranges::all_of(description.entries, [&](const Config::Entry& asked) {
    if (decides_when(asked.key)) return true;
    const Config* value = options.find(asked.key);
    if (value == nullptr) return false;
    if (asked.key == "examples") return whole_number(*value) >= whole_number(asked.value);
    return value->to_line() == asked.value.to_line();
  });
}

void TheoremOptions::fields(Fields& f) {
  f.field("examples", examples,
          "training examples that are looked at, at most; the theorem is about all of them, so that it says "
          "nothing of a larger training set",
          positive);
  cadence.fields(f);
}

ProbeRequest TheoremOptions::request(std::string_view type, std::string_view more) const {
  Config description = Config::parse(fmt::format("{{type: {}{}{}}}", type, more.empty() ? "" : ", ", more));
  const Config when = write_options(cadence);
  for (const Config::Entry& entry : when.entries) description.add(entry.key, entry.value);
  return {description};
}

ProbeRequest TheoremOptions::request_on_examples(std::string_view type, std::string_view more) const {
  return request(type, fmt::format("examples: {}{}{}", examples, more.empty() ? "" : ", ", more));
}

ProbeChoices with_needs(const ProbeChoices& probes, const TheoremChoices& theorems) {
  std::vector<Config> all = written_out(probes);
  std::set<std::string> names;
  for (const std::string& name : probe_names(probes)) names.insert(name);
  for (const auto& theorem : theorems)
    for (const ProbeRequest& request : theorem.make()->needs()) {
      const bool there = std::ranges::any_of(all, [&](const Config& probe) {
        return request.met_by(probe) && same_cadence(request.description, probe);
      });
      if (there) continue;
      std::string name = "theorem_" + request.type();
      for (int number = 2; !names.insert(name).second; ++number)
        name = fmt::format("theorem_{}_{}", request.type(), number);
      Config added = request.description;
      added.add("name", Config::scalar(name));
      all.push_back(written_out(read_probes({added})).front());
    }
  return read_probes(std::move(all));
}

const RecordedProbe* find_probe(const RecordedRun& run, const ProbeRequest& request) {
  const RecordedProbe* densest = nullptr;
  for (const RecordedProbe& probe : run.probes) {
    if (!request.met_by(probe.options)) continue;
    if (densest == nullptr || probe.table.rows.size() > densest->table.rows.size()) densest = &probe;
  }
  return densest;
}

Judgement judge(const RecordedRun& run, const Config& description) {
  Config list = Config::parse("theorems: []");
  list.find("theorems")->items.push_back(description);
  const auto chosen = read_options<ListedTheorem>(list).theorems;
  Judgement judgement;
  judgement.type = chosen.begin()->type();
  const std::unique_ptr<Theorem> theorem = chosen.begin()->make();
  judgement.text = theorem->text();
  for (const ProbeRequest& request : theorem->needs()) {
    const RecordedProbe* probe = find_probe(run, request);
    if (probe == nullptr)
      judgement.missing.push_back(fmt::format(
          "the run recorded no probe {}; write it, or the theorem, into the description and train again",
          request.description.to_line()));
    else if (probe->table.rows.empty() || probe->table.column("step").front() != 0)
      judgement.missing.push_back(fmt::format("the probe {} has no measurement of the start", probe->name));
  }
  if (!judgement.missing.empty()) return judgement;
  judgement.hypotheses = theorem->hypotheses(run);
  judgement.claims = theorem->claims(run);
  return judgement;
}

}  // namespace plumb
