#include <charconv>
#include <filesystem>
#include <iostream>
#include <iterator>

#include <fmt/format.h>

#include "plumb/command_line/verbs.hpp"

namespace plumb {

Config load_description(const std::string& file) {
  if (file != "-") return Config::load(file);
  const std::string text{std::istreambuf_iterator<char>(std::cin), std::istreambuf_iterator<char>()};
  return Config::parse(text, "standard input");
}

std::vector<std::string> take_overrides(std::vector<std::string>& words) {
  std::vector<std::string> overrides, others;
  for (std::string& word : words) {
    std::error_code unknown;
    const bool is_file = std::filesystem::exists(word, unknown);
    const bool assigns = word.find('=') != std::string::npos && word.front() != '=';
    (assigns && !is_file ? overrides : others).push_back(std::move(word));
  }
  words = std::move(others);
  return overrides;
}

CLI::Validator at_least(int64_t least) {
  return {[least](std::string& text) -> std::string {
            int64_t number = 0;
            const char* end = text.data() + text.size();
            const auto [stop, error] = std::from_chars(text.data(), end, number);
            return error == std::errc{} && stop == end && number >= least
                       ? std::string{}
                       : fmt::format("'{}' is not a whole number of at least {}", text, least);
          },
          ""};
}

}  // namespace plumb
