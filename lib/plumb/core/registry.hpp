/// Name -> component: what a description may name, and how it is made.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "plumb/core/error.hpp"
#include "plumb/core/fields.hpp"

namespace plumb {

template <class Signature>
class Registry;

/// The components of one kind. `Product(Args...)` is what making one returns and takes beside its options.
/// Built-in components are listed by the build (cmake/registrations.cmake); a program adds its own with
/// add().
template <class Product, class... Args>
class Registry<Product(Args...)> {
 public:
  /// One component's options, value and factory together.
  class Entry {
   public:
    virtual ~Entry() = default;
    virtual std::unique_ptr<Entry> clone() const = 0;
    virtual void fields(Fields& fields) = 0;
    virtual Product make(Args... args) const = 0;
    virtual std::string_view help() const = 0;
  };

  /// Adds a component: `make(const T& options, args...)`. Throws ContractError when the name is taken.
  template <Options T, class Make>
  void add(const std::string& name, std::string help, Make make) {
    expects(!entries_.contains(name), "'{}' is registered twice", name);
    entries_[name] = std::make_unique<Typed<T, Make>>(T{}, std::move(help), std::move(make));
  }

  /// The component `name` with default options. Throws ContractError when there is none.
  std::unique_ptr<Entry> at(const std::string& name) const {
    const auto found = entries_.find(name);
    expects(found != entries_.end(), "unknown component '{}'{}", name, suggestion(name, names()));
    return found->second->clone();
  }

  std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (const auto& [name, entry] : entries_) names.push_back(name);
    return names;
  }

 private:
  template <class T, class Make>
  class Typed final : public Entry {
   public:
    Typed(T options, std::string help, Make maker)
        : options_(std::move(options)), help_(std::move(help)), make_(std::move(maker)) {}
    std::unique_ptr<Entry> clone() const override { return std::make_unique<Typed>(*this); }
    void fields(Fields& fields) override { options_.fields(fields); }
    Product make(Args... args) const override {
      return std::invoke(make_, options_, std::forward<Args>(args)...);
    }
    std::string_view help() const override { return help_; }

   private:
    T options_;
    std::string help_;
    Make make_;
  };

  std::map<std::string, std::unique_ptr<Entry>> entries_;
};

/// A component chosen from a registry, with its options: a value that can be read, written, copied and made.
template <class Signature>
class Choice;

template <class Product, class... Args>
class Choice<Product(Args...)> final : public AnyChoice {
 public:
  using Kind = Registry<Product(Args...)>;

  explicit Choice(const Kind& registry) : registry_(&registry) {}
  Choice(const Kind& registry, const std::string& type) : registry_(&registry) { Choice::select(type); }
  Choice(const Choice& other)
      : registry_(other.registry_),
        type_(other.type_),
        entry_(other.entry_ ? other.entry_->clone() : nullptr) {}
  Choice(Choice&&) noexcept = default;
  Choice& operator=(Choice other) noexcept {
    std::swap(registry_, other.registry_);
    std::swap(type_, other.type_);
    std::swap(entry_, other.entry_);
    return *this;
  }
  ~Choice() override = default;

  const std::string& type() const override { return type_; }
  std::vector<std::string> types() const override { return registry_->names(); }
  void select(const std::string& type) override {
    if (type == type_) return;
    entry_ = registry_->at(type);
    type_ = type;
  }
  void fields(Fields& fields) override {
    if (entry_) entry_->fields(fields);
  }
  bool empty() const { return entry_ == nullptr; }
  std::string_view help() const { return entry_ ? entry_->help() : std::string_view{}; }

  /// Throws ContractError when nothing was chosen.
  Product make(Args... args) const {
    expects(entry_ != nullptr, "a component must be chosen before it is made");
    return entry_->make(std::forward<Args>(args)...);
  }

 private:
  const Kind* registry_;
  std::string type_;
  std::unique_ptr<typename Kind::Entry> entry_;
};

/// A list of components of one kind, each with its options: a value like Choice.
template <class Signature>
class Choices;

template <class Product, class... Args>
class Choices<Product(Args...)> final : public AnyChoices {
 public:
  using Item = Choice<Product(Args...)>;

  explicit Choices(const Registry<Product(Args...)>& registry) : registry_(&registry) {}

  std::vector<std::string> types() const override { return registry_->names(); }
  size_t size() const override { return items_.size(); }
  AnyChoice& at(size_t index) override { return items_.at(index); }
  void clear() override { items_.clear(); }
  AnyChoice& append() override { return items_.emplace_back(*registry_); }

  bool empty() const { return items_.empty(); }
  auto begin() const { return items_.begin(); }
  auto end() const { return items_.end(); }

 private:
  const Registry<Product(Args...)>* registry_;
  std::vector<Item> items_;
};

}  // namespace plumb

/// Names a built-in component, at the end of its file, inside namespace plumb:
///   PLUMB_REGISTER(Models, mlp, MlpOptions, make_mlp, "fully connected network")
/// The build scans the sources for such lines and writes the table; the file must be called <name>.cpp.
#define PLUMB_REGISTER(Kind, name, Options, make, help) \
  void register_##Kind##_##name(Kind& registry) { registry.add<Options>(#name, help, make); }
