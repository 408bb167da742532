#include "plumb/experiment/outdated.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace plumb {
namespace {

/// A component as a mapping with `type`, whichever way it was written.
Config with_type(const Config& component) {
  if (component.is_mapping()) return component;
  Config mapping = Config::empty_mapping();
  mapping.place = component.place;
  mapping.path = component.path;
  mapping.add("type", component);
  return mapping;
}

std::string type_of(const Config& component) {
  if (!component.is_mapping()) return component.text;
  const Config* type = component.find("type");
  return type == nullptr ? "" : type->text;
}

/// The value under `old`, or `otherwise`, under the name `now`.
void move_key(Config& to, const Config& from, const char* old, const char* now,
              const std::string& otherwise) {
  const Config* value = from.find(old);
  to.add(now, value != nullptr ? *value : Config::parse(otherwise));
}

/// The schedule in today's words; a null value when it already is.
Config renewed_schedule(const Config& schedule) {
  const std::string type = type_of(schedule);
  const auto has = [&](const char* key) { return schedule.find(key) != nullptr; };
  Config renewed = Config::empty_mapping();
  if (type == "exponential" && !has("gamma")) {
    renewed.add("type", Config::scalar("step"));
    move_key(renewed, schedule, "every", "step_size", "1");
    move_key(renewed, schedule, "factor", "gamma", "0.95");
  } else if (type == "step" && !has("gamma") && !has("step_size")) {
    renewed.add("type", Config::scalar("multi_step"));
    move_key(renewed, schedule, "epochs", "milestones", "[150, 225]");
    move_key(renewed, schedule, "factor", "gamma", "0.1");
  } else {
    return {};
  }
  for (const Config::Entry& entry : schedule.entries)  // what was no key of it then is none now
    if (entry.key != "type" && entry.key != "every" && entry.key != "factor" && entry.key != "epochs")
      renewed.entries.push_back(entry);
  renewed.place = schedule.place;
  renewed.path = schedule.path;
  return renewed;
}

void renew_schedule(Config& training, std::vector<std::string>& notes) {
  Config* schedule = training.find("schedule");
  if (schedule == nullptr) return;
  Config renewed = renewed_schedule(*schedule);
  if (renewed.is_null()) return;
  notes.push_back(at_place(schedule->place, schedule->path,
                           fmt::format("'{}' is called as in torch now: write {{{}}}",
                                       with_type(*schedule).to_line(), renewed.to_line())));
  *schedule = std::move(renewed);
}

void note_defaults(const Config& description, std::vector<std::string>& notes) {
  const Config* training = description.find("training");
  const Config* written = training == nullptr ? nullptr : training->find("optimizer");
  if (written != nullptr && type_of(*written) != "sgd") return;
  std::vector<std::string> changed;
  const auto note = [&](const char* key, const char* now, const char* then) {
    if (written == nullptr || written->find(key) == nullptr)
      changed.push_back(fmt::format("{} {} (it was {})", key, now, then));
  };
  note("learning_rate", "0.001", "0.1");
  note("momentum", "0", "0.9");
  if (changed.empty()) return;
  const Config& place = written != nullptr ? *written : training != nullptr ? *training : description;
  notes.push_back(at_place(
      place.place, "training.optimizer",
      fmt::format("sgd has torch's defaults now: {}; write down what you want", fmt::join(changed, ", "))));
}

}  // namespace

std::vector<std::string> renew_words(Config& description) {
  std::vector<std::string> notes;
  if (Config* training = description.find("training"); training != nullptr && training->is_mapping())
    renew_schedule(*training, notes);
  note_defaults(description, notes);
  return notes;
}

}  // namespace plumb
