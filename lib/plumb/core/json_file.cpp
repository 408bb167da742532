#include "plumb/core/json_file.hpp"

#include <nlohmann/json.hpp>

#include "plumb/core/error.hpp"
#include "plumb/core/files.hpp"

namespace plumb {
namespace {

constexpr size_t deepest_json = 64;

/// Builds the tree from the parser's events: nlohmann's own values are written and destroyed by recursion,
/// which a file of ten thousand brackets turns into a crash.
class JsonTree : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit JsonTree(std::string source) : source_(std::move(source)) {}

  Config take() { return std::move(root_); }

  bool null() override { return add({}); }
  bool boolean(bool value) override { return add(Config::scalar(value ? "true" : "false")); }
  bool number_integer(number_integer_t value) override {
    return add(Config::scalar(fmt::format("{}", value)));
  }
  bool number_unsigned(number_unsigned_t value) override {
    return add(Config::scalar(fmt::format("{}", value)));
  }
  bool number_float(number_float_t, const string_t& text) override { return add(Config::scalar(text)); }
  bool string(string_t& text) override {
    Config value = Config::scalar(std::move(text));
    value.quoted = true;
    return add(std::move(value));
  }
  bool binary(binary_t&) override { return false; }
  bool start_object(size_t) override { return open(Config::Kind::mapping); }
  bool key(string_t& name) override {
    open_.back().add(std::move(name), {});
    return true;
  }
  bool end_object() override { return close(); }
  bool start_array(size_t) override { return open(Config::Kind::sequence); }
  bool end_array() override { return close(); }
  bool parse_error(size_t, const std::string&, const nlohmann::detail::exception& error) override {
    throw DataError(fmt::format("{}: is no JSON: {}", source_, error.what()));
  }

 private:
  bool open(Config::Kind kind) {
    if (open_.size() == deepest_json)
      throw DataError(fmt::format("{}: lists and objects are more than {} deep", source_, deepest_json));
    open_.emplace_back().kind = kind;
    return true;
  }

  bool close() {
    Config value = std::move(open_.back());
    open_.pop_back();
    return add(std::move(value));
  }

  bool add(Config value) {
    if (open_.empty())
      root_ = std::move(value);
    else if (open_.back().is_mapping())
      open_.back().entries.back().value = std::move(value);
    else
      open_.back().items.push_back(std::move(value));
    return true;
  }

  std::string source_;
  Config root_;
  std::vector<Config> open_;
};

}  // namespace

Config parse_json(std::string_view json, const std::string& source) {
  JsonTree tree(source);
  nlohmann::json::sax_parse(json.begin(), json.end(), &tree);
  return tree.take();
}

Config load_json(const std::filesystem::path& file) {
  Config json = parse_json(read_file(file), file.string());
  if (!json.is_mapping()) throw DataError(fmt::format("{}: is no JSON object", file.string()));
  return json;
}

}  // namespace plumb
