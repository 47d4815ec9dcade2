#include "cli/command_line.h"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <limits>

#include "base/escape.h"

namespace rehearse::cli {
namespace {

void add_globals(CLI::App& app, Globals& globals) {
  app.set_version_flag("--version", "rehearse " REHEARSE_VERSION, "Print the version");
  app.add_option("--state", globals.state, "State directory (default /var/lib/rehearse)")->type_name("DIR");
  app.add_flag("--json", globals.json, "Print one JSON document on standard output");
  app.add_option_function<std::string>(
         "--color",
         [&globals](const std::string& word) {
           globals.color = word == "always" ? Color::kAlways : word == "never" ? Color::kNever : Color::kAuto;
         },
         "auto, always or never (NO_COLOR is honoured)")
      ->check(CLI::IsMember({"auto", "always", "never"}))
      ->type_name("WHEN");
}

/// CLI11 alone takes -1 for the largest number there is.
template <class Number>
std::string unless_number(const std::string& word) {
  Number value = 0;
  const auto end = word.data() + word.size();
  const auto [rest, problem] = std::from_chars(word.data(), end, value);
  if (problem == std::errc() && rest == end) return {};
  return '"' + escape_text(word, 64) + "\" is not a whole number from 0 to " +
         std::to_string(std::numeric_limits<Number>::max());
}

/// Of the verb or of one of its parts; none: no such option, or it takes no value.
const CLI::Option* option_with_value(const CLI::App& app, const std::string& name) {
  const CLI::Option* option = app.get_option_no_throw(name);
  for (const CLI::App* part : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (option == nullptr) option = part->get_option_no_throw(name);
  }
  return option != nullptr && option->get_items_expected_max() > 0 ? option : nullptr;
}

/// What a shell makes of `--user "$UNSET"` must not be taken for an option that was left out; and CLI11 takes
/// the next word for the value of `--user=`.
Result<void> check_none_empty(const CLI::App& app, const Arguments& arguments) {
  const auto refuse = [&app](const std::string& what) {
    return fail(app.get_name() + ": " + what + " is empty (a variable that is not set?)", ExitCode::kUsage,
                "give it a value or leave it out");
  };
  for (std::size_t i = 0; i < arguments.size() && arguments[i] != "--"; ++i) {
    const std::string& word = arguments[i];
    const bool is_long = word.starts_with("--");
    if (!is_long && (word.size() < 2 || word[0] != '-')) {
      if (app.get_prefix_command()) return {};  // from here on it is the command's
      if (word.empty()) return refuse("an argument");
      continue;
    }
    const std::size_t end = is_long ? std::min(word.find('='), word.size()) : 2;
    const std::string name = word.substr(0, end);
    if (end < word.size() && !(is_long && end + 1 == word.size())) continue;  // the value is joined to it
    if (option_with_value(app, name) == nullptr) continue;
    if (end < word.size() || (++i < arguments.size() && arguments[i].empty()))
      return refuse("the value of " + name);
  }
  return {};
}

template <class Number, class Variable>
CLI::Option* add_number(CLI::App& app, const char* names, Variable& value, const char* about) {
  return app.add_option(names, value, about)->check(unless_number<Number>)->type_name("NUMBER");
}

}  // namespace

const CommandLine::Option& CommandLine::Option::required() const {
  option_->required();
  return *this;
}

const CommandLine::Option& CommandLine::Option::type_name(const char* name) const {
  option_->type_name(name);
  return *this;
}

const CommandLine::Option& CommandLine::Option::one_of(std::initializer_list<const char*> words) const {
  option_->check(CLI::IsMember(std::vector<std::string>(words.begin(), words.end())));
  return *this;
}

const CommandLine::Option& CommandLine::Option::environment(const char* name) const {
  option_->envname(name);
  return *this;
}

const CommandLine::Option& CommandLine::Option::one_each() const {
  option_->allow_extra_args(false);
  return *this;
}

CommandLine::CommandLine(const char* about, const char* verb, Globals& globals)
    : own_(std::make_unique<CLI::App>(about, verb)), app_(own_.get()) {
  add_globals(*app_, globals);
}

CommandLine::CommandLine(CLI::App* part) : app_(part) {}
CommandLine::~CommandLine() = default;
CommandLine::CommandLine(CommandLine&&) noexcept = default;

void CommandLine::flag(const char* names, bool& value, const char* about) {
  app_->add_flag(names, value, about);
}

CommandLine::Option CommandLine::option(const char* names, std::string& value, const char* about) {
  return Option(app_->add_option(names, value, about));
}

CommandLine::Option CommandLine::option(const char* names, std::vector<std::string>& value,
                                        const char* about) {
  return Option(app_->add_option(names, value, about));
}

CommandLine::Option CommandLine::option(const char* names, std::uint64_t& value, const char* about) {
  return Option(add_number<std::uint64_t>(*app_, names, value, about));
}

CommandLine::Option CommandLine::option(const char* names, std::optional<std::uint64_t>& value,
                                        const char* about) {
  return Option(add_number<std::uint64_t>(*app_, names, value, about));
}

CommandLine::Option CommandLine::option(const char* names, std::optional<std::uint32_t>& value,
                                        const char* about) {
  return Option(add_number<std::uint32_t>(*app_, names, value, about));
}

CommandLine::Option CommandLine::option(const char* names, std::optional<double>& value, const char* about) {
  const auto unless_decimal = [](const std::string& word) -> std::string {
    double number = 0;
    const auto end = word.data() + word.size();
    const auto [rest, problem] = std::from_chars(word.data(), end, number);
    if (problem == std::errc() && rest == end && std::isfinite(number)) return {};
    return '"' + escape_text(word, 64) + "\" is not a number, such as 1.5";
  };
  return Option(app_->add_option(names, value, about)->check(unless_decimal)->type_name("NUMBER"));
}

CommandLine CommandLine::part(const char* name, const char* about) {
  app_->require_subcommand(1);
  app_->fallthrough();
  return CommandLine(app_->add_subcommand(name, about));
}

bool CommandLine::named() const {
  return app_->parsed();
}

void CommandLine::stop_at_first_word() {
  app_->prefix_command();
}

std::vector<std::string> CommandLine::rest() const {
  return app_->remaining();
}

Result<bool> CommandLine::parse(Arguments arguments) {
  RH_CHECK(check_none_empty(*app_, arguments));
  // CLI11 takes the words last first.
  std::reverse(arguments.begin(), arguments.end());
  try {
    app_->parse(std::move(arguments));
  } catch (const CLI::CallForVersion& version) {
    std::puts(version.what());
    return false;
  } catch (const CLI::Success&) {
    std::fputs(app_->help().c_str(), stdout);
    return false;
  } catch (const CLI::ParseError& error) {
    return fail(error.what(), ExitCode::kUsage, "see `rehearse " + app_->get_name() + " --help`");
  }
  return true;
}

}  // namespace rehearse::cli
