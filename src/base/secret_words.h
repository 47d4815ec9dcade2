// What looks like a secret in text that is kept: names whose values are hidden, passwords within URLs.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace rehearse {

/// True for the name of something secret ("db-password", "apikey"), but not of a place where one lies
/// ("token-file"). The name is in lower case.
bool names_secret(std::string_view name);

struct TextRange {
  std::size_t begin = 0;
  std::size_t size = 0;  ///< 0: there is none
};

/// The password in the first "scheme://user:password@host" of the text.
TextRange url_password(std::string_view text);

/// Overwrites with asterisks, byte for byte, what is secret in a list of words that each end with NUL:
/// `--password=VALUE`, `--token VALUE`, `PASSWORD=VALUE`, `Authorization: VALUE`, `scheme://user:VALUE@host`.
/// The list may come in pieces: one object a list.
class WordMask {
 public:
  /// True if there was something in this piece.
  bool take(char* bytes, std::size_t size);

 private:
  std::string word_;      ///< the beginning of a word that may go on, in lower case
  bool masking_ = false;  ///< the rest of it is secret
};

/// The same for a whole list; true if there was something.
bool mask_words(std::vector<std::string>& words);

}  // namespace rehearse
