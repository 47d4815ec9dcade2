// What looks like a secret in text that is kept: names whose values are hidden, passwords within URLs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/secret_options.h"

namespace rehearse {

/// True for the name of something secret ("db-password", "apikey"), but not of a place where one lies
/// ("token-file"), of something about it ("token-ttl"), or of its absence ("--no-password"). The name is in
/// lower case.
bool names_secret(std::string_view name);

struct TextRange {
  std::size_t begin = 0;
  std::size_t size = 0;  ///< 0: there is none
};

/// The password in the first "scheme://user:password@host" of the text, or the token in
/// "scheme://token@host": what is there alone and is long, of letters and digits.
TextRange url_password(std::string_view text);

/// Overwrites with asterisks, byte for byte, what url_password() finds in all URLs of the text; true if there
/// was something.
bool mask_urls(char* text, std::size_t size);

/// Overwrites with asterisks, byte for byte, what is secret in a list of words that each end with NUL:
/// `--password=VALUE`, `--token VALUE`, `PASSWORD=VALUE`, `Authorization: VALUE`, `Cookie: NAME=VALUE`,
/// `/password:VALUE`, `scheme://user:VALUE@host`; and what secret_options.h knows.
/// A word may be a script: what a value hides ends where another command could begin, so that whoever reads
/// it sees all that is executed. The list may come in pieces: one object a list.
class WordMask {
 public:
  /// True if there was something in this piece.
  bool take(char* bytes, std::size_t size);

 private:
  enum class State : std::uint8_t {
    kName,      ///< of something, perhaps secret
    kLead,      ///< between a secret name and its value
    kValue,     ///< until a blank, a quote or the end of a command
    kArgument,  ///< of a long option: until the end of the word or of a command
    kWord,      ///< the whole word
  };
  void end_word();
  bool step(char c);
  void read_name(char c);
  void begin_value(char sign);
  [[nodiscard]] bool names_value(char sign) const;
  [[nodiscard]] bool begins_word() const;
  [[nodiscard]] bool is_slash_option() const;
  [[nodiscard]] bool ends_value(char c) const;

  State state_ = State::kName;
  std::string name_;        ///< the end of it, in lower case
  bool first_ = true;       ///< nothing but the name has been in this word
  bool name_over_ = false;  ///< a blank or a quote came after the name
  bool option_ = false;     ///< this word is an option, and what it is set to begins now
  char before_[2] = {};     ///< what came before it, the nearest first
  bool blanks_ = false;     ///< may stand in the lead
  bool scheme_ = false;     ///< the value is the name of a scheme, and the secret comes after it
  bool cookies_ = false;    ///< what any name is set to is the value of a cookie
  bool slash_ = false;      ///< the name was an option of Windows' kind: a path is no value of it
  SecretOptions options_;
  char previous_[2] = {};
};

/// The same for a whole list, where asterisks do not tell how long a secret is; true if there was something.
bool mask_words(std::vector<std::string>& words);

/// What WordMask has left of secrets, without their lengths.
void shorten_masks(std::string& word);

}  // namespace rehearse
