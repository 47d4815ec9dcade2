// The words of a verb: what it takes, said once, and read. CLI11 (its headers are large) stands behind it, in
// one file.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/verbs.h"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace rehearse::cli {

/// What an option's value was read as, or the error with the option's name before it.
template <class Value>
Result<Value> of_option(const char* option, Result<Value> value) {
  if (value) return value;
  return with_context(std::move(value).error(), option);
}

/// What a verb takes. Every variable named has to outlive `parse`.
class CommandLine {
 public:
  /// An option or word that was just named; each call says one more thing of it.
  class Option {
   public:
    explicit Option(CLI::Option* option) : option_(option) {}
    const Option& required() const;
    /// What stands for its value in --help.
    const Option& type_name(const char* name) const;
    const Option& one_of(std::initializer_list<const char*> words) const;
    /// Taken from this variable of the environment where the line does not say it.
    const Option& environment(const char* name) const;
    /// A list to which each mention adds one: `--env A --env B`, so that words that follow are words again.
    const Option& one_each() const;

   private:
    CLI::Option* option_;
  };

  /// With the options that every verb takes.
  CommandLine(const char* about, const char* verb, Globals& globals);
  ~CommandLine();
  CommandLine(CommandLine&&) noexcept;
  CommandLine(const CommandLine&) = delete;
  CommandLine& operator=(CommandLine&&) = delete;
  CommandLine& operator=(const CommandLine&) = delete;

  /// `names`: as CLI11 has them ("-o,--output", "RUN" for a word by position, "!--no-x" for one that switches
  /// off).
  void flag(const char* names, bool& value, const char* about);
  Option option(const char* names, std::string& value, const char* about);
  Option option(const char* names, std::vector<std::string>& value, const char* about);
  Option option(const char* names, std::uint64_t& value, const char* about);
  Option option(const char* names, std::optional<std::uint64_t>& value, const char* about);
  Option option(const char* names, std::optional<std::uint32_t>& value, const char* about);
  Option option(const char* names, std::optional<double>& value, const char* about);

  /// A verb of the verb. One of its parts has to be named; the options of the whole are options of each.
  CommandLine part(const char* name, const char* about);
  /// This part is the one that was named.
  [[nodiscard]] bool named() const;

  /// The first word that is no option ends them: it and what follows are `rest`.
  void stop_at_first_word();
  [[nodiscard]] std::vector<std::string> rest() const;

  /// A wrong line is kUsage with one line that names the option and points to `rehearse VERB --help`; so is a
  /// value that is empty: no option means something by that. False when help or the version was asked for and
  /// has been printed.
  Result<bool> parse(Arguments arguments);

 private:
  explicit CommandLine(CLI::App* part);
  std::unique_ptr<CLI::App> own_;  ///< none for a part: the whole has it
  CLI::App* app_;
};

}  // namespace rehearse::cli
