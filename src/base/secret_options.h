// Secrets that follow an option, a program's own (`mysql -pVALUE`) or one named like a secret in a script
// (`sh -c 'x --token VALUE'`), and those of SQL (`IDENTIFIED BY 'VALUE'`): text is read as a shell would.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace rehearse {

/// Reads a list of words that each end with NUL, a byte at a time. An option counts only where it stands as a
/// word of its own, without quotes: in `X="a --token" COMMAND` what follows it is executed.
class SecretOptions {
 public:
  /// Whether this byte is secret.
  bool step(char c);

 private:
  enum class State : std::uint8_t {
    kWord,     ///< reading a word
    kAwaited,  ///< the option is over, its value comes
    kValue,
  };
  bool read_word(char c);
  bool await_value(char c);
  bool read_value(char c);
  void end_word(bool argument_ends);
  void end_command();
  void read_option(bool argument_ends);
  void read_operand();
  /// Of the programs that the command has named; notes where in its value the secret begins.
  template <class Fits>
  bool has_option(const Fits& fits);
  /// The word is an option whose value follows in the same word, or else in the next.
  bool takes_attached();
  bool takes_next();
  [[nodiscard]] bool is_line_break(char c) const { return c == '\n' && previous_ == '\\'; }
  void begin_value();

  State state_ = State::kWord;
  std::string word_;
  bool first_ = true;      ///< the word begins with an argument
  bool broken_ = false;    ///< there was a quote in the word, or an escape
  bool whole_ = false;     ///< the value is an argument by itself; else a word of a script
  bool attached_ = false;  ///< the value ends an argument that its option begins
  bool quoted_ = false;    ///< the value is in quotes
  bool shown_ = false;     ///< the part of the value that is read is none of the secret
  char sign_ = '\0';       ///< where the secret begins in the value; NUL: all of it is one
  char previous_ = '\0';
  std::uint32_t programs_ = 0;  ///< a bit for each line of the table whose program the command has named
  std::uint32_t commands_ = 0;  ///< and whose subcommand
  bool account_ = false;        ///< SQL: the statement is about somebody who may log in
  bool quote_ = false;          ///< SQL: it says next, in quotes, by which password
};

}  // namespace rehearse
